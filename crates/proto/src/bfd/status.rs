//! A session as seen from outside: events, status, counters.

use core::num::{NonZeroU8, NonZeroU32};
use core::time::Duration;

use ha2bgp_core::time::Instant;

use super::discard::Discard;
use super::packet::{Diagnostic, Packet, State};
use super::timers::Timers;

/// Something that happened. At most [`Session::EVENTS_MAX`](super::Session::EVENTS_MAX) wait; the oldest
/// go first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// Our state changed.
    StateChanged {
        /// Before.
        from: State,
        /// Now.
        to: State,
        /// Why.
        cause: Cause,
    },
    /// The peer's state or its diagnostic changed, or the peer was forgotten (`None`) because
    /// nothing was heard for a detection time. Comes before the change of our state that follows
    /// from it.
    RemoteChanged {
        /// What the peer says now.
        remote: Option<(State, Diagnostic)>,
    },
}

/// Why our state changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Cause {
    /// The peer was heard: a step on the way up.
    Handshake,
    /// Nothing was heard for the detection time: the path or the peer is dead.
    DetectionTimeExpired,
    /// The peer says that the session is down, and why: its diagnostic is
    /// [`Diagnostic::DetectionTimeExpired`] where it does not hear us.
    NeighborDown(Diagnostic),
    /// The peer took the session down on purpose: this says nothing about the path, and must not be
    /// taken as a failure (RFC 5882 section 3.2).
    NeighborAdminDown(Diagnostic),
    /// [`Session::admin_down`](super::Session::admin_down) was called.
    AdminDown(Diagnostic),
    /// [`Session::admin_up`](super::Session::admin_up) was called.
    AdminUp,
}

impl Cause {
    /// True where the path or the other side failed.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::DetectionTimeExpired | Self::NeighborDown(_))
    }
}

/// What the peer said last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Remote {
    /// Its discriminator.
    pub discriminator: NonZeroU32,
    /// Its state.
    pub state: State,
    /// Why its state changed last.
    pub diagnostic: Diagnostic,
    /// Its detection multiplier.
    pub multiplier: NonZeroU8,
    /// It would like to send this often.
    pub desired_min_tx: Duration,
    /// It wants to receive no more often than this; zero: not at all.
    pub required_min_rx: Duration,
    /// The same for echo packets; zero: it returns none. We send none.
    pub required_min_echo_rx: Duration,
    /// It is in demand mode.
    pub demand: bool,
    /// Its BFD survives its control plane.
    pub control_plane_independent: bool,
}

impl Remote {
    pub(super) const fn of(packet: &Packet) -> Self {
        use super::timers::micros;
        Self {
            discriminator: packet.my_discriminator,
            state: packet.state,
            diagnostic: packet.diagnostic,
            multiplier: packet.multiplier,
            desired_min_tx: micros(packet.desired_min_tx),
            required_min_rx: micros(packet.required_min_rx),
            required_min_echo_rx: micros(packet.required_min_echo_rx),
            demand: packet.demand,
            control_plane_independent: packet.control_plane_independent,
        }
    }
}

/// What was counted since the session object was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Packets that were taken.
    pub received: u64,
    /// Packets that were handed out to be sent.
    pub sent: u64,
    /// Times the session came up.
    pub ups: u64,
    /// Times it left Up, for whatever reason.
    pub downs: u64,
    /// Of those, times it was a failure: [`Cause::is_failure`].
    pub failures: u64,
    /// Events that nobody fetched in time.
    pub lost_events: u64,
    discarded: [u64; Discard::ALL.len()],
}

impl Counters {
    /// Datagrams that were discarded for this reason.
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded.get(reason as usize).copied().unwrap_or(0)
    }

    /// Datagrams that were discarded.
    pub fn discarded_total(&self) -> u64 {
        self.discarded.iter().fold(0, |sum, it| sum.saturating_add(*it))
    }

    pub(super) fn discard(&mut self, reason: Discard) {
        if let Some(count) = self.discarded.get_mut(reason as usize) {
            *count = count.saturating_add(1);
        }
    }
}

/// The state in one piece.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// Our state.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// Why it changed last.
    pub diagnostic: Diagnostic,
    /// Our discriminator.
    pub local_discriminator: NonZeroU32,
    /// What the peer said last; `None` before the first packet, and when nothing was heard for a
    /// detection time.
    pub remote: Option<Remote>,
    /// What is configured.
    pub timers: Timers,
    /// We send this often, without jitter; `None` while the peer wants us to be silent.
    pub transmit_interval: Option<Duration>,
    /// The session fails when nothing is heard for so long; `None` while the peer is unknown.
    pub detection_time: Option<Duration>,
    /// When the last packet was taken.
    pub last_received: Option<Instant>,
    /// A poll sequence runs: the peer has not yet confirmed our newest timers.
    pub polling: bool,
    /// Packets are authenticated.
    pub authenticated: bool,
    /// Numbers.
    pub counters: Counters,
}
