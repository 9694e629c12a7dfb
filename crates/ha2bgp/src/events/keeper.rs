//! The one task that owns the records: it numbers them, keeps the newest, and hands them to the log
//! and to the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ha2bgp_core::event::Event;
use ha2bgp_core::time::Instant;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::from_engine;
use super::id::Id;
use super::kind::Kind;
use super::limit::Limit;
use super::log::{Ask, EventLog};
use super::record::{Draft, Level, Logged, Record};
use super::ring::{Ring, Stored};
use crate::clock::Clock;
use crate::history::{self, Found, History};

/// How many batches may wait for the keeper; then they are counted and left out.
pub(super) const BATCHES_MAX: usize = 1024;
/// How many readers may wait for it; then they wait longer.
const ASKS_MAX: usize = 16;
/// So many records are made before others get their turn.
const TURN: usize = 64;
/// How long the disk may take at the end.
const END_WAIT: Duration = Duration::from_secs(1);

/// Something to be told.
#[derive(Debug)]
enum Happening {
    /// By the engine, of a service of that name.
    Engine(Event, Arc<str>),
    /// By somebody else.
    Draft(Box<Draft>),
}

/// What happened at one moment.
#[derive(Debug)]
struct Batch {
    at: Timestamp,
    now: Instant,
    happened: Vec<Happening>,
}

/// The end of those who tell: never waits.
#[derive(Clone, Debug)]
pub struct Teller {
    batches: mpsc::Sender<Batch>,
    lost: Arc<AtomicU64>,
    /// The same, of all times.
    lost_ever: Arc<AtomicU64>,
    clock: Clock,
}

impl Teller {
    /// How many batches wait, and how many may.
    pub fn waiting(&self) -> (usize, usize) {
        let limit = self.batches.max_capacity();
        (limit.saturating_sub(self.batches.capacity()), limit)
    }

    /// How much found no place since the start.
    pub fn lost(&self) -> u64 {
        self.lost_ever.load(Ordering::Relaxed)
    }

    /// Tells what the engine says, each with the name of its service.
    pub fn engine(&self, events: impl IntoIterator<Item = (Event, Arc<str>)>) {
        self.send(events.into_iter().map(|(event, name)| Happening::Engine(event, name)).collect());
    }

    /// Tells one thing.
    pub fn tell(&self, draft: Draft) {
        self.send(vec![Happening::Draft(Box::new(draft))]);
    }

