//! BFD with BIRD and FRR: every kind of path, timers that change, restarts, planned ends, keys, and
//! what follows for BGP.

use ha2bgp_lab::bfd_scene::{Addresses, Cut, Plan, ROUTE, Scene};
use ha2bgp_lab::router::{Bfd, Kind};
use ha2bgp_lab::{LabError, Result, wait};
use rustix::process::Signal;
use std::time::Duration;

use crate::speaker_stage::with_each_router;
use crate::stage::{SOON, WHILE};

/// What is asked for where speed does not matter: 100 ms, three times.
const EASY: Bfd = Bfd::new(100, 3);

fn up(kind: Kind, addresses: Addresses, multihop: bool) -> Result<Scene> {
    Scene::up(Plan { addresses, multihop, ..Plan::new(kind, EASY) })
}

/// Nothing happens to a session for a while.
fn stays_up(scene: &Scene) -> Result<()> {
    wait::pause(WHILE);
    for key in ["downs", "failures"] {
        assert_eq!(scene.number(key)?, 0.0, "{key}\n{}", scene.tail());
    }
    assert!(scene.router.is_bfd_up()?);
    Ok(())
}

fn neighbors(kind: Kind) -> Result<()> {
    for addresses in [Addresses::V4, Addresses::V6, Addresses::LinkLocal] {
        let scene = up(kind, addresses, false)?;
        // Both sides have agreed.
        assert_eq!(scene.number("transmit_seconds")?, 0.1, "{addresses:?}: {}", scene.peers()?);
        assert_eq!(scene.number("detection_seconds")?, 0.3, "{addresses:?}: {}", scene.peers()?);
        stays_up(&scene)?;
    }
    Ok(())
}
with_each_router!(neighbors: bird = Bird, frr = Frr);

fn several_hops(kind: Kind) -> Result<()> {
    for addresses in [Addresses::V4, Addresses::V6] {
        let scene = up(kind, addresses, true)?;
        assert!(scene.peers()?.contains("\"multihop\":true"), "{}", scene.peers()?);
        stays_up(&scene)?;
    }
    Ok(())
}
with_each_router!(several_hops: bird = Bird, frr = Frr);

/// Waits until our session has these intervals.
fn wait_agreed(scene: &Scene, transmit: f64, detection: f64) -> Result<()> {
    let what = format!("{transmit} s and {detection} s are agreed on");
    wait::until(SOON, &what, || {
        let number = |key| scene.number(key).map_err(|error| error.to_string());
        let agreed = [number("transmit_seconds")?, number("detection_seconds")?];
        if agreed == [transmit, detection] { Ok(()) } else { Err(format!("{agreed:?}")) }
    })
}

/// Slower and faster, by either side: the session stays up.
fn timers_change(kind: Kind) -> Result<()> {
    let mut scene = Scene::up(Plan::new(kind, EASY))?;
    scene.router.set_bfd(Bfd::new(400, 4))?;
    wait_agreed(&scene, 0.4, 1.6)?;
    scene.router.set_bfd(Bfd::new(60, 3))?;
    wait_agreed(&scene, 0.1, 0.3)?;
    scene.reload("bfd = { tx = \"700ms\", rx = \"500ms\", multiplier = 5 }")?;
    wait_agreed(&scene, 0.7, 1.5)?;
    scene.reload("bfd = { tx = \"60ms\", rx = \"60ms\", multiplier = 3 }")?;
    wait_agreed(&scene, 0.06, 0.18)?;
    stays_up(&scene)
}
with_each_router!(timers_change: bird = Bird, frr = Frr);

/// Each side crashes and comes back, and each ends in order and comes back.
fn restarts(kind: Kind) -> Result<()> {
    let mut scene = Scene::up(Plan::new(kind, EASY))?;
    scene.router.kill()?;
    scene.wait_bfd("down", SOON)?;
    assert_eq!(scene.number("failures")?, 1.0, "{}", scene.peers()?);
    scene.router.start_again(&scene.them)?;
    scene.wait_up()?;
    scene.ha2bgp()?.kill()?;
    scene.router.wait_bfd(false, SOON)?;
    // With its socket the session ends, and graceful restart begins: FRR keeps the route all the same.
    if kind == Kind::Bird {
        scene.router.wait_route(ROUTE, false, SOON)?;
    }
    scene.start_again()?;
    scene.wait_up()?;
    scene.ha2bgp()?.signal(Signal::TERM)?;
    let status = scene.ha2bgp()?.wait(SOON)?;
    assert_eq!(status.code(), Some(0), "{}", scene.tail());
    scene.router.wait_bfd(false, SOON)?;
    scene.start_again()?;
    scene.wait_up()
}
with_each_router!(restarts: bird = Bird, frr = Frr);

