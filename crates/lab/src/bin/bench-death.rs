//! A service dies: how long the router keeps its route, with ha2bgp and with others that do the same.
//!
//! Usage: `bench-death [--runs N] [--peer-runs N]`; run it by `cargo xtask bench death`. Needs root, BIRD,
//! and whoever is to be compared: `cargo xtask lab-setup` installs them.
//!
//! Each on a host of its own with a BIRD behind a cable, all with the defaults of their authors: they look
//! every few seconds, and believe what they see after some looks. Ours has its turn alone; the others
//! wait most of the time, and do so together. The router's table is looked at every millisecond: what is
//! faster than that, `bench latency` shows.
#![expect(clippy::print_stdout, reason = "a bench reports to the person who runs it")]

use ha2bgp_lab::args::number;
use ha2bgp_lab::report::{Report, Unit, Who};
use ha2bgp_lab::rivals::{Rival, Site, vip};
use ha2bgp_lab::service::{self, Options};
use ha2bgp_lab::{LabError, Result, wait};
use std::error::Error;
use std::time::{Duration, Instant};

const WHAT: &str = "service death → route gone at the router";
/// Between two looks at the router.
const STEP: Duration = Duration::from_millis(1);
/// Nobody accepts what connects to find out whether it listens.
const BACKLOG: i32 = 4096;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let (mut runs, mut peer_runs) = (50, 5);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--runs" => runs = number(&arg, args.next(), 1..=10_000)?,
            "--peer-runs" => peer_runs = number(&arg, args.next(), 1..=1000)?,
            _ => return Err(format!("`{arg}` is unknown (--runs N, --peer-runs N)").into()),
        }
    }
    println!("{WHAT}: {runs} runs of ours, {peer_runs} of each of the others (a minute each)");
    let mut report = Report::new("death")?;
    report.headline(WHAT, Unit::Time);
    let quick = Rival::Ours { at_once: true };
    report.times(Who::Ours, &quick.name(), &measure(quick, runs)?)?;
    let others = [&[Rival::Ours { at_once: false }], Rival::OTHERS.as_slice()].concat();
    let measured = std::thread::scope(|scope| {
        let here = others.iter().filter(|rival| match rival.missing() {
            None => true,
            Some(reason) => {
                println!("not measured: {}: {reason}", rival.name());
                false
            }
        });
        let start = |rival: &Rival| {
            let rival = *rival;
            (rival, scope.spawn(move || measure(rival, peer_runs)))
        };
        let threads: Vec<_> = here.map(start).collect();
        let join = |(rival, thread): (Rival, std::thread::ScopedJoinHandle<'_, _>)| {
            (rival, thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        };
        threads.into_iter().map(join).collect::<Vec<(Rival, Result<Vec<Duration>>)>>()
    });
    for (rival, samples) in measured {
        let who = if matches!(rival, Rival::Ours { .. }) { Who::Ours } else { Who::Peer };
        match samples {
            Ok(samples) => report.times(who, &rival.name(), &samples)?,
            Err(error) => println!("not measured: {}: {error}", rival.name()),
        }
    }
    println!("\n{}", report.table());
    report.finish()?;
    Ok(())
}

fn measure(rival: Rival, runs: u32) -> Result<Vec<Duration>> {
    let site = Site::start(rival, 1)?;
    let mut samples = Vec::new();
    for run in 0..runs {
        let options = Options { backlog: BACKLOG, ..Options::default() };
        let listener = service::listen_with(&site.host, &format!("{}:80", vip(0)), options)?;
        site.wait_route(0, true, STEP)?;
        // At another phase of its interval each time.
        let phase = rival.interval().mul_f64(fraction(run));
        wait::pause(phase);
        if !site.router.has_route(&format!("{}/32", vip(0)))? {
            return Err(LabError::Missing(format!("the route left by itself: {}", site.tail())));
        }
        let closed = Instant::now();
        drop(listener);
        site.wait_route(0, false, STEP)?;
        samples.push(closed.elapsed());
    }
    Ok(samples)
}

/// Evenly spread over 0 to 1 in whatever order: the golden ratio's multiples.
fn fraction(run: u32) -> f64 {
    (f64::from(run) * 0.618_033_988_75 + 0.31).fract()
}
