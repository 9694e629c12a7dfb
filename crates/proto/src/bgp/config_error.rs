//! What is refused before a session is ever tried: things that peers reset sessions for.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::address::{self, PeerAddress};
use super::config::{Drain, LastChoice, PeerConfig};
use super::wire::Asn;

/// How many octets the attributes of a route may take: half of a message of 4096 octets.
pub(super) const ATTRIBUTES_MAX: usize = 2048;
/// And those that only routes have that are the last choice.
const LAST_CHOICE_MAX: usize = 1024;
const PREPEND_MAX: u8 = 16;

/// Why a [`PeerConfig`] cannot work. Each message names the value, the rule and the fix.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A reserved AS number (RFC 7607, RFC 6793 section 9, RFC 7300).
    #[error("AS {asn} is reserved: {field} must be 1 to 4294967294, without 23456 and 65535")]
    ReservedAs {
        /// `local-as` or `remote-as`.
        field: &'static str,
        /// What was given.
        asn: Asn,
    },
    /// Not an identifier that peers accept (RFC 4271 section 6.2, RFC 6286).
    #[error(
        "router-id {router_id} is not a unicast address: use one of this host's IPv4 addresses"
    )]
    RouterId {
        /// What was given.
        router_id: Ipv4Addr,
    },
    /// Nobody can be reached there.
    #[error("peer address {peer} is not a unicast address: write the router's address")]
    PeerAddress {
        /// What was given.
        peer: PeerAddress,
    },
    /// Everybody has such an address on every link.
    #[error("peer address {peer} is link-local: write the interface too, {peer}%eth0 for example")]
    NoZone {
        /// What was given.
        peer: PeerAddress,
    },
    /// Nobody but neighbors can answer to it.
    #[error(
        "local address {local} is link-local and peer {peer} is not: leave it out, or name another"
    )]
    LocalLinkLocal {
        /// Our address.
        local: IpAddr,
        /// The peer's.
        peer: PeerAddress,
    },
    /// The peer is ourselves.
    #[error("peer address {peer} is also the local address: write the router's address")]
    PeerIsLocal {
        /// What was given.
        peer: PeerAddress,
    },
    /// IPv4 here, IPv6 there.
    #[error(
        "local address {local} and peer {peer} are of different families: give both as IPv4 or both as IPv6"
    )]
    LocalFamily {
        /// Our address.
        local: IpAddr,
        /// The peer's.
        peer: PeerAddress,
    },
    /// No family.
    #[error("no address family is enabled: enable IPv4, IPv6 or both")]
    NoFamily,
    /// Not a hold time (RFC 4271 section 4.2).
    #[error("hold time {}s is not possible: it must be 0 or 3s to 65535s in whole seconds", .hold_time.as_secs_f64())]
    HoldTime {
        /// What was given.
        hold_time: Duration,
    },
    /// Keepalives that come too late.
    #[error("keepalive time {}s does not fit hold time {}s: it must be 1s or more and less than the hold time", .keepalive.as_secs_f64(), .hold_time.as_secs_f64())]
    Keepalive {
        /// What was given.
        keepalive: Duration,
        /// The hold time.
        hold_time: Duration,
    },
    /// A back-off that never waits or shrinks.
    #[error("{field}: first pause {}s, longest {}s: the first must be 100ms or more and not above the longest", .first.as_secs_f64(), .max.as_secs_f64())]
    Backoff {
        /// `connect-retry` or `idle-hold`.
        field: &'static str,
        /// The first pause.
        first: Duration,
        /// The longest.
        max: Duration,
    },
    /// Twelve bits hold it (RFC 4724 section 3).
    #[error("restart time {}s is not possible: it must be 1s to 4095s in whole seconds", .restart_time.as_secs_f64())]
    RestartTime {
        /// What was given.
        restart_time: Duration,
    },
    /// A next hop that peers reset sessions for (RFC 4271 section 6.3) or take as a withdrawal
    /// (RFC 7606 section 3(e)).
    #[error(
        "next hop {next_hop} cannot be reached by a router: use a unicast address of this host"
    )]
    MartianNextHop {
        /// What was given.
        next_hop: IpAddr,
    },
    /// The peer itself (RFC 4271 section 5.1.3).
    #[error("next hop {next_hop} is the peer itself: use an address of this host")]
    NextHopIsPeer {
        /// What was given.
        next_hop: IpAddr,
    },
    /// IPv6 routes over an IPv4 session.
    #[error(
        "IPv6 routes over the IPv4 session with {peer} need an explicit IPv6 next hop: set one, or disable IPv6 for this peer"
    )]
    NoIpv6NextHop {
        /// The peer.
        peer: PeerAddress,
    },
    /// IPv4 routes over an IPv6 session.
    #[error(
        "IPv4 routes over the IPv6 session with {peer} need an explicit IPv4 next hop or extended next hops: set one, or disable IPv4 for this peer"
    )]
    NoIpv4NextHop {
        /// The peer.
        peer: PeerAddress,
    },
    /// LOCAL_PREF never leaves the AS (RFC 4271 section 5.1.5).
    #[error(
        "{field} {local_pref} cannot be sent to {peer} in another AS: use med, prepend or a community"
    )]
    LocalPrefExternal {
        /// `local-pref` or `last-choice.local-pref`.
        field: &'static str,
        /// What was given.
        local_pref: u32,
        /// The peer.
        peer: PeerAddress,
    },
    /// Roles are between ASes (RFC 9234 section 4).
    #[error("a role makes no sense with {peer} in our own AS: remove it")]
    RoleInternal {
        /// The peer.
        peer: PeerAddress,
    },
    /// Strict about nothing.
    #[error("strict role without a role: set the role too")]
    StrictWithoutRole,
    /// Our AS in an iBGP path is a loop (RFC 4271 section 9.1.2).
    #[error("{field} {prepend} makes {peer} in our own AS drop the routes: remove it")]
    PrependInternal {
        /// `prepend` or `last-choice.prepend`.
        field: &'static str,
        /// What was given.
        prepend: u8,
        /// The peer.
        peer: PeerAddress,
    },
    /// Too long a path.
    #[error("{field} {prepend} is too much: {PREPEND_MAX} is the most that helps")]
    Prepend {
        /// `prepend` or `last-choice.prepend`.
        field: &'static str,
        /// What was given.
        prepend: u8,
    },
    /// The route would be the first choice.
    #[error(
        "{field} {last} makes a route that is the last choice better than others with {usual}: {fix}"
    )]
    LastChoiceBetter {
        /// `last-choice.local-pref` or `last-choice.med`.
        field: &'static str,
        /// What was given.
        last: u32,
        /// What others have.
        usual: u32,
        /// What to write.
        fix: &'static str,
    },
    /// Attributes that leave no room for prefixes.
    #[error(
        "the {field} take {octets} octets: more than {max} leave no room for prefixes, give fewer"
    )]
    Attributes {
        /// `communities` or `last-choice.communities`.
        field: &'static str,
        /// What they take.
        octets: usize,
        /// What they may.
        max: usize,
    },
    /// The lengths are one octet each.
    #[error("the host name \"{name}\" does not fit: 1 to 255 octets without control characters")]
    Name {
        /// What was given.
        name: alloc::string::String,
    },
    /// A limit of nothing.
    #[error("max-prefixes 0 would end every session: leave it out for no limit")]
    MaxPrefixes,
    /// Without capabilities there is only IPv4 (RFC 4760 section 1), and AS numbers have two octets
    /// (RFC 6793 section 3).
    #[error("without capabilities only IPv4 can be spoken: disable IPv6, or allow capabilities")]
    NoCapabilities,
}

