//! `type = "plugin"` in the whole program: the real monitoring plugins decide what is announced,
//! and hostile ones leave nothing behind.

use crate::stage::{SOON, Stage, VIP, WHILE, host};
use ha2bgp_lab::dns_server::{self, DnsServer, ORIGIN};
use ha2bgp_lab::fake_exabgp::Answer;
use ha2bgp_lab::http_server::{HttpServer, Kind};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::ntp_server::NtpServer;
use ha2bgp_lab::plugins::{Plugins, Script};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, child, procfs, program, readme, require, service, wait};
use rustix::process::Signal;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// A service whose only check is this one.
fn config(dir: &Path, check: &str) -> Result<String> {
    let file = dir.join("ha2bgp.toml");
    let text = format!(
        "networks = [\"100.64.0.0/24\"]\n[defaults]\nup-delay = \"0s\"\ndown-delay = \"0s\"\n\
         damping = false\n[[service]]\nname = \"web\"\nvips = [\"{VIP}\"]\nrule = \"it\"\n\
         [service.checks.it]\ntype = \"plugin\"\n{check}\n"
    );
    std::fs::write(&file, text).map_err(LabError::io("ha2bgp.toml"))?;
    Ok(file.display().to_string())
}

/// ha2bgp with that check, on a host that the test has prepared.
fn stage(host: Netns, dir: &Path, check: &str) -> Result<Stage> {
    let file = config(dir, check)?;
    let args = ["--bgp-backend", "exabgp", "--config", &file];
    Stage::with_args(host, &args, &[], Answer::Done)
}

/// The same with a script, often.
fn hostile(name: &str, scripts: &Plugins, script: &Script, more: &str) -> Result<Stage> {
    let path = scripts.script(name, script)?;
    // Beside the script, which outlives the program.
    let dir = path.parent().unwrap_or(Path::new("/")).to_owned();
    let path = path.display();
    let check = format!("command = [\"{path}\"]\ninterval = \"50ms\"\nrise = 1\nfall = 1\n{more}");
    stage(host(name)?, &dir, &check)
}

fn vip(port: u16) -> Result<SocketAddr> {
    let text = format!("{VIP}:{port}");
    text.parse().map_err(|_| LabError::Missing(format!("{text} is no address")))
}

/// What a status line says, once it has these words.
fn says(stage: &mut Stage, words: &str) -> Result<()> {
    wait::until(SOON, words, || {
        let child = stage.fake.child();
        // Before it listens for them, signals are lost.
        if !child.stderr().contains("ss filter") {
            return Err("it says nothing".to_owned());
        }
        child.signal(Signal::USR1).map_err(|error| error.to_string())?;
        wait::pause(Duration::from_millis(50));
        let text = child.stderr();
        if text.contains(words) { Ok(()) } else { Err(child.tail()) }
    })
}

/// Announced while the plugin says OK; withdrawn when the server goes; and shown why.
fn follows(
    command: &str,
    more: &str,
    host: Netns,
    passes: &str,
    end: impl FnOnce() -> Result<()>,
    fails: &str,
) -> Result<()> {
    let dir = readme::workdir()?;
    let check = format!(
        "command = [{command}]\n{more}\ninterval = \"200ms\"\ntimeout = \"8s\"\nrise = 1\nfall = 2"
    );
    let mut stage = stage(host, dir.path(), &check)?;
    stage.fake.wait(VIP, true, Duration::from_secs(20))?;
    says(&mut stage, passes)?;
    end()?;
    stage.fake.wait(VIP, false, Duration::from_secs(30))?;
    says(&mut stage, fails)
}

#[test]
fn check_http_follows_nginx() -> Result<()> {
    require!(
        Need::Root,
        Need::Ha2bgp,
        Need::Tool("ip"),
        Need::Tool("nginx"),
        Need::File("/usr/lib/nagios/plugins/check_http")
    );
    let (host, dir) = (host("plug-http")?, readme::workdir()?);
    let server = HttpServer::start(&host, "nginx", dir.path(), &[(vip(80)?, Kind::Http)])?;
    let command = "\"check_http\", \"-I\", \"{vip}\", \"-p\", \"{port}\", \"-u\", \"/health\"";
    let end = || server.set_healthy(false);
    follows(command, "port = 80", host, "HTTP OK: HTTP/1.1 200 OK", end, "503")
}

