//! Queries as octets.

use alloc::vec::Vec;

use super::{Class, DnsName, RecordType};

/// Opcode QUERY, nothing but the question; and with recursion desired (RFC 1035 section 4.1.1).
const FLAGS: u16 = 0;
const RECURSION_DESIRED: u16 = 0x0100;

/// The type of an OPT record (RFC 6891 section 6.1.1).
const OPT: u16 = 41;

/// A smaller size of datagrams means the same as this (RFC 6891 section 6.2.3).
const LEAST_PAYLOAD: u16 = 512;

/// One question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Query {
    /// What is asked about.
    pub name: DnsName,
    /// Which records.
    pub record_type: RecordType,
    /// Of which class.
    pub class: Class,
    /// True to ask for recursion: for resolvers, not for authoritative servers.
    pub recursion: bool,
    /// The largest datagram that can be received, in octets, said by EDNS; `None` for no EDNS.
    pub edns: Option<u16>,
}

impl Query {
    /// The message, with an identifier that nobody can guess: at most 12 + 255 + 4 + 11 octets.
    pub fn message(&self, id: u16) -> Vec<u8> {
        let flags = if self.recursion { RECURSION_DESIRED } else { FLAGS };
        let additional = u16::from(self.edns.is_some());
        let mut message = Vec::with_capacity(282);
        for field in [id, flags, 1, 0, 0, additional] {
            message.extend(field.to_be_bytes());
        }
        message.extend_from_slice(self.name.0.as_slice());
        message.extend(self.record_type.number().to_be_bytes());
        message.extend(self.class.number().to_be_bytes());
        if let Some(size) = self.edns {
            // The root as owner, the size as class; extended rcode, version, flags and length zero.
            message.push(0);
            for field in [OPT, size.max(LEAST_PAYLOAD), 0, 0, 0] {
                message.extend(field.to_be_bytes());
            }
        }
        message
    }
}
