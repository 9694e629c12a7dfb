//! What tests and benches of BFD start with: our host with a VIP, a router that watches it, and
//! between them a switch, or a hop, where packets can be lost in either direction.
//!
//! Neither side sees a loss of carrier when the path is cut: only silence.

use crate::child::Child;
use crate::link::{self, End};
use crate::netns::Netns;
use crate::router::{Bfd, Config, Kind, Options, Router};
use crate::{LabError, Result, program, readme, service, wait};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The service address.
pub const VIP: &str = "100.64.0.10";
/// Its route.
pub const ROUTE: &str = "100.64.0.10/32";
/// Time enough for sessions to come up, with routers that wait some seconds after a failure.
pub const SESSION: Duration = Duration::from_secs(60);
/// Our interface.
pub const OUR_DEVICE: &str = "up0";
/// The router's interface.
pub const ROUTER_DEVICE: &str = "router0";

/// Which addresses both sides have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Addresses {
    /// IPv4.
    V4,
    /// IPv6, not link-local.
    V6,
    /// IPv6, link-local.
    LinkLocal,
}

/// Which packets are lost on the way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cut {
    /// All of ours.
    FromUs,
    /// All of the router's.
    ToUs,
    /// All of both.
    Both,
    /// The router's BFD packets alone.
    BfdToUs,
}

/// How both sides are set up.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The router.
    pub kind: Kind,
    /// Their addresses.
    pub addresses: Addresses,
    /// A router is between them in place of a switch.
    pub multihop: bool,
    /// The router's BFD; none: it does not speak it.
    pub bfd: Option<Bfd>,
    /// Lines of our `[[peer]]` section, and whatever follows it.
    pub peer: String,
    /// The router puts what it learns into its kernel.
    pub forwards: bool,
}

impl Plan {
    /// IPv4 neighbors, both with these timers.
    #[must_use]
    pub fn new(kind: Kind, bfd: Bfd) -> Self {
        let Bfd { millis, multiplier, .. } = bfd;
        let peer = format!(
            "bfd = {{ tx = \"{millis}ms\", rx = \"{millis}ms\", multiplier = {multiplier} }}"
        );
        let (addresses, multihop, forwards) = (Addresses::V4, false, false);
        Self { kind, addresses, multihop, bfd: Some(bfd), peer, forwards }
    }

    fn ours(&self) -> &'static str {
        match (self.addresses, self.multihop) {
            (Addresses::V4, _) => "10.9.1.1",
            (Addresses::V6, _) => "2001:db8:1::1",
            (Addresses::LinkLocal, _) => "fe80::a:1",
        }
    }

    fn theirs(&self) -> &'static str {
        match (self.addresses, self.multihop) {
            (Addresses::V4, false) => "10.9.1.2",
            (Addresses::V4, true) => "10.9.2.2",
            (Addresses::V6, false) => "2001:db8:1::2",
            (Addresses::V6, true) => "2001:db8:2::2",
            (Addresses::LinkLocal, _) => "fe80::a:2",
        }
    }

    /// The router as our side writes it.
    #[must_use]
    pub fn peer_address(&self) -> String {
        let zone = if self.addresses == Addresses::LinkLocal { "%up0" } else { "" };
        format!("{}{zone}", self.theirs())
    }
}

/// All of it, running. Fields drop in this order.
#[derive(Debug)]
pub struct Scene {
    /// Ours, once it was started.
    ha2bgp: Option<Child>,
    /// The service.
    service: Option<socket2::Socket>,
    /// Theirs.
    pub router: Router,
    /// Our host.
    pub us: Netns,
    /// What is between.
    pub switch: Netns,
    /// The router's host.
    pub them: Netns,
    /// Files of all.
    pub dir: TempDir,
    /// How it was set up.
    pub plan: Plan,
    starts: u32,
}

impl Scene {
    /// Starts everything, and waits for nothing but that the router answers.
    pub fn start(plan: Plan) -> Result<Self> {
        let mut scene = Self::prepared(plan)?;
        scene.start_again()?;
        Ok(scene)
    }

