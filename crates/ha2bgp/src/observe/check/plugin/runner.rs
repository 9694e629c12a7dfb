//! The thread that starts plugins, waits for them and ends them.
//!
//! Every process is known from its start until it is reaped. One that is not wanted any more (its
//! time is over, its check is gone, the program ends) is killed with its group at once, by SIGKILL:
//! SIGTERM would ask a program that has just shown that it cannot keep time for more of it, and a
//! plugin that wants to clean up has a time-out of its own that can be set shorter than ours.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_proto::nagios::{ExitStatus, PluginOutput};
use ha2bgp_sys::child::{self, Child, Exit, Pipes, Plan, SpawnError, Step};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::super::{Phase, net};
use super::capture::Capture;

/// What is kept of standard error, in octets; only its first line is ever shown.
const STDERR_MAX: usize = 4096;

/// A plugin that prints more than this is ended: nobody reads it, and reading costs.
const FLOOD: u64 = 64 * 1024 * 1024;

/// How long the end of all plugins may take, when the program ends: with a last look for orphans
/// less than the [`END_WAIT`](super::super::END_WAIT) of all checks.
const END_WAIT: Duration = Duration::from_secs(1);

/// How long one look for orphans may wait for their ends.
const ORPHANS_WAIT: Duration = Duration::from_millis(500);

/// A process to start.
struct Job {
    plan: Plan,
    max_output: usize,
    started: oneshot::Sender<()>,
    reply: oneshot::Sender<ProbeResult>,
}

/// Where processes are started; probes have it.
#[derive(Clone, Debug)]
pub struct Handle(Option<mpsc::Sender<Job>>);

impl Handle {
    /// Runs a plugin to its end. Dropping the future kills it.
    pub(super) async fn run(&self, plan: Plan, max_output: usize, phase: &Phase) -> ProbeResult {
        let (started, begun) = oneshot::channel();
        let (reply, result) = oneshot::channel();
        let job = Job { plan, max_output, started, reply };
        // A start that takes too long is no fault of what is checked.
        phase.begin_own("starting the plugin");
        let none = || ProbeResult::new(Outcome::Unknown, "there is no thread for plugins");
        let Some(jobs) = &self.0 else { return none() };
        if jobs.send(job).await.is_err() {
            return none();
        }
        if begun.await.is_ok() {
            phase.begin("the plugin ran");
        }
        result.await.unwrap_or_else(|_| none())
    }
}

/// The thread, until it is told to end.
#[derive(Debug)]
pub struct Runner {
    handle: Handle,
    ended: Option<oneshot::Receiver<()>>,
}

impl Runner {
    /// Starts the thread. So many plugins run at once at most, and as many more may be ending.
    /// With `adopt`, this process is made the parent of what its plugins leave behind, and ends it:
    /// that is for a program that has no other children.
    pub fn start(limit: usize, adopt: bool) -> Self {
        let (jobs, todo) = mpsc::channel(limit.max(1));
        let (ending, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("plugins".to_owned());
        let started = thread.spawn(move || {
            if let Err(error) = work(todo, limit, adopt) {
                tracing::error!(%error, "plugins cannot be run");
            }
            let _ = ending.send(());
        });
        match started {
            Ok(_) => Self { handle: Handle(Some(jobs)), ended: Some(ended) },
            Err(error) => {
                tracing::error!(%error, "cannot start the thread for plugins");
                Self::none()
            }
        }
    }

    /// None, where no check has a plugin.
    pub const fn none() -> Self {
        Self { handle: Handle(None), ended: None }
    }

    /// For those who make probes.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits for the end of all processes. Probes must have ended before: they have handles too.
    pub async fn end(self) {
        let Self { handle, ended } = self;
        drop(handle);
        if let Some(ended) = ended {
            let _ = ended.await;
        }
    }
}

/// All of the thread. It lasts as long as any plugin does: those are killed by the kernel when it
/// ends, whatever happened to it.
fn work(todo: mpsc::Receiver<Job>, limit: usize, adopt: bool) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    child::wait_for_children();
    let adopt = adopt
        && child::adopt()
            .inspect_err(|error| {
                tracing::warn!(%error, "processes that plugins leave behind are not ended");
            })
            .is_ok();
    let keeper = Rc::new(Keeper { adopt, leaders: RefCell::new(BTreeSet::new()) });
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, serve(todo, limit.max(1).saturating_mul(2), keeper));
    drop(local);
    runtime.shutdown_background();
    Ok(())
}

/// Takes jobs until nobody has any more.
async fn serve(mut todo: mpsc::Receiver<Job>, most: usize, keeper: Rc<Keeper>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            job = todo.recv() => match job {
                Some(job) if running.len() >= most => {
                    let text = format!(
                        "not started: {most} plugins that were killed have not ended yet"
                    );
                    let _ = job.reply.send(ProbeResult::new(Outcome::Unknown, &text));
                }
                Some(job) => {
                    running.spawn_local(run(job, keeper.clone()));
                }
                None => break,
            },
            Some(_) = running.join_next() => {}
        }
    }
    // Nobody waits for a reply any more, so each ends its plugin.
    let all = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(END_WAIT, all).await.is_err() {
        tracing::warn!("plugins that were killed have not ended yet");
    }
    keeper.end_orphans().await;
}

