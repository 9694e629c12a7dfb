//! Processes that outlived the one that started them: as a child subreaper we are their parent
//! then, and can end them.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, set_child_subreaper, waitid,
};
use tokio::io::unix::AsyncFd;

use super::watch;

/// No look takes more than so many.
const MANY: usize = 1024;

/// From now on this process is the parent of every process below it whose own parent has died
/// (`PR_SET_CHILD_SUBREAPER`, prctl(2)), instead of process 1.
///
/// # Errors
/// Those of prctl(2).
pub fn adopt() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// An orphan that was killed, until it is reaped.
#[derive(Debug)]
pub struct Orphan(AsyncFd<OwnedFd>);

impl Orphan {
    /// Waits for its end and reaps it.
    pub async fn reap(self) {
        let _ = self.0.readable().await;
        let end = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let _ = waitid(WaitId::PidFd(self.0.get_ref().as_fd()), end);
    }
}

/// Kills every child of this process whose session is neither our own nor one of these, which are
/// those of children that were started here and are not reaped yet.
pub fn kill_orphans(sessions: &BTreeSet<u32>) -> Vec<Orphan> {
    let Some(ours) = session(0) else { return Vec::new() };
    let orphans = children().into_iter().filter(|pid| {
        let number = pid.as_raw_nonzero().get();
        let known = |pid: i32| sessions.contains(&pid.unsigned_abs());
        session(number).is_some_and(|it| it != ours && !known(it) && !known(number))
    });
    // They are our children and not reaped: the numbers are still theirs.
    orphans
        .filter_map(|pid| {
            let _ = kill_process(pid, Signal::KILL);
            match watch(pid) {
                Ok(pidfd) => Some(Orphan(pidfd)),
                // No descriptor is free: reaped now, or at the next look.
                Err(_) => {
                    let end = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
                    let _ = waitid(WaitId::Pid(pid), end);
                    None
                }
            }
        })
        .collect()
}

/// The session of a process, of our own for 0 (getsid(2)); `None` when there is no such process.
///
/// It is 0 itself where its leader is outside of our PID namespace (pid_namespaces(7)), as it is for
/// the first process of a container. That is no [`Pid`], so rustix cannot be asked.
#[allow(unsafe_code, reason = "rustix takes a session of 0 for impossible")]
fn session(pid: i32) -> Option<i32> {
    // SAFETY: getsid(2) takes a number and touches no memory of ours.
    let session = unsafe { libc::getsid(pid) };
    (session >= 0).then_some(session)
}

/// The children of all our threads (`/proc/PID/task/TID/children`, proc(5)); none where the kernel
/// does not tell.
fn children() -> Vec<Pid> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let mut children = Vec::new();
    for task in tasks.flatten() {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        let pids = text.split_ascii_whitespace().filter_map(|word| word.parse().ok());
        children.extend(pids.filter_map(Pid::from_raw).take(MANY - children.len()));
    }
    children
}