    fn send(&self, happened: Vec<Happening>) {
        let count = u64::try_from(happened.len()).unwrap_or(u64::MAX);
        if count == 0 {
            return;
        }
        let batch = Batch { at: Timestamp::now(), now: self.clock.now(), happened };
        if self.batches.try_send(batch).is_err() {
            self.lost.fetch_add(count, Ordering::Relaxed);
            self.lost_ever.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// Begins: what the history knows is in memory again, and the start of the program is told.
/// Run the [`Keeper`]; it ends when every [`Teller`] is gone.
pub fn start(found: Option<Found>, clock: Clock) -> (Teller, EventLog, Keeper) {
    start_with(found, clock, Ring::default(), Timestamp::now())
}

pub(super) fn start_with(
    found: Option<Found>,
    clock: Clock,
    mut ring: Ring,
    at: Timestamp,
) -> (Teller, EventLog, Keeper) {
    let (batches, waiting) = mpsc::channel(BATCHES_MAX);
    let (asks, asked) = mpsc::channel(ASKS_MAX);
    let lost = Arc::new(AtomicU64::new(0));
    let (mut reader, mut history) = (None, None);
    if let Some(found) = found {
        found.newest.into_iter().for_each(|stored| ring.push(stored));
        (reader, history) = (Some(found.reader), Some(found.history));
    }
    let last = Id::of_start(at, ring.newest());
    let (newest, known) = watch::channel(last);
    let mut keeper = Keeper {
        batches: waiting,
        asks: asked,
        lost: Arc::clone(&lost),
        ring,
        last,
        newest,
        history,
        pending: Vec::new(),
        limit: Limit::default(),
        clock,
    };
    let version = env!("CARGO_PKG_VERSION");
    let started = Draft::new(Kind::Started, Level::Debug, format!("ha2bgp {version} has started"));
    keeper.keep(started.more("version", version), at, clock.now());
    let log = EventLog::new(asks, known, reader);
    (Teller { batches, lost, lost_ever: Arc::default(), clock }, log, keeper)
}

/// Owns the records.
#[derive(Debug)]
pub struct Keeper {
    batches: mpsc::Receiver<Batch>,
    asks: mpsc::Receiver<Ask>,
    lost: Arc<AtomicU64>,
    ring: Ring,
    /// The newest number that was given away.
    last: Id,
    newest: watch::Sender<Id>,
    history: Option<History>,
    /// What is not handed to the disk yet.
    pending: Vec<Stored>,
    limit: Limit,
    clock: Clock,
}

impl Keeper {
    /// Keeps records until nobody is left to tell any; then tells the end.
    pub async fn run(mut self) {
        self.write_pending().await;
        loop {
            let deadline = self.limit.deadline();
            let limited = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(self.clock.until(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                batch = self.batches.recv() => match batch {
                    Some(batch) => self.take(batch).await,
                    None => break,
                },
                () = limited => self.tell_left_out(self.clock.now()),
                Some(ask) = self.asks.recv() => ask.answer(&self.ring),
            }
        }
        let stopped = Draft::new(Kind::Stopped, Level::Debug, "ha2bgp has ended");
        self.keep(stopped, Timestamp::now(), self.clock.now());
        self.tell_left_out(Instant::from_micros(u64::MAX));
        self.write_pending().await;
        if let Some(history) = &self.history {
            let _ = tokio::time::timeout(END_WAIT, history.flush()).await;
        }
    }

    async fn take(&mut self, batch: Batch) {
        let Batch { at, now, happened } = batch;
        // The numbers of what found no place stay free: readers see that something is missing.
        self.last = self.last.plus(self.lost.swap(0, Ordering::Relaxed));
        for (count, happening) in happened.into_iter().enumerate() {
            if count > 0 && count % TURN == 0 {
                self.write_pending().await;
                tokio::task::yield_now().await;
            }
            let draft = match happening {
                Happening::Engine(event, name) => from_engine::draft(&event, now).service(&name),
                Happening::Draft(draft) => *draft,
            };
            self.keep(draft, at, now);
        }
        self.write_pending().await;
    }

    /// Numbers a record, keeps it and logs it.
    fn keep(&mut self, draft: Draft, at: Timestamp, now: Instant) {
        self.last = self.last.plus(1);
        let kind = draft.kind;
        let record = draft.finish(self.last, at);
        let stored = Stored::new(&record);
        if self.history.is_some() {
            self.pending.push(stored.clone());
        }
        self.ring.push(stored);
        self.newest.send_replace(self.last);
        if self.limit.may_write(kind, now) {
            write(record);
        }
    }

    async fn write_pending(&mut self) {
        let Some(history) = &mut self.history else { return };
        for piece in history::pieces(std::mem::take(&mut self.pending)) {
            history.append(piece).await;
        }
    }

    fn tell_left_out(&mut self, now: Instant) {
        for (kind, lines) in self.limit.expire(now) {
            tracing::warn!(
                kind = kind.name(),
                lines,
                "too much happened at once to log it all: the history has the rest"
            );
        }
    }
}

/// Writes the log line of a record.
fn write(record: Record) {
    let level = record.level;
    let record = Logged(Arc::new(record));
    let record: &(dyn std::error::Error + 'static) = &record;
    match level {
        Level::Error => tracing::error!(record),
        Level::Warn => tracing::warn!(record),
        Level::Info => tracing::info!(record),
        Level::Debug => tracing::debug!(record),
    }
}

pub(super) type Answer<T> = oneshot::Sender<T>;
