//! What the peer has of each prefix, what it should have, and when it was told.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::time::Instant;

use super::{Session, Which};
use crate::bgp::event::Unsendable;
use crate::bgp::export::{self, Export, Sent};
use crate::bgp::rib::Held;
use crate::bgp::wire::{Attributes, Family};
use crate::told::When;

/// A route as it goes out to a peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Announced {
    /// NEXT_HOP.
    pub next_hop: IpAddr,
    /// With what makes it the last choice.
    pub last_choice: bool,
    /// The path identifier, where the peer takes several paths.
    pub path_id: Option<u32>,
    /// The other attributes.
    pub attributes: Attributes,
}

/// Why a peer does not have a route as it should be.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Withheld {
    /// The networks of the peer's policy keep it here.
    OutsideNetworks,
    /// An operator drains it, and this peer has no such routes.
    Draining,
    /// There is no session.
    NotEstablished,
    /// It cannot be sent on this session.
    Unsendable(Unsendable),
    /// It is about to be told: the peer takes what comes before it.
    Waiting,
}

impl Withheld {
    /// A stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OutsideNetworks => "outside-networks",
            Self::Draining => "draining",
            Self::NotEstablished => "not-established",
            Self::Unsendable(Unsendable::FamilyNotNegotiated) => "family-not-negotiated",
            Self::Unsendable(Unsendable::NoIpv4NextHop) => "no-ipv4-next-hop",
            Self::Unsendable(Unsendable::NoIpv6NextHop) => "no-ipv6-next-hop",
            Self::Unsendable(Unsendable::MartianNextHop) => "martian-next-hop",
            Self::Waiting => "waiting",
        }
    }
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutsideNetworks => "outside of the networks of this peer",
            Self::Draining => {
                "an operator drains it, and drain = \"withdraw\" is the way of this peer"
            }
            Self::NotEstablished => "there is no session",
            Self::Unsendable(Unsendable::FamilyNotNegotiated) => {
                "the peer does not speak the address family"
            }
            Self::Unsendable(Unsendable::NoIpv4NextHop) => {
                "the next hop is an IPv6 address, which the peer does not take for IPv4 routes"
            }
            Self::Unsendable(Unsendable::NoIpv6NextHop) => "the next hop is an IPv4 address",
            Self::Unsendable(Unsendable::MartianNextHop) => {
                "no peer takes the next hop: it is the peer itself, or no address of a host"
            }
            Self::Waiting => "not told yet: the peer takes what comes before it",
        })
    }
}

/// What there is to know of a prefix at one peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerRoute {
    /// The prefix.
    pub prefix: Prefix,
    /// As it should be there; none: it should not, or cannot.
    pub intended: Option<Announced>,
    /// Why it is not there as it should be.
    pub withheld: Option<Withheld>,
    /// The peer has it.
    pub is_there: bool,
    /// As the peer has it. None although it is there: as it was before several changes of the
    /// rules; it is being told again.
    pub sent: Option<Announced>,
    /// When the peer was told that it has it, or that it has it no longer.
    pub when: When,
}

impl Session {
    /// Remembers of so many changes when they were told.
    pub fn remember(&mut self, changes: usize) {
        self.told.set_max(changes);
    }

    /// So many octets of what was written are not acknowledged by the peer's kernel. `tell` hears how
    /// long each UPDATE that was acknowledged since had to wait for that.
    pub fn acknowledged(
        &mut self,
        unacknowledged: usize,
        now: Instant,
        tell: &mut dyn FnMut(Duration),
    ) {
        if self.negotiated().is_none() {
            return;
        }
        let Some(link) = self.slot(Which::First).and_then(|slot| slot.link.as_ref()) else {
            return;
        };
        let through = link.written.saturating_sub(unacknowledged as u64);
        self.told.acknowledged(through, now, tell);
    }

    /// True while UPDATEs are written and not known to be acknowledged.
    pub fn awaits_acknowledgement(&self) -> bool {
        self.told.waits()
    }

    /// What there is to know of one prefix.
    pub fn route(&self, prefix: Prefix) -> PeerRoute {
        let mut found = self.look(&[prefix]);
        found.pop().unwrap_or_else(|| PeerRoute {
            prefix,
            intended: None,
            withheld: None,
            is_there: false,
            sent: None,
            when: When::default(),
        })
    }

    /// What there is to know of up to `limit` prefixes behind `after`, in their order: those that
    /// are desired, and those that the peer has still. The second value is where to go on, if there
    /// are more.
    pub fn routes(&self, after: Option<Prefix>, limit: usize) -> (Vec<PeerRoute>, Option<Prefix>) {
        let prefixes = self.rib.prefixes(after, limit);
        let more = prefixes.last().copied().filter(|_| prefixes.len() == limit);
        let mut routes = self.look(&prefixes);
        let desired = |prefix| self.rib.desired().get(prefix).is_some();
        routes.retain(|route| route.is_there || desired(route.prefix));
        (routes, more)
    }

    /// The prefixes are sorted.
    fn look(&self, prefixes: &[Prefix]) -> Vec<PeerRoute> {
        let export = self.negotiated().map(|agreed| Export::new(&self.config, agreed));
        let rib = self.rib.look();
        let told = self.told.find(prefixes);
        let route = |(prefix, told): (&Prefix, Option<When>)| {
            let prefix = *prefix;
            let held = rib.held(prefix);
            let is_there = held != Held::Nothing;
            let sent = match &held {
                Held::Under(rules, sent) => Some(announced(rules, prefix, *sent)),
                Held::Nothing | Held::Older => None,
            };
            let desired = self.rib.desired().get(prefix);
            let allowed = export::is_allowed(&self.config.policy, prefix);
            let (intended, withheld) = match (desired, &export) {
                (None, _) => (None, None),
                (Some(_), _) if !allowed => (None, Some(Withheld::OutsideNetworks)),
                (Some(_), None) => (None, Some(Withheld::NotEstablished)),
                (Some(route), Some(export)) => match export.route(prefix, route) {
                    Some(Ok(sent)) => (Some(announced(export, prefix, sent)), None),
                    Some(Err(problem)) => (None, Some(Withheld::Unsendable(problem))),
                    None => (None, Some(Withheld::Draining)),
                },
            };
            let waits = withheld.is_none() && intended != sent;
            let withheld = withheld.or(waits.then_some(Withheld::Waiting));
            // What was never told, or is gone for long, was told at no time.
            let before = if is_there { self.told.before() } else { When::default() };
            PeerRoute { prefix, intended, withheld, is_there, sent, when: told.unwrap_or(before) }
        };
        prefixes.iter().zip(told).map(route).collect()
    }
}

fn announced(rules: &Export, prefix: Prefix, sent: Sent) -> Announced {
    Announced {
        next_hop: sent.next_hop,
        last_choice: sent.style != export::Style::Usual,
        path_id: rules.path_id(Family::of(prefix)),
        attributes: rules.attributes(sent.style).clone(),
    }
}
