//! The settings of the built-in speaker: whom it speaks to, as whom, and how it is protected.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU8;
use std::time::Duration;

use ha2bgp_core::net::never_announced;
use ha2bgp_sys::tcp::{Hops, Key};

use super::duration;
use super::error::ConfigError;
use super::raw::{Origin, Raw, Written};
use super::reader::{Host, Reader};

/// The flags that only the speaker has a use for.
const FLAGS: [&str; 11] = [
    "local-as",
    "router-id",
    "peer",
    "peer-as",
    "local-address",
    "listen",
    "password-file",
    "ttl-security",
    "multihop",
    "hold-time",
    "drain-time",
];

/// Everything the speaker needs to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SpeakerSettings {
    /// Our AS.
    pub local_as: u32,
    /// Our BGP identifier.
    pub router_id: Ipv4Addr,
    /// The routers; at least one.
    pub peers: Vec<PeerSettings>,
    /// Where peers may connect to; empty: we connect.
    pub listen: Vec<IpAddr>,
    /// How long routes are announced as the last choice before they are withdrawn at the end.
    pub drain_time: Duration,
}

/// One router.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerSettings {
    /// Its address.
    pub address: IpAddr,
    /// Its AS.
    pub asn: u32,
    /// The address that the session comes from; `None`: what the kernel chooses.
    pub local_address: Option<IpAddr>,
    /// The key of TCP MD5 signatures.
    pub key: Option<Key>,
    /// The file that it was read from.
    pub key_file: Option<String>,
    /// How far away it may be.
    pub hops: Hops,
    /// The hold time to propose; zero: none.
    pub hold_time: Duration,
}

/// Reads them all. With another backend none of them may be given.
pub(super) fn read(
    reader: &mut Reader,
    raw: &Raw,
    host: &Host<'_>,
    wanted: bool,
) -> Option<SpeakerSettings> {
    if !wanted {
        for name in FLAGS {
            if let Some(at) = raw.one(name).filter(|at| !matches!(at.origin, Origin::Default(_))) {
                reader.errors.push(ConfigError::new(
                    at,
                    "is of the built-in speaker: add --bgp-backend speaker, or leave it out",
                ));
            }
        }
        return None;
    }
    let local_as = required(reader, raw, "local-as", "64512", asn);
    let router_id = required(reader, raw, "router-id", "10.1.1.1", router_id);
    let peers = peers(reader, raw);
    let numbers = peer_numbers(reader, raw, raw.all("peer").len());
    let local_address = reader.one(raw, "local-address", address);
    let listen = listen(reader, raw);
    let key =
        raw.one("password-file").and_then(|at| reader.keep(at, read_key(&at.text, host.read_file)));
    let key_file = raw.one("password-file").map(|at| at.text.clone());
    let hold_time = reader.one(raw, "hold-time", hold_time)?;
    let drain_time = reader.one(raw, "drain-time", duration::parse)?;
    let hops = hops(reader, raw);
    for (at, peer) in &peers {
        if let (Some(local), Some(local_at)) = (local_address, raw.one("local-address")) {
            check_pair(reader, local_at, local, *peer);
        } else if !peer.is_loopback() && (host.is_own_address)(*peer) {
            reader.errors.push(ConfigError::new(
                at,
                format_args!(
                    "\"{peer}\" is an address of this host: name the router's; for a router on \
                     this very host add --local-address with another address of it"
                ),
            ));
        }
    }
    let peers = peers.into_iter().zip(numbers).map(|((_, address), asn)| PeerSettings {
        address,
        asn,
        local_address,
        key: key.clone(),
        key_file: key_file.clone(),
        hops: hops_for(hops, local_as == Some(asn)),
        hold_time,
    });
    let peers = peers.collect();
    Some(SpeakerSettings { local_as: local_as?, router_id: router_id?, peers, listen, drain_time })
}

/// A setting without a default that must be there.
fn required<T>(
    reader: &mut Reader,
    raw: &Raw,
    name: &'static str,
    example: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    if raw.one(name).is_none() {
        missing(reader, name, example);
    }
    reader.one(raw, name, read)
}

fn missing(reader: &mut Reader, name: &'static str, example: &str) {
    reader.errors.push(ConfigError {
        origin: Origin::Flag(name),
        message: format!("the speaker needs it: write for example --{name} {example}"),
    });
}

fn peers<'a>(reader: &mut Reader, raw: &'a Raw) -> Vec<(&'a Written, IpAddr)> {
    let mut peers: Vec<(&Written, IpAddr)> = Vec::new();
    if raw.all("peer").is_empty() {
        missing(reader, "peer", "192.0.2.1");
    }
    for at in raw.all("peer") {
        let Some(address) = reader.keep(at, address(&at.text)) else { continue };
        if peers.iter().any(|(_, known)| *known == address) {
            let error = format!("\"{address}\" is given twice: leave one out");
            reader.errors.push(ConfigError::new(at, error));
        } else {
            peers.push((at, address));
        }
    }
    peers
}

