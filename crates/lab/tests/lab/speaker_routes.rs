//! The speaker with each router: sessions, routes in the router's own table, and how they go.

use crate::speaker_stage::{Pair, Plan, SESSION, with_each_router};
use crate::stage::SOON;
use ha2bgp_lab::router::{Kind, Options, Router};
use ha2bgp_lab::service::{self, Service};
use ha2bgp_lab::{Result, wait};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Up and down with the service, twice; the second time the service is killed.
fn comes_and_goes(plan: Plan) -> Result<()> {
    let pair = Pair::established(plan)?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    drop(listener);
    pair.wait_route(false)?;
    let service = Service::start(&pair.us, "service", pair.dir.path(), &pair.plan.service())?;
    pair.wait_route(true)?;
    service.kill()?;
    pair.wait_route(false)?;
    pair.wait_established(true)
}

fn external_ipv4(kind: Kind) -> Result<()> {
    comes_and_goes(Plan::new(kind))
}
with_each_router!(external_ipv4);

fn external_ipv6(kind: Kind) -> Result<()> {
    comes_and_goes(Plan { v6: true, ..Plan::new(kind) })
}
with_each_router!(external_ipv6);

fn internal_ipv4(kind: Kind) -> Result<()> {
    comes_and_goes(Plan { peer_as: 65000, ..Plan::new(kind) })
}
with_each_router!(internal_ipv4);

fn internal_ipv6(kind: Kind) -> Result<()> {
    comes_and_goes(Plan { v6: true, peer_as: 65000, ..Plan::new(kind) })
}
with_each_router!(internal_ipv6);

/// AS numbers that need four octets, and what the route looks like.
fn four_octet_as(kind: Kind) -> Result<()> {
    let plan = Plan { local_as: 4_200_000_001, peer_as: 4_200_000_002, ..Plan::new(kind) };
    let pair = Pair::established(plan)?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    let route = pair.router.route(&pair.plan.route())?;
    assert!(route.contains("10.9.1.1"), "the next hop is our end: {route}");
    assert!(route.contains("4200000001") || route.contains("64086.59905"), "the path: {route}");
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(four_octet_as);

/// The session stays as it is, also behind End-of-RIB, which waits two seconds after the start.
fn stays_up(kind: Kind) -> Result<()> {
    let pair = Pair::established(Plan::new(kind).flags("--hold-time 3s"))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    let route = pair.plan.route();
    wait::holds(Duration::from_secs(7), "session and route stay", || {
        match (pair.router.is_established(), pair.router.route(&route)) {
            (Ok(true), Ok(text)) if !text.is_empty() => Ok(()),
            _ => Err(format!("{}{}", pair.router.tail(), pair.ha2bgp.tail())),
        }
    })?;
    wait::until_true(SOON, "End-of-RIB is told", || {
        pair.ha2bgp.stderr().contains("End-of-RIB sent")
    })?;
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(stays_up);

/// SIGTERM: the route is gone at once although the service lives, and ha2bgp ends with 0.
fn stop_for_good(kind: Kind) -> Result<()> {
    let mut pair = Pair::established(Plan::new(kind))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    let start = Instant::now();
    pair.ha2bgp.signal(Signal::TERM)?;
    let status = pair.ha2bgp.wait(SOON)?;
    let took = start.elapsed();
    assert_eq!(status.code(), Some(0), "{}", pair.ha2bgp.tail());
    assert!(took < Duration::from_secs(3), "it took {took:?}\n{}", pair.ha2bgp.tail());
    pair.router.wait_route(&pair.plan.route(), false, Duration::from_secs(3))?;
    assert!(!pair.router.is_established()?);
    drop(listener);
    Ok(())
}
with_each_router!(stop_for_good);

/// The router ends and comes back: it gets everything again.
fn router_comes_back(kind: Kind, end: fn(&mut Router) -> Result<()>) -> Result<()> {
    let mut pair = Pair::established(Plan::new(kind))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    end(&mut pair.router)?;
    pair.wait_log("BGP session lost")?;
    pair.router.start_again(&pair.them)?;
    pair.wait_established(true)?;
    pair.wait_route(true)?;
    drop(listener);
    pair.wait_route(false)
}

fn router_killed(kind: Kind) -> Result<()> {
    router_comes_back(kind, Router::kill)
}
with_each_router!(router_killed);

/// In order.
fn router_restarted(kind: Kind) -> Result<()> {
    router_comes_back(kind, Router::stop)
}
with_each_router!(router_restarted);

/// The router freezes for longer than the hold time, while the service dies: when it goes on, it
/// must not keep the route.
fn router_frozen(kind: Kind) -> Result<()> {
    let mut pair = Pair::established(Plan::new(kind).flags("--hold-time 3s"))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    pair.router.freeze(true)?;
    pair.wait_log("hold timer expired")?;
    drop(listener);
    pair.router.freeze(false)?;
    pair.wait_route(false)?;
    pair.wait_established(true)?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    drop(listener);
    Ok(())
}
with_each_router!(router_frozen);

/// The cable is cut for longer than the hold time.
fn link_cut(kind: Kind) -> Result<()> {
    let pair = Pair::established(Plan::new(kind).flags("--hold-time 3s"))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    pair.us.ip(&["link", "set", "up0", "down"])?;
    pair.wait_log("BGP session lost")?;
    pair.us.ip(&["link", "set", "up0", "up"])?;
    pair.wait_established(true)?;
    pair.wait_route(true)?;
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(link_cut);

/// GoBGP helps with graceful restart only when told; the others do so by default.
const KEEPS: Options = Options {
    helps: true,
    add_path: false,
    second: None,
    forwards: false,
    hops: None,
    bfd: None,
    real_time: false,
};

/// `kill -9` of ha2bgp and a start inside the restart time: the route never leaves routers that
/// help with graceful restart. The up delay makes the new process announce it late, after the
/// session is up again.
fn killed_and_started_again(kind: Kind) -> Result<()> {
    let plan = Plan { options: KEEPS, ..Plan::new(kind).flags("--up-delay 3s") };
    let mut pair = Pair::established(plan)?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    pair.ha2bgp.kill()?;
    pair.start_again("again")?;
    let route = pair.plan.route();
    wait::holds(Duration::from_secs(10), "the route stays", || match pair.router.route(&route) {
        Ok(text) if text.is_empty() => Err(pair.ha2bgp.tail()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    })?;
    pair.wait_established(true)?;
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(
    killed_and_started_again: bird = Bird, frr = Frr, gobgp = GoBgp, openbgpd = OpenBgpd
);

/// GoBGP that was not told to help, and ExaBGP, which cannot, forget the route at once; it comes
/// back with the session.
fn killed_and_forgotten(kind: Kind) -> Result<()> {
    let mut pair = Pair::established(Plan::new(kind))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    pair.ha2bgp.kill()?;
    pair.router.wait_route(&pair.plan.route(), false, SOON)?;
    pair.start_again("again")?;
    pair.wait_route(true)?;
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(killed_and_forgotten: gobgp = GoBgp, exabgp = ExaBgp);

/// The service dies while ha2bgp is dead: the router drops what it kept, and not before.
fn killed_and_the_service_too(kind: Kind) -> Result<()> {
    let mut pair = Pair::established(Plan { options: KEEPS, ..Plan::new(kind) })?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    pair.ha2bgp.kill()?;
    drop(listener);
    pair.start_again("again")?;
    pair.router.wait_route(&pair.plan.route(), false, SESSION)
}
with_each_router!(
    killed_and_the_service_too: bird = Bird, frr = Frr, gobgp = GoBgp, openbgpd = OpenBgpd
);
