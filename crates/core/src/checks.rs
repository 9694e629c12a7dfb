//! The checks that are probed: who uses them, and what is known of them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Bound;

use crate::check::{CheckKey, CheckState, Counting, ProbeResult};
use crate::time::Instant;

#[derive(Clone, Debug)]
struct Entry {
    state: CheckState,
    users: BTreeSet<IpAddr>,
}

/// The table of probed checks. Each is in it for as long as a service uses it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    entries: BTreeMap<CheckKey, Entry>,
    /// The keys are others than when this was last asked.
    changed: bool,
}

impl Checks {
    /// A service uses a check.
    pub(crate) fn join(&mut self, key: CheckKey, vip: IpAddr, counting: &Counting, now: Instant) {
        let changed = &mut self.changed;
        let entry = self.entries.entry(key).or_insert_with(|| {
            *changed = true;
            Entry { state: CheckState::new(counting, now), users: BTreeSet::new() }
        });
        entry.users.insert(vip);
    }

    /// A service is gone; so is the check when nobody else uses it.
    pub(crate) fn leave(&mut self, key: CheckKey, vip: IpAddr) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.users.remove(&vip);
        if entry.users.is_empty() {
            self.entries.remove(&key);
            self.changed = true;
        }
    }

    /// Takes a result in. Returns true when the verdict changed.
    pub(crate) fn take(
        &mut self,
        key: CheckKey,
        result: ProbeResult,
        counting: &Counting,
        now: Instant,
    ) -> bool {
        // A result may still be on its way when nobody wants it any more.
        self.entries.get_mut(&key).is_some_and(|entry| entry.state.take(result, counting, now))
    }

    pub(crate) fn state(&self, key: CheckKey) -> Option<&CheckState> {
        self.entries.get(&key).map(|entry| &entry.state)
    }

    pub(crate) fn users(&self, key: CheckKey) -> Vec<IpAddr> {
        self.entries
            .get(&key)
            .map(|entry| entry.users.iter().copied().collect())
            .unwrap_or_default()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = CheckKey> + '_ {
        self.entries.keys().copied()
    }

    /// The keys behind one of them.
    pub(crate) fn keys_after(
        &self,
        after: Option<CheckKey>,
    ) -> impl Iterator<Item = CheckKey> + '_ {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.entries.range((from, Bound::Unbounded)).map(|(key, _)| *key)
    }

    /// True when there are other keys than when this was last asked.
    pub(crate) fn take_changed(&mut self) -> bool {
        core::mem::take(&mut self.changed)
    }
}
