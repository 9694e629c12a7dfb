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
fn never_connects(plan: Plan) -> Result<()> {
    let pair = Pair::start(plan)?;
    pair.wait_log("no answer: a filter on the way, another MD5 key")?;
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
with_each_router!(right_key);

fn right_key_ipv6(kind: Kind) -> Result<()> {
    let keys = Plan { key: Some("s3cret-key"), router_key: Some("s3cret-key"), ..Plan::new(kind) };
    announces(Plan { v6: true, ..keys })
}
with_each_router!(right_key_ipv6);

fn wrong_key(kind: Kind) -> Result<()> {
    let keys = Plan { key: Some("wrong-key"), router_key: Some("s3cret-key"), ..Plan::new(kind) };
    never_connects(keys)
}
with_each_router!(wrong_key);

fn no_key(kind: Kind) -> Result<()> {
    never_connects(Plan { router_key: Some("s3cret-key"), ..Plan::new(kind) })
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

/// The router sends with TTL 1, as external sessions do by default.
fn ttl_security_at_our_side_only(kind: Kind) -> Result<()> {
    never_connects(Plan::new(kind).flags("--ttl-security"))
}
with_each_router!(ttl_security_at_our_side_only: bird = Bird, frr = Frr, openbgpd = OpenBgpd);
