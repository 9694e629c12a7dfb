//! What the engine is told to do: validated values, no file formats.

use alloc::vec::Vec;
use core::time::Duration;

use crate::damping::DampingConfig;
use crate::glob::Glob;
use crate::net::{Networks, NextHop};

/// Configuration of the [`Engine`](crate::engine::Engine).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EngineConfig {
    /// Nothing outside is ever announced.
    pub networks: Networks,
    /// Next hop of every route. Default `self`.
    pub next_hop: NextHop,
    /// All checks must pass for this long before a route is announced. Default 6 s.
    pub up_delay: Duration,
    /// A check must fail for this long before a route is withdrawn. Default 3 s.
    pub down_delay: Duration,
    /// Flap damping; `None` switches it off.
    pub damping: Option<DampingConfig>,
    /// Interfaces whose addresses count; empty means all.
    pub devices: Vec<Glob>,
    /// Labels whose addresses count; empty means all. An address without a label (all of IPv6)
    /// has the name of its interface, as the kernel gives unlabelled IPv4 addresses.
    pub labels: Vec<Glob>,
    /// A VIP needs every port that was ever seen listening on it, not just one.
    pub require_all_ports: bool,
    /// An observer that cannot see for this long makes its check unknown. Default 30 s.
    pub unknown_after: Duration,
    /// A discovered service without any listener is forgotten after this long. Default 1 h.
    pub forget_after: Duration,
    /// The most services the engine keeps; later ones are refused and reported. Default 131 072.
    pub services_max: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            networks: Networks::default(),
            next_hop: NextHop::SelfAddress,
            up_delay: Duration::from_secs(6),
            down_delay: Duration::from_secs(3),
            damping: Some(DampingConfig::default()),
            devices: Vec::new(),
            labels: Vec::new(),
            require_all_ports: false,
            unknown_after: Duration::from_secs(30),
            forget_after: Duration::from_secs(3600),
            services_max: 131_072,
        }
    }
}
