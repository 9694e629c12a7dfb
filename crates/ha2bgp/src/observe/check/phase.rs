//! What a probe is at, to say so when its time is over.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};

/// Why the time of a probe is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Over {
    /// The target has had all of it.
    Target,
    /// This host could not keep time.
    Own,
}

/// What a probe is at.
#[derive(Debug, Default)]
pub struct Phase {
    what: Cell<&'static str>,
    /// It is something of this host: its time-out says nothing of the target.
    own: Cell<bool>,
    note: RefCell<String>,
}

impl Phase {
    /// Notes what begins: `connecting`, `waiting for the answer`.
    pub fn begin(&self, what: &'static str) {
        self.what.set(what);
        self.own.set(false);
        self.note.borrow_mut().clear();
    }

    /// The same of something that is only ours: taking too long for it is `unknown`.
    pub fn begin_own(&self, what: &'static str) {
        self.begin(what);
        self.own.set(true);
    }

    /// Notes what is known so far, until something else begins.
    pub fn note(&self, what: impl FnOnce() -> String) {
        self.note.replace(what());
    }

    /// The result of a probe whose time is over.
    pub(super) fn timed_out(&self, timeout: Duration, over: Over) -> ProbeResult {
        let at = match self.what.get() {
            "" => String::new(),
            what => format!(" while {what}"),
        };
        let note = self.note.borrow();
        let note = if note.is_empty() { String::new() } else { format!(": {note}") };
        let limit = crate::config::duration::show(timeout);
        let (outcome, busy) = match over {
            Over::Own => (Outcome::Unknown, ", because this host is too busy"),
            Over::Target if self.own.get() => (Outcome::Unknown, ""),
            Over::Target => (Outcome::Fail, ""),
        };
        ProbeResult::new(outcome, &format!("timed out after {limit}{at}{busy}{note}"))
    }
}
