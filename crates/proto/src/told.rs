//! When something was said of a prefix, and when that was acknowledged: the newest changes only,
//! so that memory is bounded however many routes there are.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::time::Instant;

/// A moment that is known, or a bound of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// Then.
    At(Instant),
    /// Then or earlier: what was said longer ago is forgotten.
    Before(Instant),
}

/// When something was said.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct When {
    /// All of it was written; none: a part still waits to be.
    pub written: Option<Moment>,
    /// The other side has acknowledged it.
    pub acknowledged: Option<Moment>,
}

/// What was said together: a prefix each, or many.
#[derive(Clone, Copy, Debug)]
struct Batch {
    /// Where it ends in all that is said.
    end: u64,
    written: Option<Instant>,
    acknowledged: Option<Instant>,
    /// So many entries are left of it.
    entries: u32,
}

/// The newest changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    max: usize,
    /// A prefix, and the number of its batch; numbers go around.
    entries: VecDeque<(Prefix, u32)>,
    batches: VecDeque<Batch>,
    /// The number of the first batch that is left.
    first: u32,
    /// Entries since the last batch ended.
    open: u32,
    /// So far is written and acknowledged, in batches from the first one.
    written: usize,
    acknowledged: usize,
    /// The newest batch that has lost entries.
    forgotten: Option<Batch>,
}

impl Told {
    /// Remembers so many changes at most.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, ..Self::default() }
    }

    /// Forgets all: the other side has.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.max);
    }

    /// Something is said of a prefix.
    pub(crate) fn push(&mut self, prefix: Prefix) {
        if self.entries.len() >= self.max {
            self.forget();
        }
        let batches = u32::try_from(self.batches.len()).unwrap_or(u32::MAX);
        self.entries.push_back((prefix, self.first.wrapping_add(batches)));
        self.open = self.open.saturating_add(1);
    }

    /// Forgets the oldest entry.
    fn forget(&mut self) {
        if self.entries.pop_front().is_none() {
            return;
        }
        let Some(batch) = self.batches.front_mut() else {
            // One batch alone is more than is remembered.
            self.open = self.open.saturating_sub(1);
            return;
        };
        batch.entries = batch.entries.saturating_sub(1);
        self.forgotten = Some(*batch);
        if batch.entries == 0 {
            self.batches.pop_front();
            self.first = self.first.wrapping_add(1);
            self.written = self.written.saturating_sub(1);
            self.acknowledged = self.acknowledged.saturating_sub(1);
        }
    }
}
