//! One peer: from its section to what its session and its sockets are told.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ha2bgp_core::net::{Networks, NextHop};
use ha2bgp_proto::bgp::wire::{Asn, Families, LinkLocal};
use ha2bgp_proto::bgp::{
    Backoff, Capabilities, ConfigError as Objection, Fqdn, GracefulRestart, Mode, PeerAddress,
    PeerConfig, Policy, Zone,
};
use ha2bgp_sys::tcp::{Hops, Options};

use super::error::ConfigError;
use super::origin::Origin;
use super::raw::{Section, Values};
use super::reader::{Host, Reader, go_bool};
use super::settings::{allow_list, number, on_off};
use super::speaker::{Common, asn, peer_address};

mod bfd;
mod last_choice;
mod route;
mod value;

pub use self::bfd::PeerBfd;
pub(super) use self::last_choice::{drain_of_exabgp, of_exabgp as last_choice_of_exabgp};
pub(super) use self::route::Route;
pub(super) use self::value::device;
pub use self::value::read_key;

/// Where BGP listens (RFC 4271 section 8.2.1).
pub const BGP_PORT: u16 = 179;

/// One router.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerSettings {
    /// What people call it.
    pub description: Option<String>,
    /// The port to connect to.
    pub port: u16,
    /// The session.
    pub config: PeerConfig,
    /// How its sockets are set up. The local address is the session's.
    pub socket: Options,
    /// The file that the key was read from.
    pub key_file: Option<String>,
    /// Whether the way to it works is watched.
    pub bfd: Option<PeerBfd>,
}

/// What counts for every peer.
pub(super) struct Us<'a> {
    pub(super) local_as: Option<u32>,
    pub(super) router_id: Option<Ipv4Addr>,
    pub(super) listens: bool,
    pub(super) host: &'a Host<'a>,
    pub(super) common: &'a Common<'a>,
    pub(super) route: &'a Route,
}

/// The peer's address, which must be there.
pub(super) fn address_of(reader: &mut Reader, section: &Section) -> Option<PeerAddress> {
    required(reader, section, "address", "\"192.0.2.1\"", peer_address)
}

/// Reads the rest. Everything that is wrong is told, also when other things are missing.
pub(super) fn read(
    reader: &mut Reader,
    section: &Section,
    address: Option<PeerAddress>,
    us: &Us<'_>,
) -> Option<PeerSettings> {
    let before = reader.errors.len();
    let values = &section.values;
    let asn = required(reader, section, "remote-as", "64512", asn);
    let local = local_address(reader, values, address);
    if let Some(peer) = address {
        check_own(reader, values, peer, us.host);
    }
    let internal = asn.is_some() && asn == us.local_as;
    let key = reader.one(values, "password-file", |path| value::key(path, us.host));
    let (key_file, key) = key.unzip();
    let socket = Options {
        local: None,
        device: reader.one(values, "bind-device", device),
        key,
        hops: hops(reader, values, internal),
        user_timeout: None,
    };
    let way = (local, socket.device.as_ref(), socket.hops);
    let bfd = bfd::read(reader, section, address, way, us.host);
    let description = reader.one(values, "description", value::description);
    let port = reader.one(values, "port", value::port).unwrap_or(BGP_PORT);
    let networks = networks(reader, values, us.common);
    let own = Route::of_peer(reader, values);
    let hops = own.next_hops.as_ref().or(us.route.next_hops.as_ref());
    // Whoever lacks one of these has an error already; the others shall be told too.
    let mut config = PeerConfig::new(
        Asn(us.local_as.unwrap_or(64512)),
        us.router_id.unwrap_or(Ipv4Addr::new(192, 0, 2, 1)),
        address.unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)).into()),
        Asn(asn.unwrap_or(64513)),
    );
    config.local = local;
    config.mode = mode(reader, values, us.listens);
    times(reader, values, &mut config);
    config.graceful_restart = graceful_restart(reader, values);
    config.capabilities = capabilities(reader, values, us.host);
    config.max_prefixes = reader.one(values, "max-prefixes", number);
    config.add_path_send = reader.one(values, "add-path", value::path_id).flatten();
    config.count_announcers = reader.one(values, "count-announcers", go_bool).unwrap_or(false);
    config.link_local = link_local(reader, values, address);
    config.policy = Policy { networks, ..Policy::default() };
    us.route.apply_as_default(&mut config.policy, internal);
    own.apply(&mut config.policy);
    config.policy.drain = reader.one(values, "drain", last_choice::drain).unwrap_or_default();
    let hops = hops.into_iter().flatten().map(|(_, hop)| hop);
    for hop in hops {
        match hop {
            NextHop::Address(IpAddr::V4(v4)) => config.policy.next_hop_v4 = Some(*v4),
            NextHop::Address(IpAddr::V6(v6)) => config.policy.next_hop_v6 = Some(*v6),
            NextHop::SelfAddress => {}
        }
    }
    let given = families(reader, values);
    config.families = given.unwrap_or_else(|| possible_families(&config));
    if reader.errors.len() == before {
        own.check_families(reader, &config);
    }
    if let (Some(_), Some(_), Some(_), Some(_)) = (us.local_as, us.router_id, address, asn) {
        object(reader, section, us, &config);
        let socket = Options { user_timeout: Some(config.send_hold), ..socket };
        return Some(PeerSettings { description, port, config, socket, key_file, bfd });
    }
    None
}

