//! Two hosts announce one VIP to one router that nobody has configured for it. When a check of one of
//! them warns, the router prefers the other, and comes back when the warning ends; no session is
//! lost, and the route never leaves.

use crate::speaker_stage::{SESSION, with_each_router};
use crate::stage::{SOON, VIP};
use ha2bgp_lab::child::Child;
use ha2bgp_lab::exabgp::{self, Version};
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::{Config, Kind, Options, Router};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, program, readme, require, service, wait};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The host whose check warns.
pub(crate) const ONE: &str = "10.9.1.1";
/// The other one.
pub(crate) const TWO: &str = "10.9.1.3";
pub(crate) const ROUTER: &str = "10.9.1.254";

/// A check that passes while something listens on another port, and warns when nothing does.
const SIDE: &str = "[[service]]\nname = \"web\"\nvips = [\"100.64.0.10\"]\non-warn = \"depreference\"\n\
                    [service.checks.side]\ntype = \"tcp\"\nport = 9090\ninterval = \"50ms\"\n\
                    rise = 1\nfall = 1\non-fail = \"warn\"\n";

/// A router and what it is connected to. Fields drop in this order.
pub(crate) struct Lan {
    pub(crate) router: Router,
    kind: Kind,
    pub(crate) host: Netns,
    pub(crate) dir: TempDir,
    /// The AS of the router; the hosts are in 65000.
    asn: u32,
}

/// One host, and what runs there.
pub(crate) struct Node {
    pub(crate) child: Child,
    pub(crate) host: Netns,
}

impl Lan {
    fn start(kind: Kind, asn: u32) -> Result<Self> {
        Self::start_with(kind, asn, Options::default())
    }

    /// With a router that does more.
    pub(crate) fn start_with(kind: Kind, asn: u32, options: Options) -> Result<Self> {
        let dir = readme::workdir()?;
        let host = Netns::new("router")?;
        link::bridge(&host, "lan")?;
        link::add_address(&host, &format!("{ROUTER}/24"), "lan")?;
        let config = Config {
            options: Options { second: Some(TWO.to_owned()), ..options },
            ..Config::plain(ROUTER, asn, ONE)
        };
        let router = Router::start(kind, &host, "router", dir.path(), config)?;
        Ok(Self { router, kind, host, dir, asn })
    }

    /// A host with the VIP.
    pub(crate) fn connect(&self, name: &str, address: &str) -> Result<Netns> {
        let host = Netns::new(name)?;
        link::cable(
            End { host: &host, device: "up0", address: &format!("{address}/24") },
            End { host: &self.host, device: name, address: "169.254.1.1/32" },
        )?;
        self.host.ip(&["link", "set", name, "master", "lan"])?;
        link::add_address(&host, &format!("{VIP}/32"), "lo")?;
        Ok(host)
    }

    /// The configuration of a host, in a file.
    fn file(&self, name: &str, top: &str, sections: &str) -> Result<PathBuf> {
        let file = self.dir.path().join(format!("{name}.toml"));
        let text = format!(
            "networks = [\"100.64.0.0/24\"]\n{top}\n[discover]\nlisten-filter = \"sport = :8080\"\n\
             [defaults]\nup-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n{sections}"
        );
        std::fs::write(&file, text).map_err(LabError::io(file.display().to_string()))?;
        Ok(file)
    }

    /// A host that speaks BGP itself.
    fn speaker(&self, name: &str, address: &str, peer: &str, sections: &str) -> Result<Node> {
        let file = self.speaker_file(name, address, "", peer, sections)?;
        let host = self.connect(name, address)?;
        let mut command = program::command(&["--config", &file.to_string_lossy(), "--debug"]);
        let child = host.start(name, &mut command, self.dir.path())?;
        Ok(Node { child, host })
    }

