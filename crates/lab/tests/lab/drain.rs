//! `ha2bgp drain` and `undrain` with traffic: two hosts announce one VIP to a router that forwards to
//! both; clients behind it send requests all the time. One client beside it knows its own way to the
//! first host, and holds a connection there.

use crate::last_choice::{Lan, ONE, ROUTER, TWO};
use crate::speaker_stage::{SESSION, with_each_router};
use crate::stage::{SOON, VIP};
use ha2bgp::control::client;
use ha2bgp_lab::child::Child;
use ha2bgp_lab::http_server::{HttpServer, Kind as Speaks};
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::{Kind, Options};
use ha2bgp_lab::traffic::{Load, Traffic};
use ha2bgp_lab::{LabError, Result, program, wait};
use rustix::process::Signal;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A client that has its own way to the first host.
const NEAR: &str = "10.9.1.7";

/// A host with nginx and ha2bgp. Fields drop in this order.
struct Site {
    ha2bgp: Child,
    nginx: HttpServer,
    host: Netns,
    file: PathBuf,
    socket: PathBuf,
    dir: PathBuf,
}

impl Site {
    fn start(lan: &Lan, name: &str, address: &str) -> Result<Self> {
        let host = lan.connect(name, address)?;
        host.ip(&["route", "add", "10.9.3.0/24", "via", ROUTER])?;
        let dir = lan.dir.path().to_owned();
        let vip = service()?;
        let nginx =
            HttpServer::start(&host, &format!("{name}-nginx"), &dir, &[(vip, Speaks::Brief)])?;
        let socket = dir.join(format!("{name}.sock"));
        let top = format!(
            "overrides-file = \"{0}/{name}.overrides\"\nstate-file = \"{0}/{name}.state\"\n\
             drain-settle = \"1s\"",
            dir.display()
        );
        let control = format!(
            "[control]\nunix = \"{}\"\n[[service]]\nname = \"web\"\nvips = [\"{VIP}\"]\n",
            socket.display()
        );
        let file = lan.speaker_file(name, address, &top, "", &control)?;
        let ha2bgp = run(&host, name, &file, &dir)?;
        Ok(Self { ha2bgp, nginx, host, file, socket, dir })
    }

    /// Ends ha2bgp so that the routes stay, and starts it once more.
    fn restart(&mut self, name: &str) -> Result<()> {
        self.ha2bgp.signal(Signal::USR2)?;
        self.ha2bgp.wait(SOON)?;
        self.ha2bgp = run(&self.host, name, &self.file, &self.dir)?;
        Ok(())
    }

    /// Starts a command that speaks to ha2bgp.
    fn command(&self, name: &str, args: &[&str]) -> Result<Child> {
        let mut command = program::command(args);
        command.env("HA2BGP_CONTROL", &self.socket).env("USER", "anna");
        self.host.start(name, &mut command, &self.dir)
    }

    /// Waits until the one override that there is has all of this in its JSON.
    fn wait_drain(&self, parts: &[&str]) -> Result<String> {
        let mut found = String::new();
        wait::until(SESSION, &format!("a drain has {parts:?}"), || {
            let answer = client::ask(&self.socket, "GET", "/v1/overrides", &[]);
            let answer = answer.map_err(|error| error.to_string())?;
            found = String::from_utf8_lossy(&answer.body).into_owned();
            let is = parts.iter().all(|part| found.contains(part));
            if is { Ok(()) } else { Err(format!("{found}\n{}", self.ha2bgp.tail())) }
        })
        .map_err(|error| {
            let sockets = self.host.run(Command::new("ss").args(["-t", "-a", "-n", "-o"]));
            LabError::Missing(format!("{error}\n{}", sockets.unwrap_or_default()))
        })?;
        Ok(found)
    }

    fn served(&self) -> usize {
        self.nginx.requests().len()
    }
}

fn run(host: &Netns, name: &str, file: &Path, dir: &Path) -> Result<Child> {
    let mut command = program::command(&["run", "--config", &file.to_string_lossy(), "--debug"]);
    // The file says where.
    command.env_remove("HA2BGP_STATE_FILE");
    host.start(name, &mut command, dir)
}

fn service() -> Result<SocketAddr> {
    let text = format!("{VIP}:8080");
    text.parse().map_err(|_| LabError::Missing(format!("{text} is no address")))
}