/// What the real plugin has measured can be scraped, in base units.
#[test]
fn performance_data_is_exported() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("nginx"));
    require!(Need::File("/usr/lib/nagios/plugins/check_http"));
    let (host, dir) = (host("plug-perf")?, readme::workdir()?);
    let server = HttpServer::start(&host, "nginx", dir.path(), &[(vip(80)?, Kind::Http)])?;
    let socket = dir.path().join("control.sock");
    let check = format!(
        "command = [\"check_http\", \"-I\", \"{{vip}}\", \"-u\", \"/health\"]\ninterval = \"200ms\"\n\
         [control]\nunix = \"{}\"",
        socket.display()
    );
    let mut stage = stage(host, dir.path(), &check)?;
    stage.fake.wait(VIP, true, Duration::from_secs(20))?;
    let labels = format!("service=\"web\",vip=\"{VIP}\"");
    let time = format!("ha2bgp_check_value_seconds{{{labels},check=\"it\",label=\"time\"}} 0.");
    wait::until(SOON, "the metrics have the time of check_http", || {
        let text = scrape(&socket).map_err(|error| error.to_string())?;
        let announced = text.contains(&format!("ha2bgp_service_announced{{{labels}}} 1\n"));
        if announced && text.contains(&time) { Ok(()) } else { Err(text) }
    })?;
    // And a person is told.
    let at = socket.display().to_string();
    let told = child::run(&mut program::command(&["why", VIP, "--socket", &at]))?;
    assert!(told.starts_with("100.64.0.10/32 is announced: all checks pass (healthy)"), "{told}");
    assert!(told.contains("\nit = pass: HTTP OK"), "{told}");
    let other = child::run(&mut program::command(&["why", "100.64.0.99", "--socket", &at]))?;
    assert!(other.contains("is not announced") && other.contains("not-discovered"), "{other}");
    drop(server);
    Ok(())
}

fn scrape(socket: &Path) -> std::io::Result<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn check_tcp_follows_a_listener() -> Result<()> {
    let needs = [Need::Root, Need::Ha2bgp, Need::Tool("ip")];
    require!(needs[0], needs[1], needs[2], Need::File("/usr/lib/nagios/plugins/check_tcp"));
    let host = host("plug-tcp")?;
    let listener = service::listen(&host, &format!("{VIP}:8080"))?;
    let end = || {
        drop(listener);
        Ok(())
    };
    let command = "\"check_tcp\", \"-H\", \"{vip}\", \"-p\", \"8080\"";
    // Performance data is shown in short.
    follows(command, "", host, "\" [time=0.0", end, "onnection refused")
}

#[test]
fn check_dns_follows_nsd() -> Result<()> {
    require!(
        Need::Root,
        Need::Ha2bgp,
        Need::Tool("ip"),
        Need::Tool("nsd"),
        Need::File("/usr/lib/nagios/plugins/check_dns")
    );
    let (host, dir) = (host("plug-dns")?, readme::workdir()?);
    let zone = dns_server::zone();
    let mut server = DnsServer::start(&host, "nsd", dir.path(), vip(53)?, ORIGIN, &zone)?;
    let command = "\"check_dns\", \"-H\", \"www.example.test\", \"-s\", \"{vip}\", \"-t\", \"3\"";
    follows(command, "", host, "DNS OK", || server.daemon().kill(), "=fail")
}

#[test]
fn check_ntp_time_follows_chronyd() -> Result<()> {
    require!(
        Need::Root,
        Need::Ha2bgp,
        Need::Tool("ip"),
        Need::Tool("chronyd"),
        Need::File("/usr/lib/nagios/plugins/check_ntp_time")
    );
    let (host, dir) = (host("plug-ntp")?, readme::workdir()?);
    let mut server = NtpServer::start(&host, "chronyd", dir.path(), vip(123)?, Some(5))?;
    let command =
        "\"check_ntp_time\", \"-H\", \"{vip}\", \"-w\", \"1\", \"-c\", \"2\", \"-t\", \"3\"";
    follows(command, "", host, "NTP OK", || server.daemon().kill(), "=fail")
}

#[test]
fn check_ping_follows_an_address() -> Result<()> {
    require!(
        Need::Root,
        Need::Ha2bgp,
        Need::Tool("ip"),
        Need::Tool("ping"),
        Need::File("/usr/lib/nagios/plugins/check_ping")
    );
    let host = host("plug-ping")?;
    // Without privileges, as the kernel permits it to groups that are in here.
    host.sysctl("net/ipv4/ping_group_range", "0 2147483647")?;
    let name = host.name().to_owned();
    let end = move || {
        let mut command = std::process::Command::new("ip");
        command.args(["-n", &name, "address", "del", &format!("{VIP}/32"), "dev", "lo"]);
        child::run(&mut command).map(drop)
    };
    let command = "\"check_ping\", \"-H\", \"{vip}\", \"-w\", \"100,20%\", \"-c\", \"200,50%\", \
                   \"-p\", \"1\"";
    follows(command, "", host, "PING OK", end, "=fail")
}

