//! How long from the close of a listener to its withdrawal, each number beside a floor or a peer
//! of the same run.
//!
//! Usage: `bench-latency [PART…] [--runs N] [--peer-runs N] [--connections N]`; run it by `cargo
//! xtask bench latency`. Parts: `wire` (to a router over a cable, every tier, beside the floor),
//! `under` (the same on a busy host), `burst` (a thousand VIPs at once), `cost` (of looking), `pipe`
//! (to ExaBGP's pipe, beside a loop that forks `ss`). All but the last need root. Samples go to
//! `$HA2BGP_BENCH_DIR/latency-*.csv`.
#![expect(clippy::print_stdout, reason = "a bench reports to the person who runs it")]

mod burst;
mod cost;
mod crowd;
mod floor;
mod pipe;
mod random;
mod stage;
mod under;
mod wire;

use ha2bgp_lab::args::number;
use std::error::Error;
use std::path::PathBuf;

type Outcome<T> = Result<T, Box<dyn Error>>;

const PARTS: [&str; 5] = ["wire", "under", "burst", "cost", "pipe"];
const USAGE: &str =
    "bench-latency [wire|under|burst|cost|pipe]… [--runs N] [--peer-runs N] [--connections N]";

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [child, rest @ ..] = args.as_slice()
        && child == floor::CHILD
    {
        return floor::child(rest);
    }
    if let [child, rest @ ..] = args.as_slice()
        && child == crowd::CHILD
    {
        return crowd::child(rest);
    }
    let (mut parts, mut runs, mut peer_runs) = (Vec::new(), 1000, 30);
    let mut connections = 100_000;
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "--runs" => runs = number(arg, args.next(), 1..=100_000)?,
            "--peer-runs" => peer_runs = number(arg, args.next(), 1..=3600)?,
            "--connections" => connections = number(arg, args.next(), 1..=1_000_000)?,
            part if PARTS.contains(&part) => parts.push(part),
            _ => return Err(format!("`{arg}` is unknown: {USAGE}").into()),
        }
    }
    let dir = PathBuf::from(std::env::var_os("HA2BGP_BENCH_DIR").unwrap_or_else(|| ".".into()));
    std::fs::create_dir_all(&dir)?;
    for part in PARTS.iter().filter(|part| parts.is_empty() || parts.contains(part)) {
        match *part {
            "wire" => wire::run(runs, &dir)?,
            "under" => under::run(runs, connections, &dir)?,
            "burst" => burst::run(20, &dir)?,
            "cost" => cost::run(connections)?,
            _ => pipe::run(runs, peer_runs, &dir)?,
        }
        println!();
    }
    println!("samples: {}", dir.display());
    Ok(())
}
