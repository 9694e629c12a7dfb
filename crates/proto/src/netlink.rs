//! Netlink framing: message headers, control messages and attributes.
//!
//! Owns the layout that all netlink families share (include/uapi/linux/netlink.h), in native byte
//! order. It knows no family, makes no system call and trusts no length that it reads.

use alloc::vec::Vec;

use thiserror::Error;

/// Size of `struct nlmsghdr`.
pub const HEADER_LENGTH: usize = 16;
/// Size of `struct nlattr`.
const ATTRIBUTE_HEADER_LENGTH: usize = 4;
/// `NLMSG_ALIGNTO` and `NLA_ALIGNTO`.
const ALIGNMENT: usize = 4;
/// `NLA_TYPE_MASK`: the two high bits say nested and network byte order.
const ATTRIBUTE_KIND_MASK: u16 = 0x3fff;

const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;

/// Flags of the header (`NLM_F_*`).
pub mod flags {
    /// The message is a request.
    pub const REQUEST: u16 = 0x01;
    /// A dump was inconsistent: something changed between two of its parts.
    pub const DUMP_INTERRUPTED: u16 = 0x10;
    /// `NLM_F_ROOT | NLM_F_MATCH`: ask for all there is.
    pub const DUMP: u16 = 0x300;
}

/// Bytes that are not what netlink promises.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Malformed {
    /// Fewer bytes than a header.
    #[error("{left} bytes are left of a datagram where a netlink header of 16 was expected")]
    Header {
        /// Bytes left.
        left: usize,
    },
    /// A length that cannot be true.
    #[error("a netlink message says it has {length} bytes, with {left} left of the datagram")]
    Length {
        /// The length in the header.
        length: u32,
        /// Bytes left, the header included.
        left: usize,
    },
    /// The fixed part of a message is incomplete.
    #[error("a netlink message of type {kind} has {length} bytes, at least {least} were expected")]
    Payload {
        /// `nlmsg_type`.
        kind: u16,
        /// Bytes behind the header.
        length: usize,
        /// Bytes that the type must have.
        least: usize,
    },
    /// An attribute is cut off or too small for its type.
    #[error("attribute {kind} of a netlink message has a length of {length} that cannot be")]
    Attribute {
        /// `nla_type`, 0 when even that is missing.
        kind: u16,
        /// The length found.
        length: usize,
    },
    /// Neither `AF_INET` nor `AF_INET6`.
    #[error("address family {family} where IPv4 (2) or IPv6 (10) was expected")]
    Family {
        /// The family found.
        family: u8,
    },
}

/// What a message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body<'a> {
    /// `NLMSG_NOOP`, and types that a client has nothing to do with.
    Nothing,
    /// `NLMSG_DONE`: the dump is complete when `errno` is 0, else it failed half-way.
    Done {
        /// A positive errno, or 0.
        errno: i32,
    },
    /// `NLMSG_ERROR`: a positive errno, or 0 for an acknowledgement.
    Error {
        /// A positive errno, or 0.
        errno: i32,
    },
    /// `NLMSG_OVERRUN`: data were lost.
    Overrun,
    /// A message of the family.
    Data {
        /// `nlmsg_type`.
        kind: u16,
        /// What follows the header.
        payload: &'a [u8],
    },
}

/// One message of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message<'a> {
    /// `nlmsg_flags`, see [`flags`].
    pub flags: u16,
    /// The sequence number of the request that this answers; 0 in events.
    pub sequence: u32,
    /// The message itself.
    pub body: Body<'a>,
}

impl Message<'_> {
    /// True when the dump that this message belongs to must be done again.
    pub const fn dump_interrupted(&self) -> bool {
        self.flags & flags::DUMP_INTERRUPTED != 0
    }
}

/// The messages of one datagram. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Reads the messages of `datagram`.
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }

    fn read(&mut self) -> Result<Message<'a>, Malformed> {
        let left = self.rest.len();
        let header: &[u8; HEADER_LENGTH] =
            self.rest.first_chunk().ok_or(Malformed::Header { left })?;
        let length = u32_at(header, 0).unwrap_or(0);
        let bounds = Malformed::Length { length, left };
        let total = usize::try_from(length).map_err(|_| bounds)?;
        let payload = self.rest.get(HEADER_LENGTH..total).ok_or(bounds)?;
        let kind = u16_at(header, 4).unwrap_or(0);
        self.rest = self.rest.get(align(total)..).unwrap_or(&[]);
        let body = match kind {
            NLMSG_NOOP => Body::Nothing,
            NLMSG_ERROR => Body::Error {
                errno: errno(kind, payload)?,
            },
            // Some families end a dump without a status: that is success.
            NLMSG_DONE if payload.is_empty() => Body::Done { errno: 0 },
            NLMSG_DONE => Body::Done {
                errno: errno(kind, payload)?,
            },
            NLMSG_OVERRUN => Body::Overrun,
            kind => Body::Data { kind, payload },
        };
        Ok(Message {
            flags: u16_at(header, 6).unwrap_or(0),
            sequence: u32_at(header, 8).unwrap_or(0),
            body,
        })
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let message = self.read();
        if message.is_err() {
            self.rest = &[];
        }
        Some(message)
    }
}