/// Everything that is wrong with a configuration.
pub(super) fn check(config: &PeerConfig) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for (field, asn) in [("local-as", config.local_as), ("remote-as", config.peer_as)] {
        if matches!(asn.0, 0 | 23_456 | 65_535 | u32::MAX) {
            errors.push(ConfigError::ReservedAs { field, asn });
        }
    }
    if !is_unicast_v4(config.router_id) {
        errors.push(ConfigError::RouterId { router_id: config.router_id });
    }
    addresses(config, &mut errors);
    times(config, &mut errors);
    next_hops(config, &mut errors);
    attributes(config, &mut errors);
    capabilities(config, &mut errors);
    if config.max_prefixes == Some(0) {
        errors.push(ConfigError::MaxPrefixes);
    }
    errors
}

fn addresses(config: &PeerConfig, errors: &mut Vec<ConfigError>) {
    let peer = config.peer;
    let unicast = match peer.ip() {
        IpAddr::V4(v4) => is_unicast_v4(v4),
        IpAddr::V6(v6) => {
            !(v6.is_unspecified() || v6.is_multicast() || v6.to_ipv4_mapped().is_some())
        }
    };
    if !unicast {
        errors.push(ConfigError::PeerAddress { peer });
    }
    if peer.is_link_local() && peer.zone().is_none() {
        errors.push(ConfigError::NoZone { peer });
    }
    if let Some(local) = config.local {
        if local == peer.ip() {
            errors.push(ConfigError::PeerIsLocal { peer });
        }
        if local.is_ipv4() != peer.is_ipv4() {
            errors.push(ConfigError::LocalFamily { local, peer });
        } else if address::is_link_local(local) && !peer.is_link_local() {
            errors.push(ConfigError::LocalLinkLocal { local, peer });
        }
    }
    if config.families.is_empty() {
        errors.push(ConfigError::NoFamily);
    }
}

