//! Sessions between link-local addresses ("unnumbered"), with each router: the VIPs of both
//! families go over them, with our end of the cable as their next hop.

use crate::speaker_stage::{OUR_LINK_LOCAL, Pair, Plan, ROUTER_LINK_LOCAL, SESSION};
use crate::speaker_stage::{ROUTER_DEVICE, start, wait_status, with_each_router};
use crate::stage::{SOON, VIP, VIP6};
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::{Config, Kind, Options, Router};
use ha2bgp_lab::{Result, readme, service, wait};
use rustix::process::Signal;
use std::time::Duration;

fn plan(kind: Kind) -> Plan {
    Plan { link_local: true, ..Plan::new(kind) }
}

/// Waits until the router uses a route, and its next hop is our end of the cable.
fn wait_used(pair: &Pair, prefix: &str) -> Result<()> {
    pair.router.wait_route(prefix, true, SESSION).map_err(|error| pair.explain(error))?;
    let used = match pair.plan.kind {
        Kind::Bird => format!("via {OUR_LINK_LOCAL} on {ROUTER_DEVICE}"),
        Kind::Frr => "valid, external, best".to_owned(),
        Kind::GoBgp => "*>".to_owned(),
        Kind::OpenBgpd => "external, valid, best".to_owned(),
        Kind::ExaBgp => String::new(),
    };
    wait::until(SOON, &format!("the route to {prefix} is used"), || {
        let route = pair.router.route(prefix).map_err(|error| error.to_string())?;
        if route.contains(OUR_LINK_LOCAL) && route.contains(&used) { Ok(()) } else { Err(route) }
    })?;
    if pair.plan.kind != Kind::Frr {
        return Ok(());
    }
    wait::until(SOON, &format!("the kernel of the router uses the route to {prefix}"), || {
        let family = if prefix.contains(':') { "-6" } else { "-4" };
        let routes = pair.them.ip(&[family, "route", "show", prefix]);
        let routes = routes.map_err(|error| error.to_string())?;
        let used = routes.contains(&format!("{OUR_LINK_LOCAL} dev {ROUTER_DEVICE}"));
        if used { Ok(()) } else { Err(format!("{routes}\n{}", pair.router.tail())) }
    })
}

/// Announced, withdrawn, and gone for good with the program. OpenBGPD 7.7 takes no IPv4 routes
/// with IPv6 next hops, and ha2bgp says so.
fn both_families(kind: Kind) -> Result<()> {
    let mut pair = Pair::established(plan(kind))?;
    let v4 = service::listen(&pair.us, &format!("{VIP}:8080"))?;
    let v6 = service::listen(&pair.us, &format!("[{VIP6}]:8080"))?;
    let routes = [format!("{VIP}/32"), format!("{VIP6}/128")];
    wait_used(&pair, &routes[1])?;
    if kind == Kind::OpenBgpd {
        pair.wait_log("routes of this family cannot be announced to this peer")?;
        pair.wait_log("family=ipv4-unicast why=NoIpv4NextHop")?;
    } else {
        wait_used(&pair, &routes[0])?;
    }
    drop(v4);
    pair.router.wait_route(&routes[0], false, SOON)?;
    wait_used(&pair, &routes[1])?;
    pair.ha2bgp.signal(Signal::TERM)?;
    let status = pair.ha2bgp.wait(SOON)?;
    assert_eq!(status.code(), Some(0), "{}", pair.ha2bgp.tail());
    pair.router.wait_route(&routes[1], false, SOON)?;
    drop(v6);
    Ok(())
}
with_each_router!(
    both_families: bird = Bird, frr = Frr, gobgp = GoBgp, openbgpd = OpenBgpd
);

