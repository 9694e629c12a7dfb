//! What a VIP takes of memory: engine, desired set and what a peer was told, in a process of its own.

use crate::{Outcome, SIZES, named};
use ha2bgp_lab::chain::Chain;
use ha2bgp_lab::procfs;
use ha2bgp_lab::report::{Report, Unit, Who};
use std::io::Read as _;
use std::process::{Command, Stdio};

/// The first argument of the process that is measured.
pub(crate) const CHILD: &str = "memory-of-a-chain";
const REPS: usize = 3;

pub(crate) fn run(report: &mut Report) -> Outcome<()> {
    let mut all: Vec<(u32, Vec<u64>)> = Vec::new();
    for vips in SIZES {
        let samples = (0..REPS).map(|_| measure(vips)).collect::<Outcome<Vec<u64>>>()?;
        all.push((vips, samples));
    }
    report.case("memory, engine and one peer", Unit::Memory);
    for (vips, samples) in &all {
        report.row(Who::Ours, &named(*vips), samples)?;
    }
    println!("{}", report.table());
    let least = |it: &(u32, Vec<u64>)| it.1.iter().min().copied().unwrap_or_default();
    let one = all.first().map(least).unwrap_or_default();
    report.headline("memory a VIP, engine and one peer", Unit::Memory);
    for (vips, samples) in all.iter().filter(|(vips, _)| *vips >= 10_000) {
        let each = samples.iter().map(|it| it.saturating_sub(one) / u64::from(*vips));
        report.row(Who::Ours, &named(*vips), &each.collect::<Vec<u64>>())?;
    }
    println!("{}", report.table());
    Ok(())
}

fn measure(vips: u32) -> Outcome<u64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(CHILD).arg(vips.to_string());
    // It ends when its standard input does.
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut ready = [0];
    let stdout = child.stdout.as_mut().ok_or("no standard output")?;
    let read = stdout.read_exact(&mut ready);
    let memory = procfs::memory(child.id(), "VmRSS");
    drop(child.stdin.take());
    child.wait()?;
    read?;
    Ok(memory.ok_or("it has ended")?)
}

/// The process that is measured: says when it has all, and stays until its standard input ends.
pub(crate) fn child(vips: u32) -> Outcome<()> {
    let chain = Chain::new(vips)?;
    println!();
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    drop(chain);
    Ok(())
}
