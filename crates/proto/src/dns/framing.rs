//! Messages over TCP: each behind its length in two octets (RFC 1035 section 4.2.2).

use alloc::vec::Vec;

/// A message ready to be sent over TCP, in one write as RFC 7766 section 8 wants. `None` if it is
/// longer than the 65 535 octets that the length can say.
pub fn frame(message: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(message.len()).ok()?;
    Some([&length.to_be_bytes(), message].concat())
}

/// What is at the beginning of the octets received over TCP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unframed<'a> {
    /// Not a whole message: this many octets more are needed, or at least these if not even the
    /// length is there. Never more than 65 537 in all.
    More(usize),
    /// A message, and what follows it.
    Message {
        /// The message, perhaps empty.
        message: &'a [u8],
        /// What was received after it.
        rest: &'a [u8],
    },
}

/// Takes the first message off what was received over TCP.
pub fn unframe(received: &[u8]) -> Unframed<'_> {
    let Some((length, rest)) = received.split_first_chunk::<2>() else {
        return Unframed::More(2 - received.len());
    };
    let length = usize::from(u16::from_be_bytes(*length));
    match rest.split_at_checked(length) {
        Some((message, rest)) => Unframed::Message { message, rest },
        None => Unframed::More(length - rest.len()),
    }
}
