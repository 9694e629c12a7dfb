//! Whether the observers can see: ready, failing, or blind for too long.

use core::time::Duration;

use crate::event::Event;
use crate::fact::Source;
use crate::reason::Reason;
use crate::survey::Sight;
use crate::time::Instant;

/// The state of one observer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// No complete picture yet; `failing_since` tells since when it cannot get one.
    #[default]
    Starting,
    /// No complete picture yet, and it reported a failure.
    StartFailed { since: Instant },
    /// Its reports describe all that is.
    Ready,
    /// It cannot see; what it reported still counts.
    Failing { since: Instant },
    /// It could not see for too long; what it reported does not count any more.
    Unknown { since: Instant },
}

/// All observers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sources {
    listen: State,
    address: State,
}

impl Sources {
    const fn state(&self, source: Source) -> State {
        match source {
            Source::Listen => self.listen,
            Source::Address => self.address,
        }
    }

    const fn state_mut(&mut self, source: Source) -> &mut State {
        match source {
            Source::Listen => &mut self.listen,
            Source::Address => &mut self.address,
        }
    }

    /// A complete picture was delivered. Returns what to tell, if that is news.
    pub(crate) fn complete(&mut self, source: Source, now: Instant) -> Option<Event> {
        let state = self.state_mut(source);
        let event = match *state {
            State::Ready => return None,
            State::Starting => Event::SourceReady { source },
            State::StartFailed { since } | State::Failing { since } | State::Unknown { since } => {
                Event::SourceRecovered { source, failed_for: now - since }
            }
        };
        *state = State::Ready;
        Some(event)
    }

    /// The observer cannot see. Returns true when that is news.
    pub(crate) fn failed(&mut self, source: Source, now: Instant) -> bool {
        let state = self.state_mut(source);
        match *state {
            State::Starting => *state = State::StartFailed { since: now },
            State::Ready => *state = State::Failing { since: now },
            State::StartFailed { .. } | State::Failing { .. } | State::Unknown { .. } => {
                return false;
            }
        }
        true
    }

    /// Whether `source` can see.
    pub(crate) const fn sight(&self, source: Source) -> Sight {
        match self.state(source) {
            State::Starting => Sight::Starting,
            State::Ready => Sight::Good,
            State::StartFailed { since } | State::Failing { since } => Sight::Failing(since),
            State::Unknown { since } => Sight::Unknown(since),
        }
    }

    /// Why the reports of `source` do not count; `None` when they do.
    pub(crate) const fn objection(&self, source: Source) -> Option<Reason> {
        match self.state(source) {
            State::Starting | State::StartFailed { .. } => Some(Reason::Starting),
            State::Ready | State::Failing { .. } => None,
            State::Unknown { .. } => Some(Reason::SourceUnknown),
        }
    }

    /// Turns a failure that lasted too long into "unknown". Returns true when it just did.
    pub(crate) fn expire(&mut self, source: Source, after: Duration, now: Instant) -> bool {
        let state = self.state_mut(source);
        match *state {
            State::Failing { since } if since + after <= now => {
                *state = State::Unknown { since };
                true
            }
            _ => false,
        }
    }

    /// The next moment at which a failure lasts too long.
    pub(crate) fn deadline(&self, after: Duration) -> Option<Instant> {
        Source::ALL
            .iter()
            .filter_map(|source| match self.state(*source) {
                State::Failing { since } => Some(since + after),
                _ => None,
            })
            .min()
    }
}
