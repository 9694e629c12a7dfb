//! Sessions between link-local addresses ("unnumbered"), with each router: both families with no
//! other address in sight.

use crate::speaker_stage::{OUR_LINK_LOCAL, Pair, Plan, SESSION, with_each_router};
use crate::stage::{SOON, VIP, VIP6};
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::{Result, service};
use rustix::process::Signal;

fn plan(kind: Kind) -> Plan {
    Plan { link_local: true, ..Plan::new(kind) }
}

/// The route is there, and its next hop is our end of the cable.
fn wait_next_hop(pair: &Pair, prefix: &str) -> Result<()> {
    pair.router.wait_route(prefix, true, SESSION).map_err(|error| pair.explain(error))?;
    let route = pair.router.route(prefix)?;
    println!("{:?}: {route}", pair.plan.kind);
    assert!(route.contains(OUR_LINK_LOCAL), "{route}");
    Ok(())
}

/// Announced, withdrawn, announced, and gone for good with the program.
fn both_families(kind: Kind) -> Result<()> {
    let mut pair = Pair::established(plan(kind))?;
    let v4 = service::listen(&pair.us, &format!("{VIP}:8080"))?;
    let v6 = service::listen(&pair.us, &format!("[{VIP6}]:8080"))?;
    let routes = [format!("{VIP}/32"), format!("{VIP6}/128")];
    for route in &routes {
        wait_next_hop(&pair, route)?;
    }
    drop(v4);
    pair.router.wait_route(&routes[0], false, SOON)?;
    wait_next_hop(&pair, &routes[1])?;
    pair.ha2bgp.signal(Signal::TERM)?;
    pair.ha2bgp.wait(SOON)?;
    pair.router.wait_route(&routes[1], false, SOON)?;
    drop(v6);
    Ok(())
}
with_each_router!(both_families);

fn spelling(kind: Kind, spelling: &str) -> Result<()> {
    let pair =
        Pair::established(plan(kind).section(&format!("link-local-next-hop = \"{spelling}\"")))?;
    let _v4 = service::listen(&pair.us, &format!("{VIP}:8080"))?;
    let _v6 = service::listen(&pair.us, &format!("[{VIP6}]:8080"))?;
    wait_next_hop(&pair, &format!("{VIP6}/128"))?;
    wait_next_hop(&pair, &format!("{VIP}/32"))
}

fn native(kind: Kind) -> Result<()> {
    spelling(kind, "native")
}
with_each_router!(native);

fn single(kind: Kind) -> Result<()> {
    spelling(kind, "single")
}
with_each_router!(single);
