//! The listen observer: which sockets of this host listen and match the listen filter.
//!
//! Owns the sock_diag sockets. Four things make it look, and none is believed alone:
//!
//! * a *doorbell* in the kernel, where the host permits it: microseconds after a TCP socket starts
//!   or stops to listen. It asks after that socket at once, and looks again a millisecond later;
//! * a *dump* of all listeners, always: finds everything, new listeners among it. Once a second
//!   with a doorbell, less often where that would cost more than 0.05 % of a core; ten times a second
//!   without, less often where that would cost more than 1 %;
//! * without a doorbell, *destroy events*: microseconds after a close, but seconds late while
//!   half-open connections hold the socket, and never for `shutdown`; confirmed by an exact query;
//! * without a doorbell, *polling* with exact queries for what backs announced routes, which sees
//!   a closed listener whatever holds it; a miss is decided by a dump.
//!
//! Where netlink is forbidden (seccomp), the same tables are read as text, and neither events nor
//! polling are to be had. Which of these it is ("tier A", "B", "C") is found out by trying.
//!
//! It does not know networks or services: the bytecode selects, the core decides.

mod bell;
mod looks;
mod mirror;
mod now;
mod pace;
mod polled;
mod rung;
mod senses;
mod tables;
mod text;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use ha2bgp_core::fact::{Observation, Protocol, SocketId, Source};
use ha2bgp_core::route::RouteSet;
use ha2bgp_proto::family::Family;
use ha2bgp_proto::filter::Filter;
use ha2bgp_proto::inet_diag::DiagSocket;
use ha2bgp_sys::NetlinkError;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

pub use self::bell::Bell;
pub use self::looks::{LookCounts, Looks};
pub use self::now::{listeners_now, listeners_of};

use self::mirror::{Endpoint, Mirror};
use self::pace::{Allowance, POLL_BATCH, Pace, Window};
use self::senses::{Said, Sense, Senses};
use self::tables::{LookError, Tables};
use super::Seen;
use super::health::{Health, NETLINK_HINT, Stop};

/// The most listeners that are followed; a filter that matches more is a mistake.
const MAX_LISTENERS: usize = 262_144;
/// A look that was too early, or was not made at once, is made good by one that comes so much later.
const SECOND_LOOK: Duration = Duration::from_millis(1);

/// How the listen observer works.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenConfig {
    /// The protocols to look at.
    pub protocols: Vec<Protocol>,
    /// The address families whose tables are read.
    pub families: Vec<Family>,
    /// The listen filter as `INET_DIAG_REQ_BYTECODE`; empty for every listener.
    pub bytecode: Vec<u8>,
    /// Whether to hang up a doorbell; it takes CAP_BPF and CAP_PERFMON.
    pub doorbell: bool,
    /// Whether to subscribe to destroyed sockets, for what does not ring. While anybody on the host does, every closing
    /// socket costs the kernel about 1 µs.
    pub destroy_events: bool,
    /// How often the sockets behind announced routes are asked for at most, without a doorbell:
    /// less often, up to every 20 ms, where that would cost more than 0.1 % of a core.
    pub poll_interval: Duration,
    /// How often all listeners are read, without a doorbell: less often where that would cost more than
    /// 1 % of a core.
    pub reconcile_interval: Duration,
    /// How often all listeners are read with one: less often where that would cost more than 0.05 %.
    pub calm_reconcile_interval: Duration,
}

impl ListenConfig {
    /// What a listen filter asks for.
    pub fn new(protocols: &[Protocol], filter: &Filter) -> Self {
        Self {
            protocols: protocols.to_vec(),
            families: filter.family().map_or_else(|| Family::ALL.to_vec(), |only| vec![only]),
            bytecode: filter.bytecode().to_vec(),
            ..Self::default()
        }
    }

    /// True when there is something to look at that rings.
    fn rings(&self) -> bool {
        self.protocols.contains(&Protocol::Tcp)
    }

    /// The same without any filter.
    pub fn everything(protocols: &[Protocol]) -> Self {
        Self { protocols: protocols.to_vec(), bytecode: Vec::new(), ..Self::default() }
    }
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            protocols: vec![Protocol::Tcp],
            families: Family::ALL.to_vec(),
            bytecode: Vec::new(),
            doorbell: true,
            destroy_events: true,
            poll_interval: Duration::from_millis(5),
            reconcile_interval: Duration::from_millis(100),
            calm_reconcile_interval: Duration::from_secs(1),
        }
    }
}