/// A key that must be there.
fn required<T>(
    reader: &mut Reader,
    section: &Section,
    key: &'static str,
    example: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    if section.values.is_missing(key) && section.at.origin.is_whole() {
        let (origin, fix) = match &section.at.origin {
            at @ Origin::File(_) => (at.clone(), format!("{key} = {example}")),
            _ => (Origin::Flag("peer-as"), format!("--peer-as {example}")),
        };
        let what = match origin {
            Origin::File(_) => format!("{key} is missing"),
            _ => "the speaker needs it".to_owned(),
        };
        let message = format!("{what}: write for example {fix}");
        reader.errors.push(ConfigError { origin, message });
    }
    reader.one(&section.values, key, read)
}

/// Our end; a link-local one is on the peer's interface, which may be named again.
fn local_address(
    reader: &mut Reader,
    values: &Values,
    peer: Option<PeerAddress>,
) -> Option<IpAddr> {
    let at = values.one("local-address")?;
    let zone = peer.and_then(PeerAddress::zone);
    let text = match at.text.split_once('%') {
        Some((ip, name)) if zone.as_ref().map(Zone::as_str) == Some(name) => ip,
        Some((ip, _)) => {
            let error = format!(
                "\"{}\" names an interface, and our end is on that of the peer: write {ip}",
                at.text
            );
            reader.errors.push(ConfigError::new(at, error));
            return None;
        }
        None => &at.text,
    };
    reader.keep(at, super::speaker::address(text))
}

fn link_local(reader: &mut Reader, values: &Values, peer: Option<PeerAddress>) -> LinkLocal {
    let spelling = reader.one(values, "link-local-next-hop", value::link_local);
    if let (Some(at), Some(peer), Some(_)) = (values.one("link-local-next-hop"), peer, spelling)
        && !peer.is_link_local()
    {
        let error = format!("{peer} is not link-local, and its next hops are global: leave it out");
        reader.errors.push(ConfigError::new(at, error));
    }
    spelling.unwrap_or_default()
}

/// A peer on this very host needs an address of ours of its own; mostly it is a mistake.
fn check_own(reader: &mut Reader, values: &Values, peer: PeerAddress, host: &Host<'_>) {
    if let Some(at) = values.one("address")
        && values.is_missing("local-address")
        && !peer.ip().is_loopback()
        && (host.is_own_address)(peer)
    {
        let error = format!(
            "\"{peer}\" is an address of this host: name the router's; for a router on this very \
             host add {} with another address of it",
            at.origin.spell("local-address", "")
        );
        reader.errors.push(ConfigError::new(at, error));
    }
}

