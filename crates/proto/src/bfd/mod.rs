//! BFD without IO: one [`Session`] per path to a peer (RFC 5880, 5881, 5883), asynchronous mode.
//!
//! The driver's loop, for each session: [`Session::handle`] whatever datagrams wait, and only then
//! [`Session::handle_timeout`]: a process that slept must see the packets that wait for it before
//! its detection time ends the session. Drain [`Session::poll_transmit`] and
//! [`Session::poll_event`]; sleep until [`Session::poll_timeout`] or a datagram.
//!
//! [`peek`] finds out which session a datagram belongs to. The driver owns what is below: ports,
//! the check of the hop limit (RFC 5881 section 5), addresses and interfaces.
//!
//! * `packet`: bytes. `auth`: keys, digests, sequence numbers. `timers`: intervals, jitter.
//! * `poll`: the poll sequence. `session`: the state machine with all of them. `status`: what it
//!   looks like from outside.
//!
//! Not done, on purpose: sending echo packets, and looping them back (Required Min Echo RX
//! Interval is always 0); asking for demand mode (that of the peer is obeyed); the passive role
//! (RFC 5881 section 3 forbids it); diagnostics of concatenated paths (RFC 5880 section 6.8.17);
//! a change of authentication without a new session (section 6.7.1). One packet goes against the
//! letter of section 6.8.1, see `session/transmit`.

mod auth;
mod discard;
mod fuzz;
mod packet;
mod poll;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod timers;

pub use auth::{Auth, AuthError, AuthKind, Key};
pub use discard::Discard;
pub use fuzz::{fuzz_packet, fuzz_session};
pub use packet::{Datagram, Diagnostic, Packet, Peek, State, peek};
pub use session::{Options, Session};
pub use status::{Cause, Counters, Event, Remote, Status};
pub use timers::{Interval, IntervalError, Timers};

/// The UDP port of single hop sessions (RFC 5881 section 4).
pub const PORT: u16 = 3784;
/// The UDP port of multihop sessions (RFC 5883 section 5).
pub const MULTIHOP_PORT: u16 = 4784;
/// The first of the source ports that may be used; the last one is 65535 (RFC 5881 section 4).
pub const FIRST_SOURCE_PORT: u16 = 49152;
