//! Routers as receivers: five BGP daemons that nobody here wrote, started with one BGP session
//! each and asked what is in their own table, all in the same way.
//!
//! Each is configured as its own documentation has it, with nothing but what the session needs.

mod bfd;
mod bird;
mod exabgp;
mod frr;
mod gobgp;
mod openbgpd;

use crate::child::Child;
use crate::exabgp::Version;
use crate::link::{self, End};
use crate::netns::Netns;
use crate::skip::Need;
use crate::{LabError, Result, wait};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use bfd::{Bfd, BfdOf};

/// The daemons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// BIRD 2.
    Bird,
    /// FRR's zebra and bgpd.
    Frr,
    /// gobgpd.
    GoBgp,
    /// OpenBGPD, the portable one.
    OpenBgpd,
    /// ExaBGP of Debian.
    ExaBgp,
}

impl Kind {
    /// What a test with it cannot do without.
    #[must_use]
    pub fn need(self) -> Need {
        match self {
            Self::Bird => Need::Tool("bird"),
            Self::Frr => Need::File("/usr/lib/frr/bgpd"),
            Self::GoBgp => Need::Tool("gobgpd"),
            Self::OpenBgpd => Need::Tool("bgpctl"),
            Self::ExaBgp => Need::ExaBgp(Version::Debian),
        }
    }
}

/// The one session of a router. All addresses are of one family.
#[derive(Clone, Debug)]
pub struct Config {
    /// The router's own address.
    pub address: String,
    /// The router's own AS.
    pub asn: u32,
    /// The other side's address; for FRR also the interface that it is to be found on.
    pub neighbor: String,
    /// The interface that both link-local addresses are on.
    pub device: Option<String>,
    /// The other side's AS.
    pub neighbor_as: u32,
    /// The key of TCP MD5 signatures.
    pub password: Option<String>,
    /// GTSM for a neighbor one hop away.
    pub ttl_security: bool,
    /// What it does beyond one plain session.
    pub options: Options,
}

impl Config {
    /// A plain session, as between neighbors: no key, no interface, nothing special.
    #[must_use]
    pub fn plain(address: impl Into<String>, asn: u32, neighbor: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            asn,
            neighbor: neighbor.into(),
            device: None,
            neighbor_as: 65000,
            password: None,
            ttl_security: false,
            options: Options::default(),
        }
    }
}

/// What a router does only when it is told to.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Several paths of a prefix (RFC 7911), in both directions.
    pub add_path: bool,
    /// Keeps the routes of a neighbor that restarts (RFC 4724), for GoBGP; the others but ExaBGP
    /// do so anyway.
    pub helps: bool,
    /// A second neighbor in the AS of the first one; of our own AS, the routes of each are reflected
    /// to the other (RFC 4456) by BIRD and FRR. Not ExaBGP.
    pub second: Option<String>,
    /// Forwards what it is told to, over equal routes in turn; BIRD and FRR.
    pub forwards: bool,
    /// BGP over so many hops; BIRD and FRR.
    pub hops: Option<u8>,
    /// Watches its neighbor by BFD; BIRD and FRR.
    pub bfd: Option<Bfd>,
    /// What watches its neighbor goes before everything that has no real-time priority, where that is
    /// allowed: a busy machine must not make it late.
    pub real_time: bool,
}

impl Config {
    /// `%` and the interface, behind link-local addresses.
    fn zone(&self) -> String {
        self.device.as_ref().map(|device| format!("%{device}")).unwrap_or_default()
    }

    fn ebgp(&self) -> bool {
        self.asn != self.neighbor_as
    }
}

/// A running router.
#[derive(Debug)]
pub struct Router {
    kind: Kind,
    config: Config,
    /// Its configuration, logs, sockets; nobody else's.
    dir: PathBuf,
    /// Its namespace, for what asks it over TCP.
    host: String,
    children: Vec<Child>,
}

