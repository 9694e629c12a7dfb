//! The poll sequence (RFC 5880 section 6.5), and the rule that no final may be read as the answer
//! to two different polls (section 6.8.3).
//!
//! That section lets another poll sequence begin a round trip after the last poll, or after a packet
//! without final. The second is not enough where the round trip is longer than the interval: several
//! polls are on their way then, and answers to them come between packets without final. So only
//! time counts here.

use ha2bgp_core::time::Instant;

/// Where a poll sequence stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// The peer has confirmed all there is.
    Idle,
    /// The next packet has the poll bit.
    Wanted,
    /// Packets with the poll bit went out, none was answered.
    Sent { first: Instant, last: Instant },
    /// Answered. No other poll may go out before a round trip is over since the last one: answers to
    /// the later ones are still on their way.
    Resting { until: Instant },
}

/// The poll sequence of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poll {
    stage: Stage,
    /// Another sequence must follow.
    again: bool,
}

impl Poll {
    pub(super) const fn new() -> Self {
        Self { stage: Stage::Idle, again: false }
    }

    /// Something changed that the peer must confirm.
    pub(super) fn request(&mut self) {
        match self.stage {
            Stage::Idle => self.stage = Stage::Wanted,
            Stage::Wanted => {}
            Stage::Sent { .. } | Stage::Resting { .. } => self.again = true,
        }
    }

    /// True when packets carry the poll bit.
    pub(super) const fn is_active(&self) -> bool {
        matches!(self.stage, Stage::Wanted | Stage::Sent { .. })
    }

    /// True from a request until it was confirmed.
    pub(super) const fn is_running(&self) -> bool {
        self.is_active() || self.again
    }

    /// True while what a poll tells must not change: the final would be ambiguous.
    pub(super) const fn is_frozen(&self) -> bool {
        matches!(self.stage, Stage::Sent { .. } | Stage::Resting { .. })
    }

    /// A packet with the poll bit goes out.
    pub(super) fn sent(&mut self, now: Instant) {
        self.stage = match self.stage {
            Stage::Sent { first, .. } => Stage::Sent { first, last: now },
            _ => Stage::Sent { first: now, last: now },
        };
    }

    /// A packet with the final bit came. True when it ends the sequence: what was told counts from
    /// now on.
    pub(super) fn answered(&mut self, now: Instant) -> bool {
        let Stage::Sent { first, last } = self.stage else { return false };
        // The answer took a round trip or more since the first one.
        self.stage = Stage::Resting { until: last + now.since(first) };
        true
    }

    /// When [`Poll::rest`] has something to do.
    pub(super) const fn rests_until(&self) -> Option<Instant> {
        match self.stage {
            Stage::Resting { until } => Some(until),
            _ => None,
        }
    }

    /// Ends the rest when it is over. True if it did.
    pub(super) fn rest(&mut self, now: Instant) -> bool {
        let over = self.rests_until().is_some_and(|until| until <= now);
        if over {
            let again = core::mem::take(&mut self.again);
            self.stage = if again { Stage::Wanted } else { Stage::Idle };
        }
        over
    }
}
