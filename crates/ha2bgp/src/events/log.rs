//! The end of those who read: from any thread, at any pace.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::id::Id;
use super::keeper::Answer;
use super::ring::{Gap, Item, Page, Ring, Stored, cursor_after};
use crate::history::{Query, Reader};

/// The most records that a reader gets at once.
const PAGE: usize = 1024;

/// What readers ask the keeper.
#[derive(Debug)]
pub(super) enum Ask {
    /// What is behind this one?
    After(Id, Answer<(Page, Option<Id>)>),
    /// What is there from the oldest one on, if that is still `first`?
    From { first: Id, after: Id, known: Option<Stored>, answer: Answer<Option<Vec<Item>>> },
    /// What is there?
    All(Answer<Vec<Stored>>),
}

impl Ask {
    /// Whoever has gone meanwhile needs no answer.
    pub(super) fn answer(self, ring: &Ring) {
        match self {
            Self::After(after, answer) => {
                drop(answer.send((ring.after(after, PAGE), ring.newest())));
            }
            Self::From { first, after, known, answer } => {
                drop(answer.send(ring.from(first, after, known.as_ref(), PAGE)));
            }
            Self::All(answer) => drop(answer.send(ring.iter().cloned().collect())),
        }
    }
}

/// All records, those of the past and those to come.
#[derive(Clone, Debug)]
pub struct EventLog {
    asks: mpsc::Sender<Ask>,
    newest: watch::Receiver<Id>,
    reader: Option<Reader>,
    /// One at a time reads the disk: however many ask, they cost one processor at most.
    disk: Arc<Semaphore>,
}

impl EventLog {
    pub(super) fn new(
        asks: mpsc::Sender<Ask>,
        newest: watch::Receiver<Id>,
        reader: Option<Reader>,
    ) -> Self {
        Self { asks, newest, reader, disk: Arc::new(Semaphore::new(1)) }
    }

    /// The id of the newest record.
    pub fn newest(&self) -> Id {
        *self.newest.borrow()
    }

    /// Waits until there is a record behind this one; for ever when the program ends.
    pub async fn changed_since(&mut self, known: Id) {
        if self.newest.wait_for(|newest| *newest > known).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// All records behind `after`, of which the first may be long ago; without it those to come.
    pub fn subscribe(&self, after: Option<Id>) -> Subscription {
        Subscription { cursor: after.unwrap_or_else(|| self.newest()), log: self.clone() }
    }

    /// Some records of the past, the oldest first. `None` when the program ends.
    pub async fn query(&self, query: Query) -> Option<Vec<Stored>> {
        let ring = self.ask(Ask::All).await?;
        let Some(reader) = self.reader.clone() else {
            let mut chosen = Chosen::new(query);
            ring.into_iter().for_each(|stored| chosen.offer(stored));
            return Some(chosen.found.into());
        };
        self.blocking(move || {
            let mut chosen = Chosen::new(query);
            let first = ring.first().map(|stored| stored.id);
            // What cannot be read is told when it is written.
            let _ = reader.each(&mut |stored| {
                if first.is_none_or(|first| stored.id < first) {
                    chosen.offer(stored);
                }
            });
            ring.into_iter().for_each(|stored| chosen.offer(stored));
            chosen.found.into()
        })
        .await
    }

    /// Reads the disk in a thread of its own, when it is its turn. Who does not wait for it any more
    /// keeps the turn until the thread is done.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let turn = Arc::clone(&self.disk).acquire_owned().await.ok()?;
        let work = move || {
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.ok()
    }

    async fn ask<T>(&self, question: impl FnOnce(Answer<T>) -> Ask) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(question(answer)).await.ok()?;
        answered.await.ok()
    }
}

/// The records that a query wants.
struct Chosen {
    query: Query,
    found: VecDeque<Stored>,
}

impl Chosen {
    const fn new(query: Query) -> Self {
        Self { query, found: VecDeque::new() }
    }

    fn offer(&mut self, stored: Stored) {
        let is_full = self.found.len() >= self.query.limit;
        if (is_full && self.query.after.is_some()) || !self.query.wants(&stored) {
            return;
        }
        self.found.push_back(stored);
        if self.found.len() > self.query.limit {
            self.found.pop_front();
        }
    }
}

/// A reader that gets every record behind its cursor exactly once, in order, or is told of the gap.
#[derive(Debug)]
pub struct Subscription {
    cursor: Id,
    log: EventLog,
}

impl Subscription {
    /// The last record that was handed out: to go on from there later.
    pub const fn cursor(&self) -> Id {
        self.cursor
    }

    /// The next items; waits until there are any. `None` when the program ends.
    ///
    /// May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Option<Vec<Item>> {
        loop {
            // Before the question: what comes between the two is seen as new.
            self.log.newest.borrow_and_update();
            let cursor = self.cursor;
            let (page, newest) = self.log.ask(|answer| Ask::After(cursor, answer)).await?;
            let items = match page {
                Page::Items(items) => items,
                Page::Older(first) => match self.older(first).await? {
                    Some(items) => items,
                    // What was the oldest one is gone meanwhile.
                    None => continue,
                },
            };
            if items.is_empty() {
                self.log.newest.changed().await.ok()?;
                continue;
            }
            self.cursor = cursor_after(&items, cursor, newest);
            return Some(items);
        }
    }

    /// What lies before `first`, from the disk; when there is nothing any more, from `first` on.
    async fn older(&self, first: Id) -> Option<Option<Vec<Item>>> {
        let after = self.cursor;
        let mut known = None;
        if let Some(reader) = self.log.reader.clone() {
            let read = self.log.blocking(move || reader.between(after, first, PAGE)).await?;
            // What cannot be read is not known any more.
            let (found, records) = read.unwrap_or_default();
            if !records.is_empty() {
                return Some(Some(chain(after, found, records)));
            }
            known = found;
        }
        self.log.ask(|answer| Ask::From { first, after, known, answer }).await
    }
}

/// Records with the gaps between them.
fn chain(after: Id, known: Option<Stored>, records: Vec<Stored>) -> Vec<Item> {
    let mut items = Vec::with_capacity(records.len());
    let mut before = known;
    for stored in records {
        let gap = match &before {
            Some(before) => before.gap_before(&stored),
            None => Gap::between(after, stored.id),
        };
        items.extend(gap.map(Item::Gap));
        items.push(Item::Record(stored.clone()));
        before = Some(stored);
    }
    items
}
