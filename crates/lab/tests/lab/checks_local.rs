//! Checks of this host itself, through the running program: accept queues of a real server, files,
//! processes.

use crate::stage::{SOON, Stage, VIP, WHILE, host};
use ha2bgp_lab::child::Child;
use ha2bgp_lab::fake_exabgp::Answer;
use ha2bgp_lab::http_server::{HttpServer, Kind};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::service::{self, Service};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, readme, require, wait};
use rustix::process::Signal;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A service on the VIP whose changes show at once, with these checks.
fn stage(host: Netns, dir: &Path, checks: &str) -> Result<Stage> {
    let file = dir.join("ha2bgp.toml");
    let text = format!(
        "networks = [\"100.64.0.0/24\"]\n[discover]\nlisten-filter = \"sport = :8080\"\n[defaults]\n\
         up-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n[[service]]\nname = \"web\"\nvips = \
         [\"{VIP}\"]\n{checks}"
    );
    std::fs::write(&file, text).map_err(LabError::io("write the configuration"))?;
    Stage::with_args(host, &["--config", &file.to_string_lossy()], &[], Answer::Done)
}

/// Waits until the status that it prints on a signal has these words.
fn shows(stage: &mut Stage, words: &str) -> Result<()> {
    wait::until(SOON, &format!("the status shows {words:?}"), || {
        let before = stage.fake.child().stderr().len();
        stage.fake.child().signal(Signal::USR1).map_err(|error| error.to_string())?;
        wait::pause(Duration::from_millis(100));
        let log = stage.fake.child().stderr();
        let new = log.get(before..).unwrap_or_default();
        if new.contains(words) { Ok(()) } else { Err(log) }
    })
}

/// How many descriptors it has open.
fn descriptors(stage: &mut Stage) -> usize {
    let pid = stage.fake.child().pid();
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// nginx on the VIP, with room for four connections in its queue.
fn nginx(host: &Netns, dir: &Path) -> Result<HttpServer> {
    host.sysctl("net/core/somaxconn", "4")?;
    let address: SocketAddr =
        format!("{VIP}:8080").parse().map_err(|_| LabError::Missing("no address".to_owned()))?;
    HttpServer::start(host, "nginx", dir, &[(address, Kind::Http)])
}

fn clients(host: &Netns, count: usize) -> Result<Vec<TcpStream>> {
    let connect = || TcpStream::connect(format!("{VIP}:8080"));
    let all = || (0..count).map(|_| connect()).collect::<std::io::Result<Vec<_>>>();
    host.within(all)?.map_err(LabError::io("connect"))
}

/// A server that hangs listens still; its queue gives it away, and it comes back by itself.
#[test]
fn a_server_that_accepts_nothing() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("nginx"));
    let (host, dir) = (host("queue")?, readme::workdir()?);
    let mut server = nginx(&host, dir.path())?;
    let checks =
        "[service.checks.queue]\ntype = \"accept-queue\"\nfail-when = \"stuck for 500ms\"\n";
    let mut stage = stage(host, dir.path(), checks)?;
    stage.settles_on(&[VIP])?;
    for _ in 0..2 {
        server.daemon().freeze(true)?;
        let clients = clients(&stage.host, 2)?;
        stage.fake.wait(VIP, false, SOON)?;
        shows(&mut stage, "nothing accepted for")?;
        server.daemon().freeze(false)?;
        stage.settles_on(&[VIP])?;
        drop(clients);
    }
    Ok(())
}

/// A queue that is full is shown, and by default withdraws nothing.
#[test]
fn a_queue_that_is_full_only_warns() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("nginx"));
    let (host, dir) = (host("full")?, readme::workdir()?);
    let mut server = nginx(&host, dir.path())?;
    let checks =
        "[service.checks.queue]\ntype = \"accept-queue\"\nwarn-when = \"full for 500ms\"\n";
    let mut stage = stage(host, dir.path(), checks)?;
    stage.settles_on(&[VIP])?;
    server.daemon().freeze(true)?;
    let clients = clients(&stage.host, 5)?;
    shows(&mut stage, &format!("queue 5 of 4 on {VIP}:8080"))?;
    stage.fake.holds("it stays announced", WHILE, |table| table.has(VIP))?;
    server.daemon().freeze(false)?;
    shows(&mut stage, "queue 0 of 4")?;
    assert_eq!(stage.fake.table().withdrawals(), 0);
    drop(clients);
    Ok(())
}

/// The file that `exabgp healthcheck --disable` knows.
#[test]
fn a_maintenance_file() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let (host, dir) = (host("file")?, readme::workdir()?);
    let listener = service::listen(&host, &format!("{VIP}:8080"))?;
    let path = dir.path().join("maintenance/web");
    let checks = format!(
        "[service.checks.maintenance]\ntype = \"file\"\nexists = false\ninterval = \"1h\"\npath = \
         \"{}\"\n",
        path.display()
    );
    let mut stage = stage(host, dir.path(), &checks)?;
    stage.settles_on(&[VIP])?;
    let before = descriptors(&mut stage);
    let io = || LabError::io("the maintenance file");
    std::fs::create_dir_all(dir.path().join("maintenance")).map_err(io())?;
    for _ in 0..10 {
        std::fs::write(&path, "upgrade\n").map_err(io())?;
        let began = Instant::now();
        stage.fake.wait(VIP, false, SOON)?;
        // The look at an interval comes in an hour: what took so little was told.
        assert!(began.elapsed() < SOON);
        std::fs::remove_file(&path).map_err(io())?;
        stage.fake.wait(VIP, true, SOON)?;
    }
    assert_eq!(descriptors(&mut stage), before, "descriptors");
    drop(listener);
    Ok(())
}

/// The process behind a pid file is killed and started again.
#[test]
fn a_process_that_is_killed() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let (host, dir) = (host("process")?, readme::workdir()?);
    // The listener of another process stays: only the pid file tells.
    let listening = Service::start(&host, "listening", dir.path(), &format!("{VIP}:8080"))?;
    let path = dir.path().join("worker.pid");
    let checks = format!(
        "[service.checks.worker]\ntype = \"process\"\ninterval = \"1h\"\nname = \"sleep\"\npidfile = \
         \"{}\"\n",
        path.display()
    );
    let mut worker = worker(dir.path(), &path)?;
    let mut stage = stage(host, dir.path(), &checks)?;
    stage.settles_on(&[VIP])?;
    let before = descriptors(&mut stage);
    for _ in 0..5 {
        worker.kill()?;
        stage.fake.wait(VIP, false, SOON)?;
        worker = self::worker(dir.path(), &path)?;
        stage.fake.wait(VIP, true, SOON)?;
    }
    assert_eq!(descriptors(&mut stage), before, "descriptors");
    listening.kill()
}

/// A process that writes its number to a file, as daemons do.
fn worker(dir: &Path, pidfile: &Path) -> Result<Child> {
    let child = Child::start("worker", Command::new("sleep").arg("600"), dir)?;
    std::fs::write(pidfile, format!("{}\n", child.pid())).map_err(LabError::io("the pid file"))?;
    Ok(child)
}
