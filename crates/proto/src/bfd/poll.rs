//! The poll sequence (RFC 5880 section 6.5), and the rule that no final may be read as the answer
//! to two different polls (section 6.8.3).

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
    /// Answered, and another poll must follow. Not before a packet without final, or a round trip
    /// since the last poll: it may have been answered twice.
    Resting { until: Instant },
}

/// The poll sequence of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poll {
    stage: Stage,
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
            Stage::Sent { .. } => self.again = true,
            Stage::Wanted | Stage::Resting { .. } => {}
        }
    }

    /// True when packets carry the poll bit.
    pub(super) const fn is_active(&self) -> bool {
        matches!(self.stage, Stage::Wanted | Stage::Sent { .. })
    }

    /// True from a request until it was confirmed.
    pub(super) const fn is_running(&self) -> bool {
        !matches!(self.stage, Stage::Idle)
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

    /// A packet came. True when it ends the sequence: what it told counts from now on. `more`: there is more
    /// to tell.
    pub(super) fn received(&mut self, is_final: bool, more: bool, now: Instant) -> bool {
        match self.stage {
            Stage::Sent { first, last } if is_final => {
                let again = core::mem::take(&mut self.again) || more;
                // The answer took a round trip or more since the first one.
                let until = last + now.since(first);
                self.stage = if again { Stage::Resting { until } } else { Stage::Idle };
                true
            }
            Stage::Resting { .. } if !is_final => {
                self.stage = Stage::Wanted;
                false
            }
            _ => false,
        }
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
            self.stage = Stage::Wanted;
        }
        over
    }
}
