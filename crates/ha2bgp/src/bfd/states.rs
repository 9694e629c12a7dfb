//! What is known of BFD sessions, as their users read it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::bfd::{Cause, Discard, State, Status};

use super::target::Target;

/// All sessions, at one moment. A clone is a reference count.
#[derive(Clone, Debug, Default)]
pub struct States {
    sessions: Arc<BTreeMap<Target, SessionState>>,
    /// What comes to our ports, and is of no session.
    pub strangers: u64,
}

/// One session.
#[derive(Clone, Debug)]
pub struct SessionState {
    /// What the protocol knows.
    pub status: Status,
    /// When it began: since then it is tried to bring it up.
    pub begun: Instant,
    /// Our address, as far as it is known.
    pub local: Option<IpAddr>,
    /// When it last changed between Up and something else, and why.
    pub changed: Option<(Instant, Cause)>,
    /// Why packets cannot be sent or received, as far as it is our fault; nothing is known of the path
    /// then.
    pub trouble: Option<Arc<str>>,
    /// Packets that were dropped because they came from too far away.
    pub too_far: u64,
}

impl SessionState {
    /// Both sides hear each other.
    pub fn is_up(&self) -> bool {
        self.status.state == State::Up
    }

    /// It was up, and the path or the peer has failed. What somebody wanted is no failure (RFC 5882
    /// section 3.2).
    pub fn has_failed(&self) -> bool {
        !self.is_up() && self.changed.is_some_and(|(_, cause)| cause.is_failure())
    }

    /// Packets that were discarded for this reason.
    pub fn discarded_for(&self, reason: Discard) -> u64 {
        let here = if reason == Discard::HopLimit { self.too_far } else { 0 };
        self.status.counters.discarded(reason).saturating_add(here)
    }

    /// Packets that were discarded.
    pub fn discarded(&self) -> u64 {
        self.status.counters.discarded_total().saturating_add(self.too_far)
    }

    /// The peer holds its end down on purpose.
    pub fn is_held_down(&self) -> bool {
        let remote = self.status.remote.as_ref();
        !self.is_up()
            && (remote.is_some_and(|remote| remote.state == State::AdminDown)
                || matches!(self.changed, Some((_, Cause::NeighborAdminDown(_)))))
    }
}

impl States {
    /// These.
    pub fn new(sessions: BTreeMap<Target, SessionState>, strangers: u64) -> Self {
        Self { sessions: Arc::new(sessions), strangers }
    }

    /// The session that is meant.
    pub fn find(&self, target: &Target) -> Option<&SessionState> {
        let exact = self.sessions.get(target);
        exact.or_else(|| self.iter().find(|(it, _)| target.means(it)).map(|(_, state)| state))
    }

    /// Every session.
    pub fn iter(&self) -> impl Iterator<Item = (&Target, &SessionState)> {
        self.sessions.iter()
    }
}

/// Why a session went down, for people.
pub fn why(cause: Cause) -> String {
    match cause {
        Cause::DetectionTimeExpired => "nothing was heard for the detection time".to_owned(),
        Cause::NeighborDown(diagnostic) => format!("the peer says that it is down: {diagnostic}"),
        Cause::NeighborAdminDown(_) => {
            "the peer holds the session down on purpose (AdminDown)".to_owned()
        }
        Cause::AdminDown(_) => "this program holds it down".to_owned(),
        Cause::Handshake | Cause::AdminUp => "it begins".to_owned(),
    }
}
