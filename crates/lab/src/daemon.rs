//! A server of another project as a child that may have children of its own: none of them
//! outlives the guard. It knows nothing of what the server does.

use crate::child::Child;
use crate::netns::Netns;
use crate::{LabError, Result, procfs, wait};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// How long a server may take to end in order.
const STOP: Duration = Duration::from_secs(10);

/// A process and all below it.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts a command that stays in the foreground on `host`, output in `dir/NAME.out` and
    /// `dir/NAME.err`.
    pub fn start(host: &Netns, name: &str, command: &mut Command, dir: &Path) -> Result<Self> {
        Ok(Self { child: host.start(name, command, dir)? })
    }

    /// The first process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// The pids of the processes that it started itself and that still run.
    #[must_use]
    pub fn workers(&self) -> Vec<u32> {
        procfs::children(self.child.pid())
    }

    /// The ends of its output, for messages.
    #[must_use]
    pub fn tail(&self) -> String {
        self.child.tail()
    }

    /// Whether the first process still runs; an error with its output when it does not.
    pub fn runs(&mut self) -> Result<()> {
        match self.child.exit_status()? {
            None => Ok(()),
            Some(status) => {
                Err(LabError::Missing(format!("it ended with {status}\n{}", self.tail())))
            }
        }
    }

    /// Asks it to end by SIGTERM and waits, at most ten seconds.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.child.signal(Signal::TERM)?;
        self.child.wait(STOP)
    }

    /// Stops it and all below it where they are, or lets them go on: it listens, but answers
    /// nothing.
    pub fn freeze(&mut self, frozen: bool) -> Result<()> {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        self.child.signal(signal)?;
        self.signal_below(signal);
        if !frozen {
            return Ok(());
        }
        // A signal to a thread that runs on another processor takes its time.
        wait::until_true(STOP, "all are stopped", || {
            let pid = self.child.pid();
            procfs::stopped(pid) && procfs::descendants(pid).into_iter().all(procfs::stopped)
        })
    }

    /// Ends it and all below it at once, as a crash does.
    pub fn kill(&mut self) -> Result<()> {
        if self.child.exit_status()?.is_none() {
            // Stopped first, so that it starts nothing between the look and the end.
            self.child.signal(Signal::STOP)?;
            self.signal_below(Signal::KILL);
        }
        self.child.kill()
    }

    fn signal_below(&self, signal: Signal) {
        for pid in procfs::descendants(self.child.pid()) {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let _gone = pid.map(|pid| kill_process(pid, signal));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Nothing more can be done about what cannot be killed.
        let _outcome = self.kill();
    }
}
