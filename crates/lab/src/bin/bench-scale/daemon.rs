//! The program itself, with a peer that only reads: one service comes and goes beside all others.
//!
//! The others are up by a socket on the wildcard address, and addresses of this host by a prefix on its
//! loopback interface; the one has a port and a service of its own. Time is from close(2) or listen(2)
//! until its UPDATE is read; processor time is that of all of the program's threads.

use crate::{Outcome, SIZES, named};
use ha2bgp_lab::bgp::{Conversation, KEEPALIVE, UPDATE, counted, message};
use ha2bgp_lab::child::Child;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::report::{Report, Unit, Who};
use ha2bgp_lab::{procfs, program, readme, service, source, wait};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

/// The one that comes and goes, before all others.
const ONE: &str = "10.127.0.1";
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
    each: Duration,
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
    let cases: [(&str, Unit, Number); 3] = [
        ("the program: processor time an event", Unit::Time, |seen| {
            u64::try_from(seen.each.as_nanos()).unwrap_or(u64::MAX)
        }),
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
    let _all = service::listen(&host, "0.0.0.0:80")?;
    let port = router.local_addr()?.port();
    let mut child = start(&host, dir.path(), vips, port)?;
    let mut session = Conversation::accept(&router, 65001, 0)?;
    let mut has = 0;
    let begin = Instant::now();
    while has < usize::try_from(vips)? {
        let (kind, body) = session.next()?.ok_or_else(|| child.tail())?;
        if kind == UPDATE {
            has += counted(&body).1;
        }
        if begin.elapsed() > START {
            return Err(format!("{has} of {vips} routes: {}", child.tail()).into());
        }
    }
    // What the start has brought with it is over.
    wait::pause(Duration::from_secs(3));
    let pids = [child.pid()];
    let (before, start) = (procfs::cpu(&pids), Instant::now());
    wait::pause(REST);
    let idle = share(procfs::cpu(&pids).saturating_sub(before), start.elapsed());

    let mut seen = Seen { idle, ..Seen::default() };
    let before = (procfs::cpu(&pids), Instant::now());
    for _ in 0..runs.div_ceil(2) {
        wait::pause(PAUSE);
        let start = Instant::now();
        let one = service::listen(&host, &format!("{ONE}:81"))?;
        seen.times.push(update(&mut session, start, &mut child)?);
        wait::pause(PAUSE);
        let start = Instant::now();
        drop(one);
        seen.times.push(update(&mut session, start, &mut child)?);
    }
    let (used, lasted) = (procfs::cpu(&pids).saturating_sub(before.0), before.1.elapsed());
    // Without what it would have used anyway in that time.
    let anyway = lasted.mul_f64(f64::from(u32::try_from(idle)?) / 1e6);
    seen.each = used.saturating_sub(anyway) / u32::try_from(seen.times.len())?;
    seen.memory = procfs::memory(child.pid(), "VmRSS").ok_or("it has ended")?;
    Ok(seen)
}

/// Millionths of a core.
fn share(used: Duration, lasted: Duration) -> u64 {
    let share = used.as_nanos() * 1_000_000 / lasted.as_nanos().max(1);
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// The time until the next UPDATE is there.
fn update(session: &mut Conversation, start: Instant, child: &mut Child) -> Outcome<Duration> {
    loop {
        let (kind, _) = session.next()?.ok_or_else(|| child.tail())?;
        if kind == UPDATE {
            return Ok(start.elapsed());
        }
        // No hold time was agreed on; whatever else comes is answered by a sign of life.
        session.send(&message(KEEPALIVE, &[]))?;
    }
}

fn start(host: &Netns, dir: &Path, vips: u32, port: u16) -> Outcome<Child> {
    let mut text = format!(
        "backend = \"speaker\"\nlocal-as = 65000\nrouter-id = \"10.1.1.1\"\n\
         networks = [\"10.127.0.0/16\", \"10.128.0.0/10\"]\n\
         [[peer]]\naddress = \"127.0.0.2\"\nport = {port}\nremote-as = 65001\n\
         local-address = \"127.0.0.3\"\nhold-time = \"0s\"\n\
         [discover]\nlisten-filter = \"sport = :80 or sport = :81\"\n\
         [defaults]\ndamping = false\nup-delay = \"0s\"\ndown-delay = \"0s\"\n\
         [[service]]\nname = \"one\"\nvips = [\"{ONE}\"]\nrule = \"own\"\n\
         [service.checks.own]\ntype = \"listen\"\nports = [81]\n\
         [[service]]\nname = \"others\"\nvips = ["
    );
    for index in 0..vips {
        write!(text, "\"{}\",", source::host(index))?;
    }
    text.push_str("]\n");
    let file = dir.join("scale.toml");
    std::fs::write(&file, text)?;
    let mut command = program::command(&["run", "--config", &file.to_string_lossy()]);
    Ok(host.start("ha2bgp", &mut command, dir)?)
}
