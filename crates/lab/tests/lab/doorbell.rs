//! How ha2bgp notices listeners, with and without the right to a doorbell.

use crate::stage::{AT_ONCE, SOON, VIP, host};
use ha2bgp_lab::child::Child;
use ha2bgp_lab::confine::without_sock_diag;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, procfs, program, readme, require, service, wait};
use rustix::process::Signal;
use socket2::Type;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Starts `command`, waits until it has said how it notices, and has it announce and withdraw.
fn notices(host: &Netns, command: &mut Command, how: &str) -> Result<()> {
    let dir = readme::workdir()?;
    let ha2bgp = host.start("ha2bgp", command, dir.path())?;
    let said = format!("listeners are noticed by {how}");
    until(&ha2bgp, "it says how it notices", || ha2bgp.stderr().contains(&said))?;
    let listener = service::listen(host, &format!("{VIP}:8080"))?;
    let announced = format!("announce route {VIP} ");
    until(&ha2bgp, "announced", || ha2bgp.stdout().contains(&announced))?;
    drop(listener);
    let withdrawn = format!("withdraw route {VIP} ");
    until(&ha2bgp, "withdrawn", || ha2bgp.stdout().contains(&withdrawn))
}

fn until(ha2bgp: &Child, what: &str, done: impl Fn() -> bool) -> Result<()> {
    wait::until(SOON, what, || if done() { Ok(()) } else { Err(ha2bgp.tail()) })
}

fn arguments(more: &[&'static str]) -> Vec<&'static str> {
    [&AT_ONCE, &["--bgp-backend", "test"][..], more].concat()
}

#[test]
fn with_the_right_to_a_doorbell_it_hangs() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Doorbell);
    let host = host("bell-root")?;
    let how =
        "tier A: a doorbell in the kernel (eBPF); gave back CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF";
    notices(&host, &mut program::command(&arguments(&[])), how)
}

#[test]
fn it_can_be_told_to_do_without() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp);
    let host = host("bell-off")?;
    let mut command = program::command(&arguments(&["--doorbell", "off"]));
    notices(&host, &mut command, "tier B: destroy events and polling: no doorbell: turned off")
}

#[test]
fn without_the_right_it_says_so_and_works() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("setpriv"));
    let host = host("bell-none")?;
    let ha2bgp = program::command(&arguments(&[]));
    let mut command = Command::new("setpriv");
    let none = "-bpf,-perfmon,-sys_admin";
    command.args(["--inh-caps", none, "--bounding-set", none]);
    command.arg(ha2bgp.get_program()).args(ha2bgp.get_args());
    let how = "tier B: destroy events and polling: no doorbell: cannot create a ring buffer: Operation \
               not permitted (os error 1); it takes CAP_BPF and CAP_PERFMON";
    notices(&host, &mut command, how)
}

#[test]
fn without_netlink_it_reads_proc() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("python3"));
    let host = host("proc")?;
    let plain = program::command(&arguments(&["--doorbell", "off"]));
    let how = "tier C: /proc/net from time to time: cannot open a netlink socket: Operation not \
               permitted (os error 1); no doorbell: turned off";
    notices(&host, &mut without_sock_diag(&plain)?, how)
}

#[test]
fn a_doorbell_helps_the_reader_of_proc() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Doorbell, Need::Tool("python3"));
    let host = host("proc-bell")?;
    let plain = program::command(&arguments(&[]));
    let how = "tier C: /proc/net: cannot open a netlink socket: Operation not permitted (os error 1); \
               a doorbell in the kernel (eBPF); gave back CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF";
    notices(&host, &mut without_sock_diag(&plain)?, how)
}

/// CAP_SYS_ADMIN, CAP_PERFMON and CAP_BPF (include/uapi/linux/capability.h).
const OF_THE_DOORBELL: u64 = 1 << 21 | 1 << 38 | 1 << 39;

/// Of every thread of a process: what it may use, may take, and hands on.
fn capabilities(pid: u32) -> Result<Vec<(String, u64)>> {
    let io = LabError::io;
    let mut found = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).map_err(io("its threads"))? {
        let path = thread.map_err(io("a thread"))?.path().join("status");
        let status = std::fs::read_to_string(&path).map_err(io("the state of a thread"))?;
        let name = status.lines().next().unwrap_or_default().to_owned();
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            let line = status.lines().find_map(|line| line.strip_prefix(set)).unwrap_or_default();
            let bits = u64::from_str_radix(line.trim(), 16).unwrap_or(u64::MAX);
            found.push((format!("{name} {set}"), bits));
        }
    }
    Ok(found)
}

