//! To a router over a cable: `close` of the last listener of a VIP → the WITHDRAW is read in
//! another network namespace, with a down delay of 0. The floor and every tier take turns.

use crate::Outcome;
use crate::random::Random;
use crate::stage::{Session, Stage, Who, service};
use ha2bgp_lab::samples::{percentile, ratio, save};
use ha2bgp_lab::service::{Options, open};
use ha2bgp_lab::wait;
use socket2::Type;
use std::path::Path;
use std::time::{Duration, Instant};

/// They take turns, so many times each.
const ROUNDS: usize = 5;
/// Before each close up to this long, so that it comes at no fixed phase to anything that polls.
const PAUSE: u64 = 10_000;

pub(crate) fn run(runs: usize, dir: &Path) -> Outcome<()> {
    let all = [Who::Floor, Who::TierA, Who::TierB, Who::TierC];
    let mut random = Random::new();
    println!("close → WITHDRAW read by a router over a veth, {runs} runs; seed {}", random.0);
    let stage = Stage::new()?;
    let mut samples: [Vec<Duration>; 4] = Default::default();
    let mut medians: [Vec<Duration>; 4] = Default::default();
    for _ in 0..ROUNDS {
        for ((who, samples), medians) in all.iter().zip(&mut samples).zip(&mut medians) {
            let mut session = stage.start(*who)?;
            // Without a doorbell it takes a hundred milliseconds and more until it has seen the service.
            let patience = if matches!(who, Who::Floor | Who::TierA) { 1 } else { 5 };
            let count = runs.div_ceil(ROUNDS * patience);
            let round = closes(&stage, &mut session, count, &mut random)?;
            medians.push(percentile(&round, 50));
            samples.extend(round);
            session.child.kill()?;
        }
    }
    println!("| who | runs | p50 | p90 | p99 | p50 by round | p50 and p99 over the floor's |");
    println!("|---|---|---|---|---|---|---|");
    for ((who, own), medians) in all.iter().zip(&samples).zip(&medians) {
        let [p50, p90, p99] = [50, 90, 99].map(|percent| percentile(own, percent));
        let [low, high] = [0, 100].map(|percent| percentile(medians, percent));
        let [half, most] = [50, 99].map(|percent| ratio(own, &samples[0], percent));
        println!(
            "| {} | {} | {p50:.1?} | {p90:.1?} | {p99:.1?} | {low:.1?} to {high:.1?} | {half:.2}, {most:.2} |",
            who.name(),
            own.len()
        );
        save(&dir.join(format!("latency-wire-{}.csv", who.key())), own)?;
    }
    Ok(())
}

/// Opens and closes the service on the host so many times.
pub(crate) fn closes(
    stage: &Stage,
    session: &mut Session,
    runs: usize,
    random: &mut Random,
) -> Outcome<Vec<Duration>> {
    let address = service()?;
    let body = || -> Result<Vec<Duration>, String> {
        let mut samples = Vec::with_capacity(runs);
        for _ in 0..runs {
            let listener = open(address, Type::STREAM, Options::default()).map_err(text)?;
            session.hears(1, 0).map_err(text)?;
            wait::pause(Duration::from_micros(random.below(PAUSE)));
            let closed = Instant::now();
            drop(listener);
            let read = session.hears(0, 1).map_err(text)?;
            samples.push(read.saturating_duration_since(closed));
        }
        Ok(samples)
    };
    Ok(stage.host.within(body)??)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