/// What `ttl-security` and `multihop` come to. An external peer is a neighbor unless said
/// otherwise, and its packets go no further.
fn hops(reader: &mut Reader, values: &Values, internal: bool) -> Hops {
    let security = reader.one(values, "ttl-security", value::ttl_security).flatten();
    let multihop = reader.one(values, "multihop", value::multihop).flatten();
    match (security, multihop, values.one("multihop")) {
        (Some(_), Some(_), Some(at)) => {
            let error = "ttl-security is for neighbors, multihop for peers that are none: leave \
                         one of both out";
            reader.errors.push(ConfigError::new(at, error));
            Hops::Any
        }
        (Some(hops), _, _) => Hops::Security(hops.get()),
        (None, Some(ttl), _) => Hops::Ttl(ttl.get()),
        (None, None, _) if internal => Hops::Any,
        (None, None, _) => Hops::Ttl(1),
    }
}

/// Which routes may go to this peer: a part of what may be announced at all.
fn networks(reader: &mut Reader, values: &Values, common: &Common<'_>) -> Networks {
    let Some(given) = values.get("networks") else { return common.networks.clone() };
    let list = allow_list(reader, given, common.allow_any);
    for (at, network) in &list {
        if !common.networks.iter().any(|allowed| allowed.covers(*network)) {
            let error = format!(
                "\"{network}\" is in none of the networks at the top, and nothing else is ever \
                 announced: add it there, or leave it out here"
            );
            reader.errors.push(ConfigError::new(at, error));
        }
    }
    Networks::new(list.into_iter().map(|(_, network)| network).collect())
}

fn mode(reader: &mut Reader, values: &Values, listens: bool) -> Mode {
    let mode = reader.one(values, "mode", value::mode);
    if let (Some(Mode::Passive | Mode::Both), Some(at), false) = (mode, values.one("mode"), listens)
    {
        let error = format!(
            "\"{}\" lets the peer connect, and there is nowhere to: write listen = [\"ADDRESS\"] \
             at the top, with an address of this host",
            at.text
        );
        reader.errors.push(ConfigError::new(at, error));
    }
    mode.unwrap_or(if listens { Mode::Both } else { Mode::Active })
}

fn times(reader: &mut Reader, values: &Values, config: &mut PeerConfig) {
    if let Some(time) = reader.one(values, "hold-time", value::hold_time) {
        config.hold_time = time;
    }
    config.keepalive = reader.one(values, "keepalive-time", super::duration::parse);
    backoff(reader, values, ["connect-retry", "connect-retry-max"], &mut config.connect_retry);
    backoff(reader, values, ["idle-hold", "idle-hold-max"], &mut config.idle_hold);
    for (key, time) in
        [("stable-after", &mut config.stable_after), ("send-hold-time", &mut config.send_hold)]
    {
        if let Some(given) = reader.one(values, key, value::some_time) {
            *time = given;
        }
    }
}

/// Whoever gives only the first pause may give one beyond the usual longest.
fn backoff(reader: &mut Reader, values: &Values, keys: [&str; 2], backoff: &mut Backoff) {
    let [first, max] = keys.map(|key| reader.one(values, key, super::duration::parse));
    let first = first.unwrap_or(backoff.first.min(max.unwrap_or(Duration::MAX)));
    *backoff = Backoff { first, max: max.unwrap_or(backoff.max.max(first)) };
}

fn graceful_restart(reader: &mut Reader, values: &Values) -> Option<GracefulRestart> {
    let on = reader.one(values, "graceful-restart", on_off).unwrap_or(true);
    let mut restart = GracefulRestart::default();
    let time = reader.one(values, "graceful-restart.restart-time", super::duration::parse);
    restart.restart_time = time.unwrap_or(restart.restart_time);
    restart.notification =
        reader.one(values, "graceful-restart.notification", go_bool).unwrap_or(false);
    on.then_some(restart)
}

fn capabilities(reader: &mut Reader, values: &Values, host: &Host<'_>) -> Capabilities {
    let mut capabilities = Capabilities::default();
    for (key, on) in [
        ("capabilities.none", &mut capabilities.none),
        ("capabilities.route-refresh", &mut capabilities.route_refresh),
        ("capabilities.enhanced-route-refresh", &mut capabilities.enhanced_route_refresh),
        ("capabilities.extended-next-hop", &mut capabilities.extended_next_hop),
        ("capabilities.extended-messages", &mut capabilities.extended_messages),
        ("capabilities.send-extended-messages", &mut capabilities.send_extended_messages),
        ("strict-role", &mut capabilities.strict_role),
    ] {
        *on = reader.one(values, key, go_bool).unwrap_or(*on);
    }
    capabilities.role = reader.one(values, "role", value::role);
    let named = reader.one(values, "capabilities.fqdn", go_bool).unwrap_or(true);
    capabilities.fqdn = if named { fqdn(host.name) } else { None };
    capabilities
}