fn spelled(kind: Kind, spelling: &str) -> Result<()> {
    let option = format!("link-local-next-hop = \"{spelling}\"");
    let pair = Pair::established(plan(kind).section(&option))?;
    let _v4 = service::listen(&pair.us, &format!("{VIP}:8080"))?;
    let _v6 = service::listen(&pair.us, &format!("[{VIP6}]:8080"))?;
    wait_used(&pair, &format!("{VIP6}/128"))?;
    if kind == Kind::OpenBgpd { Ok(()) } else { wait_used(&pair, &format!("{VIP}/32")) }
}

/// GoBGP 3.10 takes `::` for the next hop.
fn spelled_native(kind: Kind) -> Result<()> {
    spelled(kind, "native")
}
with_each_router!(spelled_native: bird = Bird, frr = Frr, openbgpd = OpenBgpd);

fn spelled_single(kind: Kind) -> Result<()> {
    spelled(kind, "single")
}
with_each_router!(
    spelled_single: bird = Bird, frr = Frr, gobgp = GoBgp, openbgpd = OpenBgpd
);

/// Who may connect: FRR 8.4 never does, to a link-local neighbor that it knows by its address. It
/// waits for next hop tracking, which knows nothing of the interface.
fn modes(kind: Kind) -> &'static [&'static str] {
    if kind == Kind::Frr { &["active"] } else { &["active", "passive"] }
}

/// With everything that protects a session, and whoever connects: the kernel looks for the key by
/// the address alone, and the listening socket finds the peer by its interface too.
fn protected(kind: Kind) -> Result<()> {
    for mode in modes(kind) {
        let section = format!(
            "mode = \"{mode}\"\nttl-security = true\n\
             local-address = \"{OUR_LINK_LOCAL}%up0\""
        );
        let keys = Plan { key: Some("s3cret-key"), router_key: Some("s3cret-key"), ..plan(kind) };
        let plan = Plan { router_security: true, ..keys.section(&section).flags("--listen ::") };
        let pair = Pair::established(plan)?;
        let _v6 = service::listen(&pair.us, &format!("[{VIP6}]:8080"))?;
        wait_used(&pair, &format!("{VIP6}/128"))?;
    }
    Ok(())
}
with_each_router!(protected: bird = Bird, frr = Frr);

/// The interface goes, and comes back as another one with the same name. Its address counts only
/// after duplicate detection. Nothing but news of addresses makes ha2bgp try again within an hour.
fn interface_made_anew(kind: Kind) -> Result<()> {
    let pair = Pair::established(plan(kind).section("connect-retry = \"1h\""))?;
    let _v6 = service::listen(&pair.us, &format!("[{VIP6}]:8080"))?;
    wait_used(&pair, &format!("{VIP6}/128"))?;
    pair.us.ip(&["link", "del", "up0"])?;
    pair.wait_log("BGP session lost: the local address is gone")?;
    pair.wait_log("no connection: no interface is called up0")?;
    link::cable(
        End { host: &pair.us, device: "up0", address: "10.9.1.1/24" },
        End { host: &pair.them, device: ROUTER_DEVICE, address: "10.9.1.2/24" },
    )?;
    link::add_address(&pair.them, &format!("{ROUTER_LINK_LOCAL}/64"), ROUTER_DEVICE)?;
    // Not the address that the kernel made.
    pair.us.ip(&["-6", "addr", "flush", "dev", "up0", "scope", "link"])?;
    pair.us.ip(&["addr", "add", &format!("{OUR_LINK_LOCAL}/64"), "dev", "up0"])?;
    pair.wait_established(true)?;
    wait_used(&pair, &format!("{VIP6}/128"))
}
with_each_router!(interface_made_anew: bird = Bird);

