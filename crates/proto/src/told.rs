//! When something was said of a prefix, and when that was acknowledged: the newest changes only,
//! so that memory is bounded however many routes there are.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

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

/// What was said together: a prefix, or many.
#[derive(Clone, Copy, Debug)]
struct Batch {
    /// Where it ends in all that is said.
    end: u64,
    written: Option<Instant>,
    acknowledged: Option<Instant>,
    /// So many entries are left of it.
    entries: usize,
}

/// The newest changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    max: usize,
    /// A prefix, and the number of its batch.
    entries: VecDeque<(Prefix, u32)>,
    batches: VecDeque<Batch>,
    /// The number of the first batch that is left. Numbers go around.
    first: u32,
    /// Entries since the last batch ended, and whether there were more.
    open: usize,
    overflow: bool,
    /// The newest batch that has lost entries.
    forgotten: Option<Batch>,
}

impl Told {
    /// Remembers so many changes at most.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, ..Self::default() }
    }

    /// Changes how many changes are remembered.
    pub(crate) fn set_max(&mut self, max: usize) {
        self.max = max;
        while self.entries.len() > max {
            self.forget();
        }
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
        let batch = u32::try_from(self.batches.len()).unwrap_or(u32::MAX);
        self.entries.push_back((prefix, self.first.wrapping_add(batch)));
        self.open += 1;
    }

    /// What was pushed since the last time is one batch, and ends there.
    pub(crate) fn close(&mut self, end: u64) {
        let entries = core::mem::take(&mut self.open);
        let batch = Batch { end, written: None, acknowledged: None, entries };
        if core::mem::take(&mut self.overflow) {
            self.forgotten = Some(batch);
        }
        if entries > 0 {
            self.batches.push_back(batch);
        }
    }

    /// So much is written, now.
    pub(crate) fn written(&mut self, through: u64, now: Instant) {
        let batches = self.batches.iter_mut().rev().take_while(|it| it.written.is_none());
        for batch in batches.chain(&mut self.forgotten) {
            if batch.end <= through {
                batch.written.get_or_insert(now);
            }
        }
    }

    /// So much is acknowledged, now; `tell` hears how long each batch took.
    pub(crate) fn acknowledged(
        &mut self,
        through: u64,
        now: Instant,
        tell: &mut dyn FnMut(Duration),
    ) {
        let batches = self.batches.iter_mut().rev().take_while(|it| it.acknowledged.is_none());
        for batch in batches.filter(|it| it.end <= through) {
            batch.acknowledged = Some(now);
            tell(now.since(batch.written.unwrap_or(now)));
        }
        if let Some(batch) = self.forgotten.as_mut().filter(|it| it.end <= through) {
            batch.acknowledged.get_or_insert(now);
        }
    }

    /// The batch that ends there, and none before it, is acknowledged now.
    pub(crate) fn answered(&mut self, end: u64, now: Instant) {
        if let Ok(index) = self.batches.binary_search_by_key(&end, |batch| batch.end)
            && let Some(batch) = self.batches.get_mut(index)
        {
            batch.acknowledged = Some(now);
        }
    }

    /// True while something is written and not acknowledged.
    pub(crate) fn waits(&self) -> bool {
        let waits = |batch: &Batch| batch.written.is_some() && batch.acknowledged.is_none();
        let newest = self.batches.iter().rev().find(|batch| batch.written.is_some());
        newest.or(self.forgotten.as_ref()).is_some_and(waits)
    }

    /// When the newest thing was said of each of these prefixes, which are sorted. `None`: never, or
    /// longer ago than is remembered.
    pub(crate) fn find(&self, prefixes: &[Prefix]) -> Vec<Option<When>> {
        let mut found = vec![None; prefixes.len()];
        for (prefix, number) in self.entries.iter().rev() {
            let Ok(index) = prefixes.binary_search(prefix) else { continue };
            let Some(slot @ None) = found.get_mut(index) else { continue };
            let batch = usize::try_from(number.wrapping_sub(self.first)).ok();
            let batch = batch.and_then(|index| self.batches.get(index));
            let moment = |at: Option<Instant>| at.map(Moment::At);
            *slot = Some(batch.map_or(When::default(), |it| When {
                written: moment(it.written),
                acknowledged: moment(it.acknowledged),
            }));
        }
        found
    }

    /// What is known of what is forgotten.
    pub(crate) fn before(&self) -> When {
        let moment = |at: Option<Instant>| at.map(Moment::Before);
        self.forgotten.map_or(When::default(), |it| When {
            written: moment(it.written),
            acknowledged: moment(it.acknowledged),
        })
    }

    /// Forgets the oldest entry.
    fn forget(&mut self) {
        if self.entries.pop_front().is_none() {
            return;
        }
        let Some(batch) = self.batches.front_mut() else {
            // One batch alone is more than is remembered.
            self.open -= 1;
            self.overflow = true;
            return;
        };
        batch.entries -= 1;
        self.forgotten = Some(*batch);
        if batch.entries == 0 {
            self.batches.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{IpAddr, Ipv4Addr};

    fn prefix(last: u8) -> Prefix {
        Prefix::host(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)))
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn when(written: u64, acknowledged: Option<u64>) -> Option<When> {
        let moment = |millis| Moment::At(at(millis));
        Some(When { written: Some(moment(written)), acknowledged: acknowledged.map(moment) })
    }

    #[test]
    fn the_newest_counts() {
        let mut told = Told::new(10);
        told.push(prefix(1));
        told.push(prefix(2));
        told.close(100);
        assert_eq!(told.find(&[prefix(1)]), [Some(When::default())]);
        told.written(99, at(1));
        assert!(!told.waits());
        told.written(100, at(2));
        assert!(told.waits());
        told.push(prefix(2));
        told.close(150);
        told.written(150, at(3));
        let mut latencies = Vec::new();
        told.acknowledged(149, at(7), &mut |it| latencies.push(it));
        let all = [prefix(1), prefix(2), prefix(3)];
        assert_eq!(told.find(&all), [when(2, Some(7)), when(3, None), None]);
        assert!(told.waits());
        told.acknowledged(150, at(9), &mut |it| latencies.push(it));
        assert_eq!(told.find(&all), [when(2, Some(7)), when(3, Some(9)), None]);
        assert_eq!(latencies, [5, 6].map(Duration::from_millis));
        assert!(!told.waits());
        told.clear();
        assert_eq!(told.find(&all), [None; 3]);
    }

    #[test]
    fn answers_are_for_one_batch() {
        let mut told = Told::new(10);
        for last in 1..4 {
            told.push(prefix(last));
            told.close(last.into());
            told.written(last.into(), at(1));
        }
        told.answered(2, at(5));
        told.answered(9, at(6));
        let all = [prefix(1), prefix(2), prefix(3)];
        assert_eq!(told.find(&all), [when(1, None), when(1, Some(5)), when(1, None)]);
    }

    #[test]
    fn what_is_forgotten_was_before() {
        let mut told = Told::new(3);
        for last in 0..9 {
            let batch = u64::from(last / 2);
            told.push(prefix(last));
            if last % 2 == 1 {
                told.close(batch);
                told.written(batch, at(batch));
                told.acknowledged(batch, at(batch + 100), &mut |_| {});
            }
        }
        told.close(4);
        // 0 to 5 are forgotten; 4 and 5 were said at 2.
        assert_eq!(told.find(&[prefix(5), prefix(6)]), [None, when(3, Some(103))]);
        let before = |millis| Some(Moment::Before(at(millis)));
        assert_eq!(told.before(), When { written: before(2), acknowledged: before(102) });
        // More than is remembered at once.
        for last in 20..30 {
            told.push(prefix(last));
        }
        told.close(50);
        assert_eq!(told.before(), When::default());
        told.written(50, at(60));
        assert!(told.waits());
        told.acknowledged(50, at(70), &mut |_| {});
        assert_eq!(told.before(), When { written: before(60), acknowledged: before(70) });
        assert_eq!(told.find(&[prefix(26), prefix(29)]), [None, when(60, Some(70))]);
        told.set_max(1);
        assert_eq!(told.find(&[prefix(28), prefix(29)]), [None, when(60, Some(70))]);
        assert_eq!(told.entries.len(), 1);
        // A limit of nothing is one.
        told.set_max(0);
        told.push(prefix(1));
        assert!(told.entries.len() <= 1);
    }
}
