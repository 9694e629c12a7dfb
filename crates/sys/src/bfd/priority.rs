//! Real-time priority of a thread (sched(7)): before all that have none.

use std::io;

use thiserror::Error;

/// The priority that is asked for: above everything ordinary, below what the kernel's own threads
/// for interrupts have (50).
const PRIORITY: libc::c_int = 10;

/// The priority of the calling thread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Priority {
    /// As every other thread (`SCHED_OTHER`).
    Ordinary,
    /// Before those (`SCHED_FIFO`).
    RealTime,
}

/// Why a thread has no real-time priority.
#[derive(Debug, Error)]
#[error(
    "no real-time priority: {0}: give ha2bgp CAP_SYS_NICE or RLIMIT_RTPRIO (systemd: \
         AmbientCapabilities=CAP_SYS_NICE, or LimitRTPRIO={PRIORITY})"
)]
pub struct PriorityError(#[from] io::Error);

/// Gives the calling thread real-time priority; threads and processes that it starts have none.
///
/// # Errors
/// Without the capability and the limit, or in a control group that has no real-time budget.
#[allow(unsafe_code, reason = "rustix leaves scheduling policies to libc")]
pub fn real_time() -> Result<(), PriorityError> {
    let parameters = libc::sched_param { sched_priority: PRIORITY };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 is the calling thread; the kernel only reads from `parameters`, which lives across the
    // call.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error().into()) }
}

impl Priority {
    /// That of the calling thread.
    #[allow(unsafe_code, reason = "rustix leaves scheduling policies to libc")]
    pub fn of_this_thread() -> Self {
        // SAFETY: it takes no memory; 0 is the calling thread.
        let policy = unsafe { libc::sched_getscheduler(0) };
        if policy & !libc::SCHED_RESET_ON_FORK == libc::SCHED_FIFO && policy >= 0 {
            Self::RealTime
        } else {
            Self::Ordinary
        }
    }
}
