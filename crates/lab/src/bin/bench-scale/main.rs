//! What an event and a VIP cost beside 1, 100, 10 000 and 100 000 of them.
//!
//! Usage: `bench-scale [chain|memory|daemon]… [--runs N]`; run it by `cargo xtask bench scale`. Only
//! `daemon` needs root.
//!
//! * `chain`: engine, desired set, difference, octets of the UPDATE, in one thread: a random VIP each
//!   time, whose state no cache has, and the same one each time. The difference of both is memory.
//! * `memory`: of a process that has nothing else in it.
//! * `daemon`: the program with a peer: one service of its own comes and goes while all others are up.
#![expect(clippy::print_stdout, reason = "a bench reports to the person who runs it")]

mod chain;
mod daemon;
mod memory;

use ha2bgp_lab::args::number;
use ha2bgp_lab::report::Report;
use std::error::Error;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// So many VIPs.
const SIZES: [u32; 4] = [1, 100, 10_000, 100_000];
const PARTS: [&str; 3] = ["chain", "memory", "daemon"];
const USAGE: &str = "bench-scale [chain|memory|daemon]… [--runs N]";

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [child, vips] = args.as_slice()
        && child == memory::CHILD
    {
        return memory::child(vips.parse()?);
    }
    let (mut parts, mut runs) = (Vec::new(), 500_u32);
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "--runs" => runs = number(arg, args.next(), 10..=100_000)?,
            part if PARTS.contains(&part) => parts.push(part),
            _ => return Err(format!("`{arg}` is unknown: {USAGE}").into()),
        }
    }
    let mut report = Report::new("scale")?;
    for part in PARTS.iter().filter(|part| parts.is_empty() || parts.contains(part)) {
        match *part {
            "chain" => chain::run(&mut report)?,
            "memory" => memory::run(&mut report)?,
            _ => daemon::run(&mut report, runs)?,
        }
    }
    report.finish()?;
    Ok(())
}

/// A number of VIPs for people.
fn named(vips: u32) -> String {
    match vips {
        1 => "1 VIP".to_owned(),
        1000.. => format!("{} 000 VIPs", vips / 1000),
        _ => format!("{vips} VIPs"),
    }
}
