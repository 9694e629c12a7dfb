//! What changes while a session lives: its key, our address. And what the status says of a peer.

use crate::speaker_stage::{Pair, Plan, SESSION, wait_status, with_each_router};
use crate::stage::{AT_ONCE, SOON, WHILE};
use ha2bgp_lab::child::{self, Child};
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, program, readme, require, service, wait};
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than the hold time of these tests, 3 s.
const LONGER_THAN_HOLD: Duration = Duration::from_secs(8);

fn write_key(path: &Path, key: &str) -> Result<()> {
    std::fs::write(path, format!("{key}\n")).map_err(LabError::io("key"))
}

fn wait_text(child: &Child, text: &str) -> Result<()> {
    wait::until(SESSION, &format!("the log says \"{text}\""), || {
        let log = child.stderr();
        if log.contains(text) { Ok(()) } else { Err(log) }
    })
}

fn ours(host: &Netns, dir: &Path, name: &str, args: &[&str]) -> Result<Child> {
    let key = dir.join(format!("{name}.key"));
    write_key(&key, "first key")?;
    let key = key.to_string_lossy().into_owned();
    let common = ["--bgp-backend", "speaker", "--hold-time", "3s", "--password-file", &key];
    let args = [&AT_ONCE[..], &common, args].concat();
    host.start(name, &mut program::command(&args), dir)
}

/// Two of ours; both change the key while the session lives, one after the other. The new key is
/// the one that counts then: with it on one side only, the session ends.
#[test]
fn a_key_changes_on_a_live_session() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let dir = readme::workdir()?;
    let (a, b) = (Netns::new("a")?, Netns::new("b")?);
    link::cable(
        End { host: &a, device: "up0", address: "10.9.1.1/24" },
        End { host: &b, device: "up0", address: "10.9.1.2/24" },
    )?;
    let listens = "--local-as 65002 --router-id 10.2.2.2 --peer 10.9.1.1 --peer-as 65001 --listen \
                   10.9.1.2";
    let connects = "--local-as 65001 --router-id 10.1.1.1 --peer 10.9.1.2 --peer-as 65002";
    let split = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
    let mut second = ours(&b, dir.path(), "second", &split(listens))?;
    let mut first = ours(&a, dir.path(), "first", &split(connects))?;
    wait_text(&first, "BGP session established")?;
    let change = |child: &mut Child, name: &str, key: &str, wanted: &str| -> Result<()> {
        write_key(&dir.path().join(format!("{name}.key")), key)?;
        let before = child.stderr().matches(wanted).count();
        child.signal(Signal::HUP)?;
        wait::until(SOON, wanted, || {
            let log = child.stderr();
            if log.matches(wanted).count() > before { Ok(()) } else { Err(log) }
        })
    };
    let stays = |first: &Child, second: &Child| {
        wait::holds(LONGER_THAN_HOLD, "the session stays", || {
            let log = format!("{}{}", first.stderr(), second.stderr());
            if log.contains("session lost") { Err(log) } else { Ok(()) }
        })
    };
    let good = "password-file: a new key, the session stays";
    change(&mut first, "first", "second key", good)?;
    change(&mut second, "second", "second key", good)?;
    stays(&first, &second)?;
    // A file that is no good changes nothing.
    change(&mut first, "first", &"x".repeat(81), "everything stays as it is")?;
    stays(&first, &second)?;
    // The listening socket has the new key too: a new session comes up.
    first.signal(Signal::USR2)?;
    first.wait(SOON)?;
    let log = second.stderr().len();
    write_key(&dir.path().join("first.key"), "second key")?;
    let key = dir.path().join("first.key").to_string_lossy().into_owned();
    let args = [
        &AT_ONCE[..],
        &split(connects)[..],
        &["--bgp-backend", "speaker", "--hold-time", "3s", "--password-file", &key],
    ]
    .concat();
    let mut first = a.start("again", &mut program::command(&args), dir.path())?;
    wait_text(&first, "BGP session established")?;
    assert!(second.stderr().len() > log);
    // And it is really used.
    change(&mut first, "first", "third key", good)?;
    wait_text(&first, "session lost")
}

