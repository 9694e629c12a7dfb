//! Sessions against hand-made peers and against each other, over virtual time.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use ha2bgp_core::net::{Networks, NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_core::time::Instant;

use super::wire::{Asn, Capability, Families, Family, Kind, Notification, Open};
use super::*;

mod change;
mod classes;
mod collision;
mod config;
mod hostile;
mod last_choice;
mod net;
mod pair;
mod paths;
mod raw;
mod routes;
mod single;

const OUR_ADDRESS: &str = "10.0.0.2";
const PEER_ADDRESS: &str = "10.0.0.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

fn networks() -> Networks {
    Networks::new(["100.64.0.0/10", "2001:db8::/32"].map(|it| it.parse().unwrap()).to_vec())
}

/// AS 65000 towards 65001.
fn external() -> PeerConfig {
    let id = Ipv4Addr::new(10, 0, 0, 2);
    let mut config = PeerConfig::new(Asn(65000), id, ip(PEER_ADDRESS), Asn(65001));
    config.policy.networks = networks();
    config
}

fn route() -> Route {
    Route::new(NextHop::SelfAddress)
}

fn routes(prefixes: &[&str]) -> RouteSet {
    prefixes.iter().map(|it| (it.parse().unwrap(), route())).collect()
}

/// So many host routes.
fn hosts(count: u32) -> RouteSet {
    (0..count)
        .map(|n| (Prefix::host(IpAddr::V4(Ipv4Addr::from_bits(0x6440_0000 + n))), route()))
        .collect()
}
