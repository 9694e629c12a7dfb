//! SIGUSR2: ha2bgp ends without a word, and routers that help with graceful restart keep the
//! routes until its successor is there; so does ExaBGP.

use crate::speaker_stage::{Pair, Plan, with_each_router};
use crate::stage::{SOON, Stage, VIP};
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, require, service, wait};
use rustix::process::Signal;
use std::time::Duration;

/// Ends it, and sees that it says so.
fn end_for_restart(pair: &mut Pair) -> Result<()> {
    pair.ha2bgp.signal(Signal::USR2)?;
    let status = pair.ha2bgp.wait(SOON)?;
    assert_eq!(status.code(), Some(0), "{}", pair.ha2bgp.tail());
    pair.wait_log("routers that help with graceful restart keep the routes for 20s")
}

/// Watches that the route stays.
fn stays(pair: &Pair, time: Duration) -> Result<()> {
    let route = pair.plan.route();
    wait::holds(time, "the route stays", || match pair.router.route(&route) {
        Ok(text) if text.is_empty() => Err(pair.ha2bgp.tail()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    })
}

/// Without a state file, the successor waits for the up delay, and End-of-RIB waits with it.
fn the_route_stays(kind: Kind) -> Result<()> {
    let mut pair = Pair::established(Plan::new(kind).flags("--up-delay 5s"))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    end_for_restart(&mut pair)?;
    stays(&pair, Duration::from_secs(1))?;
    pair.start_again("again")?;
    stays(&pair, Duration::from_secs(9))?;
    pair.wait_established(true)?;
    pair.wait_log("End-of-RIB sent")?;
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(the_route_stays: bird = Bird, frr = Frr, openbgpd = OpenBgpd);

/// The same over IPv6.
fn the_ipv6_route_stays(kind: Kind) -> Result<()> {
    let plan = Plan { v6: true, ..Plan::new(kind).flags("--up-delay 3s") };
    let mut pair = Pair::established(plan)?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    end_for_restart(&mut pair)?;
    pair.start_again("again")?;
    stays(&pair, Duration::from_secs(7))?;
    pair.wait_established(true)?;
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(the_ipv6_route_stays: bird = Bird, frr = Frr);

/// What died meanwhile goes with the first verdicts, at once and not after the up delay.
fn what_died_meanwhile_goes(kind: Kind) -> Result<()> {
    let mut pair = Pair::established(Plan::new(kind).flags("--up-delay 3s"))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    end_for_restart(&mut pair)?;
    drop(listener);
    pair.start_again("again")?;
    pair.wait_established(true)?;
    pair.router.wait_route(&pair.plan.route(), false, Duration::from_secs(2))
}
with_each_router!(what_died_meanwhile_goes: bird = Bird, frr = Frr);

/// Nobody comes: the routes go when the restart time is over.
fn without_a_successor_the_routes_go(kind: Kind) -> Result<()> {
    let mut pair = Pair::established(Plan::new(kind))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    end_for_restart(&mut pair)?;
    stays(&pair, Duration::from_secs(15))?;
    pair.router.wait_route(&pair.plan.route(), false, Duration::from_secs(15))?;
    drop(listener);
    Ok(())
}
with_each_router!(without_a_successor_the_routes_go: bird = Bird, frr = Frr);

/// As a process of ExaBGP it withdraws nothing, and says so.
#[test]
fn with_exabgp_nothing_is_withdrawn() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut stage = Stage::new("usr2", &[])?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    stage.fake.child().signal(Signal::USR2)?;
    let status = stage.fake.wait_exit(SOON)?;
    assert_eq!(status.code(), Some(0), "{status}\n{}", stage.fake.child().tail());
    assert!(stage.fake.table().has(VIP), "{}", stage.fake.text());
    assert_eq!(stage.fake.table().withdrawals(), 0, "{}", stage.fake.text());
    let log = stage.fake.child().stderr();
    assert!(log.contains("ending for a restart: nothing is withdrawn"), "{log}");
    drop(listener);
    Ok(())
}
