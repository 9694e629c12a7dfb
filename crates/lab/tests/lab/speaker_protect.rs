//! The speaker's protection with each router: keys and TTL security, right and wrong.

use crate::speaker_stage::{Pair, Plan, SESSION, with_each_router};
use crate::stage::WHILE;
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::{Result, service, wait};

/// Nothing comes back.
const NO_ANSWER: &str = "no answer: a filter on the way, another MD5 key";
/// The connection stands, and everything that is sent over it is dropped here.
const NOTHING_COMES: &str = "connected, but nothing comes: a filter on the way, another MD5 key";
/// What we send is dropped there.
const NOT_HEARD: &str = "the peer does not hear us: a filter on the way, another MD5 key";

fn announces(plan: Plan) -> Result<()> {
    let pair = Pair::established(plan)?;
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    drop(listener);
    pair.wait_route(false)
}

/// No session stays, and the log says what usually is the matter.
fn never_connects(plan: Plan, said: &str) -> Result<()> {
    no_session_stays(plan, &[said])
}

/// One of these is enough.
fn no_session_stays(plan: Plan, said: &[&str]) -> Result<()> {
    let pair = Pair::start(plan.flags("--hold-time 3s"))?;
    wait::until(SESSION, &format!("the log says one of {said:?}"), || {
        let log = pair.ha2bgp.stderr();
        if said.iter().any(|text| log.contains(text)) { Ok(()) } else { Err(log) }
    })?;
    wait::settled(SESSION, WHILE, "no session", || match pair.router.is_established() {
        Ok(false) => Ok(()),
        Ok(true) => Err(pair.ha2bgp.tail()),
        Err(error) => Err(error.to_string()),
    })
}

fn right_key(kind: Kind) -> Result<()> {
    let keys = Plan { key: Some("s3cret-key"), router_key: Some("s3cret-key"), ..Plan::new(kind) };
    announces(keys)
}
with_each_router!(right_key: bird = Bird, frr = Frr, gobgp = GoBgp, exabgp = ExaBgp);

fn right_key_ipv6(kind: Kind) -> Result<()> {
    let keys = Plan { key: Some("s3cret-key"), router_key: Some("s3cret-key"), ..Plan::new(kind) };
    announces(Plan { v6: true, ..keys })
}
with_each_router!(right_key_ipv6: bird = Bird, frr = Frr, gobgp = GoBgp, exabgp = ExaBgp);

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
    never_connects(keys, NO_ANSWER)
}
with_each_router!(wrong_key);

/// Both sides connect, and neither hears of the other.
fn wrong_key_and_the_router_connects(kind: Kind) -> Result<()> {
    let keys = Plan { key: Some("wrong-key"), router_key: Some("s3cret-key"), ..Plan::new(kind) };
    never_connects(keys.flags("--listen 10.9.1.1"), NO_ANSWER)
}
with_each_router!(wrong_key_and_the_router_connects: bird = Bird, openbgpd = OpenBgpd);

/// Without [`Kind::OpenBgpd`]: what it accepts needs no key, whatever its configuration says.
fn no_key(kind: Kind) -> Result<()> {
    never_connects(Plan { router_key: Some("s3cret-key"), ..Plan::new(kind) }, NO_ANSWER)
}
with_each_router!(no_key: bird = Bird, frr = Frr, gobgp = GoBgp, exabgp = ExaBgp);

fn no_key_ipv6(kind: Kind) -> Result<()> {
    let keys = Plan { router_key: Some("s3cret-key"), ..Plan::new(kind) };
    never_connects(Plan { v6: true, ..keys }, NO_ANSWER)
}
with_each_router!(no_key_ipv6: bird = Bird, frr = Frr, gobgp = GoBgp, exabgp = ExaBgp);

fn wrong_key_ipv6(kind: Kind) -> Result<()> {
    let keys = Plan { key: Some("wrong-key"), router_key: Some("s3cret-key"), ..Plan::new(kind) };
    never_connects(Plan { v6: true, ..keys }, NO_ANSWER)
}
with_each_router!(wrong_key_ipv6);

/// We have a key and the router has none.
fn no_key_at_the_router(kind: Kind) -> Result<()> {
    never_connects(Plan { key: Some("s3cret-key"), ..Plan::new(kind) }, NO_ANSWER)
}
with_each_router!(no_key_at_the_router);

fn ttl_security(kind: Kind) -> Result<()> {
    announces(Plan { router_security: true, ..Plan::new(kind).flags("--ttl-security") })
}
with_each_router!(ttl_security);

/// Without [`Kind::ExaBgp`]: 4.2.21 sets an option of IPv4 on the IPv6 socket that it listens on,
/// and answers with hop limit 64.
fn ttl_security_ipv6(kind: Kind) -> Result<()> {
    let plan = Plan::new(kind).flags("--ttl-security");
    announces(Plan { v6: true, router_security: true, ..plan })
}
with_each_router!(
    ttl_security_ipv6: bird = Bird, frr = Frr, gobgp = GoBgp, openbgpd = OpenBgpd
);

/// ExaBGP connects with 255 in both families.
fn ttl_security_ipv6_and_the_router_connects(kind: Kind) -> Result<()> {
    let plan = Plan::new(kind).flags("--ttl-security --listen 2001:db8:9::1");
    announces(Plan { v6: true, router_security: true, ..plan })
}
with_each_router!(ttl_security_ipv6_and_the_router_connects: bird = Bird, exabgp = ExaBgp);

/// The router sends with TTL 1, as external sessions do by default: it accepts, and what it says
/// then is dropped. ExaBGP's answer to our SYN is dropped already.
fn ttl_security_at_our_side_only(kind: Kind) -> Result<()> {
    let said = if kind == Kind::ExaBgp { NO_ANSWER } else { NOTHING_COMES };
    never_connects(Plan::new(kind).flags("--ttl-security"), said)
}
with_each_router!(ttl_security_at_our_side_only);

/// We send with TTL 1, and the router wants 255 of what it has accepted: its OPEN comes, ours does
/// not arrive. Routers set their minimum some time after they have accepted: what arrives before is
/// heard, and then a session is up until a hold time is over. Without [`Kind::ExaBgp`]: 4.2.21
/// sends with 255 then, but for want of a constant in Python it asks the kernel for no minimum.
fn ttl_security_at_the_router_only(kind: Kind) -> Result<()> {
    let plan = Plan { router_security: true, ..Plan::new(kind) };
    no_session_stays(plan, &[NOT_HEARD, "hold timer expired"])
}
with_each_router!(
    ttl_security_at_the_router_only: bird = Bird, frr = Frr, gobgp = GoBgp, openbgpd = OpenBgpd
);
