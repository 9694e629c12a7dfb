//! The lab's HAProxy: it is asked, steered and reloaded, under traffic, in all its ways.

use ha2bgp_lab::haproxy::{HaProxy, Mode, Options};
use ha2bgp_lab::http_server::{HttpServer, Kind};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::traffic::{Load, Traffic};
use ha2bgp_lab::{LabError, Result, procfs, readme, require, wait};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use tempfile::TempDir;

const WEB: &str = "127.0.0.1:80";
const LIMIT: Duration = Duration::from_secs(20);

const CONFIG: &str = "
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
frontend web
    bind 127.0.0.1:80
    default_backend pages
backend pages
    option httpchk GET /health
    default-server check inter 100ms fall 1 rise 1
    server one 127.0.0.1:8001
    server two 127.0.0.1:8002
";

/// Fields drop in this order.
struct Stage {
    haproxy: HaProxy,
    servers: [HttpServer; 2],
    host: Netns,
    _dir: TempDir,
}

fn address(text: &str) -> Result<SocketAddr> {
    text.parse().map_err(|_| LabError::Missing(format!("{text} is no address")))
}

impl Stage {
    fn new(hint: &str, options: Options) -> Result<Self> {
        let host = Netns::new(hint)?;
        let dir = readme::workdir()?;
        let server = |name: &str, at: &str| {
            HttpServer::start(&host, name, dir.path(), &[(address(at)?, Kind::Http)])
        };
        let servers = [server("one", "127.0.0.1:8001")?, server("two", "127.0.0.1:8002")?];
        let haproxy = HaProxy::start(&host, "haproxy", dir.path(), CONFIG, options)?;
        Ok(Self { haproxy, servers, host, _dir: dir })
    }

    fn traffic(&self, keep_alive: bool) -> Result<Traffic> {
        let load = Load { keep_alive, ..Load::on(address(WEB)?) };
        Traffic::start(&self.host, &load)
    }
}

#[test]
fn commands_and_status() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"), Need::Tool("haproxy"), Need::Tool("nginx"));
    let tcp = Some(address("127.0.0.1:9999")?);
    let options = Options { tcp, ..Options::default() };
    let stage = Stage::new("hap-ask", options)?;
    let haproxy = &stage.haproxy;
    haproxy.wait_status("web", "FRONTEND", "OPEN")?;
    haproxy.wait_status("pages", "one", "UP")?;
    stage.servers[0].set_healthy(false)?;
    haproxy.wait_status("pages", "one", "DOWN")?;
    stage.servers[0].set_healthy(true)?;
    haproxy.wait_status("pages", "one", "UP")?;
    haproxy.command("set server pages/two state drain")?;
    haproxy.wait_status("pages", "two", "DRAIN")?;
    haproxy.command("disable frontend web")?;
    haproxy.wait_status("web", "FRONTEND", "PAUSED")?;
    haproxy.command("enable frontend web")?;
    haproxy.wait_status("web", "FRONTEND", "OPEN")?;
    assert!(haproxy.master("show proc")?.contains("worker"), "{}", haproxy.master("show proc")?);
    let connected = stage.host.within(|| TcpStream::connect("127.0.0.1:9999"))?;
    connected.map(drop).map_err(LabError::io("the stats socket on TCP"))
}

fn no_request_is_lost(mode: Mode, keep_alive: bool) -> Result<()> {
    let options = Options { mode, ..Options::default() };
    let mut stage = Stage::new("hap-reload", options)?;
    let traffic = stage.traffic(keep_alive)?;
    traffic.wait_ok(50, LIMIT)?;
    for _ in 0..3 {
        stage.haproxy.reload_seamless(&stage.host)?;
        traffic.wait_ok(50, LIMIT)?;
    }
    let tally = traffic.stop()?;
    assert_eq!(tally.failed, 0, "{tally:?}");
    wait::until_true(LIMIT, "the old ones end", || stage.haproxy.has_old().is_ok_and(|has| !has))
}

