//! The timers of a machine: deadlines, jitter, back-off.

use core::time::Duration;

use ha2bgp_core::time::Instant;

use super::TimerKind;
use crate::bgp::config::Backoff;

/// When each timer fires; those that are stopped have no time.
#[derive(Clone, Debug)]
pub struct Timers {
    deadlines: [Option<Instant>; TimerKind::ALL.len()],
    random: u64,
}

impl Timers {
    pub(super) const fn new(seed: u64) -> Self {
        Self { deadlines: [None; TimerKind::ALL.len()], random: seed }
    }

    /// When this timer fires.
    pub fn get(&self, kind: TimerKind) -> Option<Instant> {
        self.deadlines.get(kind as usize).copied().flatten()
    }

    /// When the first one fires.
    pub fn next(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// A timer that is due; it is stopped with that.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<TimerKind> {
        let kind =
            TimerKind::ALL.into_iter().find(|kind| self.get(*kind).is_some_and(|at| at <= now))?;
        self.set(kind, None);
        Some(kind)
    }

    pub(super) fn set(&mut self, kind: TimerKind, at: Option<Instant>) {
        if let Some(deadline) = self.deadlines.get_mut(kind as usize) {
            *deadline = at;
        }
    }

    pub(super) fn clear(&mut self) {
        self.deadlines = [None; TimerKind::ALL.len()];
    }

    /// Starts a timer shortened by up to a quarter (RFC 4271 section 10). Zero stops it.
    pub(super) fn start_jittered(&mut self, kind: TimerKind, pause: Duration, now: Instant) {
        // 768 to 1023 of 1024.
        let share = 768 + u32::try_from(self.next_random() >> 56).unwrap_or(255);
        let at = (!pause.is_zero()).then(|| now + pause.saturating_mul(share) / 1024);
        self.set(kind, at);
    }

    /// Starts a timer with a pause that doubles with each failure.
    pub(super) fn start_backoff(
        &mut self,
        kind: TimerKind,
        backoff: Backoff,
        failures: u32,
        now: Instant,
    ) {
        let factor = 1u32.checked_shl(failures).unwrap_or(u32::MAX);
        let pause = backoff.first.saturating_mul(factor).min(backoff.max);
        // A configuration that never waits must not make a loop.
        self.start_jittered(kind, pause.max(Duration::from_millis(100)), now);
    }

    /// SplitMix64.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
