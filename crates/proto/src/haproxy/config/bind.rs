//! `bind` and `stats socket` lines (configuration.txt sections 4.2 "bind", 5.1 and 11).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;

use ha2bgp_core::fact::Protocol;

use super::{Address, Bind};

/// The binds of one line: an address list and its options. Each text is something to note.
pub(super) fn parse(list: &str, options: &[String], notes: &mut Vec<String>) -> Vec<Bind> {
    let options = Options::parse(options, notes);
    let mut binds = Vec::new();
    for text in list.split(',').filter(|it| !it.is_empty()) {
        match one(text, &options, notes) {
            Ok(bind) => binds.push(bind),
            Err(why) => notes.push(format!("bind {text:?} is left out: {why}")),
        }
    }
    binds
}

/// The options that matter here.
#[derive(Default)]
struct Options {
    v6only: bool,
    name: Option<String>,
}

impl Options {
    fn parse(words: &[String], notes: &mut Vec<String>) -> Self {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "v6only" => options.v6only = true,
                "name" => options.name = words.next().cloned(),
                "namespace" => {
                    let which = words.next().cloned().unwrap_or_default();
                    notes.push(format!(
                        "bind in network namespace {which:?}: taken as if it were in ours"
                    ));
                }
                // Whatever else: their values are no options of ours.
                "crt" | "ca-file" | "interface" | "id" | "user" | "group" | "mode" | "level" => {
                    words.next();
                }
                _ => {}
            }
        }
        options
    }
}

/// What stands before an `@`.
struct Prefix {
    family: Family,
    protocol: Protocol,
}

enum Family {
    Any,
    V4,
    V6,
    Unix,
    /// Abstract, inherited: not reachable by an address.
    None,
}

fn prefix(text: &str) -> Option<Prefix> {
    let text = text.strip_prefix("stream+").unwrap_or(text);
    let (text, datagram) = match text.strip_prefix("dgram+") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let (family, udp) = match text {
        "ip" | "tcp" | "mptcp" => (Family::Any, false),
        "ipv4" | "tcp4" | "mptcp4" => (Family::V4, false),
        "ipv6" | "tcp6" | "mptcp6" => (Family::V6, false),
        "udp" => (Family::Any, true),
        "quic4" | "udp4" => (Family::V4, true),
        "quic6" | "udp6" => (Family::V6, true),
        "unix" | "uxst" | "uxdg" => (Family::Unix, false),
        "abns" | "abnsz" | "fd" | "sockpair" | "rhttp" | "rev" => (Family::None, false),
        _ => return None,
    };
    let protocol = if udp || datagram { Protocol::Udp } else { Protocol::Tcp };
    Some(Prefix { family, protocol })
}

fn one(text: &str, options: &Options, notes: &mut Vec<String>) -> Result<Bind, String> {
    let (prefix, rest) = match text.split_once('@') {
        Some((word, rest)) => {
            (prefix(word).ok_or_else(|| format!("unknown prefix {word:?}"))?, rest)
        }
        None => (Prefix { family: Family::Any, protocol: Protocol::Tcp }, text),
    };
    let bind = |address, ports| Bind {
        address,
        ports,
        protocol: prefix.protocol,
        name: options.name.clone(),
    };
    match prefix.family {
        Family::None => return Ok(bind(Address::Other(text.into()), 0..=0)),
        Family::Unix => return Ok(bind(Address::Unix(rest.into()), 0..=0)),
        Family::Any if rest.starts_with('/') => {
            return Ok(bind(Address::Unix(rest.into()), 0..=0));
        }
        Family::Any | Family::V4 | Family::V6 => {}
    }
    let (host, port) =
        rest.rsplit_once(':').ok_or_else(|| "it has no port, as in :80".to_string())?;
    let ports = ports(port).ok_or_else(|| {
        format!("{port:?} is no port from 1 to 65535, nor a range of them as 80-85")
    })?;
    let any6 = || Address::Any6 { v6only: options.v6only };
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let address = match (bare, &prefix.family) {
        ("" | "*", Family::V6) => any6(),
        ("" | "*", _) => Address::Any4,
        _ => match bare.split('%').next().unwrap_or_default().parse() {
            Ok(ip) if ip == IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Address::Any4,
            Ok(ip) if ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => any6(),
            Ok(ip) => Address::Ip(ip),
            Err(_) => {
                notes.push(format!("bind {text:?}: the host name {host:?} is not looked up"));
                Address::Other(text.into())
            }
        },
    };
    Ok(bind(address, ports))
}

fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let port = |it: &str| {
        let digits = !it.is_empty() && it.bytes().all(|octet| octet.is_ascii_digit());
        it.parse::<u16>().ok().filter(|port| digits && *port > 0)
    };
    match text.split_once('-') {
        Some((first, last)) => {
            let range = port(first)?..=port(last)?;
            (!range.is_empty()).then_some(range)
        }
        None => port(text).map(|it| it..=it),
    }
}
