//! What may leave to a peer, and with which next hop and attributes.

use alloc::vec::Vec;
use core::net::IpAddr;

use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::Route;

use super::address::is_link_local;
use super::config::{Drain, GRACEFUL_SHUTDOWN, LOCAL_PREF, LastChoice, PeerConfig, Policy};
use super::config_error::is_martian_next_hop;
use super::event::{Negotiated, Unsendable};
use super::wire::{Asn, Attributes, Families, Family, LinkLocal, Shape};

/// The rules of one session. They change only with what [`super::Session::set_live`] takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Export {
    policy: Policy,
    families: Families,
    extended_next_hop: bool,
    local: IpAddr,
    peer: IpAddr,
    link_local: LinkLocal,
    /// By [`Style`].
    attributes: [Attributes; 3],
    /// What each look comes to: the first one with the same attributes.
    same: [Style; 3],
    /// Families whose routes have path identifiers, and the identifier of ours.
    add_path: Families,
    path_id: u32,
}

/// How a route goes out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Sent {
    pub(super) next_hop: IpAddr,
    /// The first look that has its attributes.
    pub(super) style: Style,
}

/// With which attributes a route goes out.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Style {
    /// Those of most routes.
    #[default]
    Usual,
    /// Those of the last choice.
    LastChoice,
    /// Those of routes that an operator drains.
    Draining,
}

impl Style {
    pub(super) const ALL: [Self; 3] = [Self::Usual, Self::LastChoice, Self::Draining];
}

impl Export {
    pub(super) fn new(config: &PeerConfig, negotiated: &Negotiated) -> Self {
        let policy = &config.policy;
        let internal = config.is_internal();
        let role = config.capabilities.role.filter(|_| !internal);
        let shutdown = policy.graceful_shutdown && policy.drain == Drain::LastChoice;
        let attributes = |last_choice: Option<&LastChoice>| {
            let mut communities = policy.communities.clone();
            communities.extend(last_choice.iter().flat_map(|it| &it.communities));
            communities.extend(shutdown.then_some(GRACEFUL_SHUTDOWN));
            let local_pref = match (shutdown, last_choice) {
                (true, _) => 0,
                (false, Some(last)) => last.local_pref.unwrap_or(LastChoice::LOCAL_PREF),
                (false, None) => policy.local_pref.unwrap_or(LOCAL_PREF),
            };
            let more = last_choice.map_or(0, |it| it.prepend.unwrap_or(LastChoice::PREPEND));
            let own = 1 + usize::from(policy.prepend) + usize::from(more);
            let path = core::iter::repeat_n(config.local_as, if internal { 0 } else { own });
            Attributes {
                as_path: path.collect::<Vec<Asn>>(),
                four_octet_as: negotiated.four_octet_as,
                med: last_choice.and_then(|it| it.med).or(policy.med),
                local_pref: internal.then_some(local_pref),
                communities: sorted(communities),
                extended_communities: sorted(policy.extended_communities.clone()),
                large_communities: sorted(policy.large_communities.clone()),
                only_to_customer: role
                    .filter(|role| role.adds_only_to_customer())
                    .map(|_| config.local_as),
            }
        };
        let draining = policy.drain.attributes(policy);
        let attributes = [None, Some(&policy.last_choice), Some(&draining)].map(attributes);
        let same = Style::ALL.map(|style| {
            let own = &attributes[style as usize];
            Style::ALL.into_iter().find(|it| attributes[*it as usize] == *own).unwrap_or(style)
        });
        Self {
            families: negotiated.families,
            extended_next_hop: negotiated.extended_next_hop,
            local: negotiated.local,
            peer: config.peer.ip(),
            link_local: config.link_local,
            attributes,
            same,
            policy: policy.clone(),
            add_path: negotiated.add_path_send,
            path_id: config.add_path_send.unwrap_or_default(),
        }
    }

    pub(super) const fn families(&self) -> Families {
        self.families
    }

    /// How messages of this family look that have at most `max` octets.
    pub(super) fn shape(&self, family: Family, max: usize) -> Shape {
        Shape { max, path_id: self.path_id(family), link_local: self.link_local }
    }

    /// The identifier of our paths of this family, if they have one.
    pub(super) fn path_id(&self, family: Family) -> Option<u32> {
        self.add_path.contains(family).then_some(self.path_id)
    }

    /// The attributes that a route goes out with.
    pub(super) const fn attributes(&self, style: Style) -> &Attributes {
        &self.attributes[style as usize]
    }

    /// How this route goes out; nothing when the policy keeps it here.
    pub(super) fn route(&self, prefix: Prefix, route: &Route) -> Option<Result<Sent, Unsendable>> {
        let style = self.style(route);
        let drained = style == Style::Draining && self.policy.drain == Drain::Withdraw;
        (is_allowed(&self.policy, prefix) && !drained).then(|| {
            let next_hop = self.resolve(prefix, route)?;
            Ok(Sent { next_hop, style: self.same[style as usize] })
        })
    }