/// The router holds its session down on purpose: BGP stays, with the route. BIRD has no such command.
/// FRR 8.4 says AdminDown once, and then nothing.
fn planned_down_of_the_router(kind: Kind) -> Result<()> {
    let mut scene = Scene::up(Plan::new(kind, EASY))?;
    scene.router.set_bfd(Bfd { shutdown: true, ..EASY })?;
    scene.wait_bfd("down", SOON)?;
    wait::pause(WHILE);
    let peers = scene.peers()?;
    assert!(peers.contains("the peer holds the session down on purpose (AdminDown)"), "{peers}");
    assert!(peers.contains("\"state\":\"Established\""), "{peers}");
    assert_eq!((scene.number("downs")?, scene.number("failures")?), (1.0, 0.0), "{peers}");
    scene.router.set_bfd(EASY)?;
    scene.wait_up()
}
with_each_router!(planned_down_of_the_router: frr = Frr);

const KEY: &str = "s3cret";

/// A peer section with a key file beside it.
fn with_key(scene_dir: &std::path::Path, kind: &str, key: &str) -> Result<String> {
    let file = scene_dir.join(format!("{kind}-{key}.key"));
    std::fs::write(&file, format!("{key}\n")).map_err(LabError::io("a key file"))?;
    Ok(format!(
        "bfd = {{ tx = \"100ms\", rx = \"100ms\", multiplier = 3, auth-type = \"{kind}\", \
         auth-key-id = 7, auth-file = \"{}\" }}",
        file.display()
    ))
}

/// Every type of authentication; with another key, nothing.
fn keys(kind: Kind) -> Result<()> {
    let files = ha2bgp_lab::readme::workdir()?;
    for (theirs, ours) in [
        ("simple", "simple"),
        ("keyed md5", "keyed-md5"),
        ("meticulous keyed md5", "meticulous-keyed-md5"),
        ("keyed sha1", "keyed-sha1"),
        ("meticulous keyed sha1", "meticulous-keyed-sha1"),
    ] {
        let bfd = Bfd { auth: Some((theirs, 7, KEY)), ..EASY };
        let peer = with_key(files.path(), ours, KEY)?;
        let mut scene = Scene::up(Plan { peer, ..Plan::new(kind, bfd) })?;
        // Longer than a window of sequence numbers.
        stays_up(&scene)?;
        if ours != "meticulous-keyed-sha1" {
            continue;
        }
        scene.reload(&with_key(files.path(), ours, "another")?)?;
        scene.router.wait_bfd(false, SOON)?;
        let discarded = || scene.number("discarded").is_ok_and(|count| count > 0.0);
        wait::until_true(SOON, "packets with the other key are discarded", discarded)?;
        scene.wait_bfd("down", SOON)?;
        scene.reload(&with_key(files.path(), ours, KEY)?)?;
        scene.wait_up()?;
    }
    Ok(())
}
with_each_router!(keys: bird = Bird);

/// BFD alone fails, and only towards us: we tell the router that BGP ends for that (RFC 9384),
/// and it drops the route long before its hold time. When BFD works again, so does BGP.
fn bgp_ends_with_bfd(kind: Kind) -> Result<()> {
    let scene = Scene::up(Plan::new(kind, EASY))?;
    scene.cut(Cut::BfdToUs)?;
    scene.wait_bfd("down", SOON)?;
    scene.router.wait_route(ROUTE, false, Duration::from_secs(4))?;
    wait::until(SOON, "both say why", || {
        // Whichever the router takes first: our BFD packet that says Down, or our NOTIFICATION.
        let router = scene.router.neighbor().map_err(|error| error.to_string())?;
        let ours = scene.log();
        let said = router.contains("BFD") && ours.contains("BGP session lost: sent 6/10 BFD down");
        if said { Ok(()) } else { Err(format!("{router}\n{ours}")) }
    })?;
    scene.heal()?;
    scene.wait_up().map_err(|error| scene.explain(error))
}
with_each_router!(bgp_ends_with_bfd: bird = Bird, frr = Frr);

/// Strict: no BGP without BFD. What is lost is the router's BFD alone; then all comes up.
fn strict_waits(kind: Kind) -> Result<()> {
    let strict = "bfd = { tx = \"100ms\", rx = \"100ms\", strict = true }";
    let plan = Plan { peer: strict.to_owned(), ..Plan::new(kind, EASY) };
    let mut scene = Scene::prepared(plan)?;
    scene.cut(Cut::BfdToUs)?;
    scene.start_again()?;
    wait::holds(WHILE * 2, "BGP waits", || match scene.router.is_established() {
        Ok(false) => Ok(()),
        Ok(true) => Err(scene.tail()),
        Err(error) => Err(error.to_string()),
    })?;
    scene.heal()?;
    scene.wait_up()
}
with_each_router!(strict_waits: bird = Bird, frr = Frr);
