//! OPEN: what we say, what we accept, what follows from both.

use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;

use crate::bgp::config::{PeerConfig, Role};
use crate::bgp::event::{Negotiated, PeerGracefulRestart};
use crate::bgp::wire::{Capability, Families, Family, Notification, Open};

use super::link::Link;

/// Capabilities that the peer refused (RFC 5492 sections 3 and 5).
#[derive(Debug, Default)]
pub(super) struct Refused {
    pub(super) all: bool,
    pub(super) codes: Vec<u8>,
}

impl Refused {
    /// Learns from a NOTIFICATION to our OPEN: 2/4 means that the peer knows no capabilities at
    /// all, 2/7 lists the ones that it objects to, or, the other way round, those that it misses:
    /// only what was sent can be left out. False when there is nothing to change.
    pub(super) fn learn(&mut self, notification: &Notification, sent: &Open) -> bool {
        if sent.capabilities.is_empty() {
            return false;
        }
        match (notification.code, notification.subcode) {
            (2, 4) => self.all = true,
            // It does not say which.
            (2, 7) if notification.data.is_empty() => self.all = true,
            (2, 7) => {
                let before = self.codes.len();
                let mut rest = notification.data.as_slice();
                while let [code, length, tail @ ..] = rest {
                    let was_sent = sent.capabilities.iter().any(|it| it.code() == *code);
                    if was_sent && !self.codes.contains(code) {
                        self.codes.push(*code);
                    }
                    rest = tail.get(usize::from(*length)..).unwrap_or(&[]);
                }
                return self.codes.len() > before;
            }
            _ => return false,
        }
        true
    }
}

/// Our OPEN. `restarting`: the R bit.
pub(super) fn open(config: &PeerConfig, refused: &Refused, restarting: bool) -> Open {
    let wanted = &config.capabilities;
    let mut capabilities = Vec::new();
    if !wanted.none && !refused.all {
        capabilities.extend(config.families.iter().map(Capability::family));
        if wanted.route_refresh {
            capabilities.push(Capability::RouteRefresh);
        }
        if wanted.extended_next_hop && config.families.ipv4 {
            capabilities.push(Capability::ExtendedNextHop(Vec::from([(1, 1, 2)])));
        }
        let mode =
            u8::from(config.count_announcers) | u8::from(config.add_path_send.is_some()) << 1;
        if mode != 0 {
            let tuples = config.families.iter().map(|family| (family.afi(), 1, mode));
            capabilities.push(Capability::AddPath(tuples.collect()));
        }
        if wanted.extended_messages {
            capabilities.push(Capability::ExtendedMessages);
        }
        if let Some(role) = wanted.role.filter(|_| !config.is_internal()) {
            capabilities.push(Capability::Role(role as u8));
        }
        if let Some(restart) = config.graceful_restart {
            let seconds = restart.restart_time.as_secs().min(4095);
            capabilities.push(Capability::GracefulRestart {
                restarting,
                notification: restart.notification,
                restart_time: u16::try_from(seconds).unwrap_or(4095),
                families: config
                    .families
                    .iter()
                    .map(|family| {
                        let kept = restart.forwarding_preserved.contains(family);
                        (family.afi(), 1, kept)
                    })
                    .collect(),
            });
        }
        capabilities.push(Capability::FourOctetAs(config.local_as));
        if wanted.route_refresh && wanted.enhanced_route_refresh {
            capabilities.push(Capability::EnhancedRouteRefresh);
        }
        if let Some(fqdn) = &wanted.fqdn {
            let (host, domain) = (fqdn.host.clone(), fqdn.domain.clone());
            capabilities.push(Capability::Fqdn { host, domain });
        }
        capabilities.retain(|capability| !refused.codes.contains(&capability.code()));
    }
    Open {
        my_as: config.local_as.two_octets(),
        hold_time: u16::try_from(config.hold_time.as_secs()).unwrap_or(u16::MAX),
        id: config.router_id,
        capabilities,
    }
}

/// The checks of RFC 4271 section 6.2, in its order, with those of RFC 6286 and RFC 9234.
pub(super) fn check(config: &PeerConfig, ours: &Open, theirs: &Open) -> Result<(), Notification> {
    if theirs.my_as == 0 || theirs.asn() != config.peer_as {
        return Err(Notification::new(2, 2));
    }
    if matches!(theirs.hold_time, 1 | 2) {
        return Err(Notification::new(2, 6));
    }
    let same_id = theirs.id == ours.id && config.is_internal();
    if theirs.id == Ipv4Addr::UNSPECIFIED || same_id {
        return Err(Notification::new(2, 3));
    }
    Ok(())
}

