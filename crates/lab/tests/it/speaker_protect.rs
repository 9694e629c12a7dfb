//! The speaker's protection with each router: keys and TTL security, right and wrong.

use crate::speaker_stage::{Pair, Plan, with_each_router};
use crate::stage::WHILE;
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::{Result, service, wait};

fn announces(plan: Plan) -> Result<()> {
    let pair = Pair::established(plan)?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    drop(listener);
    pair.wait_route(false)
}

/// No session comes up, and the log says what usually is the matter.
fn never_connects(plan: Plan, log: &str) -> Result<()> {
    let pair = Pair::start(plan)?;
    pair.wait_log(&format!("{log}: a filter on the way, another MD5 key"))?;
    wait::holds(WHILE, "no session", || match pair.router.is_established() {
        Ok(false) => Ok(()),
        Ok(true) => Err(pair.ha2bgp.tail()),
        Err(error) => Err(error.to_string()),
    })
}

fn right_key(kind: Kind) -> Result<()> {
    let keys = Plan { key: Some("s3cret-key"), router_key: Some("s3cret-key"), ..Plan::new(kind) };
    announces(keys)
}
with_each_router!(right_key: bird = Bird, frr = Frr, gobgp = GoBgp);

fn right_key_ipv6(kind: Kind) -> Result<()> {
    let keys = Plan { key: Some("s3cret-key"), router_key: Some("s3cret-key"), ..Plan::new(kind) };
    announces(Plan { v6: true, ..keys })
}
with_each_router!(right_key_ipv6: bird = Bird, frr = Frr, gobgp = GoBgp);

/// The portable OpenBGPD 7.7 signs what it connects with and not what it accepts: it must be let
/// in.
fn right_key_and_the_router_connects(kind: Kind) -> Result<()> {
    let keys = Plan { key: Some("s3cret-key"), router_key: Some("s3cret-key"), ..Plan::new(kind) };
    announces(keys.flags("--listen 10.9.1.1"))
}
with_each_router!(right_key_and_the_router_connects: bird = Bird, openbgpd = OpenBgpd);

/// Both sides connect at once: one connection stays.
fn both_sides_connect(kind: Kind) -> Result<()> {
    announces(Plan::new(kind).flags("--listen 10.9.1.1"))
}
with_each_router!(both_sides_connect);

fn wrong_key(kind: Kind) -> Result<()> {
    let keys = Plan { key: Some("wrong-key"), router_key: Some("s3cret-key"), ..Plan::new(kind) };
    never_connects(keys, "no answer")
}
with_each_router!(wrong_key);

fn no_key(kind: Kind) -> Result<()> {
    never_connects(Plan { router_key: Some("s3cret-key"), ..Plan::new(kind) }, "no answer")
}
with_each_router!(no_key: bird = Bird, frr = Frr);

fn ttl_security(kind: Kind) -> Result<()> {
    announces(Plan { router_security: true, ..Plan::new(kind).flags("--ttl-security") })
}
with_each_router!(ttl_security);

fn ttl_security_ipv6(kind: Kind) -> Result<()> {
    let plan = Plan::new(kind).flags("--ttl-security");
    announces(Plan { v6: true, router_security: true, ..plan })
}
with_each_router!(ttl_security_ipv6);

/// The router sends with TTL 1, as external sessions do by default: it accepts, and what it says
/// then is dropped.
fn ttl_security_at_our_side_only(kind: Kind) -> Result<()> {
    never_connects(Plan::new(kind).flags("--ttl-security"), "connected, but nothing comes")
}
with_each_router!(ttl_security_at_our_side_only: bird = Bird, frr = Frr, openbgpd = OpenBgpd);

/// We send with TTL 1, and the router wants 255 of what it has accepted: its OPEN comes, ours does
/// not arrive. (FRR sets its minimum some time after it has accepted: now and then our OPEN arrives
/// before, and the session is up until the hold time is over.)
fn ttl_security_at_the_router_only(kind: Kind) -> Result<()> {
    never_connects(Plan { router_security: true, ..Plan::new(kind) }, "the peer does not hear us")
}
with_each_router!(ttl_security_at_the_router_only: bird = Bird);
