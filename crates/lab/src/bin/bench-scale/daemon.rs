//! The program itself, with a peer that only reads: one service comes and goes beside all others.
//!
//! The others are up by a socket on the wildcard address, and addresses of this host by a prefix on its
//! loopback interface; the one has a port and a service of its own. Time is from close(2) or listen(2)
//! until its UPDATE is read; processor time is that of all of the program's threads.

use crate::{Outcome, SIZES, named};
use ha2bgp_lab::bgp::{Conversation, UPDATE, counted};
use ha2bgp_lab::child::Child;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::report::{Report, Unit, Who};
use ha2bgp_lab::{procfs, program, readme, service, source, wait};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

/// So many VIPs have room in a configuration file, which is 1 MiB at most; more are in several files.
const VIPS_IN_FILE: u32 = 50_000;
/// The one that comes and goes, before all others.
const ONE: &str = "10.127.0.1";
/// Events are counted in so many blocks, each a sample of their processor time.
const BLOCKS: u32 = 10;
/// Until all routes are there.
const START: Duration = Duration::from_secs(60);
/// Between two changes: everything is asleep again.
const PAUSE: Duration = Duration::from_millis(2);
/// How long nothing happens when what happens by itself is measured.
const REST: Duration = Duration::from_secs(10);

/// What was measured beside so many VIPs.
#[derive(Debug, Default)]
struct Seen {
    times: Vec<Duration>,
    /// Processor time an event, one sample a block of them.
    each: Vec<Duration>,
    idle: u64,
    memory: u64,
}

/// What is shown of it.
type Number = fn(&Seen) -> u64;

pub(crate) fn run(report: &mut Report, runs: u32) -> Outcome<()> {
    if !rustix::process::geteuid().is_root() {
        println!("daemon: not measured: it needs root\n");
        return Ok(());
    }
    let mut all = Vec::new();
    for vips in SIZES {
        all.push((vips, measure(vips, runs)?));
    }
    report.case("the program: close or listen → UPDATE read", Unit::Time);
    for (vips, seen) in &all {
        report.times(Who::Ours, &named(*vips), &seen.times)?;
    }
    println!("{}", report.table());
    report.headline("the program: processor time an event", Unit::Time);
    for (vips, seen) in &all {
        report.times(Who::Ours, &named(*vips), &seen.each)?;
    }
    println!("{}", report.table());
    let cases: [(&str, Unit, Number); 2] = [
        ("the program: processor, nothing changes", Unit::Core, |seen| seen.idle),
        ("the program: memory", Unit::Memory, |seen| seen.memory),
    ];
    for (what, unit, value) in cases {
        report.case(what, unit);
        for (vips, seen) in &all {
            report.row(Who::Ours, &named(*vips), &[value(seen)])?;
        }
        println!("{}", report.table());
    }
    Ok(())
}

fn measure(vips: u32, runs: u32) -> Outcome<Seen> {
    let host = Netns::new("scale")?;
    let dir = readme::workdir()?;
    host.ip(&["addr", "add", "10.127.0.1/32", "dev", "lo"])?;
    host.ip(&["addr", "add", "10.128.0.0/10", "dev", "lo"])?;
    let router = host.within(|| TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)))??;
    // Where the program has ended nobody connects.
    socket2::SockRef::from(&router).set_read_timeout(Some(START))?;
    let _all = service::listen(&host, "0.0.0.0:80")?;
    let port = router.local_addr()?.port();
    let child = start(&host, dir.path(), vips, port)?;
    let session = Conversation::accept(&router, 65001, 0);
    let mut session = session.map_err(|error| format!("{error}: {}", said(&child)))?;
    all_routes(&mut session, usize::try_from(vips)?, &child)?;
    // What the start has brought with it is over.
    wait::pause(Duration::from_secs(3));
    let pids = [child.pid()];
    let (before, start) = (procfs::cpu(&pids), Instant::now());
    wait::pause(REST);
    let idle = share(procfs::cpu(&pids).saturating_sub(before), start.elapsed());

    let mut seen = Seen { idle, ..Seen::default() };
    let pairs = runs.div_ceil(2 * BLOCKS).max(1);
    for _ in 0..BLOCKS {
        let before = (procfs::cpu(&pids), Instant::now());
        for _ in 0..pairs {
            wait::pause(PAUSE);
            let start = Instant::now();
            let one = service::listen(&host, &format!("{ONE}:81"))?;
            seen.times.push(update(&mut session, start, &child)?);
            wait::pause(PAUSE);
            let start = Instant::now();
            drop(one);
            seen.times.push(update(&mut session, start, &child)?);
        }
        let (used, lasted) = (procfs::cpu(&pids).saturating_sub(before.0), before.1.elapsed());
        // Without what it would have used anyway in that time.
        let anyway = lasted.mul_f64(f64::from(u32::try_from(idle)?) / 1e6);
        seen.each.push(used.saturating_sub(anyway) / (2 * pairs));
    }
    seen.memory = procfs::memory(child.pid(), "VmRSS").ok_or("it has ended")?;
    Ok(seen)
}

