//! Child processes that leave nothing behind: each is the leader of a session and so of a process
//! group of its own, is waited for by its pidfd, and takes its group with it.
//!
//! A process group is killed *before* its leader is reaped: until then the number of the group
//! cannot be another's. What is started, and when it is ended, is the caller's business.
//!
//! * [`Plan`]: what is started, and within which limits. * [`adopt`], [`kill_orphans`]: what left
//!   the group. * [`Child`], [`Pipes`]: one that runs.

mod confine;
mod orphans;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;

pub use self::confine::{Identity, Limits, Plan, SpawnError, Step};
pub use self::orphans::{Orphan, adopt, kill_orphans};

/// A process that was started, until it is reaped.
///
/// Dropped before that, its group is killed; it is then reaped only if it ends at once, so await
/// [`ended`](Self::ended) and [`reap`](Self::reap) it instead.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
    reaped: bool,
}

/// Where it writes to. Both may stay open after its end: other processes may have them too.
#[derive(Debug)]
pub struct Pipes {
    /// Its standard output.
    pub stdout: pipe::Receiver,
    /// Its standard error.
    pub stderr: pipe::Receiver,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// It left with this code, 0 to 255.
    Code(i32),
    /// This signal ended it (signal(7)).
    Signal(i32),
    /// It is not known: somebody else has reaped it.
    Lost,
}

/// Starts what the plan says, and returns when it is executed. That blocks, as long as fork(2) and
/// execve(2) do: on a file system that hangs, for ever. Must be called inside a tokio runtime.
///
/// The process gets SIGKILL when the *thread* that called this ends (`PR_SET_PDEATHSIG`, prctl(2)).
///
/// # Errors
/// What could not be done, and why. No process is left then.
pub fn spawn(plan: &Plan) -> Result<(Child, Pipes), SpawnError> {
    let mut command = confine::command(plan);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut started = command.spawn().map_err(SpawnError::of_child)?;
    // Nobody else reaps it, so this is still its number.
    let pid = Pid::from_child(&started);
    let (stdout, stderr) = (started.stdout.take(), started.stderr.take());
    let watched = watch(pid).and_then(|pidfd| {
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        let pipe = |fd: OwnedFd| pipe::Receiver::from_owned_fd(fd);
        let pipes = Pipes {
            stdout: pipe(stdout.ok_or_else(missing)?.into())?,
            stderr: pipe(stderr.ok_or_else(missing)?.into())?,
        };
        Ok((Child { pid, pidfd, reaped: false }, pipes))
    });
    watched.map_err(|source| {
        let _ = kill_process_group(pid, Signal::KILL);
        let _ = started.wait();
        SpawnError { step: Step::Watch, source }
    })
}

/// Makes the ends of children be told, where the program was started with SIGCHLD ignored: the
/// kernel would reap them by itself then (wait(2), section NOTES). A handler is left alone.
#[allow(unsafe_code, reason = "rustix leaves dispositions to libc")]
pub fn wait_for_children() {
    // SAFETY: `action` is plain data, all zeroes is a value of it, and the kernel fills it before
    // it is read. SIG_DFL needs no code of ours to be called.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
        {
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        }
    }
}

/// A pidfd that tokio watches: it is readable when the process has ended.
fn watch(pid: Pid) -> io::Result<AsyncFd<OwnedFd>> {
    let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
    register(pidfd)
}

/// Registers the descriptor with tokio's reactor.
#[allow(unsafe_code, reason = "tokio cannot check what it asks for")]
fn register(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: `OwnedFd` owns one open descriptor and closes it only when dropped. The `AsyncFd`
    // owns it, and its owners here keep it private and use it by shared reference only, so nothing
    // replaces or closes it before.
    let registered = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) };
    Ok(registered?)
}

impl Child {
    /// Its process id, which is also that of its session and group.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits until it has ended; reaps nothing. May be dropped at any time.
    pub async fn ended(&self) {
        // An error is one of the reactor, which is gone at the end of the program only.
        let _ = self.pidfd.readable().await;
    }

    /// Kills it and all of its process group.
    pub fn kill(&self) {
        if !self.reaped {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// If it has ended: kills what is left of its group, then reaps it. `None` while it runs.
    pub fn reap(&mut self) -> Option<Exit> {
        let end = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let fd = self.pidfd.get_ref().as_fd();
        let seen = waitid(WaitId::PidFd(fd), end | WaitIdOptions::NOWAIT);
        if matches!(seen, Ok(None)) {
            return None;
        }
        let gone = seen.is_err();
        if !gone {
            self.kill();
        }
        let status = waitid(WaitId::PidFd(fd), end);
        self.reaped = true;
        Some(match status {
            Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => Exit::Lost,
            },
            Ok(None) | Err(_) => Exit::Lost,
        })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            let _ = self.reap();
        }
    }
}