/// A warning is no failure, and neither is what the plugin cannot tell.
#[test]
fn codes_decide_what_is_announced() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let dir = readme::workdir()?;
    let scripts = Plugins::new(dir.path(), "scripts")?;
    scripts.set_state("OK - fine", 0)?;
    let mut stage = hostile("plug-state", &scripts, &Script::State, "")?;
    stage.settles_on(&[VIP])?;
    scripts.set_state("WARNING - not so fine | load=3", 1)?;
    says(&mut stage, "it=warn \"WARNING - not so fine\" [load=3]")?;
    assert!(stage.fake.table().has(VIP));
    scripts.set_state("UNKNOWN - what?", 3)?;
    says(&mut stage, "it=unknown \"UNKNOWN - what?\"")?;
    assert!(stage.fake.table().has(VIP), "unknown withdraws nothing");
    scripts.set_state("CRITICAL - down", 2)?;
    stage.fake.wait(VIP, false, SOON)?;
    scripts.set_state("OK - again", 0)?;
    stage.fake.wait(VIP, true, SOON)
}

/// Nothing of it is left while ha2bgp runs: no process, no zombie, no descriptor, no memory.
fn leaves_nothing(name: &str, script: &Script, timeout: &str, words: &str) -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("setsid"));
    let dir = readme::workdir()?;
    let scripts = Plugins::new(dir.path(), "scripts")?;
    let mut stage = hostile(name, &scripts, script, &format!("timeout = \"{timeout}\""))?;
    says(&mut stage, words)?;
    let pid = stage.fake.child().pid();
    let descriptors = || std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    let memory = procfs::memory(pid, "VmRSS").unwrap_or_default();
    // Many more runs.
    wait::holds(WHILE, "few processes at a time", || {
        let most = procfs::children(pid).len().max(scripts.running().len());
        if most <= 6 { Ok(()) } else { Err(format!("{most} processes")) }
    })?;
    assert!(descriptors() < 40, "{} descriptors", descriptors());
    let grown = procfs::memory(pid, "VmRSS").unwrap_or_default().saturating_sub(memory);
    assert!(grown < 8 << 20, "it has grown by {grown} octets");
    stage.fake.child().signal(Signal::TERM)?;
    stage.fake.wait_exit(SOON)?;
    // At its end all is gone, and not soon after.
    assert_eq!(scripts.running(), [0; 0], "processes are left");
    Ok(())
}

#[test]
fn a_plugin_that_ignores_sigterm() -> Result<()> {
    leaves_nothing("plug-term", &Script::IgnoresTerm, "300ms", "timed out after 300ms")
}

#[test]
fn a_plugin_that_leaves_a_child() -> Result<()> {
    leaves_nothing("plug-child", &Script::LeavesChild, "10s", "OK - left one")
}

#[test]
fn a_plugin_that_leaves_a_session() -> Result<()> {
    leaves_nothing("plug-sess", &Script::LeavesSession, "10s", "OK - left one")
}

#[test]
fn a_plugin_that_closes_its_output() -> Result<()> {
    leaves_nothing("plug-close", &Script::ClosesOutput, "300ms", "timed out after 300ms")
}

#[test]
fn a_plugin_that_prints_without_end() -> Result<()> {
    leaves_nothing("plug-endless", &Script::Endless, "20s", "it printed more than 64 MiB")?;
    leaves_nothing("plug-errors", &Script::EndlessError, "20s", "it printed more than 64 MiB")
}

#[test]
fn a_plugin_with_bad_output() -> Result<()> {
    leaves_nothing("plug-long", &Script::LongLine, "10s", "it=pass \"xxx")?;
    leaves_nothing("plug-utf8", &Script::InvalidUtf8, "10s", "it=pass \"OK - \u{fffd}")?;
    leaves_nothing("plug-dies", &Script::DiesBySignal, "10s", "ended by signal 9")
}

/// ha2bgp has no chance to do anything: the kernel ends its plugins.
#[test]
fn sigkill_leaves_no_plugin() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let dir = readme::workdir()?;
    let scripts = Plugins::new(dir.path(), "scripts")?;
    let mut stage = hostile("plug-kill", &scripts, &Script::Endless, "timeout = \"50s\"")?;
    wait::until_true(SOON, "it runs", || scripts.started() > 0)?;
    stage.fake.child().kill()?;
    scripts.wait_gone(SOON)
}