/// Millionths of a core.
fn share(used: Duration, lasted: Duration) -> u64 {
    let share = used.as_nanos() * 1_000_000 / lasted.as_nanos().max(1);
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// Takes so many routes and End-of-RIB (RFC 4724 section 2) behind them.
fn all_routes(session: &mut Conversation, vips: usize, child: &Child) -> Outcome<()> {
    let (mut has, mut ended) = (0, false);
    let begin = Instant::now();
    while has < vips || !ended {
        let (kind, body) = next(session, child)?;
        if kind == UPDATE {
            has += counted(&body).1;
            ended |= body == [0; 4];
        }
        if begin.elapsed() > START {
            return Err(format!("{has} of {vips} routes: {}", said(child)).into());
        }
    }
    Ok(())
}

/// The time until the next UPDATE is there.
fn update(session: &mut Conversation, start: Instant, child: &Child) -> Outcome<Duration> {
    loop {
        if next(session, child)?.0 == UPDATE {
            return Ok(start.elapsed());
        }
    }
}

/// The next message; what the program said where there is none.
fn next(session: &mut Conversation, child: &Child) -> Outcome<(u8, Vec<u8>)> {
    let next = session.next().map_err(|error| format!("{error}: {}", said(child)))?;
    Ok(next.ok_or_else(|| said(child))?)
}

/// The end of its log, without a line for each service.
fn said(child: &Child) -> String {
    let log = child.stderr();
    let lines: Vec<&str> = log.lines().filter(|line| !line.contains("service=others")).collect();
    lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
}

fn start(host: &Netns, dir: &Path, vips: u32, port: u16) -> Outcome<Child> {
    let files = dir.join("conf.d");
    std::fs::create_dir(&files)?;
    let text = format!(
        "backend = \"speaker\"\nlocal-as = 65000\nrouter-id = \"10.1.1.1\"\n\
         networks = [\"10.127.0.0/16\", \"10.128.0.0/10\"]\n\
         [[peer]]\naddress = \"127.0.0.2\"\nport = {port}\nremote-as = 65001\n\
         local-address = \"127.0.0.3\"\nhold-time = \"0s\"\n\
         [discover]\nlisten-filter = \"sport = :80 or sport = :81\"\n\
         [defaults]\ndamping = false\nup-delay = \"0s\"\ndown-delay = \"0s\"\n\
         [[service]]\nname = \"one\"\nvips = [\"{ONE}\"]\nrule = \"own\"\n\
         [service.checks.own]\ntype = \"listen\"\nports = [81]\n"
    );
    std::fs::write(files.join("scale.toml"), text)?;
    let chunk = usize::try_from(VIPS_IN_FILE)?;
    for (number, first) in (0..vips).step_by(chunk).enumerate() {
        let mut text = format!("[[service]]\nname = \"others-{number}\"\nvips = [");
        for index in first..vips.min(first + VIPS_IN_FILE) {
            write!(text, "\"{}\",", source::host(index))?;
        }
        text.push_str("]\n");
        std::fs::write(files.join(format!("others-{number}.toml")), text)?;
    }
    let mut command = program::command(&["run", "--config", &files.to_string_lossy()]);
    Ok(host.start("ha2bgp", &mut command, dir)?)
}
