//! Does ExaBGP answer at all, and does it still?
//!
//! Silence has several causes, and each wants something else:
//!
//! * Answers are switched off or unknown to this version: nothing at all comes in the first
//!   seconds. Go on without them.
//! * ExaBGP is busy or stopped: answers come later, in order. Wait, keep the order.
//! * One answer was lost: 4.2.21 never answers a command whose parsing raises something that is
//!   not a `ValueError` (`reactor/asynchronous.py` drops it with a log line). From then on every
//!   answer is matched one command too early, and at the end one command waits for ever. A probe
//!   (a harmless repetition) tells it from a busy ExaBGP: the probe is answered, and then there is
//!   silence again although commands wait.
//! * Answers were switched off meanwhile (`disable-ack`): even the probe is not answered while the
//!   pipe takes what we write. Give up on answers, send again what waited.

use core::time::Duration;

use ha2bgp_core::time::Instant;

use super::event::Acks;

/// Nothing answered for so long after the first command: there are no answers.
pub(super) const ACKS_ABSENT_AFTER: Duration = Duration::from_secs(2);
/// Commands wait and nothing was answered for so long: stalled.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(10);
/// Stalled for so long while the pipe takes writes: there are no answers any more.
pub(super) const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// What the passing of time asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Nothing.
    Fine,
    /// There never was an answer.
    NoAnswers,
    /// Newly stalled: report it, probe.
    Stalled,
    /// What waits will not be answered, but ExaBGP lives: send it again.
    Lost,
    /// Stalled for too long.
    GiveUp,
}

/// The watch over the answers.
#[derive(Debug)]
pub(super) struct Liveness {
    acks: Acks,
    /// The first write ever.
    first_written: Option<Instant>,
    /// The last answer, or the moment from which one was due.
    progress: Instant,
    stalled: Option<Instant>,
    /// A probe was written: if it ends this silence, another one means that the rest was lost.
    probed: bool,
    /// The pipe does not take writes, or since when it does again.
    blocked: bool,
    writable_since: Instant,
}

impl Liveness {
    pub(super) const fn new(acks: Acks) -> Self {
        Self {
            acks,
            first_written: None,
            progress: Instant::START,
            stalled: None,
            probed: false,
            blocked: false,
            writable_since: Instant::START,
        }
    }

    pub(super) const fn acks(&self) -> Acks {
        self.acks
    }

    pub(super) const fn is_stalled(&self) -> bool {
        self.stalled.is_some()
    }

    /// A command was written; `waiting` commands waited before it.
    pub(super) fn written(&mut self, waiting: usize, now: Instant) {
        self.first_written.get_or_insert(now);
        if waiting == 0 {
            self.progress = now;
        }
        self.writable(now);
    }

    /// A probe goes out.
    pub(super) const fn probe(&mut self) {
        self.probed = true;
    }

    pub(super) const fn block(&mut self) {
        self.blocked = true;
    }

    pub(super) const fn writable(&mut self, now: Instant) {
        if self.blocked {
            self.blocked = false;
            self.writable_since = now;
        }
    }

    /// An answer came. Returns whether answers were thought absent, and the end of a stall: how
    /// long it was silent.
    pub(super) fn answered(&mut self, now: Instant) -> (bool, Option<Duration>) {
        let were_absent = self.acks == Acks::Absent;
        self.acks = Acks::Present;
        let silent = now.since(self.progress);
        self.progress = now;
        (were_absent, self.stalled.take().map(|_| silent))
    }

    /// Nothing waits any more.
    pub(super) const fn idle(&mut self) {
        self.probed = false;
        self.stalled = None;
    }

    /// Stops expecting answers.
    pub(super) const fn give_up(&mut self) {
        self.acks = Acks::Absent;
        self.idle();
    }

    /// Judges the silence; `waiting` commands wait.
    pub(super) fn judge(&mut self, waiting: usize, now: Instant) -> Verdict {
        if self.due(waiting).is_none_or(|due| now < due) {
            return Verdict::Fine;
        }
        match (self.acks, self.stalled) {
            (Acks::Absent, _) => Verdict::Fine,
            (Acks::Unknown, _) => Verdict::NoAnswers,
            (Acks::Present, Some(_)) => Verdict::GiveUp,
            (Acks::Present, None) if self.probed => {
                self.idle();
                Verdict::Lost
            }
            (Acks::Present, None) => {
                self.stalled = Some(now);
                Verdict::Stalled
            }
        }
    }

    /// When to judge next.
    pub(super) fn due(&self, waiting: usize) -> Option<Instant> {
        if waiting == 0 {
            return None;
        }
        match (self.acks, self.stalled) {
            (Acks::Absent, _) => None,
            (Acks::Unknown, _) => self.first_written.map(|at| at + ACKS_ABSENT_AFTER),
            (Acks::Present, None) => Some(self.progress + STALLED_AFTER),
            (Acks::Present, Some(_)) if self.blocked => None,
            (Acks::Present, Some(since)) => Some(since.max(self.writable_since) + GIVE_UP_AFTER),
        }
    }
}
