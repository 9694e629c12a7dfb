//! Signals before anybody listens for them.

use rustix::process::Signal;

/// Signals that ask a running program for something, and would end one that has just begun. They
/// are ignored while this is kept, and until somebody listens for them (signal(7): what is ignored
/// stays so until there is a handler).
#[derive(Debug)]
pub struct Ignored(&'static [Signal]);

impl Ignored {
    /// Ignores them from now on.
    pub fn begin(signals: &'static [Signal]) -> Self {
        set(signals, libc::SIG_IGN);
        Self(signals)
    }

    /// Lets them do again what they do to every program. For a program that will not listen.
    pub fn end(self) {
        set(self.0, libc::SIG_DFL);
    }
}

#[allow(unsafe_code, reason = "signal(2) has no safe form")]
fn set(signals: &[Signal], what: libc::sighandler_t) {
    for signal in signals {
        // SAFETY: neither disposition runs code of ours, and no memory is passed.
        unsafe { libc::signal(signal.as_raw(), what) };
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{getpid, kill_process};

    use super::*;

    #[test]
    fn an_ignored_signal_ends_nothing() {
        let ignored = Ignored::begin(&[Signal::USR2]);
        // It would end this process.
        kill_process(getpid(), Signal::USR2).unwrap();
        ignored.end();
    }
}
