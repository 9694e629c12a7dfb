//! The running program with its control socket: what is pushed steers what is announced, only those
//! who may get in, and the socket file is there exactly as long as somebody serves it.

use crate::stage::{SOON, Stage, VIP, WHILE, host};
use ha2bgp_lab::fake_exabgp::Answer;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, program, readme, require, wait};
use rustix::process::Signal;
use std::io::{ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// A user without any right, on every system.
const NOBODY: u32 = 65534;

/// A configuration, and the socket that it names.
struct Files {
    dir: TempDir,
    socket: PathBuf,
    config: String,
}

impl Files {
    /// One service with the VIP, announced while `x` passes.
    fn new(control: &str, check: &str) -> Result<Self> {
        let dir = readme::workdir()?;
        let socket = dir.path().join("control/ha2bgp.sock");
        let config = dir.path().join("ha2bgp.toml");
        let text = format!(
            "networks = [\"100.64.0.0/24\"]\n\
             [defaults]\nup-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n\
             [control]\nunix = \"{}\"\n{control}\n\
             [[service]]\nname = \"web\"\nvips = [\"{VIP}\"]\nrule = \"all(address, x)\"\n\
             [service.checks.x]\ntype = \"push\"\n{check}\n",
            socket.display()
        );
        std::fs::write(&config, text).map_err(LabError::io("write the configuration"))?;
        let config = config.display().to_string();
        Ok(Self { dir, socket, config })
    }

    fn start(&self, hint: &str) -> Result<Stage> {
        let args = ["run", "--config", &self.config];
        let stage = Stage::with_args(host(hint)?, &args, &[], Answer::Done)?;
        let what = "the control socket is there";
        wait::until_true(SOON, what, || UnixStream::connect(&self.socket).is_ok())?;
        Ok(stage)
    }

    fn push(&self, args: &[&str]) -> Result<Output> {
        let mut command = program::command(&[&["push", "web/x"], args].concat());
        command.env("HA2BGP_CONTROL", &self.socket);
        command.output().map_err(LabError::io("run ha2bgp push"))
    }

    fn pushes(&self, args: &[&str]) -> Result<()> {
        let output = self.push(args)?;
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        Ok(())
    }
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

#[test]
fn what_is_pushed_is_announced_for_its_time() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let files = Files::new("", "on-expiry = \"fail\"")?;
    let mut stage = files.start("push")?;
    stage.fake.holds("nothing is known yet", WHILE, |table| !table.has(VIP))?;
    files.pushes(&["pass", "--detail", "deployed"])?;
    stage.settles_on(&[VIP])?;
    files.pushes(&["fail", "--detail", "broken"])?;
    stage.settles_on(&[])?;
    files.pushes(&["warn"])?;
    stage.settles_on(&[VIP])?;
    files.pushes(&["pass", "--ttl", "500ms"])?;
    stage.fake.wait(VIP, false, SOON)?;
    files.pushes(&["pass"])?;
    stage.settles_on(&[VIP])?;
    stage.fake.child().signal(Signal::TERM)?;
    assert_eq!(stage.fake.wait_exit(SOON)?.code(), Some(0), "{}", stage.fake.child().tail());
    assert!(!files.socket.exists(), "the socket file stays");
    assert_eq!(files.push(&["pass"])?.status.code(), Some(3));
    Ok(())
}

/// A broken cron job withdraws nothing.
#[test]
fn silence_holds_what_was() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let files = Files::new("", "ttl = \"300ms\"")?;
    let mut stage = files.start("silence")?;
    files.pushes(&["pass"])?;
    stage.settles_on(&[VIP])?;
    stage.fake.holds("it stays announced", WHILE, |table| table.has(VIP))?;
    files.pushes(&["fail"])?;
    stage.fake.wait(VIP, false, SOON)
}

/// Pushes as a user without any right.
fn as_nobody(program: &Path, socket: &Path) -> Result<Output> {
    let mut command = std::process::Command::new(program);
    command.env_clear().env("HA2BGP_CONTROL", socket).args(["push", "web/x", "pass"]);
    command.uid(NOBODY).gid(NOBODY);
    // A child that another test has just started may still have the copy open for writing.
    wait::until(SOON, "ha2bgp push can be started", || match command.output() {
        Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => Err(error.to_string()),
        other => Ok(other),
    })?
    .map_err(LabError::io("run ha2bgp push"))
}

