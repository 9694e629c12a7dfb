//! What tests of reloads start with: a host with services, BIRD on one cable and FRR on another, and a
//! configuration that the test changes.

use crate::speaker_stage::SESSION;
use crate::stage::SOON;
use ha2bgp_lab::child::Child;
use ha2bgp_lab::http_server::{HttpServer, Kind as Http};
use ha2bgp_lab::link;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::{Kind, Router};
use ha2bgp_lab::{LabError, Result, program, readme, service, wait};
use socket2::Socket;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;
use tempfile::TempDir;

/// Checked by HTTP.
pub(crate) const WEB: &str = "100.64.0.10";
/// In a service without checks.
pub(crate) const DNS: &str = "100.64.0.20";
/// Found by its listening socket.
pub(crate) const FOUND: &str = "100.64.0.30";
/// In a network of its own.
pub(crate) const FAR: &str = "100.65.0.1";
/// Where nothing listens but on another port.
pub(crate) const OTHER: [&str; 2] = ["100.64.0.40", "100.64.0.41"];

/// A configuration, part by part.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) networks: &'static str,
    pub(crate) filter: &'static str,
    pub(crate) defaults: String,
    /// Name, VIP and rule of each service, and its sections of checks.
    pub(crate) services: Vec<(String, String, String, String)>,
    /// Number of each router, and more keys.
    pub(crate) peers: Vec<(u8, String)>,
    /// Anything else, in front.
    pub(crate) more: String,
}

/// The check of the web service.
pub(crate) const PAGE: &str = "[service.checks.page]\ntype = \"http\"\n\
                               url = \"http://{vip}:8080/health\"\ninterval = \"100ms\"\n\
                               timeout = \"2s\"\nrise = 1\nfall = 2\n";

impl Text {
    pub(crate) fn new() -> Self {
        let service = |name: &str, vip: &str, rule: &str, checks: &str| {
            (name.to_owned(), vip.to_owned(), rule.to_owned(), checks.to_owned())
        };
        Self {
            networks: "\"100.64.0.0/24\", \"100.65.0.0/24\"",
            filter: "sport = :8080",
            defaults: "up-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n".to_owned(),
            services: vec![
                service("web", WEB, "all(listen, address, page)", PAGE),
                service("dns", DNS, "all(listen, address)", ""),
            ],
            peers: vec![(1, String::new()), (2, String::new())],
            more: String::new(),
        }
    }

    /// The web service, to change it.
    pub(crate) fn web(&mut self) -> &mut (String, String, String, String) {
        &mut self.services[0]
    }

    /// With one more service.
    pub(crate) fn and(&mut self, name: &str, vip: &str, rule: &str, checks: &str) {
        let [name, vip, rule, checks] = [name, vip, rule, checks].map(str::to_owned);
        self.services.push((name, vip, rule, checks));
    }

    fn text(&self, socket: &str) -> String {
        let Self { networks, filter, defaults, services, peers, more } = self;
        let mut text = format!(
            "router-id = \"10.1.1.1\"\nlocal-as = 65000\nnetworks = [{networks}]\n\
             overrides-file = \"off\"\n{more}\n\
             [control]\nunix = \"{socket}\"\n\
             [discover]\nlisten-filter = \"{filter}\"\n[defaults]\n{defaults}\n"
        );
        for (name, vip, rule, checks) in services {
            let _ = writeln!(
                text,
                "[[service]]\nname = \"{name}\"\nvips = [\"{vip}\"]\nrule = \"{rule}\"\n{checks}"
            );
        }
        for (number, more) in peers {
            // Without keepalives: whatever is said is about the change.
            let _ = writeln!(
                text,
                "[[peer]]\naddress = \"10.9.{number}.2\"\nremote-as = 65001\nhold-time = \"0s\"\n\
                 {more}"
            );
        }
        text
    }
}

/// What a router was told, as it counts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Told {
    /// Announcements and withdrawals that BIRD got.
    pub(crate) routes: (u64, u64),
    /// UPDATEs that FRR got, and all other messages.
    pub(crate) updates: (u64, u64),
}

/// All of it, running. Fields drop in this order.
pub(crate) struct Stage {
    pub(crate) ha2bgp: Child,
    pub(crate) bird: Router,
    pub(crate) frr: Router,
    pub(crate) web: HttpServer,
    sockets: Vec<Socket>,
    pub(crate) us: Netns,
    _hosts: [Netns; 2],
    pub(crate) dir: TempDir,
}

impl Stage {
    /// Both sessions are up, and have the routes of four services.
    pub(crate) fn start(text: &Text) -> Result<Self> {
        let mut stage = Self::begin(text)?;
        stage.wait_routes(4)?;
        stage.rest()?;
        Ok(stage)
    }