/// A router that forwards, and clients behind it.
fn lan(kind: Kind) -> Result<(Lan, Netns)> {
    let options = Options { forwards: true, ..Options::default() };
    let lan = Lan::start_with(kind, 65001, options)?;
    lan.host.sysctl("net/ipv4/ip_forward", "1")?;
    // Connections of one client go to both.
    lan.host.sysctl("net/ipv4/fib_multipath_hash_policy", "1")?;
    let clients = Netns::new("clients")?;
    link::cable(
        End { host: &clients, device: "up0", address: "10.9.3.2/24" },
        End { host: &lan.host, device: "clients", address: "10.9.3.1/24" },
    )?;
    clients.ip(&["route", "add", "default", "via", "10.9.3.1"])?;
    Ok((lan, clients))
}

/// A client on the cable of the hosts that goes straight to the first one.
fn near(lan: &Lan) -> Result<Netns> {
    let near = Netns::new("near")?;
    link::cable(
        End { host: &near, device: "up0", address: &format!("{NEAR}/24") },
        End { host: &lan.host, device: "near", address: "169.254.1.1/32" },
    )?;
    lan.host.ip(&["link", "set", "near", "master", "lan"])?;
    near.ip(&["route", "add", &format!("{VIP}/32"), "via", ONE])?;
    Ok(near)
}

/// Opens a connection and holds it.
fn hold(near: &Netns) -> Result<TcpStream> {
    let vip = service()?;
    let connected = near.within(|| TcpStream::connect_timeout(&vip, SOON))?;
    connected.map_err(LabError::io("a connection that stays"))
}

/// Requests all the time, over connections that are kept.
fn load() -> Result<Load> {
    let pause = Duration::from_millis(10);
    Ok(Load { keep_alive: true, retry: true, pause, clients: 6, ..Load::on(service()?) })
}

/// Waits until the router has the routes of these, and only these.
fn wait_routes(lan: &Lan, one: bool, two: bool) -> Result<()> {
    wait::until(SESSION, &format!("routes of one: {one}, of two: {two}"), || {
        let text = lan.table().or_else(|error| {
            let none = error.to_string().contains("not found");
            if none { Ok(String::new()) } else { Err(error) }
        });
        let text = text.map_err(|error| error.to_string())?;
        // As BIRD and FRR show a path; FRR tells beside it whom it was told to.
        let has = |host: &str| {
            [format!("via {host} "), format!("from {host} (")].iter().any(|it| text.contains(it))
        };
        let are = (has(ONE), has(TWO));
        if are == (one, two) { Ok(()) } else { Err(text) }
    })
}