/// The mode lets in; the kernel's word on who somebody is lets write.
#[test]
fn the_mode_of_the_file_says_who_may() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let kept_out = (3, "this user may not");
    let reads_only = (1, "may read only");
    let writes = (0, "");
    for (control, (code, words)) in [
        ("", kept_out),
        ("mode = \"0600\"\ngroup = \"65534\"", kept_out),
        ("mode = \"0600\"\nwrite-users = [\"65534\"]", kept_out),
        ("mode = \"0666\"", reads_only),
        ("mode = \"0666\"\nwrite-users = [\"0\", \"1\"]", reads_only),
        ("mode = \"0666\"\nwrite-users = [\"65534\"]", writes),
        ("group = \"65534\"", writes),
    ] {
        let files = Files::new(control, "")?;
        let mut stage = files.start("mode")?;
        let program = readme::program_for_all(files.dir.path())?;
        let output = as_nobody(&program, &files.socket)?;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{control}: {errors}");
        assert!(errors.contains(words), "{control}: {errors}");
        if code != 0 {
            // Root may, all the same.
            stage.fake.holds("nothing was pushed", WHILE, |table| !table.has(VIP))?;
            files.pushes(&["pass"])?;
        }
        stage.settles_on(&[VIP])?;
    }
    Ok(())
}

#[test]
fn a_killed_one_s_socket_is_replaced_and_a_live_one_s_is_not() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let files = Files::new("", "")?;
    let mut first = files.start("killed")?;
    files.pushes(&["pass"])?;
    first.settles_on(&[VIP])?;

    // One that cannot have it goes on all the same, and says why.
    let args = ["run", "--config", &files.config];
    let mut second = Stage::with_args(host("second")?, &args, &[], Answer::Done)?;
    let pid = first.fake.child().pid();
    let words = format!("another process answers there (process {pid})");
    wait::until_true(SOON, "it is said", || second.fake.child().stderr().contains(&words))?;
    files.pushes(&["pass"])?;
    first.settles_on(&[VIP])?;
    assert_eq!(second.fake.child().exit_status()?, None, "{}", second.fake.child().tail());
    drop(second);
    files.pushes(&["pass"])?;

    first.fake.child().kill()?;
    assert!(files.socket.exists(), "a killed process removes nothing");
    let output = files.push(&["pass"])?;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    drop(first);

    let mut third = files.start("again")?;
    files.pushes(&["pass"])?;
    third.settles_on(&[VIP])?;
    // Who waits gets it when it is free.
    let args = ["run", "--config", &files.config];
    let mut fourth = Stage::with_args(host("fourth")?, &args, &[], Answer::Done)?;
    let what = "it cannot have it";
    wait::until_true(SOON, what, || fourth.fake.child().stderr().contains("is tried again"))?;
    third.fake.child().kill()?;
    wait::until_true(SOON, "it has it", || {
        files.push(&["pass"]).is_ok_and(|it| it.status.success())
    })?;
    fourth.settles_on(&[VIP])
}

/// Hundreds of clients that say nothing or nonsense: pushes get through, routes change, and
/// nothing is left of them.
#[test]
fn hostile_clients_stop_nothing() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let files = Files::new("", "")?;
    let mut stage = files.start("hostile")?;
    files.pushes(&["pass"])?;
    stage.settles_on(&[VIP])?;
    let pid = stage.fake.child().pid();
    let before = descriptors(pid);
    let mut clients = Vec::new();
    for round in 0..400 {
        let connected = UnixStream::connect(&files.socket);
        let mut stream = connected.map_err(LabError::io("connect to the control socket"))?;
        let part: &[u8] = match round % 4 {
            0 => b"",
            1 => b"\x16\x03\x01 nonsense\r\n\r\n",
            2 => b"POST /v1/checks/web/x HTTP/1.1\r\nhost: ",
            _ => b"POST /v1/checks/web/x HTTP/1.1\r\ncontent-length: 99\r\n\r\n{",
        };
        // It may be closed already.
        let _closed = stream.write_all(part);
        clients.push(stream);
        if round % 100 == 50 {
            let good = round == 150 || round == 350;
            files.pushes(&[if good { "pass" } else { "fail" }])?;
            stage.fake.wait(VIP, good, SOON)?;
        }
    }
    let now = descriptors(pid);
    // 64 connections, and 16 that are about to end.
    assert!(now <= before + 80, "{before} descriptors, then {now}");
    drop(clients);
    wait::until(SOON, "nothing is left of them", || match descriptors(pid) {
        now if now <= before => Ok(()),
        now => Err(format!("{before} descriptors, then {now}")),
    })?;
    stage.settles_on(&[VIP])
}
