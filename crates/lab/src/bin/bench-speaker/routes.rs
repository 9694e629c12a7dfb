//! 100 000 routes until BIRD has them in its table: from ha2bgp, from another BIRD, and (fewer)
//! from ExaBGP's API, in the same run to the same BIRD, taking turns.

use crate::Outcome;
use ha2bgp_core::route::RouteSet;
use ha2bgp_lab::bird::Bird;
use ha2bgp_lab::exabgp::{Config, ExaBgp, Version};
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::report::{Report, Unit, Who};
use ha2bgp_lab::source::{self, Source};
use ha2bgp_lab::{readme, wait};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

const ROUTES: u32 = 100_000;
/// ExaBGP gets a tenth: it would take minutes.
const FEW: u32 = 10_000;
const LIMIT: Duration = Duration::from_secs(300);
/// Between two looks at BIRD's table; each look costs it some microseconds.
const STEP: Duration = Duration::from_millis(1);

/// The one that receives.
const RECEIVER: &str = "\
router id 10.255.0.1;
log stderr all;
protocol device {}
protocol direct { ipv4; interface \"-lo\", \"*\"; }
template bgp sender { error wait time 1, 1; connect delay time 1; ipv4 { import all; export none; }; }
protocol bgp ours from sender { local 10.9.1.2 as 65001; neighbor 10.9.1.1 as 65000; passive; }
protocol bgp rival from sender { local 10.9.2.2 as 65001; neighbor 10.9.2.1 as 65000; passive; }
protocol bgp exabgp from sender { local 127.0.1.1 as 65000; neighbor 127.0.1.2 as 65000; passive; }
";

/// The BIRD that sends; its routes follow.
const SENDER: &str = "\
router id 10.255.0.2;
log stderr all;
protocol device {}
protocol bgp receiver {
  local 10.9.2.1 as 65000; neighbor 10.9.2.2 as 65001; connect delay time 1;
  ipv4 { import none; export where source = RTS_STATIC; };
}
protocol static feed { ipv4;
";

pub(crate) fn run(reps: usize, report: &mut Report) -> Outcome<()> {
    println!("until BIRD has the routes in its table (looked at every {STEP:?})");
    let dir = readme::workdir()?;
    let (ours, bird, them) = (Netns::new("ours")?, Netns::new("bird")?, Netns::new("them")?);
    for (host, device, there, here) in [
        (&ours, "down0", "10.9.1.1/24", "10.9.1.2/24"),
        (&bird, "down1", "10.9.2.1/24", "10.9.2.2/24"),
    ] {
        let inside = End { host: &them, device, address: here };
        link::cable(End { host, device: "up0", address: there }, inside)?;
    }
    let receiver = Bird::start(&them, "receiver", dir.path(), RECEIVER)?;
    let mut text = SENDER.to_owned();
    for index in 0..ROUTES {
        text.push_str(&format!("route {}/32 blackhole;\n", source::host(index)));
    }
    let sender = Bird::start(&bird, "sender", dir.path(), &format!("{text}}}\n"))?;
    at_the_start(&receiver, &sender, &ours, reps, report)?;
    in_a_session(&receiver, &sender, &ours, reps, report)?;
    let few = beside_exabgp(&receiver, &ours, &them, dir.path())?;
    report.headline("10 000 routes announced, until BIRD has them", Unit::Time);
    report.times(Who::Ours, "ha2bgp", &few.0)?;
    for (name, times) in &few.1 {
        report.times(Who::Peer, name, times)?;
    }
    println!("{}", report.table());
    Ok(())
}

fn to_receiver() -> ha2bgp::announce::speaker::Peer {
    source::peer(65000, ([10, 9, 1, 2], 179).into(), 65001)
}

/// The routes are there before the session: from Established on.
fn at_the_start(
    receiver: &Bird,
    sender: &Bird,
    ours: &Netns,
    reps: usize,
    report: &mut Report,
) -> Outcome<()> {
    let all = source::hosts(ROUTES);
    let (mut fast, mut peer) = (Vec::new(), Vec::new());
    wait_count(receiver, "rival", ROUTES)?;
    for _ in 0..reps {
        sender.ask("disable receiver")?;
        wait_count(receiver, "rival", 0)?;
        sender.ask("enable receiver")?;
        peer.push(from_established(receiver, "rival")?);
        sender.ask("disable receiver")?;
        wait_count(receiver, "rival", 0)?;

        let speaker = Source::start(Some(ours), vec![to_receiver()], all.clone())?;
        fast.push(from_established(receiver, "ours")?);
        drop(speaker);
        wait_count(receiver, "ours", 0)?;
    }
    sender.ask("enable receiver")?;
    wait_count(receiver, "rival", ROUTES)?;
    report.case("100 000 routes, from session established until BIRD has them", Unit::Time);
    told(report, &fast, &peer)?;
    println!("{}", report.table());
    Ok(())
}

/// The session is there before the routes; BIRD also has to fill its own table first.
fn in_a_session(
    receiver: &Bird,
    sender: &Bird,
    ours: &Netns,
    reps: usize,
    report: &mut Report,
) -> Outcome<()> {
    let all = source::hosts(ROUTES);
    let speaker = Source::start(Some(ours), vec![to_receiver()], RouteSet::new())?;
    receiver.wait_protocol("ours", "Established", LIMIT)?;
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..reps {
        let start = Instant::now();
        sender.ask("disable feed")?;
        wait_count(receiver, "rival", 0)?;
        times[3].push(start.elapsed());
        let start = Instant::now();
        speaker.set(all.clone());
        wait_count(receiver, "ours", ROUTES)?;
        times[0].push(start.elapsed());
        let start = Instant::now();
        speaker.set(RouteSet::new());
        wait_count(receiver, "ours", 0)?;
        times[2].push(start.elapsed());
        let start = Instant::now();
        sender.ask("enable feed")?;
        wait_count(receiver, "rival", ROUTES)?;
        times[1].push(start.elapsed());
    }
    sender.ask("disable receiver")?;
    wait_count(receiver, "rival", 0)?;
    let mut own = Vec::new();
    for _ in 0..reps {
        sender.ask("disable feed")?;
        wait_count(sender, "feed", 0)?;
        let start = Instant::now();
        sender.ask("enable feed")?;
        wait_count(sender, "feed", ROUTES)?;
        own.push(start.elapsed());
    }
    report.headline("100 000 routes announced, until BIRD has them", Unit::Time);
    told(report, &times[0], &times[1])?;
    report.times(Who::Peer, "of BIRD's time, its own table", &own)?;
    println!("{}", report.table());
    report.headline("100 000 routes withdrawn, until BIRD has none", Unit::Time);
    told(report, &times[2], &times[3])?;
    println!("{}", report.table());
    Ok(())
}

/// The times of ours, and those of each version of ExaBGP that is here.
type Beside = (Vec<Duration>, Vec<(String, Vec<Duration>)>);

fn beside_exabgp(receiver: &Bird, ours: &Netns, them: &Netns, dir: &Path) -> Outcome<Beside> {
    let mut all = Vec::new();
    for version in [Version::Debian, Version::V5_0_15] {
        let name = format!("ExaBGP's API, {}", version.number());
        match version.program() {
            Ok(_) => all.push((name, vec![from_exabgp(version, receiver, them, dir)?])),
            Err((reason, _)) => println!("not measured: {name}: {reason}"),
        }
    }
    let speaker = Source::start(Some(ours), vec![to_receiver()], RouteSet::new())?;
    receiver.wait_protocol("ours", "Established", LIMIT)?;
    let mut fast = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        speaker.set(source::hosts(FEW));
        wait_count(receiver, "ours", FEW)?;
        fast.push(start.elapsed());
        speaker.set(RouteSet::new());
        wait_count(receiver, "ours", 0)?;
    }
    Ok((fast, all))
}

/// ExaBGP on the receiver's host, as in the README; a helper prints all lines at once, and takes the
/// answers off the pipe.
fn from_exabgp(version: Version, receiver: &Bird, them: &Netns, dir: &Path) -> Outcome<Duration> {
    let go = dir.join(format!("go-{}", version.number()));
    let helper = dir.join(format!("print-{}.py", version.number()));
    let script = format!(
        "#!/usr/bin/python3\nimport os, sys, threading, time\n\
         threading.Thread(target=sys.stdin.read, daemon=True).start()\n\
         while not os.path.exists({:?}):\n    time.sleep(0.001)\n\
         for i in range({FEW}):\n\
         \x20   print(f'announce route 10.128.{{i >> 8}}.{{i & 255}}/32 next-hop self', flush=False)\n\
         sys.stdout.flush()\ntime.sleep(600)\n",
        go.to_string_lossy()
    );
    std::fs::write(&helper, script)?;
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755))?;
    let run = helper.to_string_lossy().into_owned();
    let config = Config { run: &run, neighbor: "127.0.1.1", local: "127.0.1.2" };
    let exabgp = ExaBgp::start(them, version, dir, &config, "root")?;
    receiver.wait_protocol("exabgp", "Established", LIMIT)?;
    let start = Instant::now();
    std::fs::write(&go, "")?;
    wait_count(receiver, "exabgp", FEW)?;
    let took = start.elapsed();
    drop(exabgp);
    wait_count(receiver, "exabgp", 0)?;
    Ok(took)
}

