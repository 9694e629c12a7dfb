//! The running program with a port beside its socket: requests made from its OpenAPI document, and
//! clients that come to do harm while a good one steers what is announced.

use crate::stage::{SOON, Stage, VIP, host};
use ha2bgp_lab::fake_exabgp::Answer;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, program, readme, require, tools, wait};
use rustix::process::Signal;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Where the port is, in a namespace of its own.
const PORT: &str = "127.0.0.1:9179";
const READ: &str = "0123456789abcdef";
const WRITE: &str = "fedcba9876543210";
/// How long requests are made.
const MAKING: &str = "30";
/// How long all that may take, with its start.
const LIMIT: Duration = Duration::from_secs(90);

/// A bad value may also be so long that its head or its body is refused.
const EXPECTED: &str = "[checks]\nnegative_data_rejection.expected-statuses = \
                        [400, 401, 403, 404, 405, 409, 413, 414, 422, 429, 431, 503]\n";

struct Files {
    dir: TempDir,
    socket: PathBuf,
    config: String,
}

impl Files {
    /// Services whose checks are pushed to, over a socket and a port with tokens.
    fn new() -> Result<Self> {
        let dir = readme::workdir()?;
        let (socket, tokens) = (dir.path().join("x.sock"), dir.path().join("tokens"));
        let lines = format!("mon read {READ}\nops write {WRITE}\n");
        std::fs::write(&tokens, lines).map_err(LabError::io("write the tokens"))?;
        let config = dir.path().join("ha2bgp.toml");
        let text = format!(
            "networks = [\"100.64.0.0/24\"]\n\
             overrides-file = \"off\"\n\
             [defaults]\nup-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n\
             [control]\nunix = \"{}\"\nhttp = \"{PORT}\"\ntokens-file = \"{}\"\n\
             [checks.up]\ntype = \"push\"\n\
             [[service]]\nname = \"web\"\nvips = [\"{VIP}\"]\nrule = \"all(address, x)\"\n\
             [service.checks.x]\ntype = \"push\"\n\
             [[service]]\nname = \"other\"\nvips = [\"100.64.0.77\"]\nrule = \"all(each, up)\"\n\
             [service.checks.each]\ntype = \"push\"\nper-vip = true\n",
            socket.display(),
            tokens.display(),
        );
        std::fs::write(&config, text).map_err(LabError::io("write the configuration"))?;
        let config = config.display().to_string();
        Ok(Self { dir, socket, config })
    }

    fn start(&self, hint: &str) -> Result<Stage> {
        let args = ["run", "--config", &self.config];
        let stage = Stage::with_args(host(hint)?, &args, &[], Answer::Done)?;
        wait::until_true(SOON, "the port is open", || {
            stage.host.within(|| TcpStream::connect(PORT).is_ok()).unwrap_or(false)
        })?;
        Ok(stage)
    }

    fn pushes(&self, outcome: &str) -> Result<()> {
        let mut command = program::command(&["push", "web/x", outcome]);
        command.env("HA2BGP_CONTROL", &self.socket);
        let output = command.output().map_err(LabError::io("run ha2bgp push"))?;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        Ok(())
    }
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// A reload opens, closes and forgets over TCP, and nobody on the socket notices.
#[test]
fn a_reload_changes_ports_and_tokens() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let files = Files::new()?;
    let mut stage = files.start("reload")?;
    files.pushes("pass")?;
    stage.settles_on(&[VIP])?;
    over_tcp(&stage, "warn")?;
    let (old, new) = (PORT, "127.0.0.1:9180");
    let rewrite = |path: &std::path::Path, from: &str, to: &str| -> Result<()> {
        let text = std::fs::read_to_string(path).map_err(LabError::io("read it again"))?;
        assert!(text.contains(from), "{from}: {text}");
        std::fs::write(path, text.replace(from, to)).map_err(LabError::io("write it again"))
    };
    rewrite(files.config.as_ref(), old, new)?;
    rewrite(&files.dir.path().join("tokens"), WRITE, "another-secret-of-ours")?;
    stage.fake.child().signal(Signal::HUP)?;
    let open = |port: &str| stage.host.within(|| TcpStream::connect(port).is_ok());
    wait::until_true(SOON, "the new port is open", || open(new).unwrap_or(false))?;
    wait::until_true(SOON, "the old one is closed", || !open(old).unwrap_or(true))?;
    assert_eq!(ask(&stage, new, WRITE)?, 401);
    assert_eq!(ask(&stage, new, "another-secret-of-ours")?, 200);
    // A file of tokens that is no good changes nothing.
    rewrite(&files.dir.path().join("tokens"), "ops write", "ops admin")?;
    stage.fake.child().signal(Signal::HUP)?;
    let what = "it is told";
    wait::until_true(SOON, what, || stage.fake.child().stderr().contains("may neither read nor"))?;
    assert_eq!(ask(&stage, new, "another-secret-of-ours")?, 200);
    files.pushes("fail")?;
    stage.settles_on(&[])
}

