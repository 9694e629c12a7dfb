//! Ten thousand HTTP checks a second, beside HAProxy's own checks of the same server in the same run.
//!
//! Usage: `bench-checks [--vips N] [--seconds N] [--repeat N]`; run it by `cargo xtask bench checks`.
//! Each VIP is checked once a second, on one core, while the server has the other one. Needs root (a
//! network namespace) and Debian's HAProxy. Samples go to `$HA2BGP_BENCH_DIR/checks-*.csv`.
#![expect(clippy::print_stdout, reason = "a bench reports to the person who runs it")]

mod checker;
mod server;

use checker::Checker;
use ha2bgp_lab::args::number;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::report::{Report, Unit, Who};
use ha2bgp_lab::samples::range;
use ha2bgp_lab::{readme, tools};
use server::Server;
use std::error::Error;
use std::time::Duration;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How often each VIP is checked.
const INTERVAL: Duration = Duration::from_secs(1);
/// Before the measurement: all have begun by then.
const WARM_UP: Duration = Duration::from_secs(4);

/// What one run of one program comes to.
struct Run {
    checks: usize,
    /// CPU time of the program in that time.
    cpu: Duration,
    /// How far from the interval the time between two checks of one VIP was.
    off: Vec<Duration>,
}

fn main() -> Outcome<()> {
    let [vips, seconds, repeat] = arguments()?;
    let time = Duration::from_secs(u64::try_from(seconds)?);
    if tools::find("haproxy").is_none() {
        return Err("no haproxy here: cargo xtask lab-setup".into());
    }
    println!(
        "{vips} VIPs, each checked every second by HTTP; {repeat} × {seconds} s each, in turns"
    );
    let host = Netns::new("bench-checks")?;
    host.ip(&["route", "add", "local", "100.64.0.0/16", "dev", "lo"])?;
    let server = Server::start(&host)?;
    let work = readme::workdir()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..repeat {
        let checker = Checker::ha2bgp(&host, work.path(), server.port(), vips)?;
        ours.push(measure(checker, &server, time)?);
        let checker = Checker::haproxy(&host, work.path(), server.port(), vips)?;
        theirs.push(measure(checker, &server, time)?);
    }
    let mut report = Report::new("checks")?;
    let both = [(Who::Ours, "ha2bgp", &ours), (Who::Peer, "HAProxy's own checks", &theirs)];
    for (_, name, runs) in both {
        let rates = runs.iter().map(|run| rate(run.checks, time));
        println!("{name}: checks a second {}", rates.collect::<Vec<_>>().join(", "));
        println!("  {}", range("CPU time a check", &each(runs)));
    }
    report.headline(&format!("processor time of an HTTP check, {vips} a second"), Unit::Time);
    for (who, name, runs) in both {
        report.times(who, name, &each(runs))?;
    }
    println!("{}", report.table());
    report.case("how far from its second a check came", Unit::Time);
    for (who, name, runs) in both {
        let off: Vec<Duration> = runs.iter().flat_map(|run| run.off.iter().copied()).collect();
        report.times(who, name, &off)?;
    }
    println!("{}", report.table());
    report.finish()?;
    Ok(())
}

fn each(runs: &[Run]) -> Vec<Duration> {
    runs.iter().map(per_check).collect()
}

fn arguments() -> Outcome<[usize; 3]> {
    let mut given = [10_000, 10, 3];
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let (at, range) = match arg.as_str() {
            "--vips" => (0, 1..=60_000),
            "--seconds" => (1, 2..=600),
            "--repeat" => (2, 1..=1000),
            _ => return Err(format!("`{arg}` is unknown (--vips, --seconds, --repeat)").into()),
        };
        given[at] = number(&arg, args.next(), range)?;
    }
    Ok(given)
}

fn measure(mut checker: Checker, server: &Server, time: Duration) -> Outcome<Run> {
    ha2bgp_lab::wait::pause(WARM_UP);
    server.take();
    let before = checker.cpu()?;
    ha2bgp_lab::wait::pause(time);
    let cpu = checker.cpu()? - before;
    let seen = server.take();
    checker.runs()?;
    let checks = seen.values().map(Vec::len).sum();
    let gaps = seen.values().flat_map(|at| at.windows(2).map(|pair| pair[1] - pair[0]));
    let off = gaps.map(|gap| gap.abs_diff(INTERVAL)).collect();
    Ok(Run { checks, cpu, off })
}

fn per_check(run: &Run) -> Duration {
    run.cpu.div_f64(f64::from(u32::try_from(run.checks.max(1)).unwrap_or(u32::MAX)))
}

fn rate(count: usize, time: Duration) -> String {
    let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    format!("{:.0}", count / time.as_secs_f64().max(f64::MIN_POSITIVE))
}