/// Both of the newest case.
fn told(report: &mut Report, fast: &[Duration], peer: &[Duration]) -> Outcome<()> {
    report.times(Who::Ours, "ha2bgp", fast)?;
    report.times(Who::Peer, "another BIRD", peer)?;
    Ok(())
}

/// From the first look that shows the session up to the last route.
fn from_established(receiver: &Bird, protocol: &str) -> Outcome<Duration> {
    let begin = Instant::now();
    while !receiver.protocol(protocol)?.contains("Established") {
        late(begin, "no session")?;
        wait::pause(STEP);
    }
    let start = Instant::now();
    wait_count(receiver, protocol, ROUTES)?;
    Ok(start.elapsed())
}

fn wait_count(receiver: &Bird, protocol: &str, count: u32) -> Outcome<()> {
    let begin = Instant::now();
    while imported(receiver, protocol)? != count {
        late(begin, "the routes are not there")?;
        wait::pause(STEP);
    }
    Ok(())
}

fn late(begin: Instant, what: &str) -> Outcome<()> {
    if begin.elapsed() > LIMIT { Err(format!("{what} within {LIMIT:?}").into()) } else { Ok(()) }
}

/// "Routes: 2 imported, 0 exported"; nothing without a session.
fn imported(receiver: &Bird, protocol: &str) -> Outcome<u32> {
    let reply = receiver.ask(&format!("show protocols all {protocol}"))?;
    let line = reply.iter().find_map(|line| line.trim().strip_prefix("Routes:"));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    Ok(number.unwrap_or(0))
}
