//! What one run of a plugin costs, beside `exabgp healthcheck`: CPU time of the whole tree.
//!
//! Usage: `bench-plugin [--reps N] [--seconds S]`; run it by `cargo xtask bench plugin`. Needs
//! Debian's exabgp (4.2.21), and no root.
//!
//! Both run `/bin/true` ten times a second (ExaBGP's interval is a whole number of seconds, so ten
//! of its processes run it once a second each, as ten services need them), in turn, for the same
//! time. What both need while they run nothing is measured by the same programs with an interval
//! that never ends, and is subtracted. The plugin's own time is in both.
#![expect(clippy::print_stdout, reason = "a bench reports to the person who runs it")]

use ha2bgp_lab::args::number;
use ha2bgp_lab::child::Child;
use ha2bgp_lab::report::{Report, Unit, Who};
use ha2bgp_lab::{program, readme, tools, wait};
use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Runs a second, and processes of the peer.
const RATE: u32 = 10;
/// Never, for a bench.
const IDLE: &str = "3600";

fn main() -> Outcome<()> {
    let (mut reps, mut seconds) = (5_u32, 10);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--reps" => reps = number(&arg, args.next(), 1..=100)?,
            "--seconds" => seconds = number(&arg, args.next(), 2..=600)?,
            _ => return Err(format!("`{arg}` is unknown (--reps N, --seconds S)").into()),
        }
    }
    let time = Duration::from_secs(seconds);
    println!("CPU time of one run of /bin/true, {reps} times {time:.0?} at {RATE} runs a second");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..reps {
        ours.push(per_run(&|interval| ha2bgp(interval), time)?);
        theirs.push(per_run(&|interval| healthchecks(interval), time)?);
    }
    let mut report = Report::new("plugin")?;
    report.headline("processor time of one run of a plugin", Unit::Time);
    report.times(Who::Ours, "ha2bgp", &ours)?;
    report.times(Who::Peer, "exabgp healthcheck 4.2.21", &theirs)?;
    println!("{}", report.table());
    report.finish()?;
    Ok(())
}

/// Processes whose time is measured, and how often they run the plugin each second.
type Start<'a> = &'a dyn Fn(Option<u32>) -> Outcome<(Vec<Child>, tempfile::TempDir)>;

/// CPU time of one run: that of all processes and their children, less what they need idle.
fn per_run(start: Start<'_>, time: Duration) -> Outcome<Duration> {
    let busy = spent(start(Some(RATE))?, time)?;
    let idle = spent(start(None)?, time)?;
    let runs = u32::try_from(time.as_secs())?.saturating_mul(RATE);
    Ok(busy.saturating_sub(idle) / runs)
}

/// What they need in that time, after their start.
fn spent((children, _dir): (Vec<Child>, tempfile::TempDir), time: Duration) -> Outcome<Duration> {
    let all = || -> Outcome<Duration> { children.iter().map(|child| cpu(child.pid())).sum() };
    // Interpreters load their modules.
    wait::pause(Duration::from_secs(3));
    let (before, start) = (all()?, Instant::now());
    wait::pause(time);
    let (after, lasted) = (all()?, start.elapsed());
    // To the rate of the time that was asked for.
    Ok(after.saturating_sub(before).mul_f64(time.div_duration_f64(lasted)))
}

/// User and system time of a process and of the children it has waited for (proc(5), `stat`,
/// fields 14 to 17).
fn cpu(pid: u32) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(4).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    let second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs(ticks) / u32::try_from(second)?)
}

/// One ha2bgp with one check.
fn ha2bgp(rate: Option<u32>) -> Outcome<(Vec<Child>, tempfile::TempDir)> {
    let dir = readme::workdir()?;
    let file = dir.path().join("ha2bgp.toml");
    let interval = match rate {
        Some(rate) => format!("{}ms", 1000 / rate),
        None => format!("{IDLE}s"),
    };
    let text = format!(
        "networks = [\"127.0.0.0/8\"]\n[[service]]\nname = \"web\"\nvips = [\"127.83.66.81\"]\n\
         rule = \"it\"\n[service.checks.it]\ntype = \"plugin\"\ncommand = [\"/bin/true\"]\n\
         interval = \"{interval}\"\ntimeout = \"10s\"\n"
    );
    std::fs::write(&file, text)?;
    let mut command =
        program::command(&["--bgp-backend", "exabgp", "--config", &file.display().to_string()]);
    // Its standard input stays open as long as the child is here: its end would be that of ha2bgp.
    Ok((vec![Child::start_piped("ha2bgp", &mut command, dir.path())?], dir))
}

/// As many of ExaBGP's as it takes for that rate.
fn healthchecks(rate: Option<u32>) -> Outcome<(Vec<Child>, tempfile::TempDir)> {
    let dir = readme::workdir()?;
    let python = tools::find("exabgp").map(|_| "/usr/bin/python3").ok_or("no exabgp")?;
    let children = (0..RATE).map(|number| {
        let mut command = Command::new(python);
        command.args(["-m", "exabgp", "healthcheck", "--cmd", "/bin/true", "--no-syslog"]);
        let interval = if rate.is_some() { "1" } else { IDLE };
        command.args(["--interval", interval, "--ip", "127.83.66.81/32", "--no-ip-setup"]);
        command.args(["--no-ack", "--rise", "1"]);
        Ok(Child::start(&format!("healthcheck{number}"), &mut command, dir.path())?)
    });
    Ok((children.collect::<Outcome<_>>()?, dir))
}
