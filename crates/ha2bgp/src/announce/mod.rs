//! Announcers: tasks that make the desired routes so at the routers, and report back.
//!
//! The contract, which `tests/announcers` holds every implementation to:
//!
//! * The desired set is a level, not a stream of edges: an announcer looks at the newest one
//!   whenever it can act, and what lay between is never sent.
//! * It never makes anyone wait. A router or a pipe that takes nothing costs bounded memory, and
//!   when it takes again it gets the newest state. A report that nobody fetches is dropped and
//!   counted.
//! * When the sender of the desired set is dropped, the last set is still sent, within
//!   [`CLOSING_TIME`]. (To withdraw everything: send the empty set, then drop.) The
//!   [`Speaker`] then ends its sessions, with which its routes end in any case.
//! * With [`Manner::Restarting`] in the last set, the routes stay at the routers instead, for as
//!   long as those keep them.
//! * It answers [`questions`] from its own task, a bounded page at a time.

mod exabgp;
mod pipe;
mod plain;
pub mod questions;
mod routes;
pub mod speaker;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::route::RouteSet;
use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::{self, PeerAddress};
use ha2bgp_proto::exabgp::{Event as ExaBgpEvent, Snapshot};
use tokio::sync::{mpsc, watch};

use crate::histogram::Histogram;

pub use exabgp::ExaBgp;
pub use pipe::{Stdio, stdin_closed};
pub use plain::Plain;
pub use routes::{RouteState, Shown, WhyNot};
pub use speaker::Speaker;

/// How long the last set may take once the channel of desired sets is closed.
pub const CLOSING_TIME: Duration = Duration::from_secs(5);

/// What an announcer shall make so.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Desired {
    /// The routes: all that should be announced.
    pub routes: RouteSet,
    /// Every service that was found has been judged: what is not in the set is not up, and what a
    /// process before this one has left at the routers may go.
    pub complete: bool,
    /// In which way.
    pub manner: Manner,
    /// When that was decided.
    pub decided_at: Instant,
}

/// In which way routes are announced.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Manner {
    /// As ever.
    #[default]
    Running,
    /// As the last choice: traffic shall move away before they are withdrawn (RFC 8326).
    Draining,
    /// The program ends for good: everything is withdrawn.
    Stopping,
    /// The program starts again: the routes stay.
    Restarting,
}

/// Anything that brings routes to routers.
pub trait Announcer: Send {
    /// Works until the sender of `desired` is gone and the last set is sent, or until the other
    /// side is gone. Runs inside a tokio runtime with IO and time.
    fn run(
        self: Box<Self>,
        desired: watch::Receiver<Desired>,
        reports: mpsc::Sender<Report>,
    ) -> Pin<Box<dyn Future<Output = Ended> + Send>>;
}

/// Why an announcer ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// The last set was sent, and accepted where there are answers.
    Finished,
    /// Time was up before that.
    Unsent {
        /// Prefixes that were not sent, not answered, or rejected.
        prefixes: usize,
    },
    /// The other side is gone.
    PeerGone {
        /// What was seen.
        why: String,
    },
}

/// Something an announcer has to tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// When it happened.
    pub at: Instant,
    /// What happened.
    pub what: What,
}

/// What an announcer has to tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// Something happened in the conversation with ExaBGP.
    ExaBgp(ExaBgpEvent),
    /// The state in numbers, at most once a second and only when something happened.
    Snapshot(Box<PipeState>),
    /// Something happened to the session with a peer.
    Peer {
        /// The peer.
        peer: PeerAddress,
        /// What.
        event: bgp::Event,
    },
    /// A peer came, went, or is spoken to otherwise: its configuration has changed.
    PeerConfiguration {
        /// The peer.
        peer: PeerAddress,
        /// What changed.
        news: PeerNews,
    },
    /// There is no connection to a peer; said once until something changes.
    PeerUnreachable {
        /// The peer.
        peer: PeerAddress,
        /// Why.
        error: String,
    },
    /// Peers cannot connect; tried again.
    CannotListen {
        /// Why.
        error: String,
    },
    /// The state of the speaker, at most once a second and only when something happened.
    Speaker(SpeakerState),
    /// Whoever can be told has all of this set: acknowledged, where there are acknowledgements. Said
    /// once of each set that holds for so long.
    Settled(RouteSet),
    /// Reports were dropped since the last one because nobody fetched them.
    Lost {
        /// How many.
        count: u64,
    },
}

/// What an announcer last said of itself.
#[derive(Clone, Debug)]
pub enum Progress {
    /// The pipe to ExaBGP.
    ExaBgp(Box<PipeState>),
    /// The sessions of the speaker.
    Speaker(SpeakerState),
}

impl Progress {
    /// The state in a report, if it is one.
    pub fn of(what: What) -> Option<Self> {
        match what {
            What::Snapshot(state) => Some(Self::ExaBgp(state)),
            What::Speaker(state) => Some(Self::Speaker(state)),
            _ => None,
        }
    }
}

/// What another configuration means for a peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PeerNews {
    /// It is new.
    Added,
    /// It is no longer there.
    Removed,
    /// It is spoken to otherwise.
    Changed(speaker::Change),
}

/// The state of the pipe to ExaBGP.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PipeState {
    /// The conversation.
    pub session: Snapshot,
    /// From a decision until all that it changed was written.
    pub decided_to_sent: Histogram,
    /// From writing a command until ExaBGP answered `done`.
    pub sent_to_acknowledged: Histogram,
}

/// The state of the speaker.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SpeakerState {
    /// Of every peer.
    pub peers: Vec<PeerState>,
    /// How many connections came from somebody who is no peer; they are closed without a word.
    pub strangers: u64,
    /// Where the last one came from.
    pub last_stranger: Option<IpAddr>,
}

/// For so many prefixes a state says who else announces them.
pub const OTHERS_MAX: usize = 1000;

/// The state of the session with one peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerState {
    /// The peer.
    pub peer: PeerAddress,
    /// It is no longer in the configuration: it is told so, and then forgotten.
    pub leaving: bool,
    /// Its session.
    pub session: Box<bgp::Snapshot>,
    /// From a decision until all that it changed for this peer was written.
    pub decided_to_sent: Histogram,
    /// From then until the peer's kernel acknowledged it. It is asked after one millisecond, and
    /// less and less often then: up to twice the truth.
    pub sent_to_acknowledged: Histogram,
    /// Why there is no connection, and since when.
    pub trouble: Option<(Instant, String)>,
    /// The last NOTIFICATION, sent or received, and when.
    pub last_notification: Option<(Instant, bgp::DownCause)>,
    /// Who else announces our prefixes, as far as this peer tells; where that is asked for, and
    /// for the first [`OTHERS_MAX`] prefixes.
    pub others: Vec<(Prefix, bgp::Others)>,
}

/// The sending end of reports: never waits.
struct Reports {
    channel: mpsc::Sender<Report>,
    lost: u64,
}

impl Reports {
    /// Sends one; false when nobody has room for it.
    fn send(&mut self, at: Instant, what: What) -> bool {
        if self.lost > 0 {
            let count = self.lost;
            let lost = Report { at, what: What::Lost { count } };
            if self.channel.try_send(lost).is_ok() {
                self.lost = 0;
            }
        }
        let sent = self.channel.try_send(Report { at, what }).is_ok();
        if !sent {
            self.lost += 1;
        }
        sent
    }
}