    /// Everything but our program.
    pub fn prepared(plan: Plan) -> Result<Self> {
        let dir = readme::workdir()?;
        let (us, switch, them) = (Netns::new("us")?, Netns::new("switch")?, Netns::new("them")?);
        // Nothing but what is written here.
        us.sysctl("net/ipv6/conf/default/autoconf", "0")?;
        lay(&plan, &us, &switch, &them)?;
        link::add_address(&us, ROUTE, "lo")?;
        let config = Config {
            address: plan.theirs().to_owned(),
            asn: 65001,
            neighbor: plan.ours().to_owned(),
            device: (plan.addresses == Addresses::LinkLocal).then(|| ROUTER_DEVICE.to_owned()),
            neighbor_as: 65000,
            password: None,
            ttl_security: false,
            options: Options {
                hops: plan.multihop.then_some(3),
                bfd: plan.bfd,
                real_time: true,
                forwards: plan.forwards,
                ..Options::default()
            },
        };
        let router = Router::start(plan.kind, &them, "router", dir.path(), config)?;
        let service = Some(service::listen(&us, &format!("{VIP}:8080"))?);
        write(&dir, &plan)?;
        let (ha2bgp, starts) = (None, 0);
        Ok(Self { ha2bgp, service, router, us, switch, them, dir, plan, starts })
    }

    /// [`Scene::start`], and everything is up: BFD, BGP, the route.
    pub fn up(plan: Plan) -> Result<Self> {
        let scene = Self::start(plan)?;
        scene.wait_up()?;
        Ok(scene)
    }

    /// Waits until everything is up on both sides.
    pub fn wait_up(&self) -> Result<()> {
        let all = || {
            self.wait_bfd("up", SESSION)?;
            self.router.wait_bfd(true, SESSION)?;
            self.router.wait_route(ROUTE, true, SESSION)
        };
        all().map_err(|error| self.explain(error))
    }

    /// Waits until our side has a state of BFD.
    pub fn wait_bfd(&self, state: &str, limit: Duration) -> Result<()> {
        let wanted = format!("\"state\":\"{state}\"");
        wait::until(limit, &format!("ha2bgp: BFD is {state}"), || {
            let peers = self.peers().map_err(|error| error.to_string())?;
            if bfd_of(&peers).contains(&wanted) { Ok(()) } else { Err(peers) }
        })
    }

    /// What `ha2bgp peers --json` says, which fails while no session is established, and says it all the same.
    pub fn peers(&self) -> Result<String> {
        match self.ask(&["peers", "--json"]) {
            Err(LabError::Command { output, .. }) if output.starts_with('{') => Ok(output),
            other => other,
        }
    }

    /// A number of our BFD session, such as `downs` or `failures`.
    pub fn number(&self, key: &str) -> Result<f64> {
        let peers = self.peers()?;
        let rest = bfd_of(&peers).split(&format!("\"{key}\":")).nth(1).unwrap_or_default();
        let end = rest.find([',', '}']).unwrap_or(0);
        let number = rest.get(..end).unwrap_or_default().parse();
        number.map_err(|_| LabError::Missing(format!("{key} in {peers}")))
    }

    /// Asks our program over its socket.
    pub fn ask(&self, args: &[&str]) -> Result<String> {
        let socket = self.dir.path().join("ctl").to_string_lossy().into_owned();
        crate::child::run(&mut program::command(&[args, &["--socket", &socket]].concat()))
    }

    /// Another configuration, by a reload.
    pub fn reload(&mut self, peer: &str) -> Result<()> {
        self.plan.peer = peer.to_owned();
        write(&self.dir, &self.plan)?;
        self.ask(&["reload"]).map(drop)
    }

    /// The same, by SIGHUP: waits for nothing.
    pub fn begin_reload(&mut self, peer: &str) -> Result<()> {
        self.plan.peer = peer.to_owned();
        write(&self.dir, &self.plan)?;
        self.ha2bgp()?.signal(rustix::process::Signal::HUP)
    }

    /// The service stops.
    pub fn stop_service(&mut self) {
        self.service = None;
    }

    /// The service starts once more.
    pub fn start_service(&mut self) -> Result<()> {
        self.service = Some(service::listen(&self.us, &format!("{VIP}:8080"))?);
        Ok(())
    }

    /// Starts our program, once more after it has ended.
    pub fn start_again(&mut self) -> Result<()> {
        self.starts += 1;
        self.ha2bgp = None;
        self.ha2bgp = Some(start(&self.us, &self.dir, &format!("ha2bgp{}", self.starts))?);
        Ok(())
    }

    /// Our program.
    pub fn ha2bgp(&mut self) -> Result<&mut Child> {
        self.ha2bgp.as_mut().ok_or_else(|| LabError::Missing("ha2bgp was not started".to_owned()))
    }

    /// The end of its log.
    #[must_use]
    pub fn tail(&self) -> String {
        self.ha2bgp.as_ref().map(Child::tail).unwrap_or_default()
    }

