//! Why a prefix is, or is not, announced: a pure read of the engine.

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::engine::Engine;
use crate::fact::Source;
use crate::listeners::Port;
use crate::net::{Prefix, never_announced};
use crate::reason::Reason;
use crate::service::{Health, Service};
use crate::time::Instant;

/// The whole answer to "why?".
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// The prefix that was asked for.
    pub prefix: Prefix,
    /// Whether it is in the desired set.
    pub announced: bool,
    /// What decides that at the moment.
    pub reason: Reason,
    /// The service behind it, when there is one.
    pub service: Option<ServiceExplanation>,
}

/// What there is to know of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceExplanation {
    /// The allowed network it is in.
    pub network: Prefix,
    /// The verdict of its checks together.
    pub health: Health,
    /// Since when it is announced, or not.
    pub since: Instant,
    /// Each check by itself.
    pub checks: Vec<CheckExplanation>,
    /// The ports on which it is served now.
    pub ports: Vec<Port>,
    /// With `require_all_ports`: the ports that are missing.
    pub ports_missing: Vec<Port>,
    /// When the running up or down delay is over.
    pub delay_until: Option<Instant>,
    /// The damping penalty now.
    pub penalty: u64,
    /// Until when flap damping holds it, if it keeps calm.
    pub suppressed_until: Option<Instant>,
}

/// One check of a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckExplanation {
    /// Which check.
    pub check: Source,
    /// Its verdict.
    pub health: Health,
    /// What decided it.
    pub reason: Reason,
}

impl Engine {
    /// Explains one prefix.
    pub fn explain(&self, prefix: Prefix, now: Instant) -> Explanation {
        let announced = self.routes.get(prefix).is_some();
        let service = if prefix.is_host() { self.services.get(&prefix.address()) } else { None };
        let reason = match service {
            Some(_) if self.stopping => Reason::Shutdown,
            Some(service) => service.outcome(),
            None if never_announced(prefix.address()).is_some() => Reason::NeverAnnounced,
            None if self.config.networks.iter().any(|net| net.covers(prefix)) => {
                Reason::NotDiscovered
            }
            None => Reason::OutsideNetworks,
        };
        let service = service.map(|service| self.explain_service(prefix.address(), service, now));
        Explanation { prefix, announced, reason, service }
    }

    /// Explains every service, in the order of their addresses.
    pub fn explain_all(&self, now: Instant) -> impl Iterator<Item = Explanation> + '_ {
        self.services.keys().map(move |vip| self.explain(Prefix::host(*vip), now))
    }

    fn explain_service(&self, vip: IpAddr, service: &Service, now: Instant) -> ServiceExplanation {
        let ports = self.listeners.ports_on(vip);
        let ports_missing =
            service.ports_required().filter(|port| !ports.contains(port)).copied().collect();
        ServiceExplanation {
            network: service.network,
            health: service.verdict().0,
            since: service.since(),
            checks: Source::ALL
                .iter()
                .map(|check| {
                    let (health, reason) = self.check(*check, vip, service);
                    CheckExplanation { check: *check, health, reason }
                })
                .collect(),
            ports: ports.into_iter().collect(),
            ports_missing,
            delay_until: service.delay_until(),
            penalty: service.penalty(&self.config, now),
            suppressed_until: service.suppressed_until(),
        }
    }
}