/// BIRD ends the session when its password changes; the next one comes up with the new key, and
/// ha2bgp needs no restart.
fn the_router_changes_its_key(kind: Kind) -> Result<()> {
    let plan = Plan { key: Some("first-key"), router_key: Some("first-key"), ..Plan::new(kind) };
    let mut pair = Pair::established(plan)?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    write_key(&pair.dir.path().join("peer.key"), "second-key")?;
    pair.ha2bgp.signal(Signal::HUP)?;
    pair.wait_log("password-file: a new key, the session stays")?;
    let (conf, control) =
        (pair.dir.path().join("router/bird.conf"), pair.dir.path().join("router/bird.ctl"));
    let text = std::fs::read_to_string(&conf).map_err(LabError::io("bird.conf"))?;
    let text = text.replace("first-key", "second-key");
    std::fs::write(&conf, text).map_err(LabError::io("bird.conf"))?;
    child::run(Command::new("birdc").arg("-s").arg(control).arg("configure"))?;
    pair.wait_log("BGP session lost")?;
    pair.wait_established(true)?;
    pair.wait_route(true)?;
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(the_router_changes_its_key: bird = Bird);

/// Our end of the session vanishes: the session ends at once, not after the hold time; the
/// address comes back: so does the session, not after a back-off.
fn address_gone_and_back(plan: Plan) -> Result<()> {
    let pair = Pair::established(plan.flags("--hold-time 90s"))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    // Another address that comes or goes changes nothing.
    link::add_address(&pair.us, "10.9.7.7/32", "lo")?;
    link::remove_address(&pair.us, "10.9.7.7/32", "lo")?;
    wait::holds(WHILE, "the session stays", || match pair.ha2bgp.stderr() {
        log if log.contains("session lost") => Err(log),
        _ => Ok(()),
    })?;
    let gone = Instant::now();
    link::remove_address(&pair.us, "10.9.1.1/24", "up0")?;
    pair.wait_log("BGP session lost: the local address is gone from this host")?;
    assert!(gone.elapsed() < Duration::from_secs(3), "{:?}", gone.elapsed());
    // Attempts that fail meanwhile make the pauses longer.
    wait::holds(Duration::from_secs(12), "no session", || match pair.ha2bgp.stderr() {
        log if log.matches("BGP session established").count() > 1 => Err(log),
        _ => Ok(()),
    })?;
    let back = Instant::now();
    link::add_address(&pair.us, "10.9.1.1/24", "up0")?;
    wait::until(SESSION, "the session is back", || match pair.ha2bgp.stderr() {
        log if log.matches("BGP session established").count() > 1 => Ok(()),
        log => Err(log),
    })?;
    assert!(
        back.elapsed() < Duration::from_secs(3),
        "{:?}\n{}",
        back.elapsed(),
        pair.ha2bgp.tail()
    );
    pair.wait_route(true)?;
    drop(listener);
    pair.wait_route(false)
}

fn our_address_vanishes(kind: Kind) -> Result<()> {
    address_gone_and_back(Plan::new(kind))
}
with_each_router!(our_address_vanishes: bird = Bird, frr = Frr);

fn our_configured_address_vanishes(kind: Kind) -> Result<()> {
    address_gone_and_back(Plan::new(kind).flags("--local-address 10.9.1.1"))
}
with_each_router!(our_configured_address_vanishes: bird = Bird, frr = Frr);

/// The status says why there is no connection, and what the last NOTIFICATION was.
fn the_status_says_what_is_wrong(kind: Kind) -> Result<()> {
    let keys = Plan { key: Some("wrong-key"), router_key: Some("s3cret-key"), ..Plan::new(kind) };
    let mut pair = Pair::start(keys)?;
    pair.wait_log("no answer: a filter on the way")?;
    let why = "s (no answer: a filter on the way, another MD5 key on the other side";
    wait_status(&mut pair.ha2bgp, &[why])?;
    pair.ha2bgp.kill()?;
    let mut pair = Pair::established(Plan::new(kind))?;
    pair.router.stop()?;
    pair.wait_log("BGP session lost: received 6/")?;
    wait_status(&mut pair.ha2bgp, &["last-notification=", "s-ago (received 6/"])
}
with_each_router!(the_status_says_what_is_wrong: bird = Bird);
