//! The guard: how many withdrawals the checks of this host may bring about in a time.
//!
//! A check that is wrong is often wrong for many services at once, and on many hosts. What the guard
//! holds stays announced, as the last choice, until there is room in the window again or the service
//! works again. An operator's own word is never held.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::net::IpAddr;
use core::time::Duration;

use crate::time::Instant;

/// The most withdrawals that a window can allow.
pub const COUNT_MAX: u32 = 100_000;

/// How many withdrawals are let through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GuardConfig {
    /// So many, 1 to [`COUNT_MAX`],
    pub count: u32,
    /// in so long.
    pub per: Duration,
}

/// What the guard has let through, and what it holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    config: Option<GuardConfig>,
    /// When withdrawals were let through, the oldest first; never more than `count`.
    recent: VecDeque<Instant>,
    /// What is held, and since when.
    held: BTreeMap<IpAddr, Instant>,
    /// The same, the longest held first.
    queue: BTreeSet<(Instant, IpAddr)>,
    vetoes: u64,
}

impl Guard {
    pub(crate) fn new(config: Option<GuardConfig>) -> Self {
        Self { config, ..Self::default() }
    }

    /// Other rules from now on; what was let through still counts. Without any nothing is held.
    pub(crate) fn set(&mut self, config: Option<GuardConfig>) {
        self.config = config;
        if config.is_none() {
            self.held.clear();
            self.queue.clear();
        }
    }

    /// A service is about to be withdrawn. Returns false when it is held instead.
    pub(crate) fn lets_go(&mut self, vip: IpAddr, now: Instant) -> bool {
        if self.held.contains_key(&vip) {
            return false;
        }
        if self.take(now) {
            return true;
        }
        self.held.insert(vip, now);
        self.queue.insert((now, vip));
        self.vetoes = self.vetoes.saturating_add(1);
        false
    }

    /// Lets one go, if there is room.
    fn take(&mut self, now: Instant) -> bool {
        let Some(GuardConfig { count, per }) = self.config else { return true };
        while self.recent.front().is_some_and(|at| *at + per <= now) {
            self.recent.pop_front();
        }
        let room = self.recent.len() < usize::try_from(count).unwrap_or(usize::MAX);
        if room {
            self.recent.push_back(now);
        }
        room
    }

    /// It works again, is gone, or an operator has spoken.
    pub(crate) fn release(&mut self, vip: IpAddr) {
        if let Some(since) = self.held.remove(&vip) {
            self.queue.remove(&(since, vip));
        }
    }

    /// Since when it is held, if it is.
    pub(crate) fn held_since(&self, vip: IpAddr) -> Option<Instant> {
        self.held.get(&vip).copied()
    }

    /// When there is room for one that is held; long ago when there is room already.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let GuardConfig { count, per } = self.config?;
        if self.held.is_empty() {
            return None;
        }
        // Rules may have become narrower: then several must leave the window first.
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let last = self.recent.len().checked_sub(count).and_then(|at| self.recent.get(at));
        Some(last.map_or(Instant::default(), |at| *at + per))
    }

    /// The one that is held for longest, if there is room for it; it is let go with this.
    pub(crate) fn next(&mut self, now: Instant) -> Option<IpAddr> {
        let (_, vip) = *self.queue.first()?;
        self.take(now).then_some(())?;
        self.release(vip);
        Some(vip)
    }

    /// How often it has held something.
    pub(crate) const fn vetoes(&self) -> u64 {
        self.vetoes
    }

    /// How many are held.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// How many withdrawals would be let through now.
    pub(crate) fn room(&self, now: Instant) -> Option<usize> {
        let GuardConfig { count, per } = self.config?;
        let recent = self.recent.iter().filter(|at| **at + per > now).count();
        Some(usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(recent))
    }
}