/// The check of roles (RFC 9234 section 4.2).
pub(super) fn check_role(
    config: &PeerConfig,
    ours: &Open,
    theirs: &Open,
) -> Result<(), Notification> {
    let Some(role) = config.capabilities.role else {
        return Ok(());
    };
    if !ours.has(&Capability::Role(role as u8)) {
        return Ok(());
    }
    let mut roles = theirs.capabilities.iter().filter_map(|capability| match capability {
        Capability::Role(role) => Some(*role),
        _ => None,
    });
    let fits = |first: u8| first == Role::counterpart(role) as u8 && roles.all(|it| it == first);
    let first = theirs.capabilities.iter().find_map(|capability| match capability {
        Capability::Role(role) => Some(*role),
        _ => None,
    });
    match first.map_or(!config.capabilities.strict_role, fits) {
        true => Ok(()),
        false => Err(Notification::new(2, 11)),
    }
}

/// What follows from both OPENs.
pub(super) fn negotiate(config: &PeerConfig, link: &Link, theirs: &Open) -> Negotiated {
    let ours = &link.open;
    let both = |capability: &Capability| ours.has(capability) && theirs.has(capability);
    let hold_time = config.hold_time.min(Duration::from_secs(u64::from(theirs.hold_time)));
    let next_hop = (1, 1, 2);
    let offers = |open: &Open| {
        open.capabilities.iter().any(|capability| {
            matches!(capability, Capability::ExtendedNextHop(tuples) if tuples.contains(&next_hop))
        })
    };
    let spoken = families(ours).intersection(families(theirs)).intersection(config.families);
    let paths = |one: &Open, other: &Open| {
        add_path(one, SENDS).intersection(add_path(other, RECEIVES)).intersection(spoken)
    };
    Negotiated {
        peer_as: theirs.asn(),
        peer_id: theirs.id,
        local: link.local,
        direction: link.connection.direction,
        hold_time,
        keepalive: keepalive(config, hold_time),
        families: spoken,
        four_octet_as: ours.four_octet_as().is_some() && theirs.four_octet_as().is_some(),
        route_refresh: both(&Capability::RouteRefresh),
        enhanced_route_refresh: both(&Capability::EnhancedRouteRefresh),
        extended_next_hop: offers(ours) && offers(theirs),
        add_path_send: paths(ours, theirs),
        add_path_receive: paths(theirs, ours),
        extended_messages: both(&Capability::ExtendedMessages),
        peer_graceful_restart: graceful_restart(theirs),
        peer_name: theirs.capabilities.iter().find_map(|capability| match capability {
            Capability::Fqdn { host, domain } if domain.is_empty() => Some(host.clone()),
            Capability::Fqdn { host, domain } => Some(alloc::format!("{host}.{domain}")),
            _ => None,
        }),
        without_capabilities: ours.capabilities.is_empty() && !config.capabilities.none,
    }
}

/// A third of the hold time at most, a second at least (RFC 4271 section 4.4).
pub(super) fn keepalive(config: &PeerConfig, hold_time: Duration) -> Duration {
    if hold_time.is_zero() {
        return Duration::ZERO;
    }
    let third = hold_time / 3;
    config.keepalive.unwrap_or(third).min(third).max(Duration::from_secs(1))
}

/// The families of an OPEN: without the capability, IPv4 unicast (RFC 4760 section 1).
fn families(open: &Open) -> Families {
    let mut found = Families::NONE;
    let mut any = false;
    for capability in &open.capabilities {
        if let Capability::Multiprotocol { afi, safi } = capability {
            any = true;
            if let Some(family) = Family::from_afi_safi(*afi, *safi) {
                found.set(family, true);
            }
        }
    }
    if any { found } else { Families::IPV4 }
}

/// Bits of the mode in the add-path capability (RFC 7911 section 4).
const RECEIVES: u8 = 1;
const SENDS: u8 = 2;

/// The families for which an OPEN has this bit. Only its first such capability counts: there
/// must not be two.
fn add_path(open: &Open, bit: u8) -> Families {
    let mut found = Families::NONE;
    let first = open.capabilities.iter().find_map(|capability| match capability {
        Capability::AddPath(tuples) => Some(tuples),
        _ => None,
    });
    for (afi, safi, mode) in first.into_iter().flatten() {
        if let Some(family) = Family::from_afi_safi(*afi, *safi) {
            found.set(family, mode & bit != 0);
        }
    }
    found
}

/// Of several such capabilities the last one counts (RFC 4724 section 3).
fn graceful_restart(open: &Open) -> Option<PeerGracefulRestart> {
    open.capabilities.iter().rev().find_map(|capability| {
        let Capability::GracefulRestart { restarting, notification, restart_time, families } =
            capability
        else {
            return None;
        };
        let mut kept = Families::NONE;
        for (afi, safi, _) in families {
            if let Some(family) = Family::from_afi_safi(*afi, *safi) {
                kept.set(family, true);
            }
        }
        Some(PeerGracefulRestart {
            restarting: *restarting,
            notification: *notification,
            restart_time: Duration::from_secs(u64::from(*restart_time)),
            families: kept,
        })
    })
}
