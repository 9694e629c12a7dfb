//! What tests of the speaker start with: a host with a VIP and ha2bgp, a cable, a router.

use crate::stage::{AT_ONCE, SOON, VIP, VIP6};
use ha2bgp_lab::child::Child;
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::router::{Config, Kind, Options, Router};
use ha2bgp_lab::{LabError, Result, program, readme, wait};
use rustix::process::Signal;
use std::time::Duration;
use tempfile::TempDir;

/// Time enough for a session, with routers that wait some seconds after a failed attempt.
pub(crate) const SESSION: Duration = Duration::from_secs(40);

/// Of our end of the cable, beside the one that the kernel makes.
pub(crate) const OUR_LINK_LOCAL: &str = "fe80::a:1";
/// The router's end of the cable. OpenBGPD 7.7 logs link-local peers with `printf(3)`, address and
/// interface as the format: a name that begins with `d`, `s` or the like ends it with SIGSEGV.
pub(crate) const ROUTER_DEVICE: &str = "router0";
/// Of the router's end.
pub(crate) const ROUTER_LINK_LOCAL: &str = "fe80::a:2";

/// Runs a function as one test a router.
macro_rules! with_each_router {
    ($name:ident: $($router:ident = $kind:ident),+) => {
        mod $name {
            $(
                #[test]
                fn $router() -> ha2bgp_lab::Result<()> {
                    let kind = ha2bgp_lab::router::Kind::$kind;
                    ha2bgp_lab::require!(
                        ha2bgp_lab::skip::Need::Root,
                        ha2bgp_lab::skip::Need::Ha2bgp,
                        kind.need()
                    );
                    super::$name(kind)
                }
            )+
        }
    };
    ($name:ident) => {
        $crate::speaker_stage::with_each_router!(
            $name: bird = Bird, frr = Frr, gobgp = GoBgp, openbgpd = OpenBgpd, exabgp = ExaBgp
        );
    };
}
pub(crate) use with_each_router;

/// How both sides are set up.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) v6: bool,
    /// Over the link-local addresses of the cable; the VIP is of the family that `v6` says.
    pub(crate) link_local: bool,
    pub(crate) local_as: u32,
    pub(crate) peer_as: u32,
    /// Flags of ha2bgp beyond those that every test has; `DIR` in them is the test's directory.
    pub(crate) flags: Vec<String>,
    /// The key of ha2bgp, in a file.
    pub(crate) key: Option<&'static str>,
    /// The key of the router.
    pub(crate) router_key: Option<&'static str>,
    /// GTSM at the router.
    pub(crate) router_security: bool,
    /// What else the router does.
    pub(crate) options: Options,
    /// Lines of the `[[peer]]` section, and whatever follows it: a file in place of flags.
    pub(crate) section: Option<String>,
}

impl Plan {
    /// External, over IPv4, without protection.
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            v6: false,
            link_local: false,
            local_as: 65000,
            peer_as: 65001,
            flags: Vec::new(),
            key: None,
            router_key: None,
            router_security: false,
            options: Options::default(),
            section: None,
        }
    }

    pub(crate) fn flags(mut self, flags: &str) -> Self {
        self.flags.extend(flags.split_whitespace().map(str::to_owned));
        self
    }

    /// With a configuration file and these lines in its `[[peer]]` section.
    pub(crate) fn section(mut self, lines: &str) -> Self {
        self.section = Some(lines.to_owned());
        self
    }

    /// The file, where there is one.
    fn file(&self) -> Option<String> {
        let section = self.section.as_ref()?;
        let peer = self.peer();
        let Self { local_as, peer_as, .. } = self;
        Some(format!(
            "router-id = \"10.1.1.1\"\nlocal-as = {local_as}\noverrides-file = \"off\"\n\
             networks = [\"100.64.0.0/24\", \"2001:db8:100::/64\"]\n\
             [discover]\nlisten-filter = \"sport = :8080\"\n\
             [defaults]\nup-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n\
             [[peer]]\naddress = \"{peer}\"\nremote-as = {peer_as}\n{section}\n"
        ))
    }

    fn addresses(&self) -> (&'static str, &'static str) {
        if self.link_local {
            (OUR_LINK_LOCAL, ROUTER_LINK_LOCAL)
        } else if self.v6 {
            ("2001:db8:9::1", "2001:db8:9::2")
        } else {
            ("10.9.1.1", "10.9.1.2")
        }
    }

    /// The router as our side writes it.
    fn peer(&self) -> String {
        let (_, peer) = self.addresses();
        format!("{peer}{}", if self.link_local { "%up0" } else { "" })
    }

    /// The route of the VIP of the session's family.
    pub(crate) fn route(&self) -> String {
        if self.v6 { format!("{VIP6}/128") } else { format!("{VIP}/32") }
    }

    /// The socket of the service on it.
    pub(crate) fn service(&self) -> String {
        if self.v6 { format!("[{VIP6}]:8080") } else { format!("{VIP}:8080") }
    }
}

/// Both sides, running. Fields drop in this order.
pub(crate) struct Pair {
    pub(crate) ha2bgp: Child,
    pub(crate) router: Router,
    pub(crate) us: Netns,
    pub(crate) them: Netns,
    pub(crate) dir: TempDir,
    pub(crate) plan: Plan,
}

impl Pair {
    /// Starts both; waits for nothing.
    pub(crate) fn start(plan: Plan) -> Result<Self> {
        Self::prepared(plan, |_| Ok(()))
    }