/// Waits until a command has ended, with this exit code and these words.
fn ends(mut command: Child, code: i32, words: &str) -> Result<()> {
    let status = command.wait(SESSION)?;
    let said = format!("{}{}", command.stdout(), command.stderr());
    assert_eq!(status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{words:?} in {said:?}");
    Ok(())
}

/// Starts to drain while a connection is held, and waits until only that is left.
fn drain_and_hold(site: &Site, near: &Netns) -> Result<(Child, TcpStream)> {
    let held = hold(near)?;
    // The route may be there before the program is: of the process before it.
    site.wait_drain(&["\"overrides\":"])?;
    let drain = site.command("drain", &["drain", "web", "--reason", "kernel"])?;
    let shown = site.wait_drain(&["\"phase\":\"waiting\"", "\"connections\":1,"])?;
    assert!(shown.contains("\"reason\":\"kernel\"") && shown.contains("anna"), "{shown}");
    Ok((drain, held))
}

/// Traffic moves to the other host and comes back, and no request fails.
fn traffic_moves_and_no_request_fails(kind: Kind) -> Result<()> {
    let (lan, clients) = lan(kind)?;
    let one = Site::start(&lan, "one", ONE)?;
    let two = Site::start(&lan, "two", TWO)?;
    let near = near(&lan)?;
    wait_routes(&lan, true, true)?;
    let traffic = Traffic::start(&clients, &load()?)?;
    let both = |before: (usize, usize)| {
        wait::until(SESSION, "both serve", || {
            let now = (one.served(), two.served());
            let serve = now.0 > before.0 + 20 && now.1 > before.1 + 20;
            if serve { Ok(()) } else { Err(format!("{now:?} {:?}", traffic.so_far())) }
        })
    };
    both((one.served(), two.served()))?;
    let (drain, held) = drain_and_hold(&one, &near)?;
    // Nobody comes to the first host any more, while its route is still there.
    let served = one.served();
    traffic.wait_ok(100, SESSION)?;
    assert_eq!(one.served(), served);
    wait_routes(&lan, true, true)?;
    drop(held);
    ends(drain, 0, "service web: drained, no connection left (ha2bgp undrain web)")?;
    wait_routes(&lan, false, true)?;
    traffic.wait_ok(100, SESSION)?;
    // Once more changes nothing.
    ends(one.command("again", &["drain", "web"])?, 0, "drained, no connection left")?;
    wait_routes(&lan, false, true)?;
    let before = (one.served(), two.served());
    ends(one.command("undrain", &["undrain", "web"])?, 0, "taken back; 1 of 1 is announced")?;
    wait_routes(&lan, true, true)?;
    // New connections go to both; those that are kept stay where they are.
    let more = Traffic::start(&clients, &Load { keep_alive: false, ..load()? })?;
    both(before)?;
    more.wait_ok(100, SESSION)?;
    for tally in [traffic.stop()?, more.stop()?] {
        assert_eq!(tally.failed, 0, "{tally:?}");
    }
    ends(one.command("nothing", &["undrain", "web"])?, 0, "nothing is drained")
}
with_each_router!(traffic_moves_and_no_request_fails: bird = Bird, frr = Frr);

/// ha2bgp restarts while a drain waits: it goes on where it was, and so does the command.
fn a_restart_in_the_middle(kind: Kind) -> Result<()> {
    let (lan, _clients) = lan(kind)?;
    let mut one = Site::start(&lan, "one", ONE)?;
    let near = near(&lan)?;
    wait_routes(&lan, true, false)?;
    let (drain, held) = drain_and_hold(&one, &near)?;
    one.restart("one-again")?;
    let left = ["\"id\":1,", "\"phase\":\"waiting\"", "\"connections\":1,"];
    one.wait_drain(&left)?;
    wait_routes(&lan, true, false)?;
    drop(held);
    ends(drain, 0, "drained, no connection left")?;
    wait_routes(&lan, false, false)?;
    // What is drained stays so.
    one.restart("one-at-last")?;
    one.wait_drain(&["\"phase\":\"drained\"", "\"connections_left\":0,"])?;
    wait::holds(SOON / 4, "no route comes", || match lan.router.route(&format!("{VIP}/32")) {
        Ok(text) if text.is_empty() => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    ends(one.command("undrain", &["undrain", "--all"])?, 0, "1 of 1 is announced")?;
    wait_routes(&lan, true, false)
}
with_each_router!(a_restart_in_the_middle: bird = Bird);

/// Nobody else can take the traffic: it goes on until the time is over, which the exit code tells.
fn the_only_announcer(kind: Kind) -> Result<()> {
    let (lan, clients) = lan(kind)?;
    let one = Site::start(&lan, "one", ONE)?;
    wait_routes(&lan, true, false)?;
    let traffic = Traffic::start(&clients, &load()?)?;
    traffic.wait_ok(50, SESSION)?;
    let args = ["drain", VIP, "--timeout", "8s", "--json"];
    let drain = one.command("drain", &args)?;
    one.wait_drain(&["\"phase\":\"waiting\"", "\"connections\":6,"])?;
    traffic.wait_ok(50, SESSION)?;
    let tally = traffic.so_far();
    one.wait_drain(&["\"phase\":\"waiting\"", "\"timeout_seconds\":8"])?;
    assert_eq!(tally.failed, 0);
    ends(drain, 1, "\"phase\":\"drained\"")?;
    wait_routes(&lan, false, false)?;
    traffic.wait_failed(SESSION)
}
with_each_router!(the_only_announcer: bird = Bird);

/// A peer with `drain = "withdraw"` loses the route at once, while connections are waited for.
fn withdrawn_at_once(kind: Kind) -> Result<()> {
    let (lan, _clients) = lan(kind)?;
    let mut one = Site::start(&lan, "one", ONE)?;
    let near = near(&lan)?;
    let text = std::fs::read_to_string(&one.file).map_err(LabError::io("the file"))?;
    let text = format!("{text}drain = \"withdraw\"\n");
    std::fs::write(&one.file, text).map_err(LabError::io("the file"))?;
    one.restart("one-again")?;
    wait_routes(&lan, true, false)?;
    let (drain, held) = drain_and_hold(&one, &near)?;
    wait_routes(&lan, false, false)?;
    drop(held);
    ends(drain, 0, "drained, no connection left")?;
    ends(one.command("undrain", &["undrain", "1"])?, 0, "1 of 1 is announced")?;
    wait_routes(&lan, true, false)
}
with_each_router!(withdrawn_at_once: bird = Bird);
