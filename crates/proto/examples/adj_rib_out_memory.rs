//! What the desired set and eight peers cost in memory: `cargo run --profile lab -p ha2bgp-proto
//! --example adj_rib_out_memory`.
#![expect(clippy::print_stdout, reason = "it is there to print")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on shall stop")]

use std::net::{IpAddr, Ipv4Addr};

use ha2bgp_core::net::{Networks, NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::wire::{Asn, Capability, Family, Open, encode_keepalive};
use ha2bgp_proto::bgp::{Connection, Input, Output, PeerConfig, Session};

const NOW: Instant = Instant::from_secs(1);
const ROUTES: usize = 100_000;

/// Resident octets (proc(5), statm), and the most there ever were (status).
fn resident() -> (usize, usize) {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
    (pages * 4096, peak * 1024)
}

fn up(number: u8) -> (Session, Connection) {
    let remote = IpAddr::from([10, 0, 0, number]);
    let local = IpAddr::from([10, 0, 0, 200]);
    let mut config = PeerConfig::new(Asn(65000), Ipv4Addr::new(10, 0, 0, 200), remote, Asn(65001));
    config.policy.networks = Networks::new(vec!["100.64.0.0/10".parse().unwrap()]);
    let mut session = Session::new(config, 1, NOW);
    session.handle(Input::Start, NOW);
    let Some(Output::Connect { connection }) = std::iter::from_fn(|| session.poll_output())
        .find(|output| matches!(output, Output::Connect { .. }))
    else {
        panic!("it connects at once")
    };
    session.handle(Input::TcpConnected { connection, local, remote }, NOW);
    let capabilities = vec![Capability::family(Family::Ipv4), Capability::FourOctetAs(Asn(65001))];
    let open =
        Open { my_as: 65001, hold_time: 9, id: Ipv4Addr::new(10, 0, 0, number), capabilities };
    let mut bytes = Vec::new();
    open.encode(&mut bytes);
    encode_keepalive(&mut bytes);
    session.handle(Input::Received { connection, bytes: &bytes }, NOW);
    (session, connection)
}

fn main() {
    let mut peers: Vec<(Session, Connection)> = (1..=8).map(up).collect();
    let (base, _) = resident();
    let say = |what: &str| {
        let (now, peak) = resident();
        let cost = |octets: usize| octets.saturating_sub(base) / ROUTES;
        println!(
            "{what}: {} octets a route, at the peak {}; resident {} KiB, peak {} KiB",
            cost(now),
            cost(peak),
            now / 1024,
            peak / 1024
        );
    };
    let route = Route::new(NextHop::SelfAddress);
    let host = |n: u32| Prefix::host(IpAddr::V4(Ipv4Addr::from_bits(0x6440_0000 + n)));
    let mut routes = RouteSet::new();
    for n in 0..ROUTES {
        routes.insert(host(u32::try_from(n).unwrap()), route);
    }
    say("the desired set");
    let mut tell = |routes: &RouteSet, what: &str| {
        for (session, _) in &mut peers {
            session.set_routes(routes, NOW);
        }
        say(&format!("{what}, not yet said"));
        // All peers take it at the same speed.
        let mut busy = true;
        while busy {
            busy = false;
            for (session, connection) in &mut peers {
                let Some(count) = session.poll_write(*connection, NOW).map(<[u8]>::len) else {
                    continue;
                };
                busy = true;
                let written = Input::Written { connection: *connection, bytes: count };
                session.handle(written, NOW);
            }
        }
        say(&format!("{what}, said"));
    };
    tell(&routes, "8 peers, all routes");
    let mut half = routes.clone();
    for n in 0..ROUTES / 2 {
        half.remove(host(u32::try_from(n * 2).unwrap()));
    }
    tell(&half, "8 peers, every other route withdrawn");
    tell(&RouteSet::new(), "8 peers, nothing left");
}
