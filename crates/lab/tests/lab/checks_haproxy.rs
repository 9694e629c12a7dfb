//! What a real HAProxy says decides: servers, frontends, reloads, and sockets that say nonsense.

use crate::checks_stage::CheckStage;
use crate::stage::{SOON, WHILE, host};
use ha2bgp_lab::haproxy::{HaProxy, Mode, Options};
use ha2bgp_lab::http_server::{HttpServer, Kind};
use ha2bgp_lab::misbehave::{Misbehave, steps};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::traffic::{Load, Traffic};
use ha2bgp_lab::{LabError, Result, readme, require};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const FRONTENDS: &str = "
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
frontend web
    bind 100.64.0.10:8080
    use_backend images if { path_beg /images }
    default_backend pages
";

const BACKENDS: &str = "
backend pages
    option httpchk GET /health
    default-server check inter 100ms fall 1 rise 1
    server one 127.0.0.1:8001
    server two 127.0.0.1:8002
backend images
    option httpchk GET /health
    default-server check inter 100ms fall 1 rise 1
    server one 127.0.0.1:8001
";

/// A service that only HAProxy decides about, besides its address.
const BY_HAPROXY: &str = "
[[service]]
name = \"web\"
vips = [\"100.64.0.10\"]
rule = \"all(address, haproxy)\"
[service.checks.haproxy]
";

fn needed() -> [Need; 5] {
    [Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("haproxy"), Need::Tool("nginx")]
}

fn address(text: &str) -> Result<SocketAddr> {
    text.parse().map_err(|_| LabError::Missing(format!("{text} is no address")))
}

/// Fields drop in this order.
struct Behind {
    haproxy: HaProxy,
    servers: [HttpServer; 2],
    host: Netns,
    dir: TempDir,
}

impl Behind {
    fn new(hint: &str, options: Options) -> Result<Self> {
        let host = host(hint)?;
        let dir = readme::workdir()?;
        let server = |name: &str, at: &str| {
            HttpServer::start(&host, name, dir.path(), &[(address(at)?, Kind::Http)])
        };
        let servers = [server("one", "127.0.0.1:8001")?, server("two", "127.0.0.1:8002")?];
        let config = format!("{FRONTENDS}{BACKENDS}");
        let haproxy = HaProxy::start(&host, "haproxy", dir.path(), &config, options)?;
        Ok(Self { haproxy, servers, host, dir })
    }

    /// ha2bgp with the flags of the original.
    fn by_flags(&self) -> Result<CheckStage> {
        let socket = self.haproxy.socket().display().to_string();
        CheckStage::with_flags(&self.host, self.dir.path(), &["--socket", &socket])
    }

    /// ha2bgp with a check of its own.
    fn by_check(&self, keys: &str) -> Result<CheckStage> {
        let socket = self.haproxy.socket().display().to_string();
        let text = format!("{BY_HAPROXY}socket = \"{socket}\"\n{keys}");
        CheckStage::start(&self.host, self.dir.path(), &text)
    }

    fn healthy(&self, one: bool, two: bool) -> Result<()> {
        self.servers[0].set_healthy(one)?;
        self.servers[1].set_healthy(two)
    }
}

/// `--socket` of the original: HAProxy's own configuration tells which frontend serves the VIP and
/// which backends it uses.
#[test]
fn the_original_flag_works() -> Result<()> {
    for need in needed() {
        require!(need);
    }
    let behind = Behind::new("hap-flag", Options::default())?;
    let mut stage = behind.by_flags()?;
    stage.announced(true)?;
    stage.says("haproxy=pass \"frontend web OPEN")?;
    // `two` is enough for the pages, and the images have none left.
    behind.healthy(false, true)?;
    stage.announced(false)?;
    stage.says("backend images")?;
    behind.healthy(true, false)?;
    stage.announced(true)?;
    behind.healthy(true, true)?;
    behind.haproxy.command("disable frontend web")?;
    stage.announced(false)?;
    behind.haproxy.command("enable frontend web")?;
    stage.announced(true)?;
    // A listener that HAProxy knows nothing of is none of its business.
    ha2bgp_lab::link::add_address(&behind.host, "100.64.0.11/32", "lo")?;
    let other = ha2bgp_lab::service::listen(&behind.host, "100.64.0.11:8080")?;
    stage.fake.wait("100.64.0.11", true, SOON)?;
    stage.says("no frontend of HAProxy is known for this VIP")?;
    drop(other);
    Ok(())
}

#[test]
fn servers_drain_and_maintenance() -> Result<()> {
    for need in needed() {
        require!(need);
    }
    let tcp = Some(address("127.0.0.1:9999")?);
    let behind = Behind::new("hap-srv", Options { tcp, ..Options::default() })?;
    let text = format!(
        "{BY_HAPROXY}socket = \"127.0.0.1:9999\"\nfrontend = \"web\"\nbackends = \"pages\"\n\
         min-servers = \"50%\"\nwarn-servers = \"100%\"\n"
    );
    let mut stage = CheckStage::start(&behind.host, behind.dir.path(), &text)?;
    stage.announced(true)?;
    behind.healthy(true, false)?;
    stage.says("haproxy=warn")?;
    stage.stays(true, Duration::from_millis(300))?;
    behind.haproxy.command("set server pages/one state drain")?;
    stage.announced(false)?;
    stage.says("DRAIN")?;
    // Without the one in maintenance, all of the others are up.
    behind.healthy(true, true)?;
    behind.haproxy.command("set server pages/one state maint")?;
    stage.announced(true)?;
    behind.haproxy.command("set server pages/two state maint")?;
    stage.announced(false)?;
    behind.haproxy.command("set server pages/two state ready")?;
    stage.announced(true)?;
    Ok(())
}

/// Reloads of every kind under traffic: the route stays, and so does the traffic.
fn reloads(mode: Mode, seamless: bool) -> Result<()> {
    for need in needed() {
        require!(need);
    }
    let mut behind = Behind::new("hap-rel", Options { mode, ..Options::default() })?;
    let mut stage = behind.by_flags()?;
    stage.announced(true)?;
    let withdrawals = stage.fake.table().withdrawals();
    let traffic = Traffic::start(&behind.host, &Load::on(address("100.64.0.10:8080")?))?;
    traffic.wait_ok(20, SOON)?;
    for _ in 0..3 {
        let before = behind.haproxy.worker()?;
        if seamless {
            behind.haproxy.reload_seamless(&behind.host)?;
        } else {
            behind.haproxy.reload_hard(&behind.host)?;
        }
        assert_ne!(behind.haproxy.worker()?, before, "another process answers");
        traffic.wait_ok(20, SOON)?;
        stage.stays(true, WHILE)?;
    }
    traffic.stop()?;
    assert_eq!(stage.fake.table().withdrawals(), withdrawals, "never withdrawn");
    // It is the new process that is looked at.
    behind.healthy(false, false)?;
    stage.announced(false)
}

#[test]
fn a_seamless_reload_of_the_master() -> Result<()> {
    reloads(Mode::Master, true)
}

#[test]
fn a_seamless_reload_of_a_single_process() -> Result<()> {
    reloads(Mode::Single, true)
}

#[test]
fn a_reload_without_socket_passing() -> Result<()> {
    reloads(Mode::Single, false)
}

/// A frontend that is missing counts as before for the grace time, and then no more.
#[test]
fn a_proxy_is_missing_for_a_moment_and_for_good() -> Result<()> {
    for need in needed() {
        require!(need);
    }
    let mut behind = Behind::new("hap-gone", Options::default())?;
    let mut stage = behind.by_check("frontend = \"web\"\nreload-grace = \"3s\"\n")?;
    stage.announced(true)?;
    behind.haproxy.configure(&BACKENDS.replace("backend pages", "defaults\n mode http\n timeout connect 2s\n timeout client 2s\n timeout server 2s\nbackend pages"))?;
    behind.haproxy.reload_seamless(&behind.host)?;
    stage.stays(true, WHILE)?;
    behind.haproxy.configure(&format!("{FRONTENDS}{BACKENDS}"))?;
    behind.haproxy.reload_seamless(&behind.host)?;
    stage.stays(true, Duration::from_secs(3))?;
    behind.haproxy.configure(
        &FRONTENDS
            .replace("web", "other")
            .replace("default_backend pages", "")
            .replace("use_backend images if { path_beg /images }", ""),
    )?;
    behind.haproxy.reload_seamless(&behind.host)?;
    stage.announced(false)?;
    stage.says("no frontend web")
}

/// HAProxy that has ended is down at once, however long reloads may take.
#[test]
fn an_end_is_no_reload() -> Result<()> {
    for need in needed() {
        require!(need);
    }
    let mut behind = Behind::new("hap-end", Options::default())?;
    let mut stage = behind.by_check("frontend = \"web\"\nreload-grace = \"1h\"\n")?;
    stage.announced(true)?;
    behind.haproxy.kill()?;
    stage.announced(false)?;
    stage.says("HAProxy has ended")?;
    behind.haproxy.start_again(&behind.host)?;
    stage.announced(true)?;
    behind.haproxy.stop()?;
    stage.announced(false)
}

/// The master socket, and a HAProxy that does not answer: frozen, it counts as before for a while.
#[test]
fn a_frozen_haproxy_on_the_master_socket() -> Result<()> {
    for need in needed() {
        require!(need);
    }
    let mut behind = Behind::new("hap-ice", Options::default())?;
    let socket = behind.haproxy.master_socket().display().to_string();
    let text = format!(
        "{BY_HAPROXY}socket = \"{socket}\"\nfrontend = \"web\"\nreload-grace = \"3s\"\n\
         timeout = \"300ms\"\n"
    );
    let mut stage = CheckStage::start(&behind.host, behind.dir.path(), &text)?;
    stage.announced(true)?;
    behind.haproxy.daemon().freeze(true)?;
    stage.stays(true, WHILE)?;
    stage.announced(false)?;
    stage.says("did not answer within 300ms")?;
    behind.haproxy.daemon().freeze(false)?;
    stage.announced(true)?;
    // The master closes its connections at each reload.
    behind.haproxy.reload_seamless(&behind.host)?;
    stage.stays(true, WHILE)
}

/// The hostile server removes its own socket.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LabError::io("remove the socket")(error))
        }
        _ => Ok(()),
    }
}

