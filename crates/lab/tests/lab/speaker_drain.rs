//! Draining before a stop for good: GRACEFUL_SHUTDOWN and LOCAL_PREF 0 (RFC 8326) in the router's
//! own table, while the engine goes on.

use crate::speaker_stage::{Pair, Plan, SESSION, with_each_router};
use crate::stage::SOON;
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::{Result, link, service, wait};
use rustix::process::Signal;
use std::time::{Duration, Instant};

const VIP2: &str = "100.64.0.11";

/// Waits until the router's route has GRACEFUL_SHUTDOWN, and with `preference` LOCAL_PREF 0.
fn wait_drained(pair: &Pair, route: &str, preference: bool) -> Result<()> {
    let (community, local_pref) = match pair.plan.kind {
        Kind::Bird => ("BGP.community: (65535,0)", "BGP.local_pref: 0"),
        Kind::Frr => ("Community: graceful-shutdown", "localpref 0"),
        // Its name is that of the draft.
        Kind::GoBgp => ("Communities: planned-shut", "LocalPref: 0"),
        Kind::OpenBgpd => ("Communities: GRACEFUL_SHUTDOWN", "localpref 0"),
        Kind::ExaBgp => ("community 65535:0", "local-preference 0"),
    };
    wait::until(SOON, "the route is the last choice", || {
        let text = pair.router.route(route).map_err(|error| error.to_string())?;
        let drained = text.contains(community) && (!preference || text.contains(local_pref));
        if drained { Ok(()) } else { Err(format!("{text}\n{}", pair.ha2bgp.tail())) }
    })
}

/// A service that dies meanwhile is withdrawn at once; a second signal ends the wait.
fn drains_until_told_again(kind: Kind) -> Result<()> {
    // FRR gives such routes local preference 0 by itself.
    let mut pair = Pair::established(Plan::new(kind).flags("--drain-time 1h"))?;
    link::add_address(&pair.us, &format!("{VIP2}/32"), "lo")?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    let second = service::listen(&pair.us, &format!("{VIP2}:8080"))?;
    pair.wait_route(true)?;
    pair.router.wait_route(&format!("{VIP2}/32"), true, SESSION)?;
    pair.ha2bgp.signal(Signal::TERM)?;
    wait_drained(&pair, &pair.plan.route(), kind == Kind::Frr)?;
    wait_drained(&pair, &format!("{VIP2}/32"), kind == Kind::Frr)?;
    drop(second);
    pair.router.wait_route(&format!("{VIP2}/32"), false, SOON)?;
    wait_drained(&pair, &pair.plan.route(), kind == Kind::Frr)?;
    pair.ha2bgp.signal(Signal::USR1)?;
    pair.wait_log("status: draining, withdrawn in 3")?;
    let again = Instant::now();
    pair.ha2bgp.signal(Signal::INT)?;
    let status = pair.ha2bgp.wait(SOON)?;
    assert_eq!(status.code(), Some(0), "{}", pair.ha2bgp.tail());
    assert!(again.elapsed() < Duration::from_secs(3), "{:?}", again.elapsed());
    pair.router.wait_route(&pair.plan.route(), false, Duration::from_secs(3))?;
    drop(listener);
    Ok(())
}
with_each_router!(drains_until_told_again);

/// The drain time ends by itself.
fn drains_for_a_while(kind: Kind) -> Result<()> {
    let plan = Plan { peer_as: 65000, ..Plan::new(kind).flags("--drain-time 3s") };
    let mut pair = Pair::established(plan)?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    let start = Instant::now();
    pair.ha2bgp.signal(Signal::TERM)?;
    wait_drained(&pair, &pair.plan.route(), true)?;
    let status = pair.ha2bgp.wait(SOON)?;
    assert_eq!(status.code(), Some(0), "{}", pair.ha2bgp.tail());
    assert!(start.elapsed() >= Duration::from_secs(3), "{:?}", start.elapsed());
    pair.router.wait_route(&pair.plan.route(), false, Duration::from_secs(3))?;
    drop(listener);
    Ok(())
}
with_each_router!(drains_for_a_while);

/// Without routes there is nothing to wait for.
fn nothing_to_drain(kind: Kind) -> Result<()> {
    let mut pair = Pair::established(Plan::new(kind).flags("--drain-time 1h"))?;
    pair.ha2bgp.signal(Signal::TERM)?;
    assert_eq!(pair.ha2bgp.wait(SOON)?.code(), Some(0), "{}", pair.ha2bgp.tail());
    Ok(())
}
with_each_router!(nothing_to_drain: bird = Bird);