fn times(config: &PeerConfig, errors: &mut Vec<ConfigError>) {
    let hold_time = config.hold_time;
    let whole = hold_time.subsec_nanos() == 0;
    if !whole || !matches!(hold_time.as_secs(), 0 | 3..=65_535) {
        errors.push(ConfigError::HoldTime { hold_time });
    }
    if let Some(keepalive) = config.keepalive
        && !hold_time.is_zero()
        && (keepalive < Duration::from_secs(1) || keepalive >= hold_time)
    {
        errors.push(ConfigError::Keepalive { keepalive, hold_time });
    }
    for (field, backoff) in
        [("connect-retry", config.connect_retry), ("idle-hold", config.idle_hold)]
    {
        if backoff.first < Duration::from_millis(100) || backoff.first > backoff.max {
            errors.push(ConfigError::Backoff { field, first: backoff.first, max: backoff.max });
        }
    }
    if let Some(restart) = config.graceful_restart {
        let restart_time = restart.restart_time;
        let whole = restart_time.subsec_nanos() == 0;
        if !whole || !matches!(restart_time.as_secs(), 1..=4095) {
            errors.push(ConfigError::RestartTime { restart_time });
        }
    }
}

fn next_hops(config: &PeerConfig, errors: &mut Vec<ConfigError>) {
    let policy = &config.policy;
    let peer = config.peer;
    let loopback = peer.ip().is_loopback();
    for next_hop in [policy.next_hop_v4.map(IpAddr::V4), policy.next_hop_v6.map(IpAddr::V6)]
        .into_iter()
        .flatten()
    {
        if is_martian_next_hop(next_hop, loopback) {
            errors.push(ConfigError::MartianNextHop { next_hop });
        }
        if next_hop == peer.ip() {
            errors.push(ConfigError::NextHopIsPeer { next_hop });
        }
    }
    if config.families.ipv6 && peer.is_ipv4() && policy.next_hop_v6.is_none() {
        errors.push(ConfigError::NoIpv6NextHop { peer });
    }
    let v6_next_hop = config.capabilities.extended_next_hop && !config.capabilities.none;
    if config.families.ipv4 && !peer.is_ipv4() && policy.next_hop_v4.is_none() && !v6_next_hop {
        errors.push(ConfigError::NoIpv4NextHop { peer });
    }
}