#[test]
fn no_thread_keeps_what_the_doorbell_took() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Doorbell);
    let host = host("bell-caps")?;
    let dir = readme::workdir()?;
    let mut command = program::command(&arguments(&[]));
    let ha2bgp = host.start("ha2bgp", &mut command, dir.path())?;
    let said = || ha2bgp.stderr().contains("listeners are noticed by tier A");
    until(&ha2bgp, "it says how it notices", said)?;
    let all = capabilities(ha2bgp.pid())?;
    assert!(all.len() >= 8, "one thread writes the log: {all:?}");
    for (whose, bits) in all {
        assert_eq!(bits & OF_THE_DOORBELL, 0, "{whose} {bits:x}");
    }
    Ok(())
}

/// Opens and closes listeners at a port that nobody follows, as fast as it goes, while `more` wants.
/// Returns how many in what time.
fn storm(host: &Netns, more: impl Fn() -> bool + Send) -> Result<(u32, Duration)> {
    let place = SocketAddr::from(([127, 0, 0, 1], 0));
    host.within(move || {
        let (begin, mut opened) = (Instant::now(), 0);
        while more() || opened < 3000 {
            let listener = service::open(place, Type::STREAM, service::Options::default());
            drop(listener.map_err(LabError::io("a stranger's listener"))?);
            opened += 1;
        }
        Ok((opened, begin.elapsed()))
    })?
}

/// Whoever opens sockets rings: that must neither keep ha2bgp busy nor make it deaf.
#[test]
fn a_storm_of_strangers_wakes_it_seldom() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Doorbell);
    let host = host("bell-storm")?;
    let dir = readme::workdir()?;
    let mut command = program::command(&arguments(&[]));
    let ha2bgp = host.start("ha2bgp", &mut command, dir.path())?;
    let listener = service::listen(&host, &format!("{VIP}:8080"))?;
    let said = |verb: &str| ha2bgp.stdout().contains(&format!("{verb} route {VIP} "));
    until(&ha2bgp, "announced", || said("announce"))?;
    let sleeps = || procfs::sleeps(ha2bgp.pid()).unwrap_or_default();

    let before = sleeps();
    let (rings, time) = storm(&host, || false)?;
    let woken = sleeps() - before;
    // Eight looks in a millisecond, one that closes the window, the timer that opens it again, and
    // all that a program does anyway.
    let most = 10 * (time.as_millis() as u64 + 1) + 50;
    assert!(woken <= most, "woken {woken} times by {rings} listeners in {time:?}, not {most}");

    let calm = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let storming = scope.spawn(|| storm(&host, || !calm.load(Ordering::Relaxed)));
        drop(listener);
        let withdrawn = until(&ha2bgp, "withdrawn in the storm", || said("withdraw"));
        calm.store(true, Ordering::Relaxed);
        storming.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        withdrawn
    })
}

/// The doorbell cannot be hung up again: it has to outlive a reload.
#[test]
fn the_doorbell_outlives_a_reload() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Doorbell);
    let host = host("bell-reload")?;
    let dir = readme::workdir()?;
    let file = dir.path().join("ha2bgp.toml");
    let write = |port: u16| {
        let text = format!(
            "backend = \"test\"\nnetworks = [\"100.64.0.0/24\"]\noverrides-file = \"off\"\n\
             [discover]\nlisten-filter = \"sport = :{port}\"\n\
             [defaults]\nup-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n"
        );
        std::fs::write(&file, text).map_err(LabError::io("the configuration"))
    };
    write(8080)?;
    let mut command = program::command(&["run", "--config", &file.to_string_lossy()]);
    let mut ha2bgp = host.start("ha2bgp", &mut command, dir.path())?;
    let before = service::listen(&host, &format!("{VIP}:8080"))?;
    let count = |ha2bgp: &Child, verb: &str| {
        ha2bgp.stdout().matches(&format!("{verb} route {VIP} ")).count()
    };
    until(&ha2bgp, "announced", || count(&ha2bgp, "announce") == 1)?;
    write(9090)?;
    ha2bgp.signal(Signal::HUP)?;
    until(&ha2bgp, "another port counts", || count(&ha2bgp, "withdraw") == 1)?;
    let after = service::listen(&host, &format!("{VIP}:9090"))?;
    until(&ha2bgp, "announced again", || count(&ha2bgp, "announce") == 2)?;
    let log = ha2bgp.stderr();
    assert!(!log.contains("tier B") && log.contains("tier A"), "{log}");
    drop((before, after));
    Ok(())
}
