//! Programs that do what ha2bgp does, each as its own documentation sets it up, and ha2bgp beside them:
//! a host with some services, a cable, a router that is BIRD.
//!
//! Their settings are their defaults, and are part of their names wherever numbers are shown: it is
//! their intervals that make them slow, and somebody chose these for a reason.

mod setup;

use crate::bird::Bird;
use crate::child::Child;
use crate::exabgp::Version;
use crate::link::{self, End};
use crate::netns::Netns;
use crate::skip::Need;
use crate::{LabError, Result, procfs, readme, tools, wait};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Most services of a host.
pub const SERVICES_MAX: u8 = 200;
/// A session, and the first routes of programs that look every ten seconds.
const START: Duration = Duration::from_secs(120);
/// What all of them run where they run something.
const CHECK: &str = "/usr/lib/nagios/plugins/check_tcp";

const ROUTER: &str = "\
router id 10.255.0.1;
log stderr all;
protocol device {}
protocol direct { ipv4; }
protocol bgp host {
  local 10.9.1.2 as 65001; neighbor 10.9.1.1 as 65000; passive; error wait time 1, 1;
  ipv4 { import all; export none; };
}
";

/// Who looks after the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// ha2bgp with listen and address checks, which is what it does by itself.
    Ours {
        /// Announced and withdrawn at once, instead of after its default delays.
        at_once: bool,
    },
    /// ha2bgp that also runs the program the others run, every 5 s as `exabgp healthcheck` does.
    OursWithPlugin,
    /// `exabgp healthcheck`, one process a service, under ExaBGP of that version.
    ExaBgp(Version),
    /// anycast-healthchecker 0.9.10, which writes a file for a BIRD on the same host.
    Anycast,
}

impl Rival {
    /// All of other people.
    pub const OTHERS: [Self; 3] =
        [Self::ExaBgp(Version::Debian), Self::ExaBgp(Version::V5_0_15), Self::Anycast];

    /// Its name, with the settings that its numbers hang on.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Ours { at_once: true } => "ha2bgp, down-delay 0".to_owned(),
            Self::Ours { at_once: false } => "ha2bgp, default (down-delay 3 s)".to_owned(),
            Self::OursWithPlugin => "ha2bgp with check_tcp every 5 s".to_owned(),
            Self::ExaBgp(version) => {
                format!("exabgp healthcheck {} (every 5 s, fall 3)", version.number())
            }
            Self::Anycast => "anycast-healthchecker 0.9.10 (every 10 s, fail 2)".to_owned(),
        }
    }

    /// How often it looks; a death comes at any moment of that.
    #[must_use]
    pub const fn interval(self) -> Duration {
        match self {
            Self::Ours { .. } => Duration::from_millis(20),
            Self::OursWithPlugin | Self::ExaBgp(_) => Duration::from_secs(5),
            Self::Anycast => Duration::from_secs(10),
        }
    }

    /// Why it cannot be measured here, if it cannot.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        let tool = |need: Need| need.why_missing();
        let check = || tool(Need::File(CHECK));
        let own = match self {
            Self::Ours { .. } => tool(Need::Ha2bgp),
            Self::OursWithPlugin => tool(Need::Ha2bgp).or_else(check),
            Self::ExaBgp(version) => tool(Need::ExaBgp(version)).or_else(check),
            Self::Anycast => anycast()
                .is_none()
                .then(|| "no anycast-healthchecker here: cargo xtask lab-setup".to_owned())
                .or_else(check),
        };
        own.or_else(|| tool(Need::Tool("bird")))
    }
}

/// anycast-healthchecker's Python, if it was installed.
fn anycast() -> Option<PathBuf> {
    let venv = tools::lab_dir()?.join("venv-anycast");
    venv.join("ready").is_file().then(|| venv.join("bin"))
}

/// A host whose services somebody looks after, and its router. Fields drop in this order.
#[derive(Debug)]
pub struct Site {
    children: Vec<Child>,
    own_bird: Option<Bird>,
    /// The router.
    pub router: Bird,
    /// The host of the services.
    pub host: Netns,
    _them: Netns,
    dir: TempDir,
    services: u8,
}

impl Site {
    /// Builds it with so many services, 1 to [`SERVICES_MAX`]; nothing listens yet.
    pub fn start(rival: Rival, services: u8) -> Result<Self> {
        if let Some(reason) = rival.missing() {
            return Err(LabError::Missing(reason));
        }
        let services = services.clamp(1, SERVICES_MAX);
        let dir = readme::workdir()?;
        let (host, them) = (Netns::new("host")?, Netns::new("router")?);
        let inside = End { host: &them, device: "down0", address: "10.9.1.2/24" };
        link::cable(End { host: &host, device: "up0", address: "10.9.1.1/24" }, inside)?;
        for index in 0..services {
            link::add_address(&host, &format!("{}/32", vip(index)), "lo")?;
        }
        let router = Bird::start(&them, "router", dir.path(), ROUTER)?;
        let (children, own_bird) = (Vec::new(), None);
        let mut site = Self { children, own_bird, router, host, _them: them, dir, services };
        match rival {
            Rival::Ours { at_once } => site.ours(at_once, false)?,
            Rival::OursWithPlugin => site.ours(false, true)?,
            Rival::ExaBgp(version) => site.exabgp(version)?,
            Rival::Anycast => site.anycast()?,
        }
        wait::until(START, "the router's session", || match site.router.protocol("host") {
            Ok(line) if line.contains("Established") => Ok(()),
            Ok(line) => Err(format!("{line}\n{}", site.tail())),
            Err(error) => Err(error.to_string()),
        })?;
        Ok(site)
    }

    /// Waits until the router has the route of a service, or has it no more, looking every `step`.
    pub fn wait_route(&self, index: u8, there: bool, step: Duration) -> Result<()> {
        let begin = std::time::Instant::now();
        let route = format!("{}/32", vip(index));
        while self.router.has_route(&route)? != there {
            if begin.elapsed() > START {
                let what = format!("the route to {route} there is {there}");
                return Err(LabError::Timeout { what, after: START, detail: self.tail() });
            }
            wait::pause(step);
        }
        Ok(())
    }

    /// Its processes, BIRD beside it included, and everything below them.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        let roots = self.children.iter().map(Child::pid);
        let roots = roots.chain(self.own_bird.as_ref().map(Bird::pid));
        roots.flat_map(|pid| [vec![pid], procfs::descendants(pid)].concat()).collect()
    }

    /// The ends of its logs.
    #[must_use]
    pub fn tail(&self) -> String {
        self.children.iter().map(Child::tail).collect()
    }
}

/// The address of a service.
#[must_use]
pub fn vip(index: u8) -> String {
    format!("100.64.0.{}", 10 + u16::from(index))
}
