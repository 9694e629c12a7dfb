//! Engine to octets, without kernel. Times are this thread's processor time: others on the machine can
//! spoil its caches, but what they run is not counted.

use crate::{Outcome, SIZES, named};
use ha2bgp_lab::chain::Chain;
use ha2bgp_lab::report::{Report, Unit, Who};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

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
    let start = used();
    for run in 0..EVENTS / 2 {
        let index = which(chain, run);
        chain.close(index);
        std::hint::black_box(chain.tell());
        chain.open(index);
        std::hint::black_box(chain.tell());
    }
    used().saturating_sub(start) / EVENTS
}

/// What this thread has used so far.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds)
        + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default())
}
