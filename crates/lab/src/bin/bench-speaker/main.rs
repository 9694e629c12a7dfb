//! What the built-in speaker costs, each number beside a peer or a floor of the same run.
//!
//! Usage: `bench-speaker [PART…] [--runs N] [--reps N]`; run it by `cargo xtask bench speaker`.
//! Parts: `decision`, `burst`, `memory`, `keepalive` need no root; `routes` needs it, BIRD and
//! ExaBGP. Samples go to `$HA2BGP_BENCH_DIR/speaker-*.csv`.
#![expect(clippy::print_stdout, reason = "a bench reports to the person who runs it")]

mod burst;
mod decision;
mod keepalive;
mod memory;
mod routes;

use ha2bgp_lab::args::number;
use ha2bgp_lab::report::Report;
use std::error::Error;
use std::path::PathBuf;

type Outcome<T> = Result<T, Box<dyn Error>>;

const PARTS: [&str; 5] = ["decision", "burst", "memory", "routes", "keepalive"];
const USAGE: &str = "bench-speaker [decision|burst|memory|routes|keepalive]… [--runs N] [--reps N]";

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [child, rest @ ..] = args.as_slice()
        && child == memory::CHILD
    {
        return memory::child(rest);
    }
    let (mut parts, mut runs, mut reps) = (Vec::new(), 2000, 7);
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "--runs" => runs = number(arg, args.next(), 1..=100_000)?,
            "--reps" => reps = number(arg, args.next(), 1..=100)?,
            part if PARTS.contains(&part) => parts.push(part),
            _ => return Err(format!("`{arg}` is unknown: {USAGE}").into()),
        }
    }
    let dir = PathBuf::from(std::env::var_os("HA2BGP_BENCH_DIR").unwrap_or_else(|| ".".into()));
    std::fs::create_dir_all(&dir)?;
    let mut report = Report::new("bulk")?;
    // The part that pins this process to one core comes last.
    for part in PARTS.iter().filter(|part| parts.is_empty() || parts.contains(part)) {
        match *part {
            "decision" => decision::run(runs, &dir)?,
            "burst" => burst::run(reps, &mut report)?,
            "memory" => memory::run()?,
            "routes" => routes::run(reps, &mut report)?,
            _ => keepalive::run()?,
        }
        println!();
    }
    report.finish()?;
    println!("samples: {}", dir.display());
    Ok(())
}
