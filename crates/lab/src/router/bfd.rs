//! BFD of BIRD and FRR: how it is written, asked for and changed.

use super::{Kind, Router, bird, frr};
use crate::{LabError, Result, child, wait};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// What a BFD session of a router is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BfdOf {
    /// Nothing: it is there; BIRD.
    Nothing,
    /// Its BGP session ends with it.
    Bgp,
    /// The routes of the BGP session are kept for the restart time when it ends; BIRD.
    Graceful,
}

/// How a router watches the way to its neighbor.
#[derive(Clone, Copy, Debug)]
pub struct Bfd {
    /// Sends, and wants to receive, this often.
    pub millis: u32,
    /// So many packets must be missing.
    pub multiplier: u8,
    /// What it is for.
    pub of: BfdOf,
    /// The type as BIRD writes it, and the key with its number; FRR 8.4 has no authentication.
    pub auth: Option<(&'static str, u8, &'static str)>,
    /// FRR holds its sessions down on purpose.
    pub shutdown: bool,
}

impl Bfd {
    /// For BGP, without authentication.
    #[must_use]
    pub const fn new(millis: u32, multiplier: u8) -> Self {
        Self { millis, multiplier, of: BfdOf::Bgp, auth: None, shutdown: false }
    }

    /// The detection time of a session where both sides want the same.
    #[must_use]
    pub fn detection(&self) -> Duration {
        Duration::from_millis(u64::from(self.millis) * u64::from(self.multiplier))
    }

    pub(super) fn bird(&self, neighbor: &str) -> String {
        let Self { millis, multiplier, auth, of, .. } = self;
        let auth = auth.map(|(kind, id, key)| {
            format!("authentication {kind}; password \"{key}\" {{ id {id}; }};")
        });
        let session = format!(
            "{{ interval {millis} ms; multiplier {multiplier}; {} }}",
            auth.unwrap_or_default()
        );
        let alone = match of {
            BfdOf::Nothing => format!("  neighbor {neighbor};\n"),
            BfdOf::Bgp | BfdOf::Graceful => String::new(),
        };
        format!(
            "protocol bfd watch {{\n  interface \"*\" {session};\n  multihop {session};\n{alone}}}\n"
        )
    }

    pub(super) fn frr(&self) -> String {
        format!("log stdout\nbfd\n profile lab\n{} !\n!\n", self.frr_profile(" "))
    }

    fn frr_profile(&self, indent: &str) -> String {
        let Self { millis, multiplier, shutdown, .. } = self;
        // Multihop: as many hops as a test has.
        format!(
            "{indent} detect-multiplier {multiplier}\n{indent} receive-interval {millis}\n\
             {indent} transmit-interval {millis}\n{indent} minimum-ttl 250\n\
             {indent} {}shutdown\n",
            if *shutdown { "" } else { "no " }
        )
    }
}

/// True where a process may be given real-time priority.
pub(super) fn may_be_real_time() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| child::run(Command::new("chrt").args(["-f", "20", "true"])).is_ok())
}

impl Router {
    /// What it says of its BFD sessions.
    pub fn bfd(&self) -> Result<String> {
        match self.kind {
            Kind::Bird => bird::ask(self, &["show", "bfd", "sessions"]),
            Kind::Frr => frr::tell(self, "bfdd", &["show bfd peers"]),
            _ => Err(LabError::Missing(format!("{:?} with BFD", self.kind))),
        }
    }

    /// True when its session with its neighbor is up.
    pub fn is_bfd_up(&self) -> Result<bool> {
        let text = self.bfd()?;
        // BIRD shows the scope of a link-local neighbor elsewhere.
        let neighbor = &self.config.neighbor;
        Ok(match self.kind {
            Kind::Bird => {
                let line = text.lines().find(|line| line.starts_with(neighbor.as_str()));
                line.is_some_and(|line| line.split_whitespace().nth(2) == Some("Up"))
            }
            _ => {
                let session = text.split("peer ").find(|it| it.starts_with(neighbor.as_str()));
                session.is_some_and(|it| it.contains("Status: up"))
            }
        })
    }

    /// Waits until its session is up (`true`) or is not.
    pub fn wait_bfd(&self, up: bool, limit: Duration) -> Result<()> {
        let what = format!("{:?}: BFD up is {up}", self.kind);
        wait::until(limit, &what, || match self.is_bfd_up() {
            Ok(is) if is == up => Ok(()),
            Ok(_) => Err(format!("{}\n{}", self.bfd().unwrap_or_default(), self.tail())),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Changes its BFD while it runs, by its own means.
    pub fn set_bfd(&mut self, bfd: Bfd) -> Result<()> {
        self.config.options.bfd = Some(bfd);
        match self.kind {
            Kind::Bird => {
                self.write("bird.conf", &bird::text(&self.config))?;
                bird::ask(self, &["configure"]).map(drop)
            }
            _ => {
                let profile = bfd.frr_profile("");
                let lines = ["configure terminal", "bfd", "profile lab"].into_iter();
                let lines: Vec<&str> = lines.chain(profile.lines().map(str::trim)).collect();
                frr::tell(self, "bfdd", &lines).map(drop)
            }
        }
    }
}
