//! From a stream of bytes to messages: the header decides (RFC 4271 sections 4.1 and 6.1).

use alloc::vec::Vec;

use super::notification::Notification;
use super::{MAX_EXTENDED_MESSAGE, MAX_MESSAGE};

/// Octets of a header: marker, length, type.
pub(crate) const HEADER: usize = 19;

/// The type of a message.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Kind {
    /// OPEN.
    Open = 1,
    /// UPDATE.
    Update = 2,
    /// NOTIFICATION.
    Notification = 3,
    /// KEEPALIVE.
    Keepalive = 4,
    /// ROUTE-REFRESH (RFC 2918).
    RouteRefresh = 5,
}

impl Kind {
    /// Its place in counters.
    pub const fn index(self) -> usize {
        self as usize - 1
    }

    const fn from_wire(value: u8) -> Option<Self> {
        Some(match value {
            1 => Self::Open,
            2 => Self::Update,
            3 => Self::Notification,
            4 => Self::Keepalive,
            5 => Self::RouteRefresh,
            _ => return None,
        })
    }

    /// True when a message of this type may have so many octets.
    const fn takes(self, length: usize) -> bool {
        match self {
            Self::Open => length >= 29 && length <= MAX_MESSAGE,
            Self::Update | Self::RouteRefresh => length >= 23,
            Self::Notification => length >= 21,
            Self::Keepalive => length == HEADER,
        }
    }
}

/// Cuts a stream into messages. It holds one message at most.
#[derive(Debug)]
pub struct Framer {
    message: Vec<u8>,
    /// How long the message is, once its header is there.
    length: Option<(Kind, usize)>,
    max: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self { message: Vec::new(), length: None, max: MAX_MESSAGE }
    }
}

impl Framer {
    /// Accepts extended messages from here on: we have announced the capability (RFC 8654
    /// section 4).
    pub fn allow_extended(&mut self) {
        self.max = MAX_EXTENDED_MESSAGE;
    }

    /// True when a message has begun and not ended.
    pub fn is_inside(&self) -> bool {
        self.length.is_some_and(|(_, length)| self.message.len() < length)
            || (self.length.is_none() && !self.message.is_empty())
    }

    /// Takes what it needs from `input`; hands out the next whole message with its header, or
    /// nothing when there is no more. After an error the stream cannot be read any further.
    pub fn next<'a>(
        &'a mut self,
        input: &mut &[u8],
    ) -> Result<Option<(Kind, &'a [u8])>, Notification> {
        if self.length.is_some_and(|(_, length)| self.message.len() >= length) {
            self.message.clear();
            self.length = None;
        }
        let (kind, length) = match self.length {
            Some(known) => known,
            None => {
                if !self.fill(input, HEADER) {
                    return Ok(None);
                }
                let known = read_header(&self.message, self.max)?;
                self.length = Some(known);
                known
            }
        };
        if !self.fill(input, length) {
            return Ok(None);
        }
        Ok(Some((kind, &self.message)))
    }

    /// Takes from `input` until `wanted` octets are there; false when it was not enough.
    fn fill(&mut self, input: &mut &[u8], wanted: usize) -> bool {
        let missing = wanted.saturating_sub(self.message.len());
        let (taken, rest) = input.split_at_checked(missing).unwrap_or((input, &[]));
        self.message.extend_from_slice(taken);
        *input = rest;
        self.message.len() >= wanted
    }
}

/// Type and length, when the header is right: marker, length, type, then the length that the
/// type asks for.
fn read_header(header: &[u8], max: usize) -> Result<(Kind, usize), Notification> {
    let (Some(marker), Some(&[high, low]), Some(&code)) = (
        header.get(..16),
        header.get(16..18).and_then(|two| two.first_chunk::<2>()),
        header.get(18),
    ) else {
        return Err(Notification::new(1, 2));
    };
    if marker.iter().any(|octet| *octet != 0xff) {
        return Err(Notification::new(1, 1));
    }
    let bad_length = Notification::with_data(1, 2, &[high, low]);
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < HEADER || length > max {
        return Err(bad_length);
    }
    let Some(kind) = Kind::from_wire(code) else {
        return Err(Notification::with_data(1, 3, &[code]));
    };
    if kind.takes(length) { Ok((kind, length)) } else { Err(bad_length) }
}

/// Begins a message; [`finish`] sets its length.
pub(crate) fn begin(out: &mut Vec<u8>, kind: Kind) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0xff; 16]);
    out.extend_from_slice(&[0, 0, kind as u8]);
    start
}

/// Ends the message that began at `start`.
pub(crate) fn finish(out: &mut [u8], start: usize) {
    let length = u16::try_from(out.len().saturating_sub(start)).unwrap_or(u16::MAX);
    set_u16(out, start + 16, length);
}

/// Writes two octets over those at `at`.
pub(crate) fn set_u16(out: &mut [u8], at: usize, value: u16) {
    if let Some(field) = out.get_mut(at..at.saturating_add(2)) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

/// The length of the message that begins at `start` of what was written by [`begin`] and
/// [`finish`].
pub(crate) fn length_at(bytes: &[u8], start: usize) -> Option<(usize, u8)> {
    let header = bytes.get(start..start + HEADER)?;
    let &[.., high, low, kind] = header else { return None };
    Some((usize::from(u16::from_be_bytes([high, low])).max(HEADER), kind))
}
