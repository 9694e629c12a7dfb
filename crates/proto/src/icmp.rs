//! ICMP echo (RFC 792, RFC 4443 section 4) through the kernel's ping sockets: datagram sockets of
//! protocol `IPPROTO_ICMP` and `IPPROTO_ICMPV6`, which need no privilege (icmp(7),
//! `net.ipv4.ping_group_range`).
//!
//! What is sent and received is the ICMP message without an IP header, for both families. The
//! kernel writes the identifier (the "port" the socket is bound to) and the checksum, for both
//! families, and gives a socket only echo replies with its own identifier whose checksum is right
//! (`net/ipv4/ping.c`, `net/ipv6/ping.c`). So this module writes both as zero and looks at neither.
//! ICMP errors do not come as messages but by the error queue of the socket. Whether an answer is
//! for this probe is told by the sequence number and a token of random octets, for a reply may be
//! late, sent twice, or made up.

use crate::family::Family;
use alloc::vec::Vec;

mod fuzz;
#[cfg(test)]
mod tests;

pub use fuzz::fuzz_icmp_reply;

/// The length of a token, in octets.
pub const TOKEN: usize = 16;

/// The most data that a request can carry, in octets: what an IPv4 packet of 65 535 octets has left
/// behind its own header of 20 and that of ICMP.
pub const MAX_DATA: u16 = 65_507;

const HEADER: usize = 8;

/// The type of an echo request (RFC 792, RFC 4443).
const fn request_type(family: Family) -> u8 {
    match family {
        Family::V4 => 8,
        Family::V6 => 128,
    }
}

/// The type of an echo reply.
const fn reply_type(family: Family) -> u8 {
    match family {
        Family::V4 => 0,
        Family::V6 => 129,
    }
}

/// One echo request: what it asks and what its reply must repeat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Echo {
    /// The family of the address that is asked.
    pub family: Family,
    /// Counts the requests of a socket; wraps.
    pub sequence: u16,
    /// Octets nobody else knows, new for each request: the beginning of the data.
    pub token: [u8; TOKEN],
    /// How much data there is, in octets: at least [`TOKEN`], at most [`MAX_DATA`]; what is outside
    /// counts as the nearest of both.
    pub size: u16,
}

/// What a received message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Received {
    /// The reply to this request: the probe passes.
    Reply,
    /// Something else, and why: keep waiting.
    NotOurs(NotOurs),
}

/// Why a message is not the reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotOurs {
    /// Less than a header.
    #[error("a message of {length} octets is shorter than an ICMP header of {HEADER}")]
    Short {
        /// Its length, in octets.
        length: usize,
    },
    /// Not an echo reply of this family.
    #[error("type {kind}, code {code} is no echo reply")]
    Type {
        /// The type of the message.
        kind: u8,
        /// Its code.
        code: u8,
    },
    /// The reply to another request, perhaps a late one.
    #[error("sequence {sequence} belongs to another request")]
    Sequence {
        /// The sequence number received.
        sequence: u16,
    },
    /// Other data than was sent.
    #[error("the data is not what was sent")]
    Token,
}

impl Echo {
    /// The message to send: eight octets of header, then the data.
    pub fn request(&self) -> Vec<u8> {
        let [high, low] = self.sequence.to_be_bytes();
        // Type, code, checksum and identifier (both the kernel's), sequence.
        let header = [request_type(self.family), 0, 0, 0, 0, 0, high, low];
        header.into_iter().chain(self.data()).collect()
    }

    /// The token, and behind it as many octets as are wanted: 0, 1, 2 and so on, so that one that
    /// was changed on the way is noticed.
    fn data(&self) -> impl Iterator<Item = u8> {
        let size = usize::from(self.size.min(MAX_DATA)).max(TOKEN);
        self.token.into_iter().chain((0..=u8::MAX).cycle()).take(size)
    }

    /// What a message received from the socket is.
    pub fn receive(&self, message: &[u8]) -> Received {
        let Some((header, data)) = message.split_first_chunk::<HEADER>() else {
            return Received::NotOurs(NotOurs::Short { length: message.len() });
        };
        let [kind, code, _, _, _, _, high, low] = *header;
        let sequence = u16::from_be_bytes([high, low]);
        if kind != reply_type(self.family) || code != 0 {
            return Received::NotOurs(NotOurs::Type { kind, code });
        }
        if sequence != self.sequence {
            return Received::NotOurs(NotOurs::Sequence { sequence });
        }
        if !self.data().eq(data.iter().copied()) {
            return Received::NotOurs(NotOurs::Token);
        }
        Received::Reply
    }
}