/// The kernel sends negative errno values; `-i32::MIN` does not exist and is no errno.
fn errno(kind: u16, payload: &[u8]) -> Result<i32, Malformed> {
    let value = i32::from_ne_bytes(*payload.first_chunk().ok_or(Malformed::Payload {
        kind,
        length: payload.len(),
        least: 4,
    })?);
    Ok(value.checked_neg().unwrap_or(i32::MAX))
}

/// One attribute: its type without the two flag bits, and its bytes.
pub type Attribute<'a> = (u16, &'a [u8]);

/// The attributes behind the fixed part of a message. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// Reads the attributes in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn read(&mut self) -> Result<Attribute<'a>, Malformed> {
        let length = usize::from(u16_at(self.rest, 0).unwrap_or(0));
        let kind = u16_at(self.rest, 2).unwrap_or(0) & ATTRIBUTE_KIND_MASK;
        let value = self
            .rest
            .get(ATTRIBUTE_HEADER_LENGTH..length)
            .ok_or(Malformed::Attribute { kind, length })?;
        self.rest = self.rest.get(align(length)..).unwrap_or(&[]);
        Ok((kind, value))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let attribute = self.read();
        if attribute.is_err() {
            self.rest = &[];
        }
        Some(attribute)
    }
}

/// Starts a request to the kernel; [`finish`] writes its length when the rest is appended.
pub(crate) fn start(out: &mut Vec<u8>, kind: u16, flags: u16, sequence: u32) {
    out.clear();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&flags.to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    // nlmsg_pid: the kernel fills in the sender's port.
    out.extend_from_slice(&[0; 4]);
}

/// Appends an attribute and its padding.
///
/// # Errors
/// When the value does not fit the 16 bits of `nla_len`.
pub(crate) fn push_attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) -> Result<(), Malformed> {
    let length = ATTRIBUTE_HEADER_LENGTH + value.len();
    let coded = u16::try_from(length).map_err(|_| Malformed::Attribute { kind, length })?;
    out.extend_from_slice(&coded.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(align(out.len()), 0);
    Ok(())
}

/// Writes the length of the message that [`start`] began.
pub(crate) fn finish(out: &mut [u8]) {
    // A request is far below 4 GiB: one attribute of 64 KiB is the most that is ever appended.
    let length = u32::try_from(out.len()).unwrap_or(u32::MAX);
    if let Some(field) = out.first_chunk_mut() {
        *field = length.to_ne_bytes();
    }
}

const fn align(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT)
}

/// The native 16-bit number at `offset`.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*field))
}

/// The native 32-bit number at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*field))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `{len, type, flags, seq, pid}` and a payload, padded.
    fn frame(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        start(&mut out, kind, flags, 7);
        out.extend_from_slice(payload);
        finish(&mut out);
        out.resize(align(out.len()), 0);
        out
    }

    fn bodies(datagram: &[u8]) -> Vec<Result<Message<'_>, Malformed>> {
        Messages::new(datagram).collect()
    }

    #[test]
    fn control_messages_carry_positive_errno() {
        let error = frame(2, 0, &(-2_i32).to_ne_bytes());
        let done = frame(3, flags::DUMP_INTERRUPTED, &0_i32.to_ne_bytes());
        let datagram = [error, done, frame(3, 0, &[]), frame(1, 0, &[])].concat();
        let read: Vec<_> = Messages::new(&datagram).map(Result::unwrap).collect();
        assert_eq!(read[0].body, Body::Error { errno: 2 });
        assert_eq!(read[1].body, Body::Done { errno: 0 });
        assert!(read[1].dump_interrupted() && !read[0].dump_interrupted());
        assert_eq!(read[2].body, Body::Done { errno: 0 });
        assert_eq!(read[3].body, Body::Nothing);
        assert!(read.iter().all(|message| message.sequence == 7));
    }

    #[test]
    fn wrong_lengths_are_errors_and_end_the_datagram() {
        assert_eq!(
            bodies(&[1, 2, 3]),
            [Err(Malformed::Header { left: 3 })],
            "no header"
        );
        for length in [0_u32, 15, 21, u32::MAX] {
            let mut datagram = frame(20, 0, &[1, 2, 3, 4]);
            datagram[..4].copy_from_slice(&length.to_ne_bytes());
            let left = datagram.len();
            assert_eq!(
                bodies(&datagram),
                [Err(Malformed::Length { length, left })],
                "length {length}"
            );
        }
        assert_eq!(
            bodies(&frame(2, 0, &[1])),
            [Err(Malformed::Payload {
                kind: 2,
                length: 1,
                least: 4
            })]
        );
    }

    #[test]
    fn attributes_round_trip_with_padding() {
        let mut out = Vec::new();
        push_attribute(&mut out, 3, b"lo\0").unwrap();
        push_attribute(&mut out, 8, &0x80_u32.to_ne_bytes()).unwrap();
        let read: Vec<_> = Attributes::new(&out).map(Result::unwrap).collect();
        assert_eq!(read, [(3, &b"lo\0"[..]), (8, &0x80_u32.to_ne_bytes()[..])]);
        assert!(push_attribute(&mut out, 1, &[0; 65_532]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for message in Messages::new(&bytes).flatten() {
                if let Body::Data { payload, .. } = message.body {
                    let _ = Attributes::new(payload).count();
                }
            }
            let _ = Attributes::new(&bytes).count();
        }
    }
}
