//! Engine to octets, without kernel.

use crate::{Outcome, SIZES, named};
use ha2bgp_lab::chain::Chain;
use ha2bgp_lab::report::{Report, Unit, Who};
use std::time::{Duration, Instant};

/// One sample is the mean of so many events: one of them is near to what a clock can tell.
const EVENTS: u32 = 2000;
const SAMPLES: usize = 20;

pub(crate) fn run(report: &mut Report) -> Outcome<()> {
    let mut chains = Vec::new();
    for vips in SIZES {
        chains.push((vips, Chain::new(vips)?, Vec::new(), Vec::new()));
    }
    // In turns, so that a slow moment of the machine is one of all sizes.
    for sample in 0..SAMPLES {
        for (_, chain, any, same) in &mut chains {
            let first = u32::try_from(sample)?.saturating_mul(EVENTS);
            any.push(events(chain, |chain, run| chain.any(first.wrapping_add(run))));
            same.push(events(chain, |_, _| 0));
        }
    }
    report.case("an event of any VIP, engine to UPDATE", Unit::Time);
    for (vips, _, any, _) in &chains {
        report.times(Who::Ours, &named(*vips), any)?;
    }
    println!("{}", report.table());
    report.case("an event of the same VIP again, engine to UPDATE", Unit::Time);
    for (vips, _, _, same) in &chains {
        report.times(Who::Ours, &named(*vips), same)?;
    }
    println!("{}", report.table());
    Ok(())
}

/// The mean of one event: half of them close, half of them open.
fn events(chain: &mut Chain, which: impl Fn(&Chain, u32) -> u32) -> Duration {
    let start = Instant::now();
    for run in 0..EVENTS / 2 {
        let index = which(chain, run);
        chain.close(index);
        std::hint::black_box(chain.tell());
        chain.open(index);
        std::hint::black_box(chain.tell());
    }
    start.elapsed() / EVENTS
}
