//! The listen observer: which sockets of this host listen and match the listen filter.
//!
//! Owns the sock_diag sockets. Three things make it look, and none is believed alone:
//!
//! * a *dump* of all listeners, always, from ten times a second to every ten seconds, so that
//!   dumping costs at most 1 % of a core: finds everything, new listeners among it;
//! * *destroy events*: microseconds after a close, but seconds late while half-open connections
//!   hold the socket, and never for `shutdown`; confirmed by an exact query;
//! * *polling* with exact queries for what backs announced routes, which sees a closed listener
//!   whatever holds it; a miss is decided by a dump.
//!
//! It does not know networks or services: the bytecode selects, the core decides.

mod mirror;
mod now;
mod pace;
mod polled;

use std::convert::Infallible;
use std::time::Duration;

use ha2bgp_core::fact::{Observation, Protocol, SocketId, Source};
use ha2bgp_core::route::RouteSet;
use ha2bgp_proto::filter::Filter;
use ha2bgp_proto::inet_diag::{DiagSocket, DumpRequest, Family};
use ha2bgp_sys::NetlinkError;
use ha2bgp_sys::destroy::{DestroyEvent, DestroyEvents};
use ha2bgp_sys::diag::Diag;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

pub use self::now::listeners_now;

use self::mirror::{Endpoint, Mirror};
use self::pace::{POLL_BATCH, Pace};
use super::health::{Health, NETLINK_HINT, Stop};

/// How often a dump is begun again because the tables changed under it.
const DUMP_ATTEMPTS: u32 = 4;
/// The most listeners that are followed; a filter that matches more is a mistake.
const MAX_LISTENERS: usize = 262_144;
/// How long to do without destroy events before asking for them again.
const EVENTS_RETRY: Duration = Duration::from_secs(10);

/// How the listen observer works.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenConfig {
    /// The protocols to look at.
    pub protocols: Vec<Protocol>,
    /// The address families whose tables are read.
    pub families: Vec<Family>,
    /// The listen filter as `INET_DIAG_REQ_BYTECODE`; empty for every listener.
    pub bytecode: Vec<u8>,
    /// Whether to subscribe to destroyed sockets. While anybody on the host does, every closing
    /// socket costs the kernel about 1 µs.
    pub destroy_events: bool,
    /// How often the sockets behind announced routes are asked for.
    pub poll_interval: Duration,
    /// How often all listeners are read.
    pub reconcile_interval: Duration,
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
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            protocols: vec![Protocol::Tcp],
            families: Family::ALL.to_vec(),
            bytecode: Vec::new(),
            destroy_events: true,
            poll_interval: Duration::from_millis(20),
            reconcile_interval: Duration::from_millis(100),
        }
    }
}