    /// The configuration of such a host, with more at the top.
    pub(crate) fn speaker_file(
        &self,
        name: &str,
        address: &str,
        more: &str,
        peer: &str,
        sections: &str,
    ) -> Result<PathBuf> {
        let asn = self.asn;
        let top = format!("router-id = \"{address}\"\nlocal-as = 65000\n{more}");
        let peer =
            format!("{sections}[[peer]]\naddress = \"{ROUTER}\"\nremote-as = {asn}\n{peer}\n");
        self.file(name, &top, &peer)
    }

    /// A host with ExaBGP, which starts ha2bgp.
    fn exabgp(&self, version: Version) -> Result<Node> {
        let host = self.connect("one", ONE)?;
        let file = self.file("one", "backend = \"exabgp\"\nstate-file = \"off\"", SIDE)?;
        let program = readme::program_for_all(self.dir.path())?;
        let run = format!("{} --config {}", program.display(), file.display());
        let config = exabgp::Config { run: &run, neighbor: ROUTER, local: ONE };
        let peer_as = format!("peer-as {}", self.asn);
        let text = config.text(version).replace("peer-as 65000", &peer_as);
        let conf = self.dir.path().join("exabgp.conf");
        std::fs::write(&conf, text).map_err(LabError::io(conf.display().to_string()))?;
        let program = version.program().map_err(|(reason, _)| LabError::Missing(reason))?;
        let mut command = exabgp::command(program, &conf, self.dir.path(), None);
        let child = host.start("exabgp", &mut command, self.dir.path())?;
        Ok(Node { child, host })
    }

    /// Whether the route through the first host is there, and the best.
    fn prefers_one(&self) -> Result<bool> {
        let text = self.router.route(&format!("{VIP}/32"))?;
        let after = |start: &str| text.split(start).nth(1).unwrap_or_default();
        Ok(match self.kind {
            // It shows the routes from the first host only.
            Kind::Bird => text.contains("] * ("),
            Kind::GoBgp => text.lines().any(|it| it.starts_with("*>") && it.contains(ONE)),
            Kind::Frr => origin(after(&format!("from {ONE} ("))).contains("best"),
            Kind::OpenBgpd => origin(after(&format!("Neighbor {ONE} ("))).contains("best"),
            Kind::ExaBgp => false,
        })
    }

