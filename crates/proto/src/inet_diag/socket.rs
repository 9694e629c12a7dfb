//! `struct inet_diag_msg` and its attributes as a typed socket.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU32;

use ha2bgp_core::fact::Protocol;

use super::{SOCK_DIAG_BY_FAMILY, State};
use crate::family::Family;
use crate::netlink::{Attributes, Malformed, u32_at};

/// Size of `struct inet_diag_msg`.
const MESSAGE_LENGTH: usize = 72;
/// `INET_DIAG_SKMEMINFO`, on request: an array of `SK_MEMINFO_VARS` words.
pub(super) const SKMEMINFO: u16 = 7;
/// `SK_MEMINFO_DROPS` of include/uapi/linux/sock_diag.h, in octets.
const DROPS_AT: usize = 8 * 4;
/// `INET_DIAG_PROTOCOL`, in events.
const PROTOCOL: u16 = 10;
/// `INET_DIAG_SKV6ONLY`, for IPv6 sockets in LISTEN or CLOSE.
const SKV6ONLY: u16 = 11;

/// One socket, from a dump, an exact query or a destroy event.
///
/// In a destroy event the state is always CLOSE, `uid`, `inode` and the queues mean nothing, and
/// `protocol` is known; addresses, port and cookie are those of the living socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DiagSocket {
    /// The socket's family, which is not always that of its clients.
    pub family: Family,
    /// The state.
    pub state: State,
    /// Connections: how often the peer was told something again, or asked whether it is there, since it
    /// last acknowledged anything.
    pub retransmits: u8,
    /// The local address.
    pub src: IpAddr,
    /// The local port.
    pub sport: u16,
    /// The remote address; unspecified when not connected.
    pub dst: IpAddr,
    /// The remote port; 0 when not connected.
    pub dport: u16,
    /// The device that the socket is bound to.
    pub interface: Option<NonZeroU32>,
    /// The cookie: names this socket until the next boot.
    pub cookie: u64,
    /// LISTEN: connections waiting to be accepted. UDP: bytes waiting to be read.
    pub rqueue: u32,
    /// LISTEN: the backlog. UDP: bytes waiting to be sent. Connections: what was sent and is not
    /// acknowledged, the end counts as one byte.
    pub wqueue: u32,
    /// The owner.
    pub uid: u32,
    /// The inode in sockfs, 0 when no file refers to the socket any more.
    pub inode: u32,
    /// Whether `IPV6_V6ONLY` is set, where the kernel says so.
    pub v6only: Option<bool>,
    /// The protocol, in destroy events.
    pub protocol: Option<Protocol>,
    /// What was dropped at this socket since it is there, modulo 2^32, where that was asked for.
    /// LISTEN: handshakes that found the queue full. UDP: datagrams.
    pub drops: Option<u32>,
}

impl DiagSocket {
    /// Reads the payload of a `SOCK_DIAG_BY_FAMILY` message.
    ///
    /// # Errors
    /// When it is too short, of another family, or has broken attributes.
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let Some((fixed, attributes)) = payload.split_first_chunk::<MESSAGE_LENGTH>() else {
            return Err(Malformed::Payload {
                kind: SOCK_DIAG_BY_FAMILY,
                length: payload.len(),
                least: MESSAGE_LENGTH,
            });
        };
        // The indexes below are constants inside the array, which the compiler checks.
        let family = Family::from_code(fixed[0]).ok_or(Malformed::Family { family: fixed[0] })?;
        let number = |offset| u32_at(fixed, offset).unwrap_or(0);
        // The cookie is two words, the low one first (sock_diag_save_cookie).
        let cookie = u64::from(number(44)) | u64::from(number(48)) << 32;
        let mut socket = Self {
            family,
            state: State(fixed[1]),
            // idiag_timer, at 2, says which of both; either way nobody answers.
            retransmits: fixed[3],
            src: address(family, fixed, 8),
            sport: u16::from_be_bytes([fixed[4], fixed[5]]),
            dst: address(family, fixed, 24),
            dport: u16::from_be_bytes([fixed[6], fixed[7]]),
            interface: NonZeroU32::new(number(40)),
            cookie,
            rqueue: number(56),
            wqueue: number(60),
            uid: number(64),
            inode: number(68),
            v6only: None,
            protocol: None,
            drops: None,
        };
        for attribute in Attributes::new(attributes) {
            match attribute? {
                (SKV6ONLY, &[value]) => socket.v6only = Some(value != 0),
                (SKMEMINFO, memory) => socket.drops = u32_at(memory, DROPS_AT),
                (PROTOCOL, &[6]) => socket.protocol = Some(Protocol::Tcp),
                (PROTOCOL, &[17]) => socket.protocol = Some(Protocol::Udp),
                _ => {}
            }
        }
        Ok(socket)
    }
}

/// The address at `offset`, in network order; IPv4 uses the first of the four words.
fn address(family: Family, fixed: &[u8; MESSAGE_LENGTH], offset: usize) -> IpAddr {
    let bytes = fixed.get(offset..).unwrap_or(&[]);
    match family {
        Family::V4 => {
            bytes.first_chunk::<4>().map_or(Ipv4Addr::UNSPECIFIED.into(), |v4| (*v4).into())
        }
        Family::V6 => {
            bytes.first_chunk::<16>().map_or(Ipv6Addr::UNSPECIFIED.into(), |v6| (*v6).into())
        }
    }
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