/// Observes listeners until the receiver of `tx` is dropped.
///
/// `announced` says which sockets are worth polling; `notice` is told how listeners are noticed, in
/// words for people; `looks` counts. It sees the network namespace of the thread
/// that first polls it, and needs no privilege unless the bytecode asks for socket marks.
pub async fn run(
    config: watch::Receiver<ListenConfig>,
    announced: watch::Receiver<RouteSet>,
    tx: mpsc::Sender<Seen>,
    notice: watch::Sender<String>,
    looks: Looks,
) {
    let bell = Bell::hang(&config.borrow());
    run_with(bell, config, announced, tx, notice, looks).await;
}

/// The same, with a doorbell that hangs already.
pub async fn run_with(
    bell: Bell,
    mut config: watch::Receiver<ListenConfig>,
    announced: watch::Receiver<RouteSet>,
    tx: mpsc::Sender<Seen>,
    notice: watch::Sender<String>,
    looks: Looks,
) {
    let first = config.borrow_and_update().clone();
    let Bell { doorbell, words } = bell;
    let mut senses = Senses::new(doorbell);
    let mut observer = Observer {
        bell: words,
        pace: Pace::new(&first),
        config: first,
        changes_of_config: config,
        changeable: true,
        announced,
        announcing: true,
        tx,
        mirror: Mirror::default(),
        dumped: Vec::new(),
        changes: Vec::new(),
        suspects: Vec::new(),
        stopped: BTreeSet::new(),
        health: Health::new(Source::Listen),
        said: Said { notice, events_missing: false },
        allowance: Allowance::default(),
        asking: Allowance::default(),
        window: Window::default(),
        looks,
    };
    loop {
        let Err(stop) = observer.watch(&mut senses).await;
        let error = match stop {
            Stop::Closed => return,
            Stop::Changed => {
                // What listened by the filter before is compared with what does by this one.
                observer.config = observer.changes_of_config.borrow_and_update().clone();
                continue;
            }
            Stop::Failed(error) => error,
        };
        tracing::debug!(error, "the listen observer starts again");
        if let Err(Stop::Closed) = observer.health.recover(&error, &observer.tx).await {
            return;
        }
    }
}

struct Observer {
    config: ListenConfig,
    changes_of_config: watch::Receiver<ListenConfig>,
    /// False when nobody can change it any more.
    changeable: bool,
    announced: watch::Receiver<RouteSet>,
    /// False when nobody can change `announced` any more.
    announcing: bool,
    tx: mpsc::Sender<Seen>,
    mirror: Mirror,
    /// What the last dump found, in the kernel's order.
    dumped: Vec<(SocketId, Endpoint)>,
    /// What the mirror has changed and `tx` has not got yet.
    changes: Vec<Observation>,
    /// What may have closed, as the doorbell says.
    suspects: Vec<Endpoint>,
    /// Sockets that have stopped since the last dump, as the doorbell or destroy events say.
    stopped: BTreeSet<SocketId>,
    health: Health,
    said: Said,
    /// The doorbell, or why there is none, in words.
    bell: String,
    pace: Pace,
    /// What rings may cost.
    allowance: Allowance,
    /// What questions after single sockets may cost. They cost next to nothing, whatever the number of
    /// listeners: that a list of all is dear must not delay them.
    asking: Allowance,
    /// How many looks are made at once.
    window: Window,
    looks: Looks,
}

/// What made the observer look.
enum Ring {
    Sensed(Sense),
    Announced(bool),
    Timer,
    /// It is to look for something else; false when nobody can say so any more.
    Changed(bool),
    Closed,
}

