//! BFD as a user sees it, with BIRD at the other end: a way that fails is noticed in a fraction of a
//! second, and what is done on purpose costs nothing.

use crate::speaker_stage::{Pair, Plan, SESSION, with_each_router};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::{Bfd, BfdOf, Kind, Options, Router};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, program, require, service, wait};
use rustix::process::Signal;
use std::time::Duration;

/// Detection takes 300 ms; BGP's own hold time takes 90 s.
const FAST: Bfd = Bfd::new(100, 3);
/// So long a failure may take to be noticed on a busy host: far less than the hold time.
const NOTICED: Duration = Duration::from_secs(15);

/// A peer with these keys of BFD, and a control socket.
fn plan(bfd: &str, router: Option<Bfd>) -> Plan {
    let options = Options { bfd: router, ..Options::default() };
    let section = format!("hold-time = \"90s\"\nbfd = {bfd}\nidle-hold-max = \"600s\"\n");
    Plan { options, ..Plan::new(Kind::Bird).section(&section) }
}

const KEYS: &str = "{ tx = \"100ms\", rx = \"100ms\", multiplier = 3 }";

/// Lets everything that a host sends to a neighbor vanish: it goes to a card that nobody has.
fn swallow(host: &Netns, neighbor: &str, device: &str) -> Result<()> {
    let nobody = "02:00:00:00:00:99";
    host.ip(&["neigh", "replace", neighbor, "lladdr", nobody, "nud", "permanent", "dev", device])?;
    Ok(())
}

/// Ends that.
fn let_through(host: &Netns, neighbor: &str, device: &str) -> Result<()> {
    host.ip(&["neigh", "del", neighbor, "dev", device])?;
    Ok(())
}

/// Waits until the router says that of its session.
fn wait_bfd(router: &Router, state: &str, limit: Duration) -> Result<()> {
    wait::until(limit, &format!("the router's BFD session is {state}"), || match router.bfd() {
        Ok(text) if text.split_whitespace().any(|word| word.eq_ignore_ascii_case(state)) => Ok(()),
        Ok(text) => Err(text),
        Err(error) => Err(error.to_string()),
    })
}

/// What `ha2bgp peers` shows.
fn peers(pair: &Pair) -> Result<String> {
    let socket = pair.dir.path().join("ha2bgp.sock").to_string_lossy().into_owned();
    let mut command = program::command(&["peers", "--socket", &socket]);
    let output = command.output().map_err(LabError::io("ha2bgp peers"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn with_control(pair_plan: Plan) -> Plan {
    let section = pair_plan.section.clone().unwrap_or_default();
    pair_plan.section(&format!("{section}[control]\nunix = \"ha2bgp.sock\"\n"))
}

/// What we send vanishes on the way: BIRD notices, says so, and both end the session at once. When the way
/// is back, so are BFD, BGP and the route.
#[test]
fn a_way_that_fails_ends_the_session_at_once() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::Tool("ip"));
    let pair = Pair::established(with_control(plan(KEYS, Some(FAST))))?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    wait_bfd(&pair.router, "Up", SESSION)?;
    wait::until(SESSION, "the peer's BFD is up", || {
        let shown = peers(&pair).map_err(|error| error.to_string())?;
        let good = shown.lines().any(|line| line.contains("10.9.1.2") && line.ends_with("up"));
        if good { Ok(()) } else { Err(shown) }
    })?;
    swallow(&pair.us, "10.9.1.2", "up0")?;
    pair.router.wait_route(&pair.plan.route(), false, NOTICED)?;
    pair.wait_log(
        "BFD session down: the peer says that it is down: control detection time expired",
    )?;
    // Theirs or ours, whatever is first.
    pair.wait_log("BGP session lost: ")?;
    wait::until(SESSION, "what is the matter is shown", || {
        let shown = peers(&pair).map_err(|error| error.to_string())?;
        if shown.contains("BGP waits until it is up") { Ok(()) } else { Err(shown) }
    })?;
    let_through(&pair.us, "10.9.1.2", "up0")?;
    wait_bfd(&pair.router, "Up", SESSION)?;
    pair.wait_route(true)?;
    // And the other way round: nothing is heard.
    swallow(&pair.them, "10.9.1.1", ha2bgp_device())?;
    pair.wait_log("BFD session down: nothing was heard for the detection time")?;
    pair.wait_log("BGP session lost: sent 6/10 BFD down")?;
    pair.router.wait_route(&pair.plan.route(), false, NOTICED)?;
    let_through(&pair.them, "10.9.1.1", ha2bgp_device())?;
    pair.wait_route(true)?;
    drop(listener);
    pair.wait_route(false)
}

/// The router's end of the cable.
const fn ha2bgp_device() -> &'static str {
    crate::speaker_stage::ROUTER_DEVICE
}