fn attributes(config: &PeerConfig, errors: &mut Vec<ConfigError>) {
    let policy = &config.policy;
    let last = &policy.last_choice;
    let internal = config.is_internal();
    let prepends =
        [("prepend", policy.prepend), ("last-choice.prepend", last.prepend.unwrap_or(0))];
    let local_prefs =
        [("local-pref", policy.local_pref), ("last-choice.local-pref", last.local_pref)];
    for (field, local_pref) in local_prefs {
        if let Some(local_pref) = local_pref.filter(|_| !internal) {
            errors.push(ConfigError::LocalPrefExternal { field, local_pref, peer: config.peer });
        }
    }
    if policy.drain == Drain::Prepend && internal {
        let prepend = last.prepend.unwrap_or(LastChoice::PREPEND);
        errors.push(ConfigError::PrependInternal {
            field: "drain = \"prepend\" with",
            prepend,
            peer: config.peer,
        });
    }
    for (field, prepend) in prepends {
        if prepend > 0 && internal {
            errors.push(ConfigError::PrependInternal { field, prepend, peer: config.peer });
        }
        if prepend > PREPEND_MAX {
            errors.push(ConfigError::Prepend { field, prepend });
        }
    }
    let usual = policy.local_pref.unwrap_or(100);
    if let Some(local_pref) = last.local_pref.filter(|it| internal && *it > usual) {
        errors.push(ConfigError::LastChoiceBetter {
            field: "last-choice.local-pref",
            last: local_pref,
            usual,
            fix: "write less, or 0",
        });
    }
    if let (Some(med), Some(usual)) = (last.med, policy.med)
        && med < usual
    {
        errors.push(ConfigError::LastChoiceBetter {
            field: "last-choice.med",
            last: med,
            usual,
            fix: "write more, or \"off\" for the same",
        });
    }
    let octets = policy.communities.len() * 4
        + policy.extended_communities.len() * 8
        + policy.large_communities.len() * 12;
    for (field, octets, max) in [
        ("communities", octets, ATTRIBUTES_MAX),
        ("last-choice.communities", last.communities.len() * 4, LAST_CHOICE_MAX),
    ] {
        if octets > max {
            errors.push(ConfigError::Attributes { field, octets, max });
        }
    }
}

fn capabilities(config: &PeerConfig, errors: &mut Vec<ConfigError>) {
    let capabilities = &config.capabilities;
    if capabilities.role.is_some() && config.is_internal() {
        errors.push(ConfigError::RoleInternal { peer: config.peer });
    }
    if capabilities.strict_role && capabilities.role.is_none() {
        errors.push(ConfigError::StrictWithoutRole);
    }
    if let Some(fqdn) = &capabilities.fqdn {
        for (name, min) in [(&fqdn.host, 1), (&fqdn.domain, 0)] {
            // Both names and their lengths share one capability of at most 255 octets.
            let fits = (min..=255).contains(&name.len())
                && fqdn.host.len() + fqdn.domain.len() <= 253
                && !name.chars().any(char::is_control);
            if !fits {
                errors.push(ConfigError::Name { name: name.clone() });
            }
        }
    }
    if capabilities.none && config.families.ipv6 {
        errors.push(ConfigError::NoCapabilities);
    }
}

fn is_unicast_v4(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first != 0 && first < 224
}

/// True for a next hop that routers refuse or reset sessions for (RFC 4271 sections 4.3 and
/// 6.3): 0/8, 127/8, class D and E; `::`, `::1`, multicast, mapped and link-local addresses.
/// With `loopback`, the session itself runs inside this host, and 127/8 and `::1` lead somewhere.
pub(super) fn is_martian_next_hop(address: IpAddr, loopback: bool) -> bool {
    match address {
        IpAddr::V4(v4) => !is_unicast_v4(v4) || (v4.is_loopback() && !loopback),
        IpAddr::V6(v6) => is_martian_v6(v6) || (v6.is_loopback() && !loopback),
    }
}

fn is_martian_v6(address: Ipv6Addr) -> bool {
    address.is_unspecified()
        || address.is_multicast()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().is_some()
}