impl Observer {
    async fn watch(&mut self, senses: &mut Senses) -> Result<Infallible, Stop> {
        let mut tables = Tables::open().map_err(|error| self.failed("open sock_diag", &error))?;
        // Subscribe, then read: what closes in between is in the queue.
        senses.renew(&self.config, tables.answers_at_once(), &mut self.said);
        self.said.tier(&self.tier(&tables, senses.has_bell()));
        self.mirror.announce(&self.announced.borrow_and_update());

        let mut destroyed = Vec::new();
        let mut next_dump = self.dump(&mut tables, senses.rings()).await?;
        let mut next_poll = Instant::now() + self.config.poll_interval;
        if let Some(complete) = self.health.complete() {
            self.tx.send(complete.into()).await?;
        }
        // One timer that stays registered: on the way of an event there is no time for another.
        let mut timer = std::pin::pin!(tokio::time::sleep_until(next_dump));
        loop {
            senses.follow(&self.mirror);
            let wake = if !senses.rings()
                && tables.answers_at_once()
                && self.pace.polls(self.mirror.polled_len())
            {
                next_dump.min(next_poll)
            } else {
                next_dump
            };
            let shut = self.window.shut_until(Instant::now());
            let wake = [senses.retry_at(), shut].into_iter().flatten().fold(wake, Instant::min);
            if timer.deadline() != wake || timer.is_elapsed() {
                timer.as_mut().reset(wake);
            }
            let ring = tokio::select! {
                biased;
                sense = senses.next(&mut destroyed, &mut self.said), if shut.is_none() => {
                    Ring::Sensed(sense)
                }
                changed = self.announced.changed(), if self.announcing => {
                    Ring::Announced(changed.is_ok())
                }
                () = timer.as_mut() => Ring::Timer,
                changed = self.changes_of_config.changed(), if self.changeable => {
                    Ring::Changed(changed.is_ok())
                }
                () = self.tx.closed() => Ring::Closed,
            };
            if let Ring::Sensed(sense) = &ring {
                self.looks.sensed(*sense);
            }
            match ring {
                Ring::Sensed(Sense::Rang(rang)) => {
                    self.rung(&mut tables, senses.rung(rang), &mut next_dump).await?;
                }
                Ring::Sensed(Sense::Destroyed) => {
                    self.destroyed(&mut tables, &destroyed, &mut next_dump).await?;
                }
                Ring::Sensed(Sense::Lost) => {
                    tracing::debug!("events were lost: reading all listeners");
                    next_dump = self.dump(&mut tables, senses.rings()).await?;
                }
                Ring::Announced(more) => {
                    self.announcing = more;
                    self.mirror.announce(&self.announced.borrow_and_update());
                }
                Ring::Timer => {
                    senses.retry(&self.config, &mut self.said);
                    let now = Instant::now();
                    if now >= next_dump {
                        next_dump = self.dump(&mut tables, senses.rings()).await?;
                        // The dump saw what the poll would have asked for.
                        next_poll = next_poll.max(Instant::now() + self.config.poll_interval);
                    } else if now >= next_poll {
                        next_poll = self.poll(&mut tables, &mut next_dump).await?;
                    }
                }
                Ring::Changed(true) => return Err(Stop::Changed),
                Ring::Changed(false) => self.changeable = false,
                Ring::Closed => return Err(Stop::Closed),
            }
        }
    }

    /// Looks after the sockets of destroy events: a few one by one, many by a dump, for which the event is
    /// the other testimony.
    async fn destroyed(
        &mut self,
        tables: &mut Tables,
        destroyed: &[DiagSocket],
        next_dump: &mut Instant,
    ) -> Result<(), Stop> {
        let known: Vec<_> =
            destroyed.iter().filter_map(|socket| self.mirror.find(socket)).collect();
        if known.is_empty() {
            return Ok(());
        }
        let admitted = self.window.admits(Instant::now());
        if admitted && known.len() <= POLL_BATCH {
            return self.confirm(tables, &known).await;
        }
        self.stopped.extend(known.iter().map(|(id, _)| *id));
        let next = if admitted { Instant::now() } else { self.second_look() };
        *next_dump = (*next_dump).min(next);
        Ok(())
    }

    /// When what was not looked at now is looked at, as far as the budget permits.
    fn second_look(&self) -> Instant {
        let second = Instant::now() + SECOND_LOOK;
        self.allowance.from().map_or(second, |from| from.max(second))
    }

    async fn confirm(
        &mut self,
        tables: &mut Tables,
        known: &[(SocketId, Endpoint)],
    ) -> Result<(), Stop> {
        for &(id, endpoint) in known {
            let served = tables
                .find(&self.config, Some(id), endpoint)
                .map_err(|error| self.failed("look a listener up", &error))?;
            // Another member of its group may answer, or a wildcard socket: then it is gone too.
            if served != Some(id.cookie) {
                self.mirror.close(id, &mut self.changes);
            }
        }
        self.report().await
    }

