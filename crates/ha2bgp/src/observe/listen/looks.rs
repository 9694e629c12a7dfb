//! How often the listen observer was called, and how often it looked: for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::senses::Sense;

/// The counters. A clone counts the same.
#[derive(Clone, Debug, Default)]
pub struct Looks(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    rings: AtomicU64,
    spurious: AtomicU64,
    destroyed: AtomicU64,
    lost: AtomicU64,
    dumps: AtomicU64,
    polls: AtomicU64,
}

/// What was counted so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LookCounts {
    /// Rings of the doorbell.
    pub rings: u64,
    /// Those among them that were for nobody here: of other network namespaces, or at addresses
    /// and ports that are not looked at.
    pub spurious: u64,
    /// Reports of destroyed sockets.
    pub destroyed: u64,
    /// How often reports were lost.
    pub lost: u64,
    /// Dumps of all listeners, compared with what was known.
    pub dumps: u64,
    /// Exact queries for the sockets behind announced routes, a batch each.
    pub polls: u64,
}

impl Looks {
    /// What was counted so far.
    pub fn counts(&self) -> LookCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { rings, spurious, destroyed, lost, dumps, polls } = &*self.0;
        LookCounts {
            rings: read(rings),
            spurious: read(spurious),
            destroyed: read(destroyed),
            lost: read(lost),
            dumps: read(dumps),
            polls: read(polls),
        }
    }

    /// It rang so often, and so many of the rings were for nobody here.
    pub(super) fn rang(&self, rings: u64, spurious: u64) {
        self.0.rings.fetch_add(rings, Ordering::Relaxed);
        self.0.spurious.fetch_add(spurious, Ordering::Relaxed);
    }

    pub(super) fn sensed(&self, sense: Sense) {
        let counter = match sense {
            // Counted where it is known what they are about.
            Sense::Rang(_) => return,
            Sense::Destroyed => &self.0.destroyed,
            Sense::Lost => &self.0.lost,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dumped(&self) {
        self.0.dumps.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn polled(&self) {
        self.0.polls.fetch_add(1, Ordering::Relaxed);
    }
}
