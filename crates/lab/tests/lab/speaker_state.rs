//! The state file: what the process that comes after a crash, a restart or a stop makes of it.

use crate::speaker_stage::{Pair, Plan, with_each_router};
use crate::stage::{AT_ONCE, SOON, VIP};
use ha2bgp_lab::exabgp::Version;
use ha2bgp_lab::readme::{self, Readme};
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, link, require, service, wait};
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longer than anything else takes here.
const UP_DELAY: Duration = Duration::from_secs(8);
const WITH_STATE: &str = "--state-file DIR/state --up-delay 8s";
const VIP2: &str = "100.64.0.11";

fn file(pair: &Pair) -> PathBuf {
    pair.dir.path().join("state")
}

/// Waits until the file names the VIP's route, or not.
fn wait_state(pair: &Pair, there: bool) -> Result<()> {
    wait::until(SOON, &format!("the state file names the route: {there}"), || {
        let text = std::fs::read_to_string(file(pair)).map_err(|error| error.to_string())?;
        if text.contains(&pair.plan.route()) == there { Ok(()) } else { Err(text) }
    })
}

/// A pair with the route, in the router and in the state file.
fn announced(kind: Kind) -> Result<(Pair, impl Sized)> {
    let pair = Pair::established(Plan::new(kind).flags(WITH_STATE))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    wait_state(&pair, true)?;
    Ok((pair, listener))
}

/// After `kill -9`, what was up and still is needs no up delay, and never leaves the router.
fn a_warm_start_needs_no_up_delay(kind: Kind) -> Result<()> {
    let (mut pair, listener) = announced(kind)?;
    pair.ha2bgp.kill()?;
    let start = Instant::now();
    pair.start_again("again")?;
    pair.wait_log("announcing prefix=100.64.0.10/32")?;
    assert!(start.elapsed() < UP_DELAY / 2, "{:?}\n{}", start.elapsed(), pair.ha2bgp.tail());
    let route = pair.plan.route();
    wait::holds(Duration::from_secs(6), "the route stays", || match pair.router.route(&route) {
        Ok(text) if text.is_empty() => Err(pair.ha2bgp.tail()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    })?;
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(a_warm_start_needs_no_up_delay: bird = Bird, frr = Frr);

/// The VIPs are gone when it starts again: the F bit is clear, and the router drops the routes
/// when the session is up, although End-of-RIB waits for another service.
fn without_the_vips_routes_go_at_once(kind: Kind) -> Result<()> {
    let (mut pair, listener) = announced(kind)?;
    pair.ha2bgp.kill()?;
    drop(listener);
    link::remove_address(&pair.us, &format!("{VIP}/32"), "lo")?;
    link::add_address(&pair.us, &format!("{VIP2}/32"), "lo")?;
    let other = service::listen(&pair.us, &format!("{VIP2}:8080"))?;
    pair.start_again("again")?;
    pair.wait_established(true)?;
    pair.router.wait_route(&pair.plan.route(), false, Duration::from_secs(3))?;
    assert!(!pair.ha2bgp.stderr().contains("End-of-RIB sent"), "{}", pair.ha2bgp.tail());
    pair.router.wait_route(&format!("{VIP2}/32"), true, SOON + UP_DELAY)?;
    drop(other);
    Ok(())
}
with_each_router!(without_the_vips_routes_go_at_once: bird = Bird, frr = Frr);

/// A stop for good leaves no state; the next start is a first one.
fn a_stop_for_good_leaves_nothing(kind: Kind) -> Result<()> {
    let (mut pair, listener) = announced(kind)?;
    pair.ha2bgp.signal(Signal::TERM)?;
    assert_eq!(pair.ha2bgp.wait(SOON)?.code(), Some(0), "{}", pair.ha2bgp.tail());
    assert!(!file(&pair).exists());
    pair.router.wait_route(&pair.plan.route(), false, Duration::from_secs(3))?;
    pair.start_again("again")?;
    pair.wait_established(true)?;
    wait::holds(Duration::from_secs(2), "the up delay counts", || {
        if pair.ha2bgp.stderr().contains("announcing prefix") {
            Err(pair.ha2bgp.tail())
        } else {
            Ok(())
        }
    })?;
    drop(listener);
    Ok(())
}
with_each_router!(a_stop_for_good_leaves_nothing: bird = Bird);

/// A file of another boot, and one that is damaged, count as none.
fn what_another_boot_left_does_not_count(kind: Kind) -> Result<()> {
    let (mut pair, listener) = announced(kind)?;
    for (from, to) in [("boot ", "boot x"), ("end ", "fin ")] {
        pair.ha2bgp.kill()?;
        let text = std::fs::read_to_string(file(&pair)).map_err(LabError::io("state"))?;
        std::fs::write(file(&pair), text.replace(from, to)).map_err(LabError::io("state"))?;
        pair.start_again(from.trim())?;
        pair.wait_established(true)?;
        let log = pair.ha2bgp.stderr();
        assert!(!log.contains("ended moments ago"), "{log}");
        assert_eq!(log.contains("the state file is not used"), to == "fin ", "{log}");
        // And it is made good.
        pair.wait_log("announcing prefix=100.64.0.10/32")?;
        wait_state(&pair, true)?;
    }
    drop(listener);
    Ok(())
}
with_each_router!(what_another_boot_left_does_not_count: bird = Bird);

/// ExaBGP keeps the routes of a helper that was killed, and starts another one: that one withdraws
/// what is not up any more.
fn a_respawned_helper_withdraws_what_died(version: Version) -> Result<()> {
    let dir = readme::workdir()?;
    let state = dir.path().join("state");
    // The whole of AT_ONCE does not fit into ExaBGP's command line: no delays are enough.
    let flags = format!("{} --state-file {}", AT_ONCE[6..].join(" "), state.display());
    let lab = Readme::start(version, &flags, "root")?;
    let listener = service::listen(&lab.r1, "100.64.0.10:80")?;
    lab.bird1.wait_route("100.64.0.10/32", true, SOON)?;
    wait::until(SOON, "the state file names the route", || {
        let text = std::fs::read_to_string(&state).map_err(|error| error.to_string())?;
        if text.contains("100.64.0.10/32") { Ok(()) } else { Err(text) }
    })?;
    let helper = lab.exabgp.helper(SOON)?;
    let pid = i32::try_from(helper).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| LabError::Missing("a pid".to_owned()))?;
    kill_process(pid, Signal::KILL).map_err(LabError::errno("kill -9"))?;
    drop(listener);
    wait::until(SOON, "ExaBGP starts another helper", || match lab.exabgp.helper(SOON) {
        Ok(next) if next != helper => Ok(()),
        Ok(_) => Err(lab.exabgp.log()),
        Err(error) => Err(error.to_string()),
    })?;
    lab.bird1.wait_route("100.64.0.10/32", false, SOON)
}

#[test]
fn a_respawned_helper_withdraws_what_died_debian() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::Debian));
    a_respawned_helper_withdraws_what_died(Version::Debian)
}

#[test]
fn a_respawned_helper_withdraws_what_died_5_0_15() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::ExaBgp(Version::V5_0_15));
    a_respawned_helper_withdraws_what_died(Version::V5_0_15)
}