    /// Both sessions are up.
    pub(crate) fn begin(text: &Text) -> Result<Self> {
        let dir = readme::workdir()?;
        let us = Netns::new("us")?;
        let hosts = [Netns::new("bird")?, Netns::new("frr")?];
        let addresses = [WEB, DNS, FOUND, FAR, OTHER[0], OTHER[1]];
        for address in addresses {
            link::add_address(&us, &format!("{address}/32"), "lo")?;
        }
        let mut routers = Vec::new();
        for (number, host, kind) in [(1, &hosts[0], Kind::Bird), (2, &hosts[1], Kind::Frr)] {
            let name = format!("{kind:?}");
            routers.push(Router::beside(&us, number, kind, host, &name, dir.path())?);
        }
        let at = format!("{WEB}:8080").parse().map_err(|_| LabError::Missing(WEB.to_owned()))?;
        let web = HttpServer::start(&us, "web", dir.path(), &[(at, Http::Http)])?;
        let mut sockets = Vec::new();
        for address in [DNS, FOUND, FAR] {
            sockets.push(service::listen(&us, &format!("{address}:8080"))?);
        }
        for address in OTHER {
            sockets.push(service::listen(&us, &format!("{address}:9090"))?);
        }
        let (Some(frr), Some(bird)) = (routers.pop(), routers.pop()) else {
            return Err(LabError::Missing("a router".to_owned()));
        };
        let socket = dir.path().join("control.sock");
        write(&dir, text, &socket.display().to_string())?;
        let ha2bgp = spawn(&us, &dir, "ha2bgp")?;
        let stage = Self { ha2bgp, bird, frr, web, sockets, us, _hosts: hosts, dir };
        for router in [&stage.bird, &stage.frr] {
            router.wait_established(true, SESSION).map_err(|error| stage.explain(error))?;
        }
        Ok(stage)
    }

    /// Starts ha2bgp once more, with the files as they are.
    pub(crate) fn start_again(&mut self, name: &str) -> Result<()> {
        self.ha2bgp = spawn(&self.us, &self.dir, name)?;
        Ok(())
    }

    /// The sockets of the services are closed and opened by tests that want traffic.
    pub(crate) fn close_dns(&mut self) {
        self.sockets.remove(0);
    }

    pub(crate) fn open_dns(&mut self) -> Result<()> {
        self.sockets.insert(0, service::listen(&self.us, &format!("{DNS}:8080"))?);
        Ok(())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, text: &Text) -> Result<()> {
        write(&self.dir, text, &self.path("control.sock").display().to_string())
    }

    /// Runs a command that speaks to the daemon.
    pub(crate) fn command(&self, args: &[&str]) -> Result<Output> {
        let mut command = program::command(args);
        command.env("HA2BGP_CONTROL", self.path("control.sock"));
        command.output().map_err(LabError::io(format!("{args:?}")))
    }

    /// The same, which must end with this code; what it has printed, stdout and stderr.
    pub(crate) fn ends(&self, args: &[&str], code: i32) -> Result<String> {
        let output = self.command(args)?;
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}\n{}", self.ha2bgp.tail());
        Ok(text)
    }

    /// Writes the configuration and loads it.
    pub(crate) fn reload(&self, text: &Text) -> Result<String> {
        self.write(text)?;
        self.ends(&["reload"], 0)
    }

    /// Pushes a result for `far/up`.
    pub(crate) fn push(&self, outcome: &str) -> Result<String> {
        self.ends(&["push", "far/up", outcome], 0)
    }

    pub(crate) fn wait_routes(&self, count: usize) -> Result<()> {
        for router in [&self.bird, &self.frr] {
            router.wait_count(count, SESSION).map_err(|error| self.explain(error))?;
        }
        Ok(())
    }

    pub(crate) fn wait_log(&self, text: &str) -> Result<()> {
        wait::until(SOON, &format!("the log says \"{text}\""), || {
            let log = self.ha2bgp.stderr();
            if log.contains(text) { Ok(()) } else { Err(log) }
        })
    }

    /// Waits until nobody has said anything for a while, and says what was said so far.
    pub(crate) fn rest(&mut self) -> Result<Told> {
        let mut before = None;
        wait::settled(SESSION, Duration::from_millis(700), "nobody speaks", || {
            let now = self.told().map_err(|error| error.to_string())?;
            let same = before.as_ref() == Some(&now);
            before = Some(now);
            if same { Ok(()) } else { Err(format!("{before:?}")) }
        })?;
        before.ok_or_else(|| LabError::Missing("what was told".to_owned()))
    }

    pub(crate) fn told(&self) -> Result<Told> {
        let bird = self.bird.heard()?;
        let number = |line: &str, at: usize| {
            let words = line.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
            words.into_iter().nth(at).ok_or_else(|| LabError::Missing(line.to_owned()))
        };
        let mut told = Told::default();
        for line in bird.lines() {
            match line.trim() {
                it if it.starts_with("Import updates:") => told.routes.0 += number(it, 0)?,
                it if it.starts_with("Import withdraws:") => told.routes.1 += number(it, 0)?,
                _ => {}
            }
        }
        for line in self.frr.heard()?.lines().map(str::trim) {
            // Sent, then received.
            match line {
                it if it.starts_with("Updates:") => told.updates.0 += number(it, 1)?,
                // A capability, and the time.
                it if it.contains("advertised") || it.contains("established") => {}
                it => told.updates.1 += number(it, 1)?,
            }
        }
        Ok(told)
    }

    fn explain(&self, error: LabError) -> LabError {
        match error {
            LabError::Timeout { what, after, detail } => LabError::Timeout {
                what,
                after,
                detail: format!("{detail}\n{}", self.ha2bgp.tail()),
            },
            other => other,
        }
    }
}

fn write(dir: &TempDir, text: &Text, socket: &str) -> Result<()> {
    let (new, path) = (dir.path().join("new.toml"), dir.path().join("ha2bgp.toml"));
    std::fs::write(&new, text.text(socket)).map_err(LabError::io(new.display().to_string()))?;
    std::fs::rename(&new, &path).map_err(LabError::io(path.display().to_string()))
}

fn spawn(host: &Netns, dir: &TempDir, name: &str) -> Result<Child> {
    let path = dir.path().join("ha2bgp.toml").display().to_string();
    let state = dir.path().join("state").display().to_string();
    let args = ["run", "--config", &path, "--state-file", &state, "--debug"];
    host.start(name, &mut program::command(&args), dir.path())
}
