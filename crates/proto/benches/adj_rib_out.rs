//! What it costs to tell a peer: from the new desired set to the last octet handed out.
#![expect(missing_docs, reason = "made by a macro")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on shall stop")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ha2bgp_core::net::{Networks, NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::wire::{Asn, Capability, Family, Open, encode_keepalive};
use ha2bgp_proto::bgp::{Connection, Input, Output, PeerConfig, Session};

const NOW: Instant = Instant::from_secs(1);
const ROUTES: u32 = 100_000;

fn host(n: u32) -> Prefix {
    Prefix::host(IpAddr::V4(Ipv4Addr::from_bits(0x6440_0000 + n)))
}

fn routes(numbers: impl Iterator<Item = u32>) -> RouteSet {
    numbers.map(|n| (host(n), Route::new(NextHop::SelfAddress))).collect()
}

/// A session that stands.
struct Peer {
    session: Session,
    connection: Connection,
}

impl Peer {
    fn up(routes: &RouteSet) -> Self {
        let remote = IpAddr::from([10, 0, 0, 1]);
        let local = IpAddr::from([10, 0, 0, 2]);
        let mut config =
            PeerConfig::new(Asn(65000), Ipv4Addr::new(10, 0, 0, 2), remote, Asn(65001));
        config.policy.networks = Networks::new(vec!["100.64.0.0/10".parse().unwrap()]);
        let mut session = Session::new(config, 1, NOW);
        session.set_routes(routes, NOW);
        session.handle(Input::Start, NOW);
        let Some(Output::Connect { connection }) = std::iter::from_fn(|| session.poll_output())
            .find(|output| matches!(output, Output::Connect { .. }))
        else {
            panic!("it connects at once")
        };
        session.handle(Input::TcpConnected { connection, local, remote }, NOW);
        let open = Open {
            my_as: 65001,
            hold_time: 9,
            id: Ipv4Addr::new(10, 0, 0, 1),
            capabilities: vec![
                Capability::family(Family::Ipv4),
                Capability::FourOctetAs(Asn(65001)),
            ],
        };
        let mut bytes = Vec::new();
        open.encode(&mut bytes);
        encode_keepalive(&mut bytes);
        session.handle(Input::Received { connection, bytes: &bytes }, NOW);
        Self { session, connection }
    }

    /// Hands out everything; how many octets.
    fn drain(&mut self) -> usize {
        let mut total = 0;
        while let Some(bytes) = self.session.poll_write(self.connection, NOW) {
            let count = black_box(bytes).len();
            total += count;
            self.session.handle(Input::Written { connection: self.connection, bytes: count }, NOW);
        }
        while self.session.poll_output().is_some() {}
        total
    }

    fn tell(&mut self, routes: &RouteSet) -> usize {
        self.session.set_routes(routes, NOW);
        self.drain()
    }
}

fn told(routes: &RouteSet) -> Peer {
    let mut peer = Peer::up(routes);
    peer.drain();
    peer
}

fn measure(c: &mut Criterion) {
    let none = RouteSet::new();
    let all = routes(0..ROUTES);
    let even = routes((0..ROUTES).filter(|n| n % 2 == 0));
    let mut group = c.benchmark_group("adj_rib_out");
    group.sample_size(20);
    let mut case = |name: &str, from: &RouteSet, to: &RouteSet| {
        group.bench_function(name, |b| {
            b.iter_batched_ref(|| told(from), |peer| peer.tell(to), BatchSize::PerIteration);
        });
    };
    case("announce 100000", &none, &all);
    case("withdraw 100000", &all, &none);
    case("withdraw every other of 100000", &all, &even);
    group.bench_function("session up with 100000", |b| {
        b.iter_batched_ref(|| Peer::up(&all), Peer::drain, BatchSize::PerIteration);
    });
    group.sample_size(100);
    let mut waits = Peer::up(&all);
    let mut other = all.clone();
    other.remove(host(ROUTES - 1));
    group.bench_function("one change while 100000 wait", |b| {
        b.iter(|| {
            waits.session.set_routes(&other, NOW);
            waits.session.set_routes(&all, NOW);
        });
    });
    let mut less = all.clone();
    less.remove(host(ROUTES / 2));
    let mut peer = told(&all);
    group.bench_function("one of 100000 withdrawn and back", |b| {
        b.iter(|| peer.tell(&less) + peer.tell(&all));
    });
    group.finish();

    let mut group = c.benchmark_group("route_set");
    let mut set = all;
    group.bench_function("one of 100000 out and in, path copied", |b| {
        b.iter(|| {
            let before = set.clone();
            let route = set.remove(host(777)).unwrap();
            let between = set.clone();
            set.insert(host(777), route);
            (before, between)
        });
    });
}

criterion_group!(benches, measure);
criterion_main!(benches);
