//! The settings of the built-in speaker: whom it speaks to, and as whom.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ha2bgp_core::net::{Networks, NeverAnnounced, NextHop, never_announced};
use ha2bgp_proto::bgp::{Mode, PeerAddress};

use super::duration;
use super::error::ConfigError;
use super::file::keys;
use super::origin::{Origin, Written};
pub use super::peer::PeerSettings;
use super::peer::{self, Route, Us};
use super::raw::{Raw, Section, Values};
use super::reader::{Host, Reader};
use crate::cli::flags::{FLAGS, SPEAKER};

/// Everything the speaker needs to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SpeakerSettings {
    /// The routers; at least one.
    pub peers: Vec<PeerSettings>,
    /// Where peers may connect to; empty: we connect.
    pub listen: Vec<IpAddr>,
    /// How long routes are announced as the last choice before they are withdrawn at the end.
    pub drain_time: Duration,
}

/// What was read already, and counts for all peers.
pub(super) struct Common<'a> {
    pub(super) networks: &'a Networks,
    pub(super) next_hops: Vec<(Written, NextHop)>,
    pub(super) allow_any: bool,
}

/// With another backend nothing of the speaker may be given.
pub(super) fn refuse(reader: &mut Reader, raw: &Raw) {
    let flags = FLAGS.iter().filter(|flag| flag.heading == SPEAKER).map(|flag| flag.long);
    // ExaBGP is told the other attributes of routes that are the last choice.
    let of_speaker = |path: &&str| match path.strip_prefix("defaults.route.") {
        Some(key) => !key.starts_with("last-choice.") || key == "last-choice.prepend",
        None => false,
    };
    let keys = keys::KEYS.iter().map(|key| key.path).filter(of_speaker);
    let given = flags.chain(keys).filter_map(|name| raw.values.one(name));
    let by_file = |section: &&Section| matches!(section.at.origin, Origin::File(_));
    let peers = raw.peers.iter().filter(by_file).map(|section| &section.at);
    // Whoever says nothing of a backend has forgotten the routers.
    let chosen = raw.values.one("bgp-backend").map(|at| &at.origin);
    let is_chosen = chosen.is_some_and(|origin| !matches!(origin, Origin::Default(_)));
    for at in given.filter(|at| !matches!(at.origin, Origin::Default(_))).chain(peers) {
        let error = match at.origin {
            Origin::File(_) if !is_chosen => {
                "is of the built-in speaker, and no [[peer]] says whom it speaks to: add one, or leave \
                 it out"
                    .to_owned()
            }
            _ => {
                let fix = at.origin.spell("bgp-backend", "\"speaker\"");
                format!("is of the built-in speaker: add {fix}, or leave it out")
            }
        };
        reader.errors.push(ConfigError::new(at, error));
    }
}

/// Reads them all.
pub(super) fn read(
    reader: &mut Reader,
    raw: &Raw,
    host: &Host<'_>,
    common: &Common<'_>,
) -> Option<SpeakerSettings> {
    let local_as = required(reader, raw, "local-as", "64512", asn);
    let router_id = match local_id(raw).filter(|_| raw.values.is_missing("router-id")) {
        Some(id) => Some(id),
        None => required(reader, raw, "router-id", "\"10.1.1.1\"", router_id),
    };
    let listen = listen(reader, &raw.values);
    let route = Route::defaults(reader, &raw.values, &common.next_hops);
    if raw.peers.is_empty() && !raw.has_bad_peers {
        missing(reader, raw, "peer", "192.0.2.1");
        if raw.values.all("peer-as").is_empty() && !raw.has_file() {
            missing(reader, raw, "peer-as", "64512");
        }
    }
    let listens = !listen.is_empty();
    let us = Us { local_as, router_id, listens, host, common, route: &route };
    let mut known: Vec<(PeerAddress, &Written)> = Vec::new();
    let mut peers = Vec::new();
    for section in &raw.peers {
        let address = peer::address_of(reader, section);
        if let (Some(address), Some(at)) = (address, section.values.one("address")) {
            if let Some((_, before)) = known.iter().find(|(known, _)| *known == address) {
                let error = twice(address, at, before);
                reader.errors.push(ConfigError::new(at, error));
                continue;
            }
            known.push((address, at));
        }
        let peer = peer::read(reader, section, address, &us);
        if let Some(peer) = &peer {
            check_key(reader, section, peer, &peers);
        }
        peers.extend(peer);
    }
    if reader.errors.is_empty() {
        route.check_use(reader, &peers);
    }
    let drain_time = reader.one(&raw.values, "drain-time", duration::parse).unwrap_or_default();
    Some(SpeakerSettings { peers, listen, drain_time })
}