/// The status of the answer to a request with this token.
fn ask(stage: &Stage, port: &str, token: &str) -> Result<u16> {
    let whole = format!(
        "GET /v1/checks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: \
         close\r\n\r\n"
    );
    let answer = stage.host.within(|| -> std::io::Result<String> {
        let mut stream = TcpStream::connect(port)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(whole.as_bytes())?;
        std::io::read_to_string(stream)
    })?;
    let answer = answer.map_err(LabError::io("ask over TCP"))?;
    Ok(answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0))
}

/// Thousands of requests, good and bad, made from the document: none breaks anything, and every
/// answer is one that the document has.
#[test]
fn schemathesis_finds_nothing() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Schemathesis);
    let files = Files::new()?;
    let mut stage = files.start("openapi")?;
    let program = tools::schemathesis().ok_or(LabError::Missing("no Schemathesis".to_owned()))?;
    let mut command = Command::new(program);
    command.current_dir(files.dir.path()).env("HOME", files.dir.path());
    let expected = files.dir.path().join("schemathesis.toml");
    std::fs::write(expected, EXPECTED).map_err(LabError::io("write schemathesis.toml"))?;
    command.arg("run").arg(format!("http://{PORT}/v1/openapi.json"));
    command.args(["-H", &format!("Authorization: Bearer {WRITE}"), "--no-color"]);
    // What a value may be depends on the configuration too: good ones may be refused.
    command.args(["--exclude-checks", "positive_data_acceptance"]);
    // A stream never ends by itself.
    command.args(["--exclude-path", "/v1/events"]);
    // This one does what it says.
    command.args(["--exclude-path", "/v1/restart"]);
    command.args(["--max-time", MAKING, "--rate-limit", "80/s", "--request-timeout", "10"]);
    command.args(["--generation-deterministic", "--max-failures", "5"]);
    let mut run = stage.host.start("schemathesis", &mut command, files.dir.path())?;
    let status = run.wait(LIMIT)?;
    assert!(status.success(), "{}", run.stdout());
    // It has said all kinds of things to the checks, and about them.
    assert_eq!(stage.fake.child().exit_status()?, None, "{}", stage.fake.child().tail());
    assert_eq!(stage.fake.table().wrong(), [""; 0], "stdout is the route channel");
    Ok(())
}

/// A thousand clients over TCP, all of them bad in some way, and guesses of tokens: pushes over the
/// socket and over the port get through, routes change, and nothing is left of them.
#[test]
fn a_thousand_hostile_clients_over_tcp_stop_nothing() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let files = Files::new()?;
    let mut stage = files.start("flood")?;
    files.pushes("pass")?;
    stage.settles_on(&[VIP])?;
    let pid = stage.fake.child().pid();
    let before = descriptors(pid);
    let guess = "GET /v1/checks HTTP/1.1\r\nauthorization: Bearer aaaaaaaaaaaaaaaa\r\n\r\n";
    let chunks = format!(
        "POST /v1/plan HTTP/1.1\r\nauthorization: Bearer {READ}\r\ntransfer-encoding: chunked\r\n\
         \r\nffff\r\n{}",
        "x".repeat(0xffff)
    );
    let mut clients = Vec::new();
    for round in 0..1000 {
        let connected = stage.host.within(|| TcpStream::connect(PORT))?;
        let mut stream = connected.map_err(LabError::io("connect to the port"))?;
        let part: &[u8] = match round % 6 {
            0 => b"",
            1 => b"\x16\x03\x01 nonsense\r\n\r\n",
            2 => b"POST /v1/checks/web/x HTTP/1.1\r\nhost: ",
            3 => guess.as_bytes(),
            4 => chunks.as_bytes(),
            _ => b"GET /v1/checks HTTP/1.1\r\ncontent-length: 99\r\n\r\n{",
        };
        // It may be closed already.
        let _closed = stream.write_all(part);
        clients.push(stream);
        if round % 200 == 100 {
            let good = round % 400 == 100;
            files.pushes(if good { "pass" } else { "fail" })?;
            stage.fake.wait(VIP, good, SOON)?;
            over_tcp(&stage, if good { "fail" } else { "pass" })?;
            stage.fake.wait(VIP, !good, SOON)?;
        }
    }
    let now = descriptors(pid);
    // 64 connections, and 16 that are about to end.
    assert!(now <= before + 80, "{before} descriptors, then {now}");
    let resident = resident_kib(pid);
    drop(clients);
    wait::until(SOON, "nothing is left of them", || match descriptors(pid) {
        now if now <= before => Ok(()),
        now => Err(format!("{before} descriptors, then {now}")),
    })?;
    assert!(resident < 64 * 1024, "{resident} KiB");
    Ok(())
}

/// Pushes over the port.
fn over_tcp(stage: &Stage, outcome: &str) -> Result<()> {
    let body = format!("{{\"outcome\":\"{outcome}\"}}");
    let whole = format!(
        "POST /v1/checks/web/x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {WRITE}\r\nconnection: \
         close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = stage.host.within(|| -> std::io::Result<String> {
        let mut stream = TcpStream::connect(PORT)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(whole.as_bytes())?;
        std::io::read_to_string(stream)
    })?;
    let answer = answer.map_err(LabError::io("push over TCP"))?;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    Ok(())
}