/// Whatever a stats socket says: nothing hangs, nothing is leaked, and the state is held.
#[test]
fn a_stats_socket_that_says_nonsense() -> Result<()> {
    for need in needed() {
        require!(need);
    }
    let mut behind = Behind::new("hap-bad", Options::default())?;
    let path = behind.dir.path().join("bad.sock");
    let text = format!(
        "{BY_HAPROXY}socket = \"{}\"\nfrontend = \"web\"\ninterval = \"50ms\"\n\
         timeout = \"200ms\"\nreload-grace = \"0s\"\n",
        path.display()
    );
    std::os::unix::fs::symlink(behind.haproxy.socket(), &path).map_err(LabError::io("symlink"))?;
    let mut stage = CheckStage::start(&behind.host, behind.dir.path(), &text)?;
    stage.announced(true)?;
    let before = stage.descriptors();
    let memory = |stage: &mut CheckStage| {
        ha2bgp_lab::procfs::memory(stage.fake.child().pid(), "VmRSS").unwrap_or_default()
    };
    let at_first = memory(&mut stage);
    let prompt = b"\n> ";
    let csv = b"# pxname,svname,status,\n";
    let short = b"\n> Version: 3\nPid: 1\n\n> # pxname,svname,status,type,\nweb,FRONTEND,OPEN";
    for (script, words) in [
        (steps::garbage(), "haproxy=unknown"),
        (steps::answer_each(prompt), "haproxy=unknown"),
        (steps::endless(b"\n> Version: 3\nPid: 1\n\n> ", csv), "haproxy="),
        (steps::endless(b"\n> ", b"x"), "haproxy=unknown"),
        (steps::long_line(b"\n> ", 10 << 20), "haproxy=unknown"),
        (steps::invalid_utf8(b"\n> "), "haproxy=unknown"),
        (steps::close_early(), "haproxy=unknown"),
        (steps::close_after(short, short.len()), "haproxy=unknown"),
        (steps::drip(b"\n> Version: 3\nPid: 1\n", Duration::from_millis(20)), "haproxy=fail"),
        (steps::never_answer(), "did not answer within 200ms"),
    ] {
        remove(&path)?;
        let bad = Misbehave::unix(&path, vec![script])?;
        // The kept connection ends only with its process.
        let again = behind.haproxy.reload_seamless(&behind.host);
        again?;
        bad.wait_accepted(3, SOON)?;
        stage.says(words)?;
        drop(bad);
    }
    assert!(stage.descriptors() <= before + 2, "{before} before, {} now", stage.descriptors());
    let now = memory(&mut stage);
    assert!(now <= at_first + (16 << 20), "{at_first} octets before, {now} now");
    remove(&path)?;
    std::os::unix::fs::symlink(behind.haproxy.socket(), &path).map_err(LabError::io("symlink"))?;
    stage.announced(true)
}