impl Router {
    /// Starts one that has a cable to `us`, as our neighbor number so: 10.9.N.2, AS 65001, at the interface
    /// `upN` of ours, whose address is 10.9.N.1.
    ///
    /// # Errors
    /// When the cable cannot be made, or the router does not start.
    pub fn beside(
        us: &Netns,
        number: u8,
        kind: Kind,
        host: &Netns,
        name: &str,
        dir: &Path,
    ) -> Result<Self> {
        let (ours, theirs) = (format!("10.9.{number}.1"), format!("10.9.{number}.2"));
        link::cable(
            End { host: us, device: &format!("up{number}"), address: &format!("{ours}/24") },
            End { host, device: "down0", address: &format!("{theirs}/24") },
        )?;
        Self::start(kind, host, name, dir, Config::plain(theirs, 65001, ours))
    }

    /// Starts one on `host` with files in a new directory `dir/name`, and waits until it answers.
    pub fn start(kind: Kind, host: &Netns, name: &str, dir: &Path, config: Config) -> Result<Self> {
        let dir = dir.join(name);
        std::fs::create_dir(&dir).map_err(LabError::io(dir.display().to_string()))?;
        let host_name = host.name().to_owned();
        let mut router = Self { kind, config, dir, host: host_name, children: Vec::new() };
        router.start_again(host)?;
        Ok(router)
    }

    /// Starts it once more after [`Router::kill`].
    pub fn start_again(&mut self, host: &Netns) -> Result<()> {
        self.children = match self.kind {
            Kind::Bird => bird::start(self, host),
            Kind::Frr => frr::start(self, host),
            Kind::GoBgp => gobgp::start(self, host),
            Kind::OpenBgpd => openbgpd::start(self, host),
            Kind::ExaBgp => exabgp::start(self, host),
        }?;
        wait::until(Duration::from_secs(20), &format!("{:?} answers", self.kind), || {
            self.neighbor().map(drop).map_err(|error| format!("{error}\n{}", self.tail()))
        })
    }

    /// What it says of its neighbor.
    pub fn neighbor(&self) -> Result<String> {
        match self.kind {
            Kind::Bird => bird::neighbor(self),
            Kind::Frr => frr::neighbor(self),
            Kind::GoBgp => gobgp::neighbor(self),
            Kind::OpenBgpd => openbgpd::neighbor(self),
            Kind::ExaBgp => exabgp::neighbor(self),
        }
    }

    /// Whether the session is established, as the router sees it.
    pub fn is_established(&self) -> Result<bool> {
        let text = self.neighbor()?;
        Ok(match self.kind {
            Kind::Bird | Kind::GoBgp => text.contains("Establ") || text.contains("ESTABLISHED"),
            Kind::Frr | Kind::OpenBgpd => text.contains("BGP state = Established"),
            Kind::ExaBgp => exabgp::is_established(&text),
        })
    }

    /// What it says of one prefix in its table, with all attributes; empty when it has no route.
    pub fn route(&self, prefix: &str) -> Result<String> {
        match self.kind {
            Kind::Bird => bird::route(self, prefix),
            Kind::Frr => frr::route(self, prefix),
            Kind::GoBgp => gobgp::route(self, prefix),
            Kind::OpenBgpd => openbgpd::route(self, prefix),
            Kind::ExaBgp => exabgp::route(self, prefix),
        }
    }

    /// How many routes it has from its neighbor.
    pub fn count(&self) -> Result<usize> {
        match self.kind {
            Kind::Bird => bird::count(self),
            Kind::Frr => frr::count(self),
            Kind::GoBgp => gobgp::count(self),
            Kind::OpenBgpd => openbgpd::count(self),
            Kind::ExaBgp => exabgp::count(self),
        }
    }

    /// Makes it ask its neighbor for all routes again (RFC 2918). ExaBGP never asks; GoBGP keeps
    /// what it was told, and looks there instead of asking.
    pub fn refresh(&self) -> Result<()> {
        match self.kind {
            Kind::Bird => bird::refresh(self),
            Kind::Frr => frr::refresh(self),
            Kind::GoBgp => gobgp::refresh(self),
            Kind::OpenBgpd => openbgpd::refresh(self),
            Kind::ExaBgp => Err(LabError::Missing("ExaBGP cannot ask for a refresh".to_owned())),
        }
    }