    /// All of its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.ha2bgp.as_ref().map(Child::stderr).unwrap_or_default()
    }

    /// Loses packets from now on.
    pub fn cut(&self, cut: Cut) -> Result<()> {
        if matches!(cut, Cut::FromUs | Cut::Both) {
            self.lose("p1", &["u32", "0", "0"])?;
        }
        if matches!(cut, Cut::ToUs | Cut::Both) {
            self.lose("p2", &["u32", "0", "0"])?;
        }
        if cut == Cut::BfdToUs {
            // The ports of UDP behind an IPv4 header without options.
            self.lose("p2", &["u16", "0x0ec8", "0xffff", "at", "22"])?;
        }
        Ok(())
    }

    /// Loses nothing any more.
    pub fn heal(&self) -> Result<()> {
        for port in ["p1", "p2"] {
            let mut command = Command::new("tc");
            self.switch.run(command.args(["filter", "del", "dev", port, "ingress"]))?;
        }
        Ok(())
    }

    fn lose(&self, port: &str, matched: &[&str]) -> Result<()> {
        let mut command = Command::new("tc");
        command.args(["filter", "add", "dev", port, "ingress", "protocol", "all", "u32", "match"]);
        command.args(matched).args(["action", "mirred", "egress", "redirect", "dev", "sink"]);
        self.switch.run(&mut command).map(drop)
    }

    /// An error together with what our program logged.
    #[must_use]
    pub fn explain(&self, error: LabError) -> LabError {
        match error {
            LabError::Timeout { what, after, detail } => {
                LabError::Timeout { what, after, detail: format!("{detail}\n{}", self.tail()) }
            }
            other => other,
        }
    }
}

/// From the first BFD session in an answer on.
fn bfd_of(peers: &str) -> &str {
    peers.split_once("\"bfd\":").map_or("", |it| it.1)
}

/// Cables and addresses.
fn lay(plan: &Plan, us: &Netns, switch: &Netns, them: &Netns) -> Result<()> {
    let far = if plan.multihop { 2 } else { 1 };
    for (host, device, port, net, number) in
        [(us, OUR_DEVICE, "p1", 1, 1), (them, ROUTER_DEVICE, "p2", far, 2)]
    {
        let inside =
            if plan.multihop { format!("10.9.{net}.254/24") } else { "169.254.0.1/32".to_owned() };
        link::cable(
            End { host, device, address: &format!("10.9.{net}.{number}/24") },
            End { host: switch, device: port, address: &inside },
        )?;
        link::add_address(host, &format!("2001:db8:{net}::{number}/64"), device)?;
        link::add_address(host, &format!("fe80::a:{number}/64"), device)?;
        if plan.multihop {
            link::add_address(switch, &format!("2001:db8:{net}::fe/64"), port)?;
            host.ip(&["route", "add", "default", "via", &format!("10.9.{net}.254")])?;
            let gateway = format!("2001:db8:{net}::fe");
            host.ip(&["-6", "route", "add", "default", "via", &gateway])?;
        }
        switch.run(Command::new("tc").args(["qdisc", "add", "dev", port, "clsact"]))?;
    }
    // What is lost goes there: an interface without a cable.
    link::bridge(switch, "sink")?;
    if plan.multihop {
        switch.sysctl("net/ipv4/ip_forward", "1")?;
        return switch.sysctl("net/ipv6/conf/all/forwarding", "1");
    }
    link::bridge(switch, "br0")?;
    for port in ["p1", "p2"] {
        switch.ip(&["link", "set", port, "master", "br0"])?;
    }
    Ok(())
}

fn write(dir: &TempDir, plan: &Plan) -> Result<()> {
    let peer = plan.peer_address();
    let hops = if plan.multihop { "multihop = 3\n" } else { "" };
    let socket = dir.path().join("ctl");
    let text = format!(
        "router-id = \"10.1.1.1\"\nlocal-as = 65000\noverrides-file = \"off\"\n\
         networks = [\"100.64.0.0/23\", \"1::/16\", \"2::/16\"]\n\
         [control]\nunix = \"{}\"\n\
         [discover]\nlisten-filter = \"sport = :8080\"\n\
         [defaults]\nup-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n\
         [[peer]]\naddress = \"{peer}\"\nremote-as = 65001\n{hops}{}\n",
        socket.display(),
        plan.peer
    );
    let file = dir.path().join("ha2bgp.toml");
    std::fs::write(&file, text).map_err(LabError::io(file.display().to_string()))
}

fn start(us: &Netns, dir: &TempDir, name: &str) -> Result<Child> {
    let file = dir.path().join("ha2bgp.toml").to_string_lossy().into_owned();
    us.start(name, &mut program::command(&["--debug", "--config", &file]), dir.path())
}