    fn wait_preferred(&self, one: bool, nodes: [&Node; 2]) -> Result<()> {
        wait::until(SESSION, &format!("{:?} prefers the first host: {one}", self.kind), || {
            match self.prefers_one() {
                Ok(is) if is == one => Ok(()),
                Ok(_) => Err(self.explain(nodes)),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    fn explain(&self, nodes: [&Node; 2]) -> String {
        let text = self.router.route(&format!("{VIP}/32")).unwrap_or_default();
        let neighbor = self.router.neighbor().unwrap_or_default();
        let [one, two] = nodes.map(|node| node.child.tail());
        format!("{text}\n{neighbor}\n{one}\n{two}")
    }

    /// The first host, which would be preferred, warns and recovers.
    fn moves_and_comes_back(&self, one: &Node, two: &Node) -> Result<()> {
        let nodes = [one, two];
        let route = format!("{VIP}/32");
        let side = format!("{VIP}:9090");
        let open = service::listen(&one.host, &side)?;
        let services = [one, two].map(|node| service::listen(&node.host, &format!("{VIP}:8080")));
        let [first, second] = services;
        let (first, second) = (first?, second?);
        self.wait_preferred(true, nodes)?;
        // The other one is there too: with one alone nothing is proved.
        self.wait_both(nodes)?;
        drop(open);
        self.wait_preferred(false, nodes)?;
        // Still a route, to be used when there is no other.
        self.wait_both(nodes)?;
        let text = self.router.route(&route)?;
        assert!(text.contains(ONE), "{text}");
        drop(second);
        self.wait_preferred(true, nodes)?;
        let second = service::listen(&two.host, &format!("{VIP}:8080"))?;
        self.wait_preferred(false, nodes)?;
        let open = service::listen(&one.host, &side)?;
        self.wait_preferred(true, nodes)?;
        // Withdrawn as the last choice too.
        drop(open);
        self.wait_preferred(false, nodes)?;
        drop((first, second));
        self.router.wait_route(&route, false, SOON)
    }

    /// Waits until there are the routes of both.
    fn wait_both(&self, nodes: [&Node; 2]) -> Result<()> {
        wait::until(SESSION, "both routes are there", || {
            let text = self.table().map_err(|error| error.to_string())?;
            if text.contains(ONE) && text.contains(TWO) { Ok(()) } else { Err(self.explain(nodes)) }
        })
    }

    /// The routes of a prefix from everybody.
    pub(crate) fn table(&self) -> Result<String> {
        match self.kind {
            Kind::Bird => self.bird_table(),
            _ => self.router.route(&format!("{VIP}/32")),
        }
    }

    /// BIRD's routes from everybody.
    fn bird_table(&self) -> Result<String> {
        let socket = self.dir.path().join("router").join("bird.ctl");
        let mut command = Command::new("birdc");
        let route = format!("{VIP}/32");
        ha2bgp_lab::child::run(command.arg("-s").arg(socket).args(["show", "route", &route, "all"]))
    }
}

/// The line with the verdict of the path that begins here.
fn origin(path: &str) -> &str {
    path.lines().find(|line| line.contains("Origin")).unwrap_or_default()
}

/// The speaker of both hosts; the second one is a little worse as long as all is well.
fn spoken(kind: Kind, asn: u32, how: &str, worse: &str) -> Result<()> {
    let lan = Lan::start(kind, asn)?;
    let one = lan.speaker("one", ONE, how, SIDE)?;
    let two = lan.speaker("two", TWO, worse, "")?;
    lan.moves_and_comes_back(&one, &two)?;
    for node in [&one, &two] {
        let log = node.child.stderr();
        assert_eq!(log.matches("BGP session established").count(), 1, "{log}");
    }
    Ok(())
}

/// As it is without a word of it; by the length of the path alone, as between ASes, where MEDs are
/// not compared; by MED alone.
fn to_another_as(kind: Kind) -> Result<()> {
    spoken(kind, 65001, "", "prepend = 1")?;
    let path = "last-choice = { med = \"off\", communities = [] }";
    spoken(kind, 65001, path, "prepend = 1")?;
    let med = "last-choice = { prepend = 0, communities = [] }";
    spoken(kind, 65001, med, "med = 50")
}
with_each_router!(to_another_as: bird = Bird, frr = Frr, gobgp = GoBgp, openbgpd = OpenBgpd);

/// By LOCAL_PREF.
fn within_the_as(kind: Kind) -> Result<()> {
    spoken(kind, 65000, "", "local-pref = 90")
}
with_each_router!(within_the_as: bird = Bird, frr = Frr, gobgp = GoBgp, openbgpd = OpenBgpd);

/// ExaBGP on the first host: by LOCAL_PREF, or by MED, which ExaBGP's own routes do not have.
fn through_exabgp(kind: Kind, version: Version) -> Result<()> {
    for (asn, worse) in [(65000, "local-pref = 90"), (65001, "med = 50")] {
        let lan = Lan::start(kind, asn)?;
        let one = lan.exabgp(version)?;
        let two = lan.speaker("two", TWO, worse, "")?;
        lan.moves_and_comes_back(&one, &two)?;
    }
    Ok(())
}

macro_rules! through_exabgp {
    ($($name:ident = $kind:ident, $version:ident);+ $(;)?) => {
        $(
            #[test]
            fn $name() -> Result<()> {
                let (kind, version) = (Kind::$kind, Version::$version);
                require!(Need::Root, Need::Ha2bgp, kind.need(), Need::ExaBgp(version));
                through_exabgp(kind, version)
            }
        )+
    };
}
through_exabgp! {
    bird_through_4_2_21 = Bird, Debian;
    bird_through_5_0_15 = Bird, V5_0_15;
    gobgp_through_4_2_21 = GoBgp, Debian;
    openbgpd_through_4_2_21 = OpenBgpd, Debian;
    frr_through_4_2_21 = Frr, Debian;
    frr_through_5_0_15 = Frr, V5_0_15;
}
