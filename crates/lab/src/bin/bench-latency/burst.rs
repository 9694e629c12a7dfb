//! Many VIPs die at once: from the last `close` to the last WITHDRAW at the router.

use crate::Outcome;
use crate::crowd::may_open;
use crate::stage::{PORT, Stage, Who};
use ha2bgp_lab::samples::{percentile, save};
use ha2bgp_lab::service::{Options, open};
use ha2bgp_lab::wait;
use socket2::Type;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

const VIPS: u32 = 1000;
/// Between what comes and what dies.
const REST: Duration = Duration::from_secs(1);

pub(crate) fn run(reps: usize, dir: &Path) -> Outcome<()> {
    println!("{VIPS} VIPs die at once, {reps} times");
    println!("| tier | closing them all | last close → last WITHDRAW read, p50 (range) |");
    println!("|---|---|---|");
    let stage = Stage::new()?;
    may_open(usize::try_from(VIPS)?)?;
    let vips: Vec<Ipv4Addr> = (0..VIPS).map(|n| Ipv4Addr::from_bits(0x6440_0100 + n)).collect();
    let mut batch = String::new();
    for vip in &vips {
        writeln!(batch, "addr add {vip}/32 dev lo")?;
    }
    let file = stage.dir.path().join("addresses");
    std::fs::write(&file, batch)?;
    stage.host.ip(&["-batch", &file.to_string_lossy()])?;
    let count = vips.len();
    for who in [Who::TierA, Who::TierB, Who::TierC] {
        let mut session = stage.start(who)?;
        let (mut closing, mut rest) = (Vec::new(), Vec::new());
        for _ in 0..reps {
            let all = stage.host.within(|| {
                vips.iter()
                    .map(|vip| {
                        let at = SocketAddr::from((*vip, PORT));
                        open(at, Type::STREAM, Options::default())
                    })
                    .collect::<Result<Vec<_>, _>>()
            })??;
            session.hears(count, 0)?;
            // Looking has a budget, of which they took some when they came.
            wait::pause(REST);
            let begin = Instant::now();
            drop(all);
            let end = Instant::now();
            let last = session.hears(0, count)?;
            closing.push(end.saturating_duration_since(begin));
            rest.push(last.saturating_duration_since(end));
        }
        session.child.kill()?;
        let [low, half, most]: [Duration; 3] = [0, 50, 100].map(|at| percentile(&rest, at));
        let closing = percentile(&closing, 50);
        println!("| {} | {closing:.1?} | {half:.1?} ({low:.1?} to {most:.1?}) |", who.name());
        save(&dir.join(format!("latency-burst-{}.csv", who.key())), &rest)?;
    }
    Ok(())
}
