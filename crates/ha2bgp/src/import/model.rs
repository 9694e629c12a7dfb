//! What the readers come to: services and settings in our words, and of each option what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{Errors, Program};
use crate::config::origin::Place;

/// So many services, and so many addresses, at most.
pub(super) const COUNT_MAX: usize = 16_384;
/// The longest name of a service.
const NAME_MAX: usize = 64;

/// What became of an option.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// It is this here.
    Taken(String),
    /// Nothing is missing without it; why.
    NotNeeded(String),
    /// What it does is not done here; what to do.
    Lost(String),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(what) => write!(f, "taken as {what}"),
            Self::NotNeeded(why) => write!(f, "not needed: {why}"),
            Self::Lost(fix) => write!(f, "HAS NO COUNTERPART: {fix}"),
        }
    }
}

/// An option, and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// Where it stands; its key is the option.
    pub(super) place: Place,
    /// What became of it.
    pub(super) fate: Fate,
}

/// Everything that was read.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) program: Program,
    pub(super) files: Vec<String>,
    pub(super) common: Common,
    pub(super) services: Vec<Service>,
    /// What is not of one service.
    pub(super) said: Vec<Said>,
    names: BTreeSet<String>,
}

/// What holds for all services.
#[derive(Debug, Default)]
pub(super) struct Common {
    /// Keys of ours with their values as TOML, by the whole key. What is not there is the default.
    pub(super) keys: BTreeMap<&'static str, String>,
    /// The same, for the built-in speaker only.
    pub(super) speaker: BTreeMap<&'static str, String>,
    /// What the built-in speaker needs to know of us, and of those that it would speak to.
    pub(super) local_as: Option<u32>,
    pub(super) router_id: Option<Ipv4Addr>,
    pub(super) peers: Vec<Peer>,
}

/// A router that another program speaks BGP to.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    pub(super) local_address: Option<IpAddr>,
    pub(super) remote_as: Option<u32>,
    pub(super) hold_time: Option<u16>,
    /// There is a key, which is not copied.
    pub(super) has_key: bool,
}

impl Common {
    /// Sets a key that all services share; what another service has set stays, and is returned.
    pub(super) fn set(
        map: &mut BTreeMap<&'static str, String>,
        key: &'static str,
        value: String,
    ) -> Result<(), String> {
        match map.get(key) {
            Some(other) if *other != value => Err(other.clone()),
            _ => {
                map.insert(key, value);
                Ok(())
            }
        }
    }
}

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: String,
    /// Where it begins.
    pub(super) place: Place,
    pub(super) vips: Vec<(IpAddr, Place)>,
    /// Its address must be up: on these interfaces, or on any.
    pub(super) address: Option<Vec<String>>,
    /// What is run.
    pub(super) command: Option<Command>,
    /// While this file is there, the service is off.
    pub(super) off_file: Option<String>,
    /// Failing makes it the last choice, and does not withdraw.
    pub(super) depreference: bool,
    /// It is written as comments only; why.
    pub(super) only_shown: Option<String>,
    pub(super) said: Vec<Said>,
}

/// A program that says how a service is.
#[derive(Clone, Debug)]
pub(super) struct Command {
    /// The words of `command`, as a template has them.
    pub(super) words: Vec<String>,
    /// Checks of ours that may do the same, each as the inside of an inline table.
    pub(super) instead: Option<String>,
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    pub(super) interval: Duration,
    pub(super) fast_interval: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    pub(super) splay: Option<Duration>,
    pub(super) rise: u32,
    pub(super) fall: u32,
}

impl Import {
    pub(super) fn new(program: Program, files: Vec<String>) -> Self {
        Self {
            program,
            files,
            common: Common::default(),
            services: Vec::new(),
            said: Vec::new(),
            names: BTreeSet::new(),
        }
    }

    /// A name that a service may have and none has yet, like this one.
    pub(super) fn name(&mut self, wanted: &str) -> String {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let plain = wanted.chars().map(|c| if good(c) { c } else { '-' });
        let plain: String =
            plain.skip_while(|c| !c.is_ascii_alphanumeric()).take(NAME_MAX - 6).collect();
        let plain = if plain.is_empty() { "service".to_owned() } else { plain };
        let more = (2..).map(|number| format!("{plain}-{number}"));
        let mut all = std::iter::once(plain.clone()).chain(more);
        let name = all.find(|name| !self.names.contains(name)).unwrap_or(plain.clone());
        self.names.insert(name.clone());
        name
    }

    /// An address is of one service only.
    pub(super) fn check_vips(&self, errors: &mut Errors) {
        let mut known: BTreeMap<IpAddr, &Place> = BTreeMap::new();
        let live = self.services.iter().filter(|service| service.only_shown.is_none());
        for (vip, place) in live.flat_map(|service| &service.vips) {
            if let Some(first) = known.insert(*vip, place) {
                let error = format!(
                    "{vip} is announced by two services, the other one at {first}: make one of them"
                );
                errors.add(place, error);
            }
        }
        if let Some(service) = self.services.last()
            && (known.len() > COUNT_MAX || self.services.len() > COUNT_MAX)
        {
            let error = format!("more than {COUNT_MAX} services or addresses: import less");
            errors.add(&service.place, error);
        }
    }

    /// Every option with its fate.
    pub(super) fn all_said(&self) -> impl Iterator<Item = &Said> {
        self.said.iter().chain(self.services.iter().flat_map(|service| &service.said))
    }

    /// How many options have no counterpart.
    pub(super) fn lost(&self) -> usize {
        self.all_said().filter(|said| matches!(said.fate, Fate::Lost(_))).count()
    }
}
