//! BFD: whether the way to somebody works, known within milliseconds (RFC 5880, 5881, 5883).
//!
//! Sessions have a thread of their own, with its own runtime and sockets: nothing else in this program
//! delays them. It writes no log and waits for nobody. [`Bfd`] is the way there: which sessions shall be
//! (a level: what stays the same is not touched), and what is known of them.
//!
//! * [`target`]: whom sessions are with, and how several users share one. [`states`]: what users see.
//! * `task` drives all sessions, `running` is one of them, `ports` are the sockets for what comes.
//!
//! Without any session there is neither the thread nor a socket. The protocol is `ha2bgp_proto::bfd`.

mod ports;
mod running;
pub mod states;
pub mod target;
mod task;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::bfd::Cause;
use ha2bgp_sys::bfd::real_time;
use tokio::sync::{mpsc, oneshot, watch};

use self::states::States;
use self::target::{SessionConfig, Target};
use self::task::{Out, Wanted};
use crate::clock::Clock;

/// So many sessions at most. One costs 0.6 % of a core at 50 ms, less by as much as it is slower.
pub const SESSIONS_MAX: usize = 256;
/// So many news may wait to be told; then they are dropped.
const NEWS_MAX: usize = 1024;
/// How long the end of all sessions may take: their last words go out three times.
const END_WAIT: Duration = Duration::from_millis(500);

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct News {
    /// When.
    pub at: Instant,
    /// To which session.
    pub target: Target,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// It is up.
    Up,
    /// It is no longer up.
    Down {
        /// Why.
        cause: Cause,
        /// How long it was.
        lasted: Duration,
    },
    /// This host cannot send or receive its packets; told once until that is over.
    Trouble(Arc<str>),
}

/// The way to the thread.
#[derive(Debug)]
pub struct Bfd {
    wanted: watch::Sender<Wanted>,
    states: watch::Receiver<States>,
    latest: watch::Receiver<States>,
    /// What the thread is given when it starts.
    thread: Option<(watch::Receiver<Wanted>, Out)>,
    ended: Option<oneshot::Receiver<()>>,
    clock: Clock,
    /// The thread goes before all that have no real-time priority, where that is allowed.
    real_time: bool,
}

impl Bfd {
    /// A way to a thread that is not there yet, and what happens to its sessions.
    pub fn new(clock: Clock, real_time: bool) -> (Self, mpsc::Receiver<News>) {
        let (wanted, wants) = watch::channel(Wanted::default());
        let (telling, states) = watch::channel(States::default());
        let (showing, latest) = watch::channel(States::default());
        let (news, happened) = mpsc::channel(NEWS_MAX);
        let out = Out { states: telling, latest: showing, news };
        let thread = Some((wants, out));
        (Self { wanted, states, latest, thread, ended: None, clock, real_time }, happened)
    }

    /// These sessions shall be, and no others. Sessions that stay the same are not touched; other timers
    /// are agreed on with the peer while the session stays up; those that go are told so. Starts the
    /// thread when there is something to do for the first time.
    ///
    /// # Errors
    /// When no thread can be started: there is no BFD then.
    pub fn set_sessions(&mut self, sessions: Vec<SessionConfig>) -> io::Result<()> {
        let any = !sessions.is_empty();
        self.wanted.send_if_modified(|wanted| {
            let changed = *wanted.sessions != sessions;
            if changed {
                wanted.sessions = Arc::new(sessions);
            }
            changed
        });
        match self.thread.take() {
            Some((wanted, out)) if any => {
                let ends = start(wanted, out, self.clock, self.real_time)?;
                self.ended = Some(ends);
            }
            waiting => self.thread = waiting,
        }
        Ok(())
    }

    /// What is known, for whoever waits for changes.
    pub fn states(&self) -> watch::Receiver<States> {
        self.states.clone()
    }

    /// What is known, with numbers that are a second old at most; nothing is told when they change.
    pub fn latest(&self) -> watch::Receiver<States> {
        self.latest.clone()
    }

    /// Says to every peer that its session ends on purpose: it must not take that for a failure (RFC
    /// 5882 section 3.2), so that graceful restart is not undone. Done when all are told, or time is up.
    pub async fn end(&mut self) {
        self.wanted.send_modify(|wanted| wanted.ends = true);
        if let Some(ended) = self.ended.take() {
            // Gone is as good as ended.
            let _ = tokio::time::timeout(END_WAIT, ended).await;
        }
    }
}

/// Starts the thread. It ends with its task.
fn start(
    wanted: watch::Receiver<Wanted>,
    out: Out,
    clock: Clock,
    priority: bool,
) -> io::Result<oneshot::Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ending, ended) = oneshot::channel();
    std::thread::Builder::new().name("bfd".to_owned()).spawn(move || {
        if priority && let Err(error) = real_time() {
            // The log has a thread of its own: a line never waits.
            tracing::info!("BFD: {error}; or write realtime = false in [bfd]");
        }
        runtime.block_on(task::run(wanted, out, clock));
        let _ = ending.send(());
    })?;
    Ok(ended)
}