    /// Asks for the next sockets behind announced routes. Returns when to poll again.
    async fn poll(
        &mut self,
        tables: &mut Tables,
        next_dump: &mut Instant,
    ) -> Result<Instant, Stop> {
        self.looks.polled();
        tables.look_again();
        let begin = cpu_time();
        let mut missed = None;
        for _ in 0..self.mirror.polled_len().min(POLL_BATCH) {
            let Some(endpoint) = self.mirror.next_polled() else {
                break;
            };
            if !self.serves(tables, endpoint)? {
                missed = Some(endpoint);
                break;
            }
        }
        let cost = cpu_time().saturating_sub(begin);
        self.allowance.spend(cost, missed.is_some(), Instant::now());
        if let Some(endpoint) = missed {
            // A closed listener; or another socket answers in its place; or the look-up is
            // steered by BPF. The dump decides.
            *next_dump = self.dump(tables, false).await?;
            if self.mirror.listens(endpoint) && !self.serves(tables, endpoint)? {
                tracing::debug!(%endpoint, "an exact query does not find this listener");
                self.mirror.do_not_poll(endpoint);
            }
        }
        Ok(Instant::now() + self.pace.after_poll(cost))
    }

    /// Whether an exact query for `endpoint` finds one of its sockets.
    fn serves(&self, tables: &mut Tables, endpoint: Endpoint) -> Result<bool, Stop> {
        let served = tables
            .find(&self.config, None, endpoint)
            .map_err(|error| self.failed("look a listener up", &error))?;
        Ok(served.is_some_and(|cookie| self.mirror.is_member(endpoint, cookie)))
    }

    /// Reads all listeners and reports the differences. Returns when to do it again, which can
    /// wait when what changes `rings`.
    async fn dump(&mut self, tables: &mut Tables, rings: bool) -> Result<Instant, Stop> {
        self.looks.dumped();
        let begin = cpu_time();
        tables
            .dump(&self.config, &mut self.dumped)
            .map_err(|(what, error)| self.failed(&listing(what), &error))?;
        let reconciled = self.mirror.reconcile(
            &mut self.dumped,
            &self.stopped,
            &mut |id, endpoint| tables.find(&self.config, Some(id), endpoint),
            &mut self.changes,
        );
        self.stopped.clear();
        let cost = cpu_time().saturating_sub(begin);
        self.allowance.spend(cost, !self.changes.is_empty(), Instant::now());
        // Also what was found before an error is true.
        self.report().await?;
        reconciled.map_err(|error| self.failed("look a listener up", &error))?;
        Ok(Instant::now() + self.pace.after_dump(cost, rings))
    }

    /// How listeners are noticed, in words.
    fn tier(&self, tables: &Tables, bell: bool) -> String {
        let words = &self.bell;
        match (tables, bell) {
            (Tables::Netlink(_), true) => format!("tier A: {words}"),
            (Tables::Netlink(_), false) => format!("tier B: destroy events and polling: {words}"),
            (Tables::Text(_, why), true) => format!("tier C: /proc/net: {why}; {words}"),
            (Tables::Text(_, why), false) => {
                format!("tier C: /proc/net from time to time: {why}; {words}")
            }
        }
    }

    async fn report(&mut self) -> Result<(), Stop> {
        // All of one look are as old as it is, however long the engine lets them wait.
        let at = Instant::now();
        for change in self.changes.drain(..) {
            self.tx.send(Seen { at, took: None, what: change }).await?;
        }
        Ok(())
    }

    /// What went wrong, and what to do where that is known.
    fn failed(&self, action: &str, error: &LookError) -> Stop {
        let filtered = !self.config.bytecode.is_empty();
        let LookError::Netlink(netlink) = error else {
            return Stop::Failed(format!("cannot {action}: {error}"));
        };
        let hint = match (netlink, netlink.refused().map(rustix::io::Errno::from_raw_os_error)) {
            (_, Some(rustix::io::Errno::PERM)) if filtered => {
                "; a listen filter with `fwmark` needs CAP_NET_ADMIN"
            }
            (_, Some(rustix::io::Errno::INVAL)) if filtered => {
                "; this kernel does not know an operation of the listen filter, it may be too old"
            }
            (_, Some(rustix::io::Errno::NOENT)) => {
                "; this kernel has no sock_diag for the protocol: load tcp_diag or udp_diag"
            }
            (NetlinkError::TooMany { .. }, _) => "; use a narrower listen filter",
            (NetlinkError::Socket { .. }, _) => NETLINK_HINT,
            _ => "",
        };
        Stop::Failed(format!("cannot {action}: {error}{hint}"))
    }
}

fn listing(what: Option<Protocol>) -> String {
    what.map_or_else(|| "list listeners".to_owned(), |what| format!("list {what} listeners"))
}

/// What this thread has worked so far. The budgets are of work, not of time: on a busy host a
/// dump that has to wait for the processor must not make the next one come later.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
