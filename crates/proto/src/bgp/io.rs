//! What goes into a session and what comes out of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::event::Event;
use super::wire::Cease;

/// Who opened a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Direction {
    /// We did, as [`Output::Connect`] asked.
    Outgoing,
    /// The peer did; the driver accepted it.
    Incoming,
}

/// The name of one TCP connection. Outgoing ones are numbered by the session, incoming ones by
/// the driver: any number that it has not used before in this session.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Connection {
    /// Who opened it.
    pub direction: Direction,
    /// Distinguishes it from others of the same direction.
    pub number: u64,
}

impl Connection {
    /// A connection that the peer opened.
    pub const fn incoming(number: u64) -> Self {
        Self { direction: Direction::Incoming, number }
    }

    pub(super) const fn outgoing(number: u64) -> Self {
        Self { direction: Direction::Outgoing, number }
    }
}

/// Why the operator, or the program, ends a session. It stays down until [`Input::Start`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StopReason {
    /// For good: Cease/2.
    Shutdown,
    /// To start again: Cease/4.
    Reset,
    /// The peer is no longer in the configuration: Cease/3.
    Deconfigured,
    /// The session's configuration changed: Cease/6.
    ConfigChange,
    /// Memory or descriptors ran out: Cease/8.
    OutOfResources,
    /// BFD says that the path is down: Cease/10.
    BfdDown,
}

impl StopReason {
    pub(super) const fn cease(self) -> Cease {
        match self {
            Self::Shutdown => Cease::Shutdown,
            Self::Reset => Cease::Reset,
            Self::Deconfigured => Cease::Deconfigured,
            Self::ConfigChange => Cease::ConfigChange,
            Self::OutOfResources => Cease::OutOfResources,
            Self::BfdDown => Cease::BfdDown,
        }
    }
}

/// How a session ends that begins again with another configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Parting {
    /// With Cease/6.
    Told,
    /// Without a word: the peer keeps our routes until the next session is up.
    Silent,
}

/// What the driver tells a session. Inputs about a connection that the session no longer knows
/// are ignored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input<'a> {
    /// Begin to want a session. Ignored when it is wanted already.
    Start,
    /// End the session with a NOTIFICATION and stay down.
    ///
    /// For a stop that leaves no stale routes with any peer: first `set_routes` with the empty
    /// set, write until [`super::Session::is_settled`], wait until TCP has acknowledged it, then
    /// this.
    Stop {
        /// Why.
        reason: StopReason,
        /// The Shutdown Communication (RFC 9003); sent with `Shutdown` and `Reset` only.
        communication: String,
    },
    /// Close everything without a word and stay down: the process restarts, and graceful restart
    /// (RFC 4724) shall keep the routes.
    Restart,
    /// Our end's address is gone from this host, so that nothing can be said: close everything
    /// without a word and stay down until [`Input::Start`].
    AddressGone,
    /// A connection is open: one that was asked for, or one that was accepted.
    TcpConnected {
        /// Which one.
        connection: Connection,
        /// Our end: the next hop `self`.
        local: IpAddr,
        /// The other end; it must be the peer's address.
        remote: IpAddr,
    },
    /// A connection that was asked for did not come up.
    TcpFailed {
        /// Which one.
        connection: Connection,
    },
    /// The peer closed an open connection, or it broke.
    TcpClosed {
        /// Which one.
        connection: Connection,
    },
    /// Bytes came, cut anywhere.
    Received {
        /// Where.
        connection: Connection,
        /// What.
        bytes: &'a [u8],
    },
    /// So many bytes of the last [`super::Session::poll_write`] went to the kernel.
    Written {
        /// Where.
        connection: Connection,
        /// How many.
        bytes: usize,
    },
    /// The time of [`super::Session::poll_timeout`] has come. Harmless when it has not.
    Timeout,
}

/// What a session wants done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Open a connection to the peer; answer with `TcpConnected` or `TcpFailed`.
    Connect {
        /// The name of the new connection.
        connection: Connection,
    },
    /// Close a connection, or give up the attempt to open it. The session has forgotten it:
    /// nothing about it needs to be reported.
    Close {
        /// Which one.
        connection: Connection,
        /// Write this first, as far as it goes in about a second: the rest of a message that was
        /// begun, and the NOTIFICATION. Empty when there is nothing to say.
        last: Vec<u8>,
        /// Close with a reset: the peer does not read.
        abort: bool,
    },
    /// Something happened that people or counters want to know.
    Event(Event),
}
