//! The header of the PROXY protocol, versions 1 and 2, as a check sends it before anything else.
//!
//! Source: `doc/proxy-protocol.txt` of HAProxy, sections 2.1 and 2.2. Only sending: nothing here
//! reads such a header. A check shall give its own two addresses (getsockname, getpeername), says
//! section 2.1: some servers reject `UNKNOWN`. TLVs, UDP and unix addresses are never sent.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

mod fuzz;
#[cfg(test)]
mod tests;

pub use fuzz::fuzz_proxy_header;

/// The longest header, in octets: a line of version 1 with two long IPv6 addresses.
pub const MAX_HEADER: usize = 104;

/// What a header of version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2 with the command LOCAL, and with the command PROXY.
const V2_LOCAL: u8 = 0x20;
const V2_PROXY: u8 = 0x21;

/// Families with the transport STREAM, and what goes with LOCAL.
const UNSPEC: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// Which version is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// One line of text.
    V1,
    /// Octets.
    V2,
}

impl Version {
    /// `v1` or `v2`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not a version.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{word}\" is no version of the PROXY protocol: write v1 or v2")]
pub struct VersionError {
    /// What stands there instead, at most forty characters.
    pub word: String,
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        match text {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            _ => Err(VersionError { word: text.chars().take(40).collect() }),
        }
    }
}

/// What a header says of the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Connection {
    /// Nothing: version 1 says `UNKNOWN`, version 2 LOCAL. The server uses the real addresses.
    Local,
    /// Who connects to whom. An IPv4 address mapped into IPv6 counts as IPv4; where only one of the
    /// two is IPv4 it is mapped, for both must be of one family.
    Proxied {
        /// The client.
        source: SocketAddr,
        /// What it connects to.
        destination: SocketAddr,
    },
}

/// The octets to send at once, right after the connection is there: at most [`MAX_HEADER`].
pub fn header(version: Version, connection: Connection) -> Vec<u8> {
    let (source, destination) = match connection {
        Connection::Local => {
            return match version {
                Version::V1 => b"PROXY UNKNOWN\r\n".to_vec(),
                Version::V2 => binary(V2_LOCAL, UNSPEC, &[]),
            };
        }
        Connection::Proxied { source, destination } => (source, destination),
    };
    let ports = (source.port(), destination.port());
    match (source.ip().to_canonical(), destination.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => match version {
            Version::V1 => line("TCP4", &format!("{from} {to}"), ports),
            Version::V2 => binary(V2_PROXY, TCP4, &block(&from.octets(), &to.octets(), ports)),
        },
        (from, to) => {
            let (from, to) = (mapped(from), mapped(to));
            match version {
                Version::V1 => line("TCP6", &format!("{} {}", hex(from), hex(to)), ports),
                Version::V2 => binary(V2_PROXY, TCP6, &block(&from.octets(), &to.octets(), ports)),
            }
        }
    }
}

const fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Only groups of hexadecimal digits may be sent; `Display` would end `::ffff:192.0.2.1` in dots.
fn hex(address: Ipv6Addr) -> String {
    if address.to_ipv4_mapped().is_none() {
        return format!("{address}");
    }
    let [.., high, low] = address.segments();
    format!("::ffff:{high:x}:{low:x}")
}

fn line(family: &str, addresses: &str, (from, to): (u16, u16)) -> Vec<u8> {
    format!("PROXY {family} {addresses} {from} {to}\r\n").into_bytes()
}

fn block(from: &[u8], to: &[u8], (from_port, to_port): (u16, u16)) -> Vec<u8> {
    [from, to, &from_port.to_be_bytes(), &to_port.to_be_bytes()].concat()
}

fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    // A block has 0, 12 or 36 octets.
    let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
    [&SIGNATURE, &[command, family][..], &length.to_be_bytes(), block].concat()
}
