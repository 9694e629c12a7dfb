//! What a session reports: events, counters, and the state as a whole.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use ha2bgp_core::time::Instant;

use super::fsm::State;
use super::io::{Connection, Direction};
use super::wire::{Asn, Disposition, Families, Family, Notification};

/// What both sides agreed on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Negotiated {
    /// The peer's AS.
    pub peer_as: Asn,
    /// The peer's BGP identifier.
    pub peer_id: Ipv4Addr,
    /// Our end of the connection.
    pub local: IpAddr,
    /// Who opened the connection.
    pub direction: Direction,
    /// The smaller of both hold times; zero: no keepalives, no hold timer.
    pub hold_time: Duration,
    /// How often a KEEPALIVE goes out at least; zero: never.
    pub keepalive: Duration,
    /// Families that both sides speak.
    pub families: Families,
    /// AS numbers have four octets (RFC 6793).
    pub four_octet_as: bool,
    /// The peer answers and sends ROUTE-REFRESH (RFC 2918).
    pub route_refresh: bool,
    /// With BoRR and EoRR (RFC 7313).
    pub enhanced_route_refresh: bool,
    /// IPv4 routes may have IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// Families whose routes we send with path identifiers (RFC 7911).
    pub add_path_send: Families,
    /// Families whose routes come with path identifiers.
    pub add_path_receive: Families,
    /// Messages may be 65 535 octets long (RFC 8654).
    pub extended_messages: bool,
    /// The peer's graceful restart capability, if it sent one.
    pub peer_graceful_restart: Option<PeerGracefulRestart>,
    /// The peer's name (FQDN capability), fit to be shown.
    pub peer_name: Option<String>,
    /// Our capabilities were left out because the peer refused them.
    pub without_capabilities: bool,
}

/// The graceful restart capability of a peer (RFC 4724 section 3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PeerGracefulRestart {
    /// The peer has just restarted.
    pub restarting: bool,
    /// It keeps routes also over a NOTIFICATION (RFC 8538).
    pub notification: bool,
    /// How long it asks us to keep its routes.
    pub restart_time: Duration,
    /// Families it can keep.
    pub families: Families,
}

/// Why a session, or an attempt to have one, ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DownCause {
    /// We sent this.
    Sent(Notification),
    /// The peer sent this.
    Received(Notification),
    /// The connection was closed or broke.
    ConnectionClosed,
    /// The connection did not come up.
    ConnectFailed,
    /// No connection came up within the connect retry time.
    ConnectTimeout,
    /// The driver ended the attempts to connect: there was nobody to tell.
    Stopped,
    /// The driver asked for a restart: closed without a word.
    Restart,
    /// Closed without a word for another configuration of the session: the peer keeps our routes.
    Reconfigured,
    /// Our end's address is gone from this host: nothing more can be said.
    AddressGone,
    /// The peer did not read for too long (RFC 9687); also sent as 8/0 where it could be.
    SendHoldExpired,
    /// The peer opened a new connection while this one stood: it has restarted (RFC 4724
    /// section 4.2).
    Replaced,
}

impl fmt::Display for DownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent(notification) => write!(f, "sent {notification}"),
            Self::Received(notification) => write!(f, "received {notification}"),
            Self::ConnectionClosed => f.write_str("connection closed"),
            Self::ConnectFailed => f.write_str("connect failed"),
            Self::ConnectTimeout => f.write_str("connect timed out"),
            Self::Stopped => f.write_str("stopped, there was no connection"),
            Self::Restart => f.write_str("closed for our restart"),
            Self::Reconfigured => f.write_str("closed for a change of its configuration"),
            Self::AddressGone => f.write_str("the local address is gone from this host"),
            Self::SendHoldExpired => f.write_str("send hold timer expired: the peer does not read"),
            Self::Replaced => f.write_str("replaced by a new connection of the peer"),
        }
    }
}