    fn style(&self, route: &Route) -> Style {
        let all = self.policy.graceful_shutdown && self.policy.drain != Drain::LastChoice;
        match (route.draining || all, route.last_choice) {
            (true, _) => Style::Draining,
            (false, true) => Style::LastChoice,
            (false, false) => Style::Usual,
        }
    }

    /// The same for what can be sent.
    pub(super) fn sent(&self, prefix: Prefix, route: Option<&Route>) -> Option<Sent> {
        self.route(prefix, route?)?.ok()
    }

    /// These rules and newer ones of the same session.
    pub(super) fn compare<'a>(&'a self, new: &'a Self) -> Comparison<'a> {
        let same = |old| Style::ALL.map(|style| self.attributes(old) == new.attributes(style));
        Comparison { old: self, new, attributes: Style::ALL.map(same) }
    }

    fn resolve(&self, prefix: Prefix, route: &Route) -> Result<IpAddr, Unsendable> {
        let family = Family::of(prefix);
        if !self.families.contains(family) {
            return Err(Unsendable::FamilyNotNegotiated);
        }
        let next_hop = match route.next_hop {
            NextHop::SelfAddress => own_next_hop(&self.policy, family, self.local),
            NextHop::Address(address) => address,
        };
        match (family, next_hop) {
            (Family::Ipv4, IpAddr::V6(_)) if !self.extended_next_hop => {
                return Err(Unsendable::NoIpv4NextHop);
            }
            (Family::Ipv6, IpAddr::V4(_)) => return Err(Unsendable::NoIpv6NextHop),
            _ => {}
        }
        // Never the peer's own address (RFC 4271 section 5.1.3).
        if next_hop == self.peer {
            return Err(Unsendable::MartianNextHop);
        }
        // A link-local address leads to us only from the link of the session.
        let on_link = next_hop == self.local && is_link_local(self.peer);
        if !on_link && is_martian_next_hop(next_hop, self.peer.is_loopback()) {
            return Err(Unsendable::MartianNextHop);
        }
        Ok(next_hop)
    }
}

/// Old and new rules of one session, beside each other.
pub(super) struct Comparison<'a> {
    old: &'a Export,
    new: &'a Export,
    /// Whether attributes are the same: of each look by the old rules with each by the new ones.
    attributes: [[bool; 3]; 3],
}

impl Comparison<'_> {
    /// True when the old route under the old rules goes out as the new one under the new rules, or
    /// neither does.
    pub(super) fn holds(&self, prefix: Prefix, old: &Route, new: &Route) -> bool {
        match (self.old.sent(prefix, Some(old)), self.new.sent(prefix, Some(new))) {
            (None, None) => true,
            (Some(old), Some(new)) => {
                // A spelling of next hops counts only where they are spelled.
                let spelled = self.old.link_local != self.new.link_local;
                old.next_hop == new.next_hop
                    && !(spelled && is_link_local(new.next_hop))
                    && self.attributes[old.style as usize][new.style as usize]
            }
            _ => false,
        }
    }
}

/// What `self` means. IPv4 routes over an IPv6 session have an IPv6 next hop where there is no
/// other (RFC 8950): the one of the policy before our end of the session.
fn own_next_hop(policy: &Policy, family: Family, local: IpAddr) -> IpAddr {
    let v4 = policy.next_hop_v4.map(IpAddr::V4);
    let v6 = policy.next_hop_v6.map(IpAddr::V6);
    let explicit = match family {
        Family::Ipv4 => v4.or(v6.filter(|_| local.is_ipv6())),
        Family::Ipv6 => v6,
    };
    explicit.unwrap_or(local)
}

/// True when the policy's networks cover the prefix.
pub(super) fn is_allowed(policy: &Policy, prefix: Prefix) -> bool {
    policy.networks.iter().any(|network| network.covers(prefix))
}

/// Communities are sets: sorted, without duplicates.
fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_self_means() {
        for (v4, v6, family, local, want) in [
            ("", "", Family::Ipv4, "10.0.0.2", "10.0.0.2"),
            ("10.9.9.9", "", Family::Ipv4, "10.0.0.2", "10.9.9.9"),
            ("", "2001:db8::9", Family::Ipv4, "10.0.0.2", "10.0.0.2"),
            ("", "2001:db8::9", Family::Ipv6, "10.0.0.2", "2001:db8::9"),
            ("", "", Family::Ipv4, "2001:db8::2", "2001:db8::2"),
            ("", "2001:db8::9", Family::Ipv4, "2001:db8::2", "2001:db8::9"),
            ("10.9.9.9", "2001:db8::9", Family::Ipv4, "2001:db8::2", "10.9.9.9"),
            ("10.9.9.9", "", Family::Ipv6, "2001:db8::2", "2001:db8::2"),
        ] {
            let policy = Policy {
                next_hop_v4: v4.parse().ok(),
                next_hop_v6: v6.parse().ok(),
                ..Policy::default()
            };
            let hop = own_next_hop(&policy, family, local.parse().unwrap());
            assert_eq!(hop, want.parse::<IpAddr>().unwrap(), "{v4} {v6} {family:?} {local}");
        }
    }
}
