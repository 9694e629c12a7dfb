//! A host with more to do than it can: thousands of probes a second, 100 000 routes that come and go,
//! reloads, and a loop on every core that never sleeps. BFD must not notice.

use crate::Outcome;
use ha2bgp_lab::bfd_scene::{Addresses, Plan, Scene};
use ha2bgp_lab::http_server::{HttpServer, Kind as Http};
use ha2bgp_lab::link;
use ha2bgp_lab::router::{Bfd, Kind};
use ha2bgp_lab::wait;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Routes that come and go together.
const ROUTES: u32 = 100_000;
/// Addresses that are probed, each ten times a second.
const PROBED: u32 = 200;
/// The first of them, 100.64.0.100.
const FIRST_PROBED: u32 = 0x6440_0064;
const SERVER: &str = "0.0.0.0:8081";
/// Between two bursts.
const BURST: Duration = Duration::from_secs(10);
/// Everything is announced for the first time by then.
const READY: Duration = Duration::from_secs(120);

pub(crate) fn run(secs: u64, kinds: &[Kind]) -> Outcome<()> {
    println!("\na host is busy: is it ever taken for dead? 50 ms × 3, {secs} s with each router");
    for kind in kinds.iter().copied() {
        println!("  {kind:?}: {}", measure(kind, Duration::from_secs(secs))?);
    }
    Ok(())
}

/// The services, behind the peer's section. `flag` is the file that the burst depends on.
fn services(peer: &str, flag: &Path, round: u64) -> String {
    let (mut many, mut probed) = (String::new(), String::new());
    // As short as they can be written: a configuration has at most 1 MiB.
    for number in 0..ROUTES {
        let _ = write!(many, "\"{}::{:x}\",", 1 + (number >> 16), number & 0xffff);
    }
    for number in FIRST_PROBED..FIRST_PROBED + PROBED {
        let _ = write!(probed, "\"{}\",", std::net::Ipv4Addr::from_bits(number));
    }
    format!(
        "description = \"round {round}\"\n{peer}\n\
         [[service]]\nname = \"many\"\nvips = [{many}]\nrule = \"flag\"\n\
         [service.checks.flag]\ntype = \"file\"\npath = \"{}\"\n\
         [[service]]\nname = \"probed\"\nvips = [{probed}]\nrule = \"page\"\n\
         [service.checks.page]\ntype = \"http\"\nurl = \"http://{{vip}}:8081/\"\n\
         interval = \"100ms\"\ntimeout = \"90ms\"\nfall = 10\n",
        flag.display()
    )
}

fn measure(kind: Kind, time: Duration) -> Outcome<String> {
    let files = tempfile::tempdir()?;
    let flag = files.path().join("flag");
    std::fs::write(&flag, "")?;
    // Of IPv6, as most routes are.
    let plan = Plan { addresses: Addresses::V6, ..Plan::new(kind, Bfd::new(50, 3)) };
    let peer = plan.peer.clone();
    let plan = Plan { peer: services(&peer, &flag, 0), ..plan };
    let mut scene = Scene::prepared(plan)?;
    for number in FIRST_PROBED..FIRST_PROBED + PROBED {
        let vip = std::net::Ipv4Addr::from_bits(number);
        link::add_address(&scene.us, &format!("{vip}/32"), "lo")?;
    }
    let listeners = [(SERVER.parse()?, Http::Http)];
    let _server = HttpServer::start(&scene.us, "web", scene.dir.path(), &listeners)?;
    scene.start_again()?;
    scene.wait_up()?;
    scene.router.wait_count(usize::try_from(ROUTES + PROBED + 1)?, READY)?;
    // FRR may begin its session twice when BGP comes up: that is not the load's doing.
    let before = scene.number("downs")?;
    let over = AtomicBool::new(false);
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    let idle = idle()?;
    let start = Instant::now();
    let (rounds, least, most) = std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let rounds = live(&mut scene, &peer, &flag, time);
        over.store(true, Ordering::Relaxed);
        rounds
    })?;
    let idle = self::idle()?.saturating_sub(idle).div_duration_f64(start.elapsed());
    // What is under way makes it slow to answer.
    let answers = |scene: &Scene| scene.number("ups").map_err(|error| error.to_string());
    let ups = wait::until(READY, "ha2bgp answers", || answers(&scene))?;
    let downs = scene.number("downs")? - before;
    // Who was late, as our side saw it.
    for line in scene.log().lines().filter(|line| line.contains("BFD session down")) {
        println!("    {line}");
    }
    let up = scene.router.is_bfd_up()? && scene.router.is_established()?;
    Ok(format!(
        "{downs} false downs ({before} before the load), came up {ups} time, up at the router at the end: {up}; {rounds} bursts of {ROUTES} \
         routes ({least} to {most} at the router) and as many reloads, {} probes a second, {:.0} % of {cores} cores idle",
        PROBED * 10,
        100.0 * idle / f64::from(u32::try_from(cores)?)
    ))
}

/// Bursts and reloads until time is up; how many of each, and the least and the most routes at the router in
/// between.
fn live(
    scene: &mut Scene,
    peer: &str,
    flag: &Path,
    time: Duration,
) -> Outcome<(u64, usize, usize)> {
    let end = Instant::now() + time;
    let (mut rounds, mut least, mut most) = (0, usize::MAX, 0);
    while Instant::now() < end {
        if rounds % 2 == 0 {
            std::fs::remove_file(flag)?;
        } else {
            std::fs::write(flag, "")?;
        }
        wait::pause(BURST / 2);
        let count = scene.router.count()?;
        (least, most) = (least.min(count), most.max(count));
        rounds += 1;
        scene.begin_reload(&services(peer, flag, rounds))?;
        wait::pause(BURST / 2);
    }
    Ok((rounds, least, most))
}

/// The time that all cores together have had nothing to do (proc_stat(5)).
fn idle() -> Outcome<Duration> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let all = text.lines().next().ok_or("no line in /proc/stat")?;
    let ticks: u64 = all.split_whitespace().nth(4).ok_or("no idle time")?.parse()?;
    Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1)))
}
