//! The newest records in memory, and how a reader gets each of them exactly once.
//!
//! A reader keeps the [`Id`] of the last record it has got and asks for what is behind it. There is
//! no difference between what was and what comes, so there is nothing to lose between the two. What
//! cannot be given any more is told as a [`Gap`].

use std::collections::VecDeque;
use std::sync::Arc;

use super::id::Id;
use super::kind::Kind;
use super::record::Record;

/// The most records that are kept.
pub const RECORDS_MAX: usize = 4096;
/// The most octets of JSON that are kept.
const OCTETS_MAX: usize = 1024 * 1024;

/// A record as it is kept: the line that goes to disk and to readers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Which one it is.
    pub id: Id,
    /// It is the last one of its start: nothing is missing between it and the next start.
    pub last: bool,
    /// The JSON, one line without its end.
    pub line: Arc<str>,
}

impl Stored {
    /// A record for keeping.
    pub fn new(record: &Record) -> Self {
        let last = record.kind == Kind::Stopped.name();
        Self { id: record.id, last, line: record.json().into() }
    }

    /// What is missing between this record and a later one that is known as its successor.
    pub fn gap_before(&self, next: &Self) -> Option<Gap> {
        match self.id.between(next.id) {
            None if self.last && next.id.is_first() => None,
            _ => Gap::between(self.id, next.id),
        }
    }
}

/// Some records are not known any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gap {
    /// The last one before it.
    pub after: Id,
    /// The first one behind it; `None` when there is none yet.
    pub before: Option<Id>,
    /// How many are missing; `None` when that is not known: perhaps none.
    pub lost: Option<u64>,
}

impl Gap {
    /// What is missing between two ids, if their numbers do not say that nothing is.
    pub(super) fn between(after: Id, before: Id) -> Option<Self> {
        let lost = after.between(before);
        (lost != Some(0)).then_some(Self { after, before: Some(before), lost })
    }
}

/// What a reader gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Item {
    /// A record.
    Record(Stored),
    /// Records that it does not get.
    Gap(Gap),
}

/// What is known from some record on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Page {
    /// These, in their order. None: there are none yet.
    Items(Vec<Item>),
    /// There may be older ones on disk, before this one.
    Older(Id),
}

/// The newest records.
#[derive(Debug)]
pub struct Ring {
    records: VecDeque<Stored>,
    octets: usize,
    /// The most records and octets.
    max: (usize, usize),
    /// The id of the newest record there ever was.
    newest: Option<Id>,
}

impl Default for Ring {
    fn default() -> Self {
        Self::new(RECORDS_MAX, OCTETS_MAX)
    }
}

impl Ring {
    /// An empty one for so many records, and so many octets of JSON.
    pub const fn new(records_max: usize, octets_max: usize) -> Self {
        let max = (records_max, octets_max);
        Self { records: VecDeque::new(), octets: 0, max, newest: None }
    }

    /// Takes a record in. Ids rise.
    pub fn push(&mut self, stored: Stored) {
        debug_assert!(self.newest.is_none_or(|newest| newest < stored.id), "ids rise");
        self.newest = Some(stored.id);
        self.octets += stored.line.len();
        self.records.push_back(stored);
        while self.records.len() > self.max.0 || self.octets > self.max.1 {
            let Some(oldest) = self.records.pop_front() else { break };
            self.octets -= oldest.line.len();
        }
    }

    /// The newest id, if there was any record.
    pub const fn newest(&self) -> Option<Id> {
        self.newest
    }

    /// All records, the oldest one first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Stored> {
        self.records.iter()
    }

    /// What is behind `after`, at most `limit` records.
    pub fn after(&self, after: Id, limit: usize) -> Page {
        let at = self.records.partition_point(|stored| stored.id <= after);
        let before = at.checked_sub(1).and_then(|at| self.records.get(at));
        match (before, self.records.get(at)) {
            (None, None) => Page::Items(Vec::new()),
            (None, Some(first)) => Page::Older(first.id),
            // An id that never was here, or whose record was lost: from the next one on.
            (Some(before), next) if before.id != after => {
                let gap = match next {
                    Some(next) => Gap::between(after, next.id),
                    None => Some(Gap { after, before: None, lost: None }),
                };
                Page::Items(self.take(at, limit, None, gap))
            }
            (before, _) => Page::Items(self.take(at, limit, before, None)),
        }
    }

    /// What is known from `first` on, which was the oldest record when that was asked; `None` when
    /// it is gone meanwhile. `known` is the record before it, where the disk has that.
    pub fn from(
        &self,
        first: Id,
        after: Id,
        known: Option<&Stored>,
        limit: usize,
    ) -> Option<Vec<Item>> {
        let next = self.records.front().filter(|front| front.id == first)?;
        let gap = match known {
            Some(known) => known.gap_before(next),
            None => Gap::between(after, next.id),
        };
        Some(self.take(0, limit, None, gap))
    }

    /// Records from a place on, and the gaps between them; `before` is what stands before them.
    fn take<'a>(
        &'a self,
        at: usize,
        limit: usize,
        mut before: Option<&'a Stored>,
        gap: Option<Gap>,
    ) -> Vec<Item> {
        let mut items: Vec<Item> = gap.into_iter().map(Item::Gap).collect();
        for stored in self.records.iter().skip(at).take(limit) {
            items.extend(before.and_then(|before| before.gap_before(stored)).map(Item::Gap));
            items.push(Item::Record(stored.clone()));
            before = Some(stored);
        }
        items
    }
}

/// Where a reader stands after these items.
pub(super) fn cursor_after(items: &[Item], cursor: Id, newest: Option<Id>) -> Id {
    match items.last() {
        Some(Item::Record(stored)) => stored.id,
        // An id that never was: from now on.
        Some(Item::Gap(Gap { before: None, .. })) => newest.unwrap_or(cursor),
        Some(Item::Gap(_)) | None => cursor,
    }
}