fn listen(reader: &mut Reader, raw: &Raw) -> Vec<IpAddr> {
    let addresses = raw.all("listen").iter();
    addresses.filter_map(|at| reader.keep(at, listen_address(&at.text))).collect()
}

/// One number for all peers, or one for each.
fn peer_numbers(reader: &mut Reader, raw: &Raw, peers: usize) -> Vec<u32> {
    let given = raw.all("peer-as");
    let mut numbers = Vec::new();
    for at in given {
        numbers.extend(reader.keep(at, asn(&at.text)));
    }
    match (given, numbers.as_slice()) {
        ([], _) => missing(reader, "peer-as", "64512"),
        ([_], [number]) => numbers = vec![*number; peers],
        ([.., last], _) if given.len() != peers => {
            let error = format!(
                "there are {} AS numbers for {peers} peers: write one for all, or one for each in \
                 the same order",
                given.len()
            );
            reader.errors.push(ConfigError::new(last, error));
        }
        _ => {}
    }
    numbers
}

/// Both ends of a session.
fn check_pair(reader: &mut Reader, at: &Written, local: IpAddr, peer: IpAddr) {
    let objection = if local == peer {
        format!("\"{local}\" is the peer's address too: write the address of this host")
    } else if local.is_ipv4() != peer.is_ipv4() {
        format!(
            "\"{local}\" and the peer {peer} are not of one family: write the address of this \
             host that the peer knows"
        )
    } else {
        return;
    };
    reader.errors.push(ConfigError::new(at, objection));
}

/// What `--ttl-security` and `--multihop` come to.
fn hops(reader: &mut Reader, raw: &Raw) -> Hops {
    let security = reader.switch(raw, "ttl-security");
    let multihop = reader.one(raw, "multihop", multihop).flatten();
    match (security, multihop, raw.one("multihop")) {
        (true, Some(_), Some(at)) => {
            let error = "ttl-security is for neighbors, multihop for peers that are none: leave \
                         one of both out";
            reader.errors.push(ConfigError::new(at, error));
            Hops::Any
        }
        (true, _, _) => Hops::Security(1),
        (false, Some(ttl), _) => Hops::Ttl(ttl.get()),
        (false, None, _) => Hops::Any,
    }
}

/// An external peer is a neighbor unless said otherwise, and its packets go no further.
fn hops_for(hops: Hops, internal: bool) -> Hops {
    match hops {
        Hops::Any if !internal => Hops::Ttl(1),
        other => other,
    }
}

/// An AS number that may stand in an OPEN, as a number or in RFC 5396's asdot form.
fn asn(text: &str) -> Result<u32, String> {
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

fn address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text
        .parse()
        .map_err(|_| format!("\"{text}\" is not an IP address: write for example 192.0.2.1"))?;
    match never_announced(address) {
        Some(_) => Err(format!(
            "\"{text}\" cannot be an end of a session: unspecified, multicast, link-local and \
             reserved addresses cannot; write a unicast address"
        )),
        None => Ok(address),
    }
}

/// All addresses of a family are welcome here, and an address must be there at the time.
fn listen_address(text: &str) -> Result<IpAddr, String> {
    match text.parse::<IpAddr>() {
        Ok(any) if any.is_unspecified() => Ok(any),
        _ => address(text),
    }
}

/// The key in a file, without the line end.
///
/// # Errors
/// When the file cannot be read, or holds no key.
pub fn read_key(
    path: &str,
    read_file: &dyn Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<Key, String> {
    let bytes = read_file(path).map_err(|error| {
        let fix = match error.kind() {
            io::ErrorKind::NotFound => "write the path of a file with the key in it",
            io::ErrorKind::PermissionDenied => "let the user that ha2bgp runs as read it",
            _ => "write the path of a readable file",
        };
        format!("\"{path}\" cannot be read: {error}: {fix}")
    })?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Key::new(line).map_err(|error| format!("\"{path}\": {error}: write one line of 1 to 80 bytes"))
}

fn multihop(text: &str) -> Result<Option<NonZeroU8>, String> {
    match text.parse() {
        _ if text == "off" => Ok(None),
        Ok(ttl) => Ok(Some(ttl)),
        Err(_) => Err(format!(
            "\"{text}\" is neither off nor a number of hops from 1 to 255: write for example 2"
        )),
    }
}

/// RFC 4271 section 4.2: zero, or at least three seconds, in 16 bits.
fn hold_time(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text).map_err(|error| error.to_string())?;
    let seconds = time.as_secs();
    if time.subsec_nanos() != 0 || matches!(seconds, 1 | 2) || seconds > u16::MAX.into() {
        return Err(format!(
            "\"{text}\" cannot be a hold time: write whole seconds from 3s to 65535s, or 0s for \
             none"
        ));
    }
    Ok(time)
}

#[cfg(test)]
mod tests;