/// A planned restart says AdminDown: graceful restart keeps the route, although nothing is heard for many
/// detection times. BIRD 2.0.12 takes AdminDown for a failure, against RFC 5882 section 3.2, and needs
/// `bfd graceful`; so does FRR 8.4 while the session of BGP is up, which has ended by then.
fn a_planned_restart_keeps_the_routes(kind: Kind) -> Result<()> {
    let of = if kind == Kind::Bird { BfdOf::Graceful } else { BfdOf::Bgp };
    let plan = Plan { kind, ..plan(KEYS, Some(Bfd { of, ..FAST })) };
    let mut pair = Pair::established(plan)?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    wait_bfd(&pair.router, "Up", SESSION)?;
    pair.ha2bgp.signal(Signal::USR2)?;
    let status = pair.ha2bgp.wait(SESSION)?;
    assert_eq!(status.code(), Some(0), "{}", pair.ha2bgp.tail());
    wait::holds(Duration::from_secs(2), "the route stays", || {
        match pair.router.route(&pair.plan.route()) {
            Ok(text) if text.is_empty() => Err(pair.router.bfd().unwrap_or_default()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    })?;
    pair.start_again("again")?;
    pair.wait_established(true)?;
    wait_bfd(&pair.router, "Up", SESSION)?;
    drop(listener);
    pair.wait_route(false)
}
with_each_router!(a_planned_restart_keeps_the_routes: bird = Bird, frr = Frr);

/// `strict`: no BGP without BFD. A reload that takes it away lets BGP begin, and one that changes timers
/// touches no session.
#[test]
fn strict_waits_and_a_reload_touches_nothing() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::Tool("ip"));
    let mut pair = Pair::start(plan("{ strict = true, tx = \"100ms\" }", None))?;
    pair.wait_log("waits until BFD is up (strict)")?;
    let file = pair.dir.path().join("ha2bgp.toml");
    let text = std::fs::read_to_string(&file).map_err(LabError::io("the file"))?;
    let mut reload = |from: &str, to: &str| -> Result<()> {
        assert!(text.contains(from), "{text}");
        std::fs::write(&file, text.replace(from, to)).map_err(LabError::io("the file"))?;
        pair.ha2bgp.signal(Signal::HUP)
    };
    wait::holds(Duration::from_secs(2), "there is no session", || {
        match pair.router.is_established() {
            Ok(false) => Ok(()),
            Ok(true) => Err("established".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })?;
    reload("strict = true, tx = \"100ms\"", "tx = \"200ms\"")?;
    pair.router.wait_established(true, SESSION)?;
    let since = pair.router.heard()?;
    let log = "peer changed: bfd: the session stays";
    wait::until(SESSION, "the change is told", || {
        let told = pair.ha2bgp.stderr();
        if told.contains(log) { Ok(()) } else { Err(told) }
    })?;
    drop(since);
    Ok(())
}

/// The check: a service that is announced only while somebody is reachable.
#[test]
fn a_service_goes_when_the_upstream_does() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("bird"), Need::Tool("ip"));
    let router = Some(Bfd { of: BfdOf::Nothing, ..FAST });
    let options = Options { bfd: router, ..Options::default() };
    let section = "hold-time = \"90s\"\n[[service]]\nname = \"web\"\nvips = [\"100.64.0.10\"]\n\
                   rule = \"all(listen, address, upstream)\"\n[checks.upstream]\ntype = \"bfd\"\n\
                   address = \"10.9.1.2\"\ntx = \"100ms\"\nrx = \"100ms\"\n";
    let pair = Pair::established(Plan { options, ..Plan::new(Kind::Bird).section(section) })?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    swallow(&pair.them, "10.9.1.1", ha2bgp_device())?;
    pair.wait_log("nothing was heard for the detection time")?;
    let_through(&pair.them, "10.9.1.1", ha2bgp_device())?;
    pair.router.wait_route(&pair.plan.route(), false, NOTICED)?;
    pair.wait_route(true)?;
    drop(listener);
    pair.wait_route(false)
}