/// Something that happened. At most [`super::Session::EVENTS_MAX`] wait to be fetched; the oldest
/// go first, and [`Counters::lost_events`] counts them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// The session's state changed.
    StateChanged {
        /// Before.
        from: State,
        /// Now.
        to: State,
    },
    /// The session is up.
    Established {
        /// What was agreed on.
        negotiated: Negotiated,
    },
    /// A connection, or the attempt to have one, ended.
    Down {
        /// Which one.
        connection: Option<Connection>,
        /// In which state it was.
        state: State,
        /// Why.
        cause: DownCause,
        /// When the next attempt is made; none when stopped, passive, or another connection
        /// lives on.
        retry: Option<Instant>,
    },
    /// A connection was refused: the session is idle, stopped, or has one more already.
    Refused {
        /// Which one.
        connection: Connection,
    },
    /// Everything that is wanted for this family was handed out, and End-of-RIB with it.
    EndOfRibSent {
        /// Which one.
        family: Family,
    },
    /// The peer has sent all it had.
    EndOfRibReceived {
        /// Which one.
        family: Family,
    },
    /// The peer asked for everything again.
    RefreshRequested {
        /// Which one.
        family: Family,
    },
    /// A bad UPDATE was handled without ending the session (RFC 7606). At most one in ten
    /// seconds; [`Counters`] have all.
    Malformed {
        /// What was done.
        disposition: Disposition,
        /// The type of the first attribute found bad.
        attribute: Option<u8>,
        /// The first octets of the message.
        message: Vec<u8>,
    },
    /// Routes that are wanted but cannot be sent to this peer: the family was not agreed on, or
    /// there is no next hop for them.
    Unsendable {
        /// Which family.
        family: Family,
        /// What is missing.
        reason: Unsendable,
    },
    /// The peer refused capabilities; the next attempt goes without them. RFC 5492 section 3 asks
    /// for that where the peer knows none at all.
    CapabilitiesDropped {
        /// Their codes; empty: all.
        codes: Vec<u8>,
    },
}

/// Why wanted routes cannot be sent.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Unsendable {
    /// The peer does not speak the family.
    FamilyNotNegotiated,
    /// IPv4 routes, an IPv6 next hop, and no extended next hop (RFC 8950).
    NoIpv4NextHop,
    /// IPv6 routes and only an IPv4 next hop.
    NoIpv6NextHop,
    /// The next hop is one that peers reset sessions for.
    MartianNextHop,
}

/// Who else announces a prefix of ours, as far as this peer tells.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Others {
    /// How many announce it as any route.
    pub full: Count,
    /// How many do so only as the last choice, or are about to end (GRACEFUL_SHUTDOWN, RFC 8326): so
    /// many were seen. They are no replacement.
    pub last_choice: usize,
}

impl Others {
    /// Nothing was seen, which says nothing.
    pub const UNKNOWN: Self = Self { full: Count::Unknown, last_choice: 0 };
}

/// A number, as far as it is known.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Count {
    /// Exactly so many: the peer sends all its paths (RFC 7911) and has sent End-of-RIB.
    Known(usize),
    /// So many were seen, never zero; there may be more. A peer that sends one path a prefix shows
    /// only the best one.
    AtLeast(usize),
    /// None was seen, which says nothing: the peer may hide them, or has not told all yet.
    Unknown,
}

/// What was counted since the session object was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Messages by type: OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE-REFRESH.
    pub received: [u64; 5],
    /// The same, as handed to `poll_write` or `Close`.
    pub sent: [u64; 5],
    /// Octets received.
    pub received_bytes: u64,
    /// Octets written.
    pub sent_bytes: u64,
    /// Prefixes announced to the peer.
    pub announced: u64,
    /// Prefixes withdrawn from the peer.
    pub withdrawn: u64,
    /// Prefixes the peer announced.
    pub received_announced: u64,
    /// Prefixes the peer withdrew.
    pub received_withdrawn: u64,
    /// UPDATEs with an attribute that was discarded (RFC 7606 section 2).
    pub attribute_discard: u64,
    /// UPDATEs taken as withdrawals.
    pub treat_as_withdraw: u64,
    /// NLRI of families that were not agreed on, ignored.
    pub ignored_family: u64,
    /// UPDATEs with our own AS in the path (RFC 4271 section 9.1.2): unusable, counted.
    pub as_loops: u64,
    /// Times the session came up.
    pub established: u64,
    /// Times it went down from Established.
    pub dropped: u64,
    /// Attempts to connect.
    pub attempts: u64,
    /// Events that nobody fetched in time.
    pub lost_events: u64,
}

/// The state in one piece.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    /// The state.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// In Established: what was agreed on.
    pub negotiated: Option<Negotiated>,
    /// Prefixes that are wanted and allowed for this peer.
    pub wanted: usize,
    /// Prefixes of `wanted` that the peer was told.
    pub told: usize,
    /// Announcements and withdrawals not handed out yet.
    pub pending: usize,
    /// Octets handed out and not written.
    pub unwritten: usize,
    /// Why the last connection or attempt ended, and when.
    pub last_error: Option<(Instant, DownCause)>,
    /// Failures in a row.
    pub failures: u32,
    /// When the next attempt is made.
    pub next_attempt: Option<Instant>,
    /// Numbers.
    pub counters: Counters,
}
