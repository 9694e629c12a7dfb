//! Whether it takes longer on a busy host: half-open connections at the listener, ten thousand other
//! listeners, many established connections. Each with nothing of the kind in turns, with a doorbell.

use crate::Outcome;
use crate::crowd::{self, Crowd};
use crate::random::Random;
use crate::stage::{PORT, Stage, VIP, Who, service};
use crate::wire::closes;
use ha2bgp_lab::samples::{percentile, ratio, save};
use ha2bgp_lab::service::{Options, open};
use ha2bgp_lab::{syn, wait};
use socket2::Type;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::time::{Duration, Instant};

/// They take turns, so many times each.
const ROUNDS: usize = 5;
/// Half-open connections at the listener when it closes.
const HALF_OPEN: u16 = 16;
/// A port of the same address that nobody follows.
const BYSTANDER: u16 = PORT + 1;
/// Whoever sends them is nobody: the host's answer finds no neighbour.
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 9, 1, 77);

/// What is different.
#[derive(Clone, Copy, Debug)]
enum Condition {
    HalfOpen,
    Listeners(usize),
    Connections(usize),
}

pub(crate) fn run(runs: usize, connections: usize, dir: &Path) -> Outcome<()> {
    let mut random = Random::new();
    println!("the same on a busy host, tier A, {runs} runs each; seed {}", random.0);
    println!(
        "| condition | p50, p99 with | p50, p99 without, in turns | p50 and p99, with over without |"
    );
    println!("|---|---|---|---|");
    let stage = Stage::new()?;
    stage.router.ip(&["route", "add", "100.64.0.0/16", "via", "10.9.1.1"])?;
    let all = [
        ("half-open", Condition::HalfOpen),
        ("listeners", Condition::Listeners(10_000)),
        ("connections", Condition::Connections(connections)),
    ];
    for (key, condition) in all {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        let each = runs.div_ceil(ROUNDS);
        let mut name = String::new();
        for _ in 0..ROUNDS {
            let mut session = stage.start(Who::TierA)?;
            without.extend(match condition {
                // The same, at a listener beside it.
                Condition::HalfOpen => half_open(&stage, &mut session, each, BYSTANDER)?,
                _ => closes(&stage, &mut session, each, &mut random)?,
            });
            session.child.kill()?;
            let (crowd, said) = gather(&stage, condition)?;
            name = said;
            let mut session = stage.start(Who::TierA)?;
            with.extend(match condition {
                Condition::HalfOpen => half_open(&stage, &mut session, each, PORT)?,
                _ => closes(&stage, &mut session, each, &mut random)?,
            });
            session.child.kill()?;
            drop(crowd);
        }
        let [a, b] = [50, 99].map(|percent| percentile(&with, percent));
        let [c, d] = [50, 99].map(|percent| percentile(&without, percent));
        let [half, most] = [50, 99].map(|percent| ratio(&with, &without, percent));
        println!("| {name} | {a:.1?}, {b:.1?} | {c:.1?}, {d:.1?} | {half:.2}, {most:.2} |");
        save(&dir.join(format!("latency-under-{key}.csv")), &with)?;
        save(&dir.join(format!("latency-under-{key}-without.csv")), &without)?;
    }
    Ok(())
}

/// Makes it so, and says what it is.
fn gather(stage: &Stage, condition: Condition) -> Outcome<(Crowd, String)> {
    Ok(match condition {
        Condition::HalfOpen => {
            (Crowd::default(), format!("{HALF_OPEN} half-open connections at the listener"))
        }
        Condition::Listeners(count) => {
            (crowd::listeners(&stage.host, count)?, format!("{count} other listeners"))
        }
        Condition::Connections(count) => (
            crowd::connections(&stage.host, count, stage.dir.path())?,
            format!("{count} established connections"),
        ),
    })
}

fn half_open(
    stage: &Stage,
    session: &mut crate::stage::Session,
    runs: usize,
    victim: u16,
) -> Outcome<Vec<Duration>> {
    let (address, vip) = (service()?, VIP.parse()?);
    let listen = |address| {
        stage
            .host
            .within(|| open(address, Type::STREAM, Options { backlog: 128, ..Options::default() }))
    };
    let mut samples = Vec::with_capacity(runs);
    for _ in 0..runs {
        let _bystander = listen(SocketAddr::new(address.ip(), BYSTANDER))??;
        let listener = listen(address)??;
        session.hears(1, 0)?;
        let ports = 40_000..40_000 + HALF_OPEN;
        syn::half_open(&stage.router, NOBODY, SocketAddrV4::new(vip, victim), ports)?;
        // They came over the cable, and were taken in, long ago.
        wait::pause(Duration::from_millis(5));
        let closed = Instant::now();
        drop(listener);
        let read = session.hears(0, 1)?;
        samples.push(read.saturating_duration_since(closed));
    }
    Ok(samples)
}