/// A listening socket has one key an address, whatever the interface (`tcp_v6_parse_md5_keys` in
/// net/ipv6/tcp_ipv6.c: an interface counts only when it is a VRF).
fn check_key(reader: &mut Reader, section: &Section, peer: &PeerSettings, others: &[PeerSettings]) {
    let passive = |peer: &PeerSettings| peer.config.mode != Mode::Active;
    let clash = others.iter().find(|other| {
        other.config.peer.ip() == peer.config.peer.ip()
            && other.socket.key != peer.socket.key
            && passive(other)
            && passive(peer)
    });
    if let Some(other) = clash {
        let at = section.values.one("password-file").unwrap_or(&section.at);
        let error = format!(
            "{} and {} have one address and two keys, and the kernel takes connections with one \
             key an address: give both the same password-file, or one of them mode = \"active\"",
            other.config.peer, peer.config.peer
        );
        reader.errors.push(ConfigError::new(at, error));
    }
}

fn twice(address: PeerAddress, at: &Written, before: &Written) -> String {
    let first = before.origin.first_for(&at.origin);
    format!("\"{address}\" is given twice{first}: leave one out")
}

/// The identifier for those who give none: the first local address that can be one. It is in the
/// configuration, so it stays the same over restarts, whatever addresses the host has by then.
fn local_id(raw: &Raw) -> Option<Ipv4Addr> {
    let given = raw.peers.iter().filter_map(|peer| peer.values.one("local-address"));
    let mut ids = given.filter_map(|at| router_id(&at.text).ok());
    ids.find(|id| !id.is_loopback())
}

/// A setting without a default that must be there.
fn required<T>(
    reader: &mut Reader,
    raw: &Raw,
    name: &'static str,
    example: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    if raw.values.is_missing(name) {
        missing(reader, raw, name, example);
    }
    reader.one(&raw.values, name, read)
}

fn missing(reader: &mut Reader, raw: &Raw, name: &'static str, example: &str) {
    if !raw.is_whole() {
        return;
    }
    let origin = raw.missing(name);
    let example = match name {
        "peer" if raw.has_file() => "[[peer]] with address and remote-as".to_owned(),
        _ => origin.spell(name, example),
    };
    let message = format!("the speaker needs it: write for example {example}");
    reader.errors.push(ConfigError { origin, message });
}

fn listen(reader: &mut Reader, values: &Values) -> Vec<IpAddr> {
    let addresses = values.all("listen").iter();
    addresses.filter_map(|at| reader.keep(at, listen_address(&at.text))).collect()
}

/// An AS number that may stand in an OPEN, as a number or in RFC 5396's asdot form.
pub(super) fn asn(text: &str) -> Result<u32, String> {
    let number = match text.split_once('.') {
        Some((high, low)) => match (high.parse::<u16>(), low.parse::<u16>()) {
            (Ok(high), Ok(low)) => Some(u32::from(high) << 16 | u32::from(low)),
            _ => None,
        },
        None => text.parse().ok(),
    };
    match number {
        None => Err(format!(
            "\"{text}\" is not an AS number: write a whole number from 1 to {}, for example 64512",
            u32::MAX
        )),
        // RFC 7607, RFC 6793 section 9, RFC 7300.
        Some(0 | 23_456 | 65_535 | u32::MAX) => Err(format!(
            "\"{text}\" is reserved and nobody's AS: write your own, or a private one from 64512 \
             to 65534"
        )),
        Some(number) => Ok(number),
    }
}

fn router_id(text: &str) -> Result<Ipv4Addr, String> {
    match text.parse::<Ipv4Addr>() {
        Ok(id) if id.octets()[0] != 0 && !id.is_multicast() && !id.is_broadcast() => Ok(id),
        _ => Err(format!(
            "\"{text}\" is not a router id: write a unicast IPv4 address that no other BGP speaker \
             of yours has, for example 10.1.1.1"
        )),
    }
}

pub(super) fn peer_address(text: &str) -> Result<PeerAddress, String> {
    let address: PeerAddress = text.parse().map_err(|error| format!("\"{text}\" {error}"))?;
    check_end(text, address.ip())?;
    Ok(address)
}

/// Our end of a session.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text
        .parse()
        .map_err(|_| format!("\"{text}\" is not an IP address: write for example 192.0.2.1"))?;
    check_end(text, address)?;
    Ok(address)
}

fn check_end(text: &str, address: IpAddr) -> Result<(), String> {
    match never_announced(address) {
        // Between neighbors on one link.
        Some(NeverAnnounced::LinkLocal) if address.is_ipv6() => Ok(()),
        Some(_) => Err(format!(
            "\"{text}\" cannot be an end of a session: unspecified, multicast, IPv4 link-local and \
             reserved addresses cannot; write a unicast address"
        )),
        None => Ok(()),
    }
}

/// All addresses of a family are welcome here, and an address must be there at the time.
fn listen_address(text: &str) -> Result<IpAddr, String> {
    let ip = text.split_once('%').map_or(text, |(ip, _)| ip);
    match ip.parse::<IpAddr>() {
        Ok(any) if any.is_unspecified() => Ok(any),
        Ok(IpAddr::V6(v6)) if v6.is_unicast_link_local() => Err(format!(
            "\"{text}\" is link-local, and not listened on by itself: write \"::\"; only the \
             addresses of peers are let in"
        )),
        _ => address(text),
    }
}

#[cfg(test)]
mod tests;