/// Observes listeners until the receiver of `tx` is dropped.
///
/// `announced` says which sockets are worth polling. It sees the network namespace of the thread
/// that first polls it, and needs no privilege unless the bytecode asks for socket marks.
pub async fn run(
    config: ListenConfig,
    announced: watch::Receiver<RouteSet>,
    tx: mpsc::Sender<Observation>,
) {
    let mut observer = Observer {
        pace: Pace::new(config.poll_interval, config.reconcile_interval),
        config,
        announced,
        announcing: true,
        tx,
        mirror: Mirror::default(),
        dumped: Vec::new(),
        changes: Vec::new(),
        health: Health::new(Source::Listen),
        events_missing: false,
    };
    loop {
        let Err(stop) = observer.watch().await;
        let error = match stop {
            Stop::Closed => return,
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
    announced: watch::Receiver<RouteSet>,
    /// False when nobody can change `announced` any more.
    announcing: bool,
    tx: mpsc::Sender<Observation>,
    mirror: Mirror,
    /// What the last dump found, in the kernel's order.
    dumped: Vec<(SocketId, Endpoint)>,
    /// What the mirror has changed and `tx` has not got yet.
    changes: Vec<Observation>,
    health: Health,
    /// There are no destroy events, and that has been logged.
    events_missing: bool,
    pace: Pace,
}

/// What made the observer look.
enum Ring {
    Destroyed,
    Overrun,
    EventsLost(NetlinkError),
    Announced(bool),
    Timer,
    Closed,
}

impl Observer {
    async fn watch(&mut self) -> Result<Infallible, Stop> {
        // Subscribe, then read: what closes in between is in the queue.
        let mut events = self.subscribe();
        let mut diag = Diag::open().map_err(|error| self.failed("open sock_diag", &error))?;
        self.mirror.announce(&self.announced.borrow_and_update());

        let mut destroyed = Vec::new();
        let mut next_dump = self.dump(&mut diag).await?;
        let mut next_poll = Instant::now() + self.config.poll_interval;
        let mut next_subscription = Instant::now() + EVENTS_RETRY;
        if let Some(complete) = self.health.complete() {
            self.tx.send(complete).await?;
        }
        // One timer that stays registered: on the way of an event there is no time for another.
        let mut timer = std::pin::pin!(tokio::time::sleep_until(next_dump));
        loop {
            let wake = if self.pace.polls(self.mirror.polled_len()) {
                next_dump.min(next_poll)
            } else {
                next_dump
            };
            if timer.deadline() != wake || timer.is_elapsed() {
                timer.as_mut().reset(wake);
            }
            let ring = tokio::select! {
                biased;
                event = receive(events.as_mut(), &mut destroyed) => match event {
                    Ok(DestroyEvent::Destroyed) => Ring::Destroyed,
                    Ok(DestroyEvent::Overrun) => Ring::Overrun,
                    Err(error) => Ring::EventsLost(error),
                },
                changed = self.announced.changed(), if self.announcing => {
                    Ring::Announced(changed.is_ok())
                }
                () = timer.as_mut() => Ring::Timer,
                () = self.tx.closed() => Ring::Closed,
            };
            match ring {
                Ring::Destroyed => self.confirm(&mut diag, &destroyed).await?,
                Ring::Overrun => {
                    tracing::debug!("destroy events were lost: reading all listeners");
                    next_dump = self.dump(&mut diag).await?;
                }
                Ring::EventsLost(error) => {
                    self.no_events(&error);
                    events = None;
                }
                Ring::Announced(more) => {
                    self.announcing = more;
                    self.mirror.announce(&self.announced.borrow_and_update());
                }
                Ring::Timer if Instant::now() >= next_dump => {
                    if events.is_none() && Instant::now() >= next_subscription {
                        next_subscription = Instant::now() + EVENTS_RETRY;
                        events = self.subscribe();
                    }
                    next_dump = self.dump(&mut diag).await?;
                    // The dump saw what the poll would have asked for.
                    next_poll = next_poll.max(Instant::now() + self.config.poll_interval);
                }
                Ring::Timer => next_poll = self.poll(&mut diag, &mut next_dump).await?,
                Ring::Closed => return Err(Stop::Closed),
            }
        }
    }

    /// Destroy events, if they are wanted and to be had. Without them the rest still works.
    fn subscribe(&mut self) -> Option<DestroyEvents> {
        if !self.config.destroy_events {
            return None;
        }
        match DestroyEvents::open(&self.config.protocols) {
            Ok(events) => {
                self.events_missing = false;
                Some(events)
            }
            Err(error) => {
                self.no_events(&error);
                None
            }
        }
    }

    fn no_events(&mut self, error: &NetlinkError) {
        if !std::mem::replace(&mut self.events_missing, true) {
            tracing::warn!("no events of closed sockets, noticed a little later: {error}");
        }
    }

    /// Looks after the sockets of a destroy event.
    async fn confirm(&mut self, diag: &mut Diag, destroyed: &[DiagSocket]) -> Result<(), Stop> {
        for socket in destroyed {
            let Some((id, endpoint)) = self.mirror.find(socket) else {
                continue;
            };
            let served = diag
                .find(&endpoint.query())
                .map_err(|error| self.failed("look a listener up", &error))?;
            // Another member of its group may answer, or a wildcard socket: then it is gone too.
            if served.is_none_or(|socket| socket.cookie != id.cookie) {
                self.mirror.close(id, &mut self.changes);
            }
        }
        self.report().await
    }

    /// Asks for the next sockets behind announced routes. Returns when to poll again.
    async fn poll(&mut self, diag: &mut Diag, next_dump: &mut Instant) -> Result<Instant, Stop> {
        let begin = cpu_time();
        let mut missed = None;
        for _ in 0..self.mirror.polled_len().min(POLL_BATCH) {
            let Some(endpoint) = self.mirror.next_polled() else {
                break;
            };
            if !self.serves(diag, endpoint)? {
                missed = Some(endpoint);
                break;
            }
        }
        let cost = cpu_time().saturating_sub(begin);
        if let Some(endpoint) = missed {
            // A closed listener; or another socket answers in its place; or the look-up is
            // steered by BPF. The dump decides.
            *next_dump = self.dump(diag).await?;
            if self.mirror.listens(endpoint) && !self.serves(diag, endpoint)? {
                tracing::debug!(%endpoint, "an exact query does not find this listener");
                self.mirror.do_not_poll(endpoint);
            }
        }
        Ok(Instant::now() + self.pace.after_poll(cost))
    }

    /// Whether an exact query for `endpoint` finds one of its sockets.
    fn serves(&self, diag: &mut Diag, endpoint: Endpoint) -> Result<bool, Stop> {
        let served = diag
            .find(&endpoint.query())
            .map_err(|error| self.failed("look a listener up", &error))?;
        Ok(served.is_some_and(|socket| self.mirror.is_member(endpoint, socket.cookie)))
    }

    /// Reads all listeners and reports the differences. Returns when to do it again.
    async fn dump(&mut self, diag: &mut Diag) -> Result<Instant, Stop> {
        let begin = cpu_time();
        self.read(diag)?;
        let reconciled = self.mirror.reconcile(
            &mut self.dumped,
            &mut |endpoint| Ok(diag.find(&endpoint.query())?.map(|socket| socket.cookie)),
            &mut self.changes,
        );
        let cost = cpu_time().saturating_sub(begin);
        // Also what was found before an error is true.
        self.report().await?;
        reconciled.map_err(|error| self.failed("look a listener up", &error))?;
        Ok(Instant::now() + self.pace.after_dump(cost))
    }

    /// Dumps all listeners into `dumped`.
    fn read(&mut self, diag: &mut Diag) -> Result<(), Stop> {
        let mut attempts = 0;
        self.dumped.clear();
        for &protocol in &self.config.protocols {
            for &family in &self.config.families {
                let bytecode = &self.config.bytecode;
                let request = DumpRequest { family, protocol, bytecode };
                let dumped = &mut self.dumped;
                let start = dumped.len();
                loop {
                    dumped.truncate(start);
                    let result = diag.dump(&request, &mut |socket| {
                        let limit = MAX_LISTENERS;
                        if dumped.len() >= limit {
                            return Err(NetlinkError::TooMany { limit });
                        }
                        dumped.extend(Endpoint::of(protocol, socket));
                        Ok(())
                    });
                    match result {
                        Err(NetlinkError::Interrupted) if attempts < DUMP_ATTEMPTS => attempts += 1,
                        Err(error) => {
                            return Err(self.failed(&format!("list {protocol} listeners"), &error));
                        }
                        Ok(()) => break,
                    }
                }
            }
        }
        Ok(())
    }

    async fn report(&mut self) -> Result<(), Stop> {
        for change in self.changes.drain(..) {
            self.tx.send(change).await?;
        }
        Ok(())
    }

    /// What went wrong, and what to do where that is known.
    fn failed(&self, action: &str, error: &NetlinkError) -> Stop {
        let filtered = !self.config.bytecode.is_empty();
        let hint = match (error, error.refused().map(rustix::io::Errno::from_raw_os_error)) {
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

/// What this thread has worked so far. The budgets are of work, not of time: on a busy host a
/// dump that has to wait for the processor must not make the next one come later.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// The next destroy event; never without a subscription.
async fn receive(
    events: Option<&mut DestroyEvents>,
    destroyed: &mut Vec<DiagSocket>,
) -> Result<DestroyEvent, NetlinkError> {
    match events {
        Some(events) => events.receive(destroyed).await,
        None => std::future::pending().await,
    }
}
