//! What BFD is worth: how long a router keeps the routes of a host that dies without a sign, and
//! whether a host that is merely busy is ever taken for dead.
//!
//! Usage: `bench-bfd [death|busy|bird|frr]… [--runs N] [--secs N] [--millis N]`; run it by `cargo xtask bench
//! bfd`. Needs root, BIRD, FRR, nginx. Samples go to `$HA2BGP_BENCH_DIR/bfd-*.csv`.
#![expect(clippy::print_stdout, reason = "a bench reports to the person who runs it")]

mod busy;
mod death;

use ha2bgp_lab::args::number;
use ha2bgp_lab::router::Kind;
use std::error::Error;
use std::path::PathBuf;

type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "bench-bfd [death|busy|bird|frr]… [--runs N] [--secs N] [--millis N]";

fn main() -> Outcome<()> {
    let (mut parts, mut kinds, mut runs, mut secs) = (Vec::new(), Vec::new(), 10, 100);
    let mut millis = vec![50, 300];
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "death" | "busy" => parts.push(arg),
            "bird" => kinds.push(Kind::Bird),
            "frr" => kinds.push(Kind::Frr),
            "--millis" => millis = vec![number(&arg, args.next(), 1..=10_000)?],
            "--runs" => runs = number(&arg, args.next(), 1..=1000)?,
            "--secs" => secs = number(&arg, args.next(), 1..=3600)?,
            _ => return Err(format!("`{arg}` is unknown: {USAGE}").into()),
        }
    }
    let dir = PathBuf::from(std::env::var_os("HA2BGP_BENCH_DIR").unwrap_or_else(|| ".".into()));
    std::fs::create_dir_all(&dir)?;
    if kinds.is_empty() {
        kinds = vec![Kind::Bird, Kind::Frr];
    }
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|it| it == part);
    if wants("death") {
        death::run(runs, &kinds, &millis, &dir)?;
    }
    if wants("busy") {
        busy::run(secs, &kinds)?;
    }
    println!("samples: {}", dir.display());
    Ok(())
}