    /// What it counts of what its neighbor sends: the same text means that nothing came. BIRD counts
    /// routes, FRR messages; the others are not asked.
    pub fn heard(&self) -> Result<String> {
        let text = self.neighbor()?;
        let counts = |line: &&str| match self.kind {
            Kind::Bird => line.contains("Import ") || line.contains("Since"),
            Kind::Frr => {
                let counted = ["Opens:", "Notifications:", "Updates:", "Keepalives:", "Refresh:"];
                counted.iter().any(|it| line.contains(it)) || line.contains("established")
            }
            Kind::GoBgp | Kind::OpenBgpd | Kind::ExaBgp => false,
        };
        let lines: Vec<&str> = text.lines().filter(counts).collect();
        if lines.is_empty() { Err(LabError::Missing(text)) } else { Ok(lines.join("\n")) }
    }

    /// Waits until the session is established (`true`) or is not.
    pub fn wait_established(&self, up: bool, limit: Duration) -> Result<()> {
        let what = format!("{:?}: session established is {up}", self.kind);
        wait::until(limit, &what, || match self.is_established() {
            Ok(is) if is == up => Ok(()),
            Ok(_) => Err(format!("{}\n{}", self.neighbor().unwrap_or_default(), self.tail())),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Waits until a route is there (`true`) or gone (`false`).
    pub fn wait_route(&self, prefix: &str, there: bool, limit: Duration) -> Result<()> {
        let what = format!("{:?}: route to {prefix} there is {there}", self.kind);
        wait::until(limit, &what, || match self.route(prefix) {
            Ok(text) if text.is_empty() != there => Ok(()),
            Ok(text) => {
                Err(format!("{text}\n{}\n{}", self.neighbor().unwrap_or_default(), self.tail()))
            }
            Err(error) => Err(error.to_string()),
        })
    }

    /// Waits until it has so many routes.
    pub fn wait_count(&self, count: usize, limit: Duration) -> Result<()> {
        let what = format!("{:?}: {count} routes", self.kind);
        wait::until(limit, &what, || match self.count() {
            Ok(has) if has == count => Ok(()),
            Ok(has) => {
                // Some count slowly, and are at work.
                wait::pause(Duration::from_millis(100));
                Err(format!("{has}\n{}", self.neighbor().unwrap_or_default()))
            }
            Err(error) => Err(error.to_string()),
        })
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) -> Result<()> {
        // The last started speaks BGP: nothing else must be able to tell it to end in order.
        for child in self.children.iter_mut().rev() {
            child.kill()?;
        }
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) -> Result<()> {
        for child in self.children.iter_mut().rev() {
            child.signal(Signal::TERM)?;
            child.wait(Duration::from_secs(20))?;
        }
        Ok(())
    }

    /// Stops the process that speaks BGP where it is, or lets it go on. OpenBGPD has several.
    pub fn freeze(&mut self, frozen: bool) -> Result<()> {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        if let Some(child) = self.children.last_mut() {
            for pid in crate::procfs::children(child.pid()) {
                let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
                let pid = pid.ok_or_else(|| LabError::Missing("a pid".to_owned()))?;
                rustix::process::kill_process(pid, signal)
                    .map_err(LabError::errno(format!("signal {signal:?}")))?;
            }
            child.signal(signal)?;
        }
        Ok(())
    }

    /// The ends of its logs.
    #[must_use]
    pub fn tail(&self) -> String {
        self.children.iter().map(Child::tail).collect()
    }

    /// A command that starts it, with its priority.
    fn command(&self, program: &str) -> std::process::Command {
        if !self.config.options.real_time || !bfd::may_be_real_time() {
            return std::process::Command::new(program);
        }
        let mut command = std::process::Command::new("chrt");
        // It becomes the program: the process that is signalled and killed is the right one.
        command.args(["-f", "20", program]);
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.file(name);
        std::fs::write(&path, text).map_err(LabError::io(path.display().to_string()))?;
        Ok(path)
    }
}

fn ipv6(prefix: &str) -> bool {
    prefix.contains(':')
}