/// The name that peers may show for us, if it can be told.
fn fqdn(name: &str) -> Option<Fqdn> {
    let (host, domain) = name.split_once('.').unwrap_or((name, ""));
    let fits = !host.is_empty() && name.len() <= 200 && !name.chars().any(char::is_control);
    fits.then(|| Fqdn { host: host.to_owned(), domain: domain.to_owned() })
}

fn families(reader: &mut Reader, values: &Values) -> Option<Families> {
    let given = values.get("families")?;
    let mut families = Families::NONE;
    for at in given {
        match at.text.as_str() {
            "ipv4" => families.ipv4 = true,
            "ipv6" => families.ipv6 = true,
            other => {
                let error = format!("\"{other}\" is not a family: write \"ipv4\" or \"ipv6\"");
                reader.errors.push(ConfigError::new(at, error));
            }
        }
    }
    (families != Families::NONE).then_some(families)
}

/// The families to offer: the session's own; IPv4 over IPv6 too where the peer may take IPv6 next
/// hops (RFC 8950) or there is an IPv4 one; IPv6 over IPv4 only with a next hop for it.
fn possible_families(config: &PeerConfig) -> Families {
    let Policy { next_hop_v4, next_hop_v6, .. } = &config.policy;
    let Capabilities { none, extended_next_hop, .. } = config.capabilities;
    match config.peer.is_ipv4() {
        true => Families { ipv4: true, ipv6: next_hop_v6.is_some() && !none },
        false => Families { ipv4: extended_next_hop || next_hop_v4.is_some(), ipv6: true },
    }
}

/// What the speaker's core has against the whole, each at the key that is easiest to change.
fn object(reader: &mut Reader, section: &Section, us: &Us<'_>, config: &PeerConfig) {
    for objection in config.validate() {
        let at = match &objection {
            Objection::NextHopIsPeer { next_hop } | Objection::MartianNextHop { next_hop } => {
                let own = section.values.all("next-hop").iter();
                let all = us.common.next_hops.iter().map(|(at, _)| at);
                own.chain(all).find(|at| at.text.parse() == Ok(*next_hop))
            }
            other => key_of(other).and_then(|key| section.values.one(key)),
        };
        // Values that are wrong by themselves were told, and defaults took their place.
        let at = at.or(section.values.one("address")).unwrap_or(&section.at);
        reader.errors.push(ConfigError::new(at, objection));
    }
}

const fn key_of(objection: &Objection) -> Option<&'static str> {
    Some(match objection {
        Objection::ReservedAs { .. } => "remote-as",
        Objection::RouterId { .. }
        | Objection::PeerAddress { .. }
        | Objection::NoZone { .. }
        | Objection::Name { .. } => return None,
        Objection::PeerIsLocal { .. }
        | Objection::LocalFamily { .. }
        | Objection::LocalLinkLocal { .. } => "local-address",
        Objection::NoFamily | Objection::NoIpv6NextHop { .. } | Objection::NoIpv4NextHop { .. } => {
            "families"
        }
        Objection::HoldTime { .. } => "hold-time",
        Objection::Keepalive { .. } => "keepalive-time",
        Objection::Backoff { field, .. } => field,
        Objection::RestartTime { .. } => "graceful-restart.restart-time",
        Objection::MartianNextHop { .. } | Objection::NextHopIsPeer { .. } => "next-hop",
        Objection::RoleInternal { .. } => "role",
        Objection::StrictWithoutRole => "strict-role",
        Objection::LocalPrefExternal { field, .. }
        | Objection::PrependInternal { field, .. }
        | Objection::Prepend { field, .. }
        | Objection::Attributes { field, .. }
        | Objection::LastChoiceBetter { field, .. } => field,
        Objection::MaxPrefixes => "max-prefixes",
        Objection::NoCapabilities => "capabilities.none",
    })
}
