//! The finite state machine of RFC 4271 section 8.

use core::fmt;

/// The states, as RFC 4271 section 8.2.2 spells them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum State {
    /// No connection is wanted, or the next attempt waits.
    Idle,
    /// A connection is being opened.
    Connect,
    /// A connection of the peer is awaited, or the next attempt.
    Active,
    /// OPEN was sent.
    OpenSent,
    /// OPEN was received.
    OpenConfirm,
    /// The session is up.
    Established,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "Idle",
            Self::Connect => "Connect",
            Self::Active => "Active",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        })
    }
}
