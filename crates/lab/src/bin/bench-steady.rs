//! What it costs to leave the program running: processor time and memory with nothing to do, and while
//! listeners that are none of its business come and go; beside others that look after as many services.
//!
//! Usage: `bench-steady [--services N] [--seconds N] [--repeat N]`; run it by `cargo xtask bench steady`.
//! Needs root, BIRD, and whoever is to be compared: `cargo xtask lab-setup` installs them.
//!
//! All processes count: helpers, what they run, and the BIRD that anycast-healthchecker needs on the host.
//! Each has its turn alone, as others disturb whoever wakes for events. Memory that several processes
//! share is split among them.
#![expect(clippy::print_stdout, reason = "a bench reports to the person who runs it")]

use ha2bgp_lab::args::number;
use ha2bgp_lab::report::{Report, Unit, Who};
use ha2bgp_lab::rivals::{Rival, SERVICES_MAX, Site, vip};
use ha2bgp_lab::service::{self, Options};
use ha2bgp_lab::{Result, procfs, wait};
use socket2::{Socket, Type};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Nobody accepts what connects to find out whether it listens.
const BACKLOG: i32 = 4096;
/// Between two looks at a route that comes.
const STEP: Duration = Duration::from_millis(20);
/// Strangers come and go so often a second.
const STRANGERS: u32 = 100;

/// What one turn of one program comes to: millionths of a core, millionths of a core, octets.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    idle: u64,
    strangers: u64,
    memory: u64,
}

/// What is shown of it.
type Number = fn(&Turn) -> u64;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let (mut services, mut seconds, mut repeat) = (10, 20_u32, 3_u32);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--services" => services = number(&arg, args.next(), 1..=SERVICES_MAX)?,
            "--seconds" => seconds = number(&arg, args.next(), 2..=3600)?,
            "--repeat" => repeat = number(&arg, args.next(), 1..=100)?,
            _ => return Err(format!("`{arg}` is unknown (--services, --seconds, --repeat)").into()),
        }
    }
    let time = Duration::from_secs(u64::from(seconds));
    println!("{services} services; {repeat} turns each: {time:?} idle, {time:?} with strangers");
    let all = [
        [Rival::Ours { at_once: false }, Rival::OursWithPlugin].as_slice(),
        Rival::OTHERS.as_slice(),
    ]
    .concat();
    let mut turns: Vec<(Rival, Vec<Turn>)> = Vec::new();
    for rival in all {
        match rival.missing() {
            None => turns.push((rival, Vec::new())),
            Some(reason) => println!("not measured: {}: {reason}", rival.name()),
        }
    }
    for _ in 0..repeat {
        for (rival, turns) in &mut turns {
            turns.push(turn(*rival, services, time)?);
        }
    }
    let mut report = Report::new("steady")?;
    let cases: [(String, Unit, Number); 3] = [
        (format!("processor, {services} services, nothing changes"), Unit::Core, |it| it.idle),
        (
            format!("processor, {STRANGERS} other listeners a second come and go"),
            Unit::Core,
            |it| it.strangers,
        ),
        (format!("memory, {services} services"), Unit::Memory, |it| it.memory),
    ];
    for (what, unit, value) in cases {
        report.headline(&what, unit);
        for (rival, turns) in &turns {
            let ours = matches!(rival, Rival::Ours { .. } | Rival::OursWithPlugin);
            let who = if ours { Who::Ours } else { Who::Peer };
            let samples: Vec<u64> = turns.iter().map(value).collect();
            report.row(who, &rival.name(), &samples)?;
        }
        println!("\n{}", report.table());
    }
    report.finish()?;
    Ok(())
}

fn turn(rival: Rival, services: u8, time: Duration) -> Result<Turn> {
    let site = Site::start(rival, services)?;
    let options = Options { backlog: BACKLOG, ..Options::default() };
    let listeners: Vec<Socket> = (0..services)
        .map(|index| service::listen_with(&site.host, &format!("{}:80", vip(index)), options))
        .collect::<Result<_>>()?;
    for index in 0..services {
        site.wait_route(index, true, STEP)?;
    }
    // What was started for the first routes has ended.
    wait::pause(Duration::from_secs(5));
    let idle = used(&site, time);
    let memory = procfs::share(&site.pids());
    let over = AtomicBool::new(false);
    let strangers = std::thread::scope(|scope| {
        let coming = scope.spawn(|| site.host.within(|| come_and_go(&over)));
        let strangers = used(&site, time);
        over.store(true, Ordering::Relaxed);
        let came = coming.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        came.map(|came| came.map(|()| strangers))
    })?;
    let strangers = strangers.map_err(ha2bgp_lab::LabError::io("listeners that come and go"))?;
    drop(listeners);
    Ok(Turn { idle, strangers, memory })
}

/// Millionths of a core that its processes used in that time.
fn used(site: &Site, time: Duration) -> u64 {
    let (before, start) = (procfs::cpu(&site.pids()), Instant::now());
    wait::pause(time);
    let after = procfs::cpu(&site.pids());
    let millionths = after.saturating_sub(before).as_nanos() * 1_000_000;
    let share = millionths / start.elapsed().as_nanos().max(1);
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// Listeners on a port that nobody follows, one after the other.
fn come_and_go(over: &AtomicBool) -> std::io::Result<()> {
    while !over.load(Ordering::Relaxed) {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        drop(service::open(address, Type::STREAM, Options::default())?);
        wait::pause(Duration::from_secs(1) / STRANGERS);
    }
    Ok(())
}