/// FRR with `neighbor router0 interface`: it learns our address from router advertisements, which
/// something else on our host has to send.
fn found_by_advertisements(kind: Kind) -> Result<()> {
    for mode in ["active", "passive"] {
        let dir = readme::workdir()?;
        let (us, them) = (Netns::new("us")?, Netns::new("them")?);
        link::add_address(&us, &format!("{VIP}/32"), "lo")?;
        cable(&us, "up0", &them)?;
        let config = Config { neighbor: ROUTER_DEVICE.to_owned(), ..config(65001) };
        let router = Router::start(kind, &them, "router", dir.path(), config)?;
        let plan = plan(kind).section(&format!("mode = \"{mode}\"")).flags("--listen ::");
        let ha2bgp = start(&us, &dir, &plan, "ha2bgp")?;
        wait::until(SESSION, "the router finds us", || {
            link::advertise(&us, OUR_LINK_LOCAL, "up0").map_err(|error| error.to_string())?;
            wait::pause(Duration::from_millis(100));
            match router.is_established() {
                Ok(true) => Ok(()),
                Ok(false) => Err(format!("{}\n{}", router.tail(), ha2bgp.tail())),
                Err(error) => Err(error.to_string()),
            }
        })?;
        let listener = service::listen(&us, &format!("{VIP}:8080"))?;
        router.wait_route(&format!("{VIP}/32"), true, SESSION)?;
        drop(listener);
        router.wait_route(&format!("{VIP}/32"), false, SOON)?;
    }
    Ok(())
}
with_each_router!(found_by_advertisements: frr = Frr);

fn config(asn: u32) -> Config {
    Config {
        address: ROUTER_LINK_LOCAL.to_owned(),
        asn,
        neighbor: OUR_LINK_LOCAL.to_owned(),
        device: Some(ROUTER_DEVICE.to_owned()),
        neighbor_as: 65000,
        password: None,
        ttl_security: false,
        options: Options::default(),
    }
}

fn cable(us: &Netns, device: &str, them: &Netns) -> Result<()> {
    let host = End { host: us, device, address: "10.9.1.1/24" };
    link::cable(host, End { host: them, device: ROUTER_DEVICE, address: "10.9.1.2/24" })?;
    link::add_address(us, &format!("{OUR_LINK_LOCAL}/64"), device)?;
    link::add_address(them, &format!("{ROUTER_LINK_LOCAL}/64"), ROUTER_DEVICE)
}

/// Two routers with one address on two interfaces, and one address of ours on both: each has its
/// own session, whoever connects.
fn two_interfaces(kind: Kind) -> Result<()> {
    for mode in modes(kind) {
        let dir = readme::workdir()?;
        let us = Netns::new("us")?;
        link::add_address(&us, &format!("{VIP6}/128"), "lo")?;
        let mut routers = Vec::new();
        for (device, asn) in [("up0", 65001), ("up1", 65002)] {
            let them = Netns::new(device)?;
            cable(&us, device, &them)?;
            routers.push((Router::start(kind, &them, device, dir.path(), config(asn))?, them));
        }
        let more = "[[peer]]\naddress = \"fe80::a:2%up1\"\nremote-as = 65002";
        let mode = format!("mode = \"{mode}\"");
        let plan = plan(kind).section(&format!("{mode}\n{more}\n{mode}")).flags("--listen ::");
        let mut ha2bgp = start(&us, &dir, &plan, "ha2bgp")?;
        let listener = service::listen(&us, &format!("[{VIP6}]:8080"))?;
        let route = format!("{VIP6}/128");
        for (router, _) in &routers {
            router.wait_route(&route, true, SESSION)?;
        }
        for peer in ["fe80::a:2%up0", "fe80::a:2%up1"] {
            let shown = format!("status: peer {peer} Established");
            wait_status(&mut ha2bgp, &[&format!("session established peer={peer}"), &shown])?;
        }
        // One cable is cut; the other peer has the same address, and nothing happens to it.
        us.ip(&["link", "del", "up1"])?;
        drop(listener);
        routers[0].0.wait_route(&route, false, SOON)?;
        let lost = ha2bgp.stderr();
        assert!(
            lost.contains("the local address is gone from this host peer=fe80::a:2%up1"),
            "{lost}"
        );
        assert!(
            !lost.contains("the local address is gone from this host peer=fe80::a:2%up0"),
            "{lost}"
        );
    }
    Ok(())
}
with_each_router!(two_interfaces: bird = Bird, frr = Frr);