/// Which processes are ours.
struct Keeper {
    adopt: bool,
    /// Those that are not reaped; each leads a session of the same number.
    leaders: RefCell<BTreeSet<u32>>,
}

impl Keeper {
    /// Ends what plugins have left behind: a process that made a session of its own, and so left
    /// the group of its plugin, and what that has started.
    async fn end_orphans(&self) {
        if !self.adopt {
            return;
        }
        let look = async {
            loop {
                let orphans = child::kill_orphans(&self.leaders.borrow());
                if orphans.is_empty() {
                    return;
                }
                // What they have started is ours after their end: look again.
                for orphan in orphans {
                    orphan.reap().await;
                }
            }
        };
        // What does not end now is there again at the next look.
        let _ = tokio::time::timeout(ORPHANS_WAIT, look).await;
    }
}

/// Why a plugin is not waited for any longer.
enum Over {
    /// It has ended.
    Ended,
    /// Nobody wants its result.
    Unwanted,
    /// It prints too much.
    Flood,
}

/// One plugin from start to end.
async fn run(job: Job, keeper: Rc<Keeper>) {
    let Job { plan, max_output, started, mut reply } = job;
    if reply.is_closed() {
        return;
    }
    let (child, Pipes { stdout, stderr }) = match child::spawn(&plan) {
        Ok(child) => child,
        Err(error) => {
            let _ = reply.send(not_started(&plan, &error));
            return;
        }
    };
    keeper.leaders.borrow_mut().insert(child.pid());
    let _ = started.send(());
    let mut stdout = Capture::new(stdout, max_output);
    let mut stderr = Capture::new(stderr, STDERR_MAX);
    let over = loop {
        tokio::select! {
            () = child.ended() => break Over::Ended,
            () = reply.closed() => break Over::Unwanted,
            () = stdout.fill() => {}
            () = stderr.fill() => {}
        }
        if stdout.seen().saturating_add(stderr.seen()) > FLOOD {
            break Over::Flood;
        }
    };
    let exit = end(child, &keeper).await;
    stdout.finish();
    stderr.finish();
    let result = match over {
        Over::Ended => judge(exit, &stdout, &stderr),
        Over::Flood => {
            let text = format!("killed: it printed more than {} MiB", FLOOD >> 20);
            ProbeResult::new(Outcome::Unknown, &text)
        }
        Over::Unwanted => ProbeResult::new(Outcome::Unknown, "killed"),
    };
    let _ = reply.send(result);
    keeper.end_orphans().await;
}

/// Kills what is left of a plugin and reaps it. Waits as long as that takes: a process that the
/// kernel cannot end (a disk that hangs) keeps its place.
async fn end(mut child: Child, keeper: &Keeper) -> Exit {
    let pid = child.pid();
    let exit = loop {
        if let Some(exit) = child.reap() {
            break exit;
        }
        child.kill();
        child.ended().await;
    };
    keeper.leaders.borrow_mut().remove(&pid);
    exit
}

/// What a plugin says that has ended by itself.
fn judge(exit: Exit, stdout: &Capture, stderr: &Capture) -> ProbeResult {
    let status = match exit {
        Exit::Code(code) => ExitStatus::Code(code),
        Exit::Signal(signal) => ExitStatus::Signal(signal),
        Exit::Lost => return ProbeResult::new(Outcome::Unknown, "its exit code is not known"),
    };
    let text = stdout.kept();
    if text.iter().all(u8::is_ascii_whitespace) {
        // Its last words, where it has no others: an interpreter's, or the dynamic linker's.
        let mut lines = stderr.kept().split(|octet| *octet == b'\n');
        let first = lines.find(|line| !line.iter().all(u8::is_ascii_whitespace));
        return PluginOutput::parse(status, first.unwrap_or_default()).result;
    }
    PluginOutput::parse(status, text).into_result()
}

/// What stands in the way of a start, which says nothing of the service.
fn not_started(plan: &Plan, error: &SpawnError) -> ProbeResult {
    let program = plan.program.file_name().unwrap_or(plan.program.as_os_str());
    let who = plan.identity.as_ref().map(|identity| format!(" as uid {}", identity.uid));
    let who = who.unwrap_or_default();
    let hint = match (error.step, error.source.kind()) {
        (Step::Identity, io::ErrorKind::PermissionDenied) => {
            " (ha2bgp needs CAP_SETUID and CAP_SETGID for that)"
        }
        (Step::Execute, io::ErrorKind::NotFound) => " (the file, or what its first line names)",
        _ => "",
    };
    let (what, why) = (error.step.name(), net::reason(&error.source));
    let text = format!("{}{who}: cannot {what}: {why}{hint}", program.to_string_lossy());
    ProbeResult::new(Outcome::Unknown, &text)
}
