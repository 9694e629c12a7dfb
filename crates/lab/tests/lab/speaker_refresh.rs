//! Route refresh (RFC 2918) with each router: asked for in the router's own way, and answered.

use crate::speaker_stage::{Pair, Plan, with_each_router};
use crate::stage::{SOON, WHILE};
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::{LabError, Result, service, wait};
use rustix::process::Signal;

/// A number in the newest status line of our only peer.
fn status(pair: &mut Pair, field: &str) -> Result<u64> {
    let lines = |log: &str| log.matches("status: peer ").count();
    let before = lines(&pair.ha2bgp.stderr());
    pair.ha2bgp.signal(Signal::HUP)?;
    wait::until_true(SOON, "the status is told", || lines(&pair.ha2bgp.stderr()) > before)?;
    let log = pair.ha2bgp.stderr();
    let line = log.lines().rfind(|line| line.contains("status: peer ")).unwrap_or_default();
    let value =
        line.split_whitespace().find_map(|word| word.strip_prefix(field)?.strip_prefix('='));
    let value = value.and_then(|digits| digits.parse().ok());
    value.ok_or_else(|| LabError::Missing(format!("no {field} in {line}")))
}

/// The router hears of the route a second time; it never leaves, and the session stands. Without
/// [`Kind::ExaBgp`]: it answers such requests and never makes one.
fn route_refresh(kind: Kind) -> Result<()> {
    let mut pair = Pair::established(Plan::new(kind))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    for round in 1..=2 {
        let asked = "the peer asks for all routes again";
        let before = pair.ha2bgp.stderr().matches(asked).count();
        pair.router.refresh()?;
        let route = pair.plan.route();
        wait::until(SOON, "the refresh is asked for", || match pair.router.route(&route) {
            Ok(text) if text.is_empty() => Err("the route has left".to_owned()),
            Ok(_) if pair.ha2bgp.stderr().matches(asked).count() > before => Ok(()),
            Ok(_) => Err(pair.ha2bgp.tail()),
            Err(error) => Err(error.to_string()),
        })?;
        wait::until(SOON, "the refresh is answered", || {
            match status(&mut pair, "sent-announcements") {
                Ok(sent) if sent > round => Ok(()),
                Ok(sent) => Err(format!("{sent} announcements\n{}", pair.ha2bgp.tail())),
                Err(error) => Err(error.to_string()),
            }
        })?;
        assert!(!pair.router.route(&route)?.is_empty(), "{}", pair.router.tail());
    }
    assert!(pair.router.is_established()?, "{}", pair.router.tail());
    assert_eq!(status(&mut pair, "established")?, 1, "{}", pair.ha2bgp.tail());
    assert_eq!(status(&mut pair, "dropped")?, 0, "{}", pair.ha2bgp.tail());
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(route_refresh: bird = Bird, frr = Frr, openbgpd = OpenBgpd);

/// GoBGP 3.10 keeps what it was told and never asks again; its reset changes nothing.
fn reset_without_asking(kind: Kind) -> Result<()> {
    let mut pair = Pair::established(Plan::new(kind))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    pair.router.refresh()?;
    let route = pair.plan.route();
    wait::holds(WHILE, "the route stays", || match pair.router.route(&route) {
        Ok(text) if text.is_empty() => Err(pair.ha2bgp.tail()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    })?;
    assert_eq!(status(&mut pair, "dropped")?, 0, "{}", pair.ha2bgp.tail());
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(reset_without_asking: gobgp = GoBgp);
