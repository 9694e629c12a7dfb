//! What it costs to tell ExaBGP: from the new desired set to the lines. UPDATEs are in `adj_rib_out`.
#![expect(missing_docs, reason = "made by a macro")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on shall stop")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_core::time::Instant;
use ha2bgp_proto::exabgp::{ApiVersion, Options, Session};

const NOW: Instant = Instant::from_secs(1);
const ROUTES: u32 = 10_000;

fn host(n: u32) -> Prefix {
    Prefix::host(IpAddr::V4(Ipv4Addr::from_bits(0x6440_0000 + n)))
}

/// A pipe that takes everything, and nobody who answers.
fn session(group_from: Option<usize>) -> Session {
    Session::new(Options {
        version: ApiVersion::V4,
        answers: false,
        group_from,
        ..Options::default()
    })
}

/// Hands out everything; how many octets.
fn tell(session: &mut Session, routes: &RouteSet) -> usize {
    session.set_routes(routes, NOW);
    let mut total = 0;
    while let Some(bytes) = session.poll_write(NOW) {
        let count = black_box(bytes).len();
        total += count;
        session.written(count, NOW);
        while session.poll_event().is_some() {}
    }
    total
}

fn measure(c: &mut Criterion) {
    let all: RouteSet = (0..ROUTES).map(|n| (host(n), Route::new(NextHop::SelfAddress))).collect();
    let none = RouteSet::new();
    let mut less = all.clone();
    less.remove(host(ROUTES / 2)).unwrap();
    let mut group = c.benchmark_group("exabgp");
    let mut told = session(None);
    tell(&mut told, &all);
    group.bench_function("one of 10000 withdrawn and back", |b| {
        b.iter(|| tell(&mut told, &less) + tell(&mut told, &all));
    });
    group.sample_size(20);
    for (name, group_from) in [("a line each", None), ("many on a line", Some(2))] {
        group.bench_function(format!("announce 10000, {name}"), |b| {
            let fresh = || session(group_from);
            b.iter_batched_ref(fresh, |session| tell(session, &all), BatchSize::PerIteration);
        });
        group.bench_function(format!("withdraw 10000, {name}"), |b| {
            let told = || {
                let mut session = session(group_from);
                tell(&mut session, &all);
                session
            };
            b.iter_batched_ref(told, |session| tell(session, &none), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, measure);
criterion_main!(benches);
