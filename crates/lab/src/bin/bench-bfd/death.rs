//! A host dies: from the last BFD packet that was heard to the moment when the router's kernel has lost the
//! route. What is more than the detection time is the excess: ours, the router's, the kernel's.

use crate::Outcome;
use ha2bgp_lab::bfd_scene::{Cut, Plan, Scene};
use ha2bgp_lab::router::{Bfd, Kind};
use ha2bgp_lab::samples::{percentile, range, save};
use ha2bgp_lab::witness::{Seen, Witness};
use rustix::process::Signal;
use std::path::Path;
use std::time::{Duration, Instant};

/// No death takes longer, or it was not BFD that noticed it.
const LIMIT: Duration = Duration::from_secs(5);
/// After everything is up: the first poll sequences are over, and intervals are short.
const CALM: Duration = Duration::from_millis(1500);
/// So late the witness may be.
const CLOCK: Duration = Duration::from_millis(5);
/// So many packets must be missing.
const MULTIPLIER: u8 = 3;
/// What issue 6 asks for.
const TARGET: Duration = Duration::from_millis(20);

/// How a host dies, and whose detection time counts.
#[derive(Clone, Copy)]
enum Death {
    Cut(Cut),
    Frozen,
}

impl Death {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Cut(Cut::Both), "nothing passes, either way"),
        (Self::Cut(Cut::FromUs), "nothing of ours passes"),
        (Self::Cut(Cut::ToUs), "nothing passes to us"),
        (Self::Frozen, "our process is frozen (SIGSTOP)"),
    ];

    fn begin(self, scene: &mut Scene) -> ha2bgp_lab::Result<()> {
        match self {
            Self::Cut(cut) => scene.cut(cut)?,
            Self::Frozen => scene.ha2bgp()?.signal(Signal::STOP)?,
        }
        Ok(())
    }

    fn end(self, scene: &mut Scene) -> Outcome<()> {
        match self {
            Self::Cut(_) => scene.heal()?,
            Self::Frozen => scene.ha2bgp()?.signal(Signal::CONT)?,
        }
        Ok(())
    }

    /// The last packet before the silence that was noticed.
    const fn last(self, seen: &Seen) -> Instant {
        match self {
            Self::Cut(Cut::ToUs | Cut::BfdToUs) => seen.heard_by_us,
            Self::Cut(Cut::FromUs | Cut::Both) | Self::Frozen => seen.heard_by_router,
        }
    }
}

/// A service that stops is withdrawn at once: what the router itself takes from there to its kernel is the
/// floor of every death.
fn floor(runs: u64, scene: &mut Scene, witness: &mut Witness) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..runs {
        scene.wait_up()?;
        witness.settle(CALM)?;
        let start = Instant::now();
        scene.stop_service();
        times.push(witness.watch(LIMIT)?.gone.saturating_duration_since(start));
        scene.start_service()?;
    }
    Ok(times)
}

/// What the runs of one kind of death came to.
struct Line {
    name: &'static str,
    /// From the beginning of the death, which a moment of the interval decides too.
    whole: Vec<Duration>,
    excess: Vec<Duration>,
}

pub(crate) fn run(runs: u64, kinds: &[Kind], millis: &[u32], dir: &Path) -> Outcome<()> {
    println!("a host dies: when the router's kernel has lost the route; {runs} runs each");
    println!("excess: over the detection time, counted from the last packet that was heard");
    for millis in millis.iter().copied() {
        let bfd = Bfd::new(millis, MULTIPLIER);
        // Both routers at a time: mostly they wait.
        let done = std::thread::scope(|scope| {
            let start = |kind: Kind| {
                scope.spawn(move || {
                    measure(kind, bfd, runs).map_err(|error| format!("{kind:?}: {error}"))
                })
            };
            let threads: Vec<_> = kinds.iter().copied().map(start).collect();
            let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            let done = joined.map(|it| it.unwrap_or_else(|it| std::panic::resume_unwind(it)));
            done.collect::<Vec<_>>()
        });
        for (kind, done) in kinds.iter().zip(done) {
            println!("\n{kind:?}, {millis} ms × {MULTIPLIER}: detection {:?}", bfd.detection());
            let (floor, lines) = done?;
            println!("  {}", range("floor: a service stops, to the kernel", &floor));
            for (number, line) in lines.iter().enumerate() {
                show(line, percentile(&floor, 50));
                let file = format!("bfd-{kind:?}-{millis}-{number}.csv").to_lowercase();
                save(&dir.join(file), &line.excess)?;
            }
        }
    }
    Ok(())
}

fn show(line: &Line, floor: Duration) {
    let [p50, max] = [50, 100].map(|percent| percentile(&line.excess, percent));
    // What the router takes for any withdrawal is none of BFD's.
    let late = line.excess.iter().filter(|it| **it > TARGET + floor).count();
    let whole = [0, 50, 100].map(|percent| percentile(&line.whole, percent));
    println!(
        "  {:34} excess p50 {p50:.1?}, max {max:.1?}, over floor + 20 ms: {late} of {}; \
         gone after {:.0?} ({:.0?} to {:.0?})",
        line.name,
        line.excess.len(),
        whole[1],
        whole[0],
        whole[2]
    );
}

fn measure(kind: Kind, bfd: Bfd, runs: u64) -> Result<(Vec<Duration>, Vec<Line>), String> {
    // The witness goes before everything else, and so this thread does.
    let _ordinary = ha2bgp_sys::bfd::real_time();
    let mut lines = Vec::new();
    let told = |error: Box<dyn std::error::Error>| error.to_string();
    let plan = Plan { forwards: true, ..Plan::new(kind, bfd) };
    let mut scene = Scene::up(plan).map_err(|error| error.to_string())?;
    let mut witness = Witness::new(&scene).map_err(|error| error.to_string())?;
    let floor = floor(runs, &mut scene, &mut witness).map_err(told)?;
    for (death, name) in Death::ALL {
        let mut line = Line { name, whole: Vec::new(), excess: Vec::new() };
        for run in 0..runs {
            let (whole, excess) = once(death, bfd, run, &mut scene, &mut witness).map_err(told)?;
            line.whole.push(whole);
            line.excess.push(excess);
        }
        lines.push(line);
    }
    Ok((floor, lines))
}

fn once(
    death: Death,
    bfd: Bfd,
    run: u64,
    scene: &mut Scene,
    witness: &mut Witness,
) -> Outcome<(Duration, Duration)> {
    scene.wait_up()?;
    // Another moment of the interval each time.
    let phase = Duration::from_millis(run * 37 % u64::from(bfd.millis));
    witness.settle(CALM + phase)?;
    let start = Instant::now();
    // Packets that come while it begins have their time, too.
    let (begun, seen) = std::thread::scope(|scope| {
        let begins = scope.spawn(|| death.begin(scene));
        let seen = witness.watch(LIMIT);
        (begins.join().unwrap_or_else(|it| std::panic::resume_unwind(it)), seen)
    });
    begun?;
    let seen = seen.map_err(|error| scene.explain(error))?;
    death.end(scene)?;
    let silent = seen.gone.saturating_duration_since(death.last(&seen));
    // Nobody may notice it too early, as far as the witness's clock can tell: what goes before everything
    // on a busy host, the routers for one, makes it late.
    if silent + CLOCK < bfd.detection() {
        return Err(format!("gone after a silence of only {silent:?}").into());
    }
    let excess = silent.saturating_sub(bfd.detection());
    Ok((seen.gone.saturating_duration_since(start), excess))
}