#[test]
fn a_seamless_reload_of_the_master_loses_nothing() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"), Need::Tool("haproxy"), Need::Tool("nginx"));
    no_request_is_lost(Mode::Master, false)
}

#[test]
fn a_seamless_reload_without_a_master_loses_nothing() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"), Need::Tool("haproxy"), Need::Tool("nginx"));
    no_request_is_lost(Mode::Single, true)
}

#[test]
fn hard_reloads() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"), Need::Tool("haproxy"), Need::Tool("nginx"));
    for mode in [Mode::Master, Mode::Single] {
        let options = Options { mode, expose_fd: false, ..Options::default() };
        let mut stage = Stage::new("hap-hard", options)?;
        let traffic = stage.traffic(false)?;
        traffic.wait_ok(20, LIMIT)?;
        let before = stage.haproxy.worker()?;
        stage.haproxy.reload_hard(&stage.host)?;
        assert_ne!(stage.haproxy.worker()?, before);
        traffic.wait_ok(20, LIMIT)?;
        stage.haproxy.reload_seamless(&stage.host)?;
        traffic.wait_ok(20, LIMIT)?;
        stage.haproxy.kill()?;
        traffic.wait_failed(LIMIT)?;
        stage.haproxy.start_again(&stage.host)?;
        traffic.wait_ok(20, LIMIT)?;
        stage.haproxy.stop()?;
        traffic.wait_failed(LIMIT)?;
        stage.haproxy.start_again(&stage.host)?;
        traffic.wait_ok(20, LIMIT)?;
    }
    Ok(())
}

#[test]
fn a_wrong_configuration_leaves_the_old_worker() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"), Need::Tool("haproxy"), Need::Tool("nginx"));
    let mut stage = Stage::new("hap-wrong", Options::default())?;
    let before = stage.haproxy.worker()?;
    stage.haproxy.configure("nonsense\n")?;
    stage.haproxy.begin_reload(&stage.host)?;
    wait::until(LIMIT, "HAProxy says so", || {
        let log = stage.haproxy.tail();
        if log.contains("nonsense") { Ok(()) } else { Err(log) }
    })?;
    assert_eq!(stage.haproxy.worker()?, before);
    stage.haproxy.configure(CONFIG)?;
    stage.haproxy.reload_seamless(&stage.host)
}

#[test]
fn a_frozen_one_listens_and_says_nothing() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"), Need::Tool("haproxy"), Need::Tool("nginx"));
    let mut stage = Stage::new("hap-freeze", Options::default())?;
    let mut client =
        UnixStream::connect(stage.haproxy.socket()).map_err(LabError::io("connect"))?;
    client.set_read_timeout(Some(Duration::from_millis(200))).map_err(LabError::io("socket"))?;
    stage.haproxy.daemon().freeze(true)?;
    client.write_all(b"show info\n").map_err(LabError::io("write"))?;
    let mut octet = [0];
    let silent = client.read(&mut octet).err().map(|error| error.kind());
    assert_eq!(silent, Some(ErrorKind::WouldBlock));
    stage.haproxy.daemon().freeze(false)?;
    client.set_read_timeout(Some(LIMIT)).map_err(LabError::io("socket"))?;
    client.read_exact(&mut octet).map_err(LabError::io("read"))
}

#[test]
fn no_process_outlives_its_guard() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"), Need::Tool("haproxy"), Need::Tool("nginx"));
    let mut stage = Stage::new("hap-drop", Options::default())?;
    let mut pids = stage.haproxy.daemon().workers();
    pids.push(stage.haproxy.daemon().pid());
    assert_eq!(pids.len(), 2, "a master and a worker");
    drop(stage.haproxy);
    let lives = |pid: &u32| !procfs::command_line(*pid).is_empty();
    wait::until_true(LIMIT, "all are gone", || !pids.iter().any(lives))
}
