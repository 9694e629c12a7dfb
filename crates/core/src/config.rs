//! What the engine is told to do: validated values, no file formats.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::check::{CheckIndex, Counting, Outcome};
use crate::damping::DampingConfig;
use crate::glob::Glob;
use crate::guard::GuardConfig;
use crate::listeners::Port;
use crate::net::{Networks, NextHop, Prefix};
use crate::rule::Rule;

/// The check that a socket listens, in the default [`EngineConfig::checks`].
pub const LISTEN: CheckIndex = CheckIndex(0);
/// The check that the address is up, in the default [`EngineConfig::checks`].
pub const ADDRESS: CheckIndex = CheckIndex(1);

/// Configuration of the [`Engine`](crate::engine::Engine).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EngineConfig {
    /// Nothing outside is ever announced.
    pub networks: Networks,
    /// Next hop of every route. Default `self`.
    pub next_hop: NextHop,
    /// What counts for services that no other configuration names.
    pub defaults: ServiceConfig,
    /// Configured services. Where several could mean a VIP, the one that names it counts, then the
    /// one with the smallest network around it, then the first.
    pub services: Vec<ServiceConfig>,
    /// All checks; rules name them by their numbers. Default: [`LISTEN`] and [`ADDRESS`].
    pub checks: BTreeMap<CheckIndex, CheckConfig>,
    /// Interfaces whose addresses count; empty means all.
    pub devices: Vec<Glob>,
    /// Labels whose addresses count; empty means all. An address without a label (all of IPv6)
    /// has the name of its interface, as the kernel gives unlabelled IPv4 addresses.
    pub labels: Vec<Glob>,
    /// A VIP needs every port that was ever seen listening on it, not just one.
    pub require_all_ports: bool,
    /// How many withdrawals are let through; `None`: all.
    pub guard: Option<GuardConfig>,
    /// An observer that cannot see for this long makes its check unknown. Default 30 s.
    pub unknown_after: Duration,
    /// A discovered service without any listener is forgotten after this long. Default 1 h.
    pub forget_after: Duration,
    /// The most services the engine keeps; later ones are refused and reported. Default 131 072.
    pub services_max: usize,
}

/// What counts for one service, or for all that are found in some networks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceConfig {
    /// What people call it; empty for those that nobody named.
    pub name: Arc<str>,
    /// Its VIPs: services from the start, whether anything listens or not.
    pub vips: Vec<IpAddr>,
    /// Where VIPs that are discovered belong to it.
    pub networks: Vec<Prefix>,
    /// How its checks make one verdict. Default `all(listen, address)`.
    pub rule: Rule<CheckIndex>,
    /// The rule must hold for this long before a route is announced. Default 6 s.
    pub up_delay: Duration,
    /// The rule must fail for this long before a route is withdrawn. Default 3 s.
    pub down_delay: Duration,
    /// Flap damping; `None` switches it off.
    pub damping: Option<DampingConfig>,
    /// Announce it as the last choice while the rule warns; otherwise a warning is only shown.
    pub warn_depreferences: bool,
    /// What follows when the rule fails.
    pub on_failure: OnFailure,
}

/// What follows when the rule of a service fails, and its down delay is over.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnFailure {
    /// Its route is withdrawn.
    #[default]
    Withdraw,
    /// Its route is announced as the last choice, for the day on which it fails everywhere; but only
    /// while the VIP is an address of this host.
    Depreference,
    /// Its route stays as it is if it was announced, as under an attack that would only move on to the
    /// neighbors; but only while the VIP is an address of this host.
    Absorb,
}

impl OnFailure {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Withdraw, Self::Depreference, Self::Absorb];

    /// Stable name, as in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Withdraw => "withdraw",
            Self::Depreference => "depreference",
            Self::Absorb => "absorb",
        }
    }
}

/// One check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CheckConfig {
    /// What people call it.
    pub name: Arc<str>,
    /// What is checked.
    pub kind: CheckKind,
    /// What its verdict counts as in a rule.
    pub powers: Powers,
    /// Evaluated, shown and counted, without any power.
    pub shadow: bool,
}

/// What is checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CheckKind {
    /// A matching socket listens on the VIP.
    Listen {
        /// On each of these ports; empty: on any.
        ports: Vec<Port>,
    },
    /// The VIP is an address of this host, on an interface that is up.
    Address {
        /// Interfaces that count; empty: those of the engine.
        devices: Vec<Glob>,
        /// Labels that count; empty: those of the engine.
        labels: Vec<Glob>,
    },
    /// A probe outside of the engine says.
    Probe {
        /// Each VIP is probed by itself; otherwise one probe serves all.
        per_vip: bool,
        /// How many results make a verdict.
        counting: Counting,
    },
}

/// What verdicts of a check count as in a rule; a pass is a pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Powers {
    /// What a warning counts as.
    pub on_warn: Outcome,
    /// What a failure counts as. A warning for what other hosts depend on too: it then degrades.
    pub on_fail: Outcome,
    /// What it counts as that nothing is known.
    pub on_unknown: Outcome,
}

impl Powers {
    /// What a verdict counts as.
    pub const fn apply(&self, verdict: Outcome) -> Outcome {
        match verdict {
            Outcome::Pass => Outcome::Pass,
            Outcome::Warn => self.on_warn,
            Outcome::Fail => self.on_fail,
            Outcome::Unknown => self.on_unknown,
        }
    }
}

impl Default for Powers {
    /// Every verdict counts as what it is.
    fn default() -> Self {
        Self { on_warn: Outcome::Warn, on_fail: Outcome::Fail, on_unknown: Outcome::Unknown }
    }
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            name: Arc::from(""),
            vips: Vec::new(),
            networks: Vec::new(),
            rule: Rule::All(vec![Rule::Check(LISTEN), Rule::Check(ADDRESS)]),
            up_delay: Duration::from_secs(6),
            down_delay: Duration::from_secs(3),
            damping: Some(DampingConfig::default()),
            warn_depreferences: false,
            on_failure: OnFailure::Withdraw,
        }
    }
}

impl CheckConfig {
    /// The check that a socket listens, on any port.
    pub fn listen() -> Self {
        Self {
            name: Arc::from("listen"),
            kind: CheckKind::Listen { ports: Vec::new() },
            powers: Powers::default(),
            shadow: false,
        }
    }

    /// The check that the address is up.
    pub fn address() -> Self {
        Self {
            name: Arc::from("address"),
            kind: CheckKind::Address { devices: Vec::new(), labels: Vec::new() },
            powers: Powers::default(),
            shadow: false,
        }
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            networks: Networks::default(),
            next_hop: NextHop::SelfAddress,
            defaults: ServiceConfig::default(),
            services: Vec::new(),
            checks: [(LISTEN, CheckConfig::listen()), (ADDRESS, CheckConfig::address())].into(),
            devices: Vec::new(),
            labels: Vec::new(),
            require_all_ports: false,
            guard: None,
            unknown_after: Duration::from_secs(30),
            forget_after: Duration::from_secs(3600),
            services_max: 131_072,
        }
    }
}

impl EngineConfig {
    /// Adds a check, behind all others.
    pub fn add_check(&mut self, check: CheckConfig) -> CheckIndex {
        let last = self.checks.last_key_value().map_or(ADDRESS, |(last, _)| *last);
        // Four thousand million checks are more than any memory holds.
        let index = CheckIndex(last.0.saturating_add(1));
        self.checks.insert(index, check);
        index
    }
}