    /// [`Pair::start`] with more cables at our host before ha2bgp starts.
    pub(crate) fn prepared(plan: Plan, more: impl FnOnce(&Netns) -> Result<()>) -> Result<Self> {
        let dir = readme::workdir()?;
        let (us, them) = (Netns::new("us")?, Netns::new("them")?);
        // FRR advertises its prefix (RFC 8950 makes it): an address made of that would be ours too,
        // and sessions would come from it.
        us.sysctl("net/ipv6/conf/default/autoconf", "0")?;
        link::cable(
            End { host: &us, device: "up0", address: "10.9.1.1/24" },
            End { host: &them, device: ROUTER_DEVICE, address: "10.9.1.2/24" },
        )?;
        link::add_address(&us, "2001:db8:9::1/64", "up0")?;
        link::add_address(&them, "2001:db8:9::2/64", ROUTER_DEVICE)?;
        link::add_address(&us, &format!("{VIP}/32"), "lo")?;
        link::add_address(&us, &format!("{VIP6}/128"), "lo")?;
        link::add_address(&us, &format!("{OUR_LINK_LOCAL}/64"), "up0")?;
        link::add_address(&them, &format!("{ROUTER_LINK_LOCAL}/64"), ROUTER_DEVICE)?;
        more(&us)?;
        let (ours, theirs) = plan.addresses();
        let config = Config {
            address: theirs.to_owned(),
            asn: plan.peer_as,
            neighbor: ours.to_owned(),
            device: plan.link_local.then(|| ROUTER_DEVICE.to_owned()),
            neighbor_as: plan.local_as,
            password: plan.router_key.map(str::to_owned),
            ttl_security: plan.router_security,
            options: plan.options.clone(),
        };
        let router = Router::start(plan.kind, &them, "router", dir.path(), config)?;
        let ha2bgp = start(&us, &dir, &plan, "ha2bgp")?;
        Ok(Self { ha2bgp, router, us, them, dir, plan })
    }

    /// [`Pair::start`] and a session.
    pub(crate) fn established(plan: Plan) -> Result<Self> {
        let pair = Self::start(plan)?;
        pair.wait_established(true)?;
        Ok(pair)
    }

    /// FRR on another host, for a peer 10.9.2.2 of AS 65001 that knows us as 10.9.2.1.
    pub(crate) fn second_router(&self, host: &Netns) -> Result<Router> {
        let config = Config {
            address: "10.9.2.2".to_owned(),
            asn: 65001,
            neighbor: "10.9.2.1".to_owned(),
            device: None,
            neighbor_as: 65000,
            password: None,
            ttl_security: false,
            options: Options::default(),
        };
        Router::start(Kind::Frr, host, "other", self.dir.path(), config)
    }

    /// Starts ha2bgp once more.
    pub(crate) fn start_again(&mut self, name: &str) -> Result<()> {
        self.ha2bgp = start(&self.us, &self.dir, &self.plan, name)?;
        Ok(())
    }

    pub(crate) fn wait_established(&self, up: bool) -> Result<()> {
        self.router.wait_established(up, SESSION).map_err(|error| self.explain(error))
    }

    pub(crate) fn wait_route(&self, there: bool) -> Result<()> {
        let route = self.plan.route();
        self.router.wait_route(&route, there, SESSION).map_err(|error| self.explain(error))
    }

    /// Waits until the log of ha2bgp has a text.
    pub(crate) fn wait_log(&self, text: &str) -> Result<()> {
        wait::until(SESSION, &format!("the log says \"{text}\""), || {
            let log = self.ha2bgp.stderr();
            if log.contains(text) { Ok(()) } else { Err(log) }
        })
    }

    pub(crate) fn explain(&self, error: LabError) -> LabError {
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

/// Asks for the status until the log has all these texts. What it shows is a second old at most.
pub(crate) fn wait_status(ha2bgp: &mut Child, texts: &[&str]) -> Result<()> {
    wait::until(SOON, &format!("the status says {texts:?}"), || {
        ha2bgp.signal(Signal::USR1).map_err(|error| error.to_string())?;
        wait::pause(Duration::from_millis(100));
        let log = ha2bgp.stderr();
        if texts.iter().all(|text| log.contains(text)) { Ok(()) } else { Err(log) }
    })
}

pub(crate) fn start(host: &Netns, dir: &TempDir, plan: &Plan, name: &str) -> Result<Child> {
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (file, peer) = (path("ha2bgp.toml"), plan.peer());
    let (local_as, peer_as) = (plan.local_as.to_string(), plan.peer_as.to_string());
    let mut args = vec!["--debug"];
    if let Some(text) = plan.file() {
        std::fs::write(&file, text).map_err(LabError::io(file.clone()))?;
        args.extend(["--config", &file]);
    } else {
        args.extend(AT_ONCE);
        args.extend(["--bgp-backend", "speaker", "--router-id", "10.1.1.1", "--peer", &peer]);
        args.extend(["--local-as", &local_as, "--peer-as", &peer_as]);
    }
    let here = dir.path().to_string_lossy();
    let flags: Vec<String> = plan.flags.iter().map(|flag| flag.replace("DIR", &here)).collect();
    args.extend(flags.iter().map(String::as_str));
    let key = path("peer.key");
    if let Some(text) = plan.key {
        std::fs::write(&key, format!("{text}\n")).map_err(LabError::io(key.clone()))?;
        args.extend(["--password-file", &key]);
    }
    host.start(name, &mut program::command(&args), dir.path())
}
