//! States and events by their names in RFC 4271 sections 8.1 and 8.2.2.

use core::fmt;

use crate::bgp::event::DownCause;
use crate::bgp::wire::Notification;

/// The states.
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

impl State {
    /// All of them, in the order of the RFC.
    pub const ALL: [Self; 6] = [
        Self::Idle,
        Self::Connect,
        Self::Active,
        Self::OpenSent,
        Self::OpenConfirm,
        Self::Established,
    ];
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

/// The timers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum TimerKind {
    /// ConnectRetryTimer: event 9.
    ConnectRetry,
    /// HoldTimer: event 10.
    Hold,
    /// KeepaliveTimer: event 11.
    Keepalive,
    /// IdleHoldTimer: event 13, which acts as event 6 or 7.
    IdleHold,
    /// SendHoldTimer (RFC 9687): event 29.
    SendHold,
}

impl TimerKind {
    /// All of them, in the order in which those due at the same time fire: what ends a session
    /// comes before what keeps it.
    pub const ALL: [Self; 5] =
        [Self::SendHold, Self::Hold, Self::ConnectRetry, Self::IdleHold, Self::Keepalive];
}

/// The events, with their numbers in RFC 4271 section 8.1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// 1 and 3, or 4 and 5 when passive: a start.
    Start,
    /// 2: the operator's stop, with what the peer is told.
    Stop(Notification),
    /// A stop without a word, for this reason: graceful restart shall keep the routes (RFC 4724),
    /// or nothing can be said.
    Vanish(DownCause),
    /// 8: the program's own stop: too many prefixes, for instance.
    AutomaticStop(Notification),
    /// 9, 10, 11, 13, 29: a timer.
    Timer(TimerKind),
    /// 16 and 17: a connection is there. 14 and 15, which connections may come, is settled before.
    TcpConnected,
    /// 18: the connection failed or was closed.
    TcpFailed,
    /// 19: a good OPEN.
    Open,
    /// 21: a bad header.
    HeaderError(Notification),
    /// 22: a bad OPEN.
    OpenError(Notification),
    /// 23: this connection lost to the other one (section 6.8).
    CollisionDump,
    /// The peer has restarted and opened a new connection (RFC 4724 section 4.2).
    Replaced,
    /// 24 and 25: a NOTIFICATION.
    Notification(Notification),
    /// 26: a KEEPALIVE.
    Keepalive,
    /// 27: a good UPDATE, or one that RFC 7606 lets live.
    Update,
    /// 28: an UPDATE that ends the session.
    UpdateError(Notification),
    /// A ROUTE-REFRESH (RFC 2918); bad ones are `UpdateError`.
    RouteRefresh,
}
