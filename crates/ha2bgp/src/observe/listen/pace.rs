//! How often the listen observer looks, so that looking stays cheap. No IO, no clock.

use std::time::Duration;

use tokio::time::Instant;

/// The most exact queries in one go: about 64 µs.
pub(super) const POLL_BATCH: usize = 64;
/// Polling takes at most one part in this many of a core.
const POLL_SHARE: u32 = 500;
/// What it takes of a core to wake up for a poll, beyond what the poll itself takes.
const WAKE_COST: Duration = Duration::from_micros(15);
/// The pause between full batches of queries, about.
const BATCH_PAUSE: Duration = Duration::from_millis(20);
/// Dumping takes at most one part in this many of a core.
const DUMP_SHARE: u32 = 100;
/// Dumping never gets slower than this.
const DUMP_SLOWEST: Duration = Duration::from_secs(10);

/// The pauses between dumps and between polls, stretched where one of them costs more than its
/// share of a core.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    poll_interval: Duration,
    dump_interval: Duration,
    dump_pause: Duration,
}

impl Pace {
    pub(super) fn new(poll_interval: Duration, dump_interval: Duration) -> Self {
        Self { poll_interval, dump_interval, dump_pause: dump_interval }
    }

    /// How long to rest after a dump that took this much of the processor.
    pub(super) fn after_dump(&mut self, cost: Duration) -> Duration {
        self.dump_pause = cost.saturating_mul(DUMP_SHARE).min(DUMP_SLOWEST).max(self.dump_interval);
        self.dump_pause
    }

    /// How long to rest after a poll that took this much of the processor. One that was slow by
    /// accident delays the next by half a dump at most.
    pub(super) fn after_poll(&self, cost: Duration) -> Duration {
        let cost = cost.saturating_add(WAKE_COST);
        cost.saturating_mul(POLL_SHARE).min(self.dump_pause / 2).max(self.poll_interval)
    }

    /// Whether so many endpoints are worth polling: a round takes no more than half the time to
    /// the next dump, which asks for everything at once and costs less for each.
    pub(super) fn polls(&self, endpoints: usize) -> bool {
        u32::try_from(endpoints.div_ceil(POLL_BATCH)).is_ok_and(|batches| {
            let pause = self.poll_interval.max(BATCH_PAUSE);
            batches != 0 && pause.saturating_mul(batches) <= self.dump_pause / 2
        })
    }
}

/// What looks that are asked for from outside may cost: one part in [`DUMP_SHARE`] of a core on
/// average, those that find something one in [`RING_SHARE`], and what was not used in the last
/// [`SAVED`] at once. So a ring is answered at once, and a host on which others listen and close
/// all the time costs no more than that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Allowance {
    from: Option<Instant>,
}

/// Looks that find something take at most one part in this many of a core.
const RING_SHARE: u32 = 20;
/// For how long what is not used is kept: 10 ms of work in vain, 50 ms of work that finds something.
const SAVED: Duration = Duration::from_secs(1);

impl Allowance {
    /// From when on the next look is allowed; none: always.
    pub(super) const fn from(&self) -> Option<Instant> {
        self.from
    }

    /// A look took this much of the processor, and `found` something or not.
    pub(super) fn spend(&mut self, cost: Duration, found: bool, now: Instant) {
        let saved = now.checked_sub(SAVED).unwrap_or(now);
        let from = self.from.map_or(saved, |from| from.max(saved));
        let share = if found { RING_SHARE } else { DUMP_SHARE };
        self.from = Some(from + cost.saturating_mul(share).min(DUMP_SLOWEST));
    }
}

/// How many looks after single sockets are made at once: [`AT_ONCE`] in each [`WINDOW`]. Where more
/// die together, one look at everything a moment later costs less and is sooner done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    since: Option<Instant>,
    looks: u32,
}

/// A window lasts so long.
const WINDOW: Duration = Duration::from_millis(1);
/// So many looks in one.
const AT_ONCE: u32 = 8;

impl Window {
    /// Whether to look at once, which counts.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now >= since + WINDOW) {
            *self = Self { since: Some(now), looks: 0 };
        }
        self.looks = self.looks.saturating_add(1);
        self.looks <= AT_ONCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    const fn us(microseconds: u64) -> Duration {
        Duration::from_micros(microseconds)
    }

    #[test]
    fn what_is_cheap_keeps_its_interval() {
        let mut pace = Pace::new(ms(20), ms(100));
        assert_eq!(pace.after_dump(us(30)), ms(100));
        assert_eq!(pace.after_poll(us(5)), ms(20));
    }

    #[test]
    fn a_cheap_poll_comes_again_soon() {
        let mut pace = Pace::new(ms(5), ms(100));
        pace.after_dump(us(30));
        assert_eq!(pace.after_poll(us(1)), ms(8));
        assert_eq!(pace.after_poll(us(15)), ms(15));
        assert_eq!(pace.after_poll(us(64)), us(39_500));
        assert!(pace.polls(2 * POLL_BATCH));
        assert!(!pace.polls(2 * POLL_BATCH + 1));
    }

    #[test]
    fn what_is_dear_rests_longer_up_to_a_limit() {
        let mut pace = Pace::new(ms(20), ms(100));
        assert_eq!(pace.after_dump(ms(3)), ms(300));
        assert_eq!(pace.after_poll(us(64)), us(39_500));
        assert_eq!(pace.after_poll(ms(5)), ms(150));
        assert_eq!(pace.after_dump(ms(500)), DUMP_SLOWEST);
        assert_eq!(pace.after_dump(Duration::MAX), DUMP_SLOWEST);
    }

    #[test]
    fn a_slow_poll_does_not_end_the_polling() {
        let mut pace = Pace::new(ms(20), ms(100));
        pace.after_dump(us(30));
        assert!(pace.polls(5));
        assert_eq!(pace.after_poll(ms(1)), ms(50));
        assert!(pace.polls(5));
    }

    #[test]
    fn polling_ends_where_the_dump_is_sooner() {
        let mut pace = Pace::new(ms(20), ms(100));
        assert!(!pace.polls(0));
        assert!(pace.polls(2 * POLL_BATCH));
        assert!(!pace.polls(2 * POLL_BATCH + 1));
        pace.after_dump(ms(10));
        assert!(pace.polls(2 * POLL_BATCH + 1), "a slow dump makes it worth while again");
        assert!(!pace.polls(usize::MAX));
    }

    #[test]
    fn a_burst_is_free_and_a_storm_is_not() {
        let start = Instant::now();
        let mut allowance = Allowance::default();
        for _ in 0..10 {
            assert!(allowance.from().is_none_or(|from| from <= start), "{allowance:?}");
            allowance.spend(ms(5), true, start);
        }
        let from = allowance.from().unwrap();
        assert_eq!(from, start, "50 ms are spent");
        allowance.spend(ms(1), true, start);
        assert_eq!(allowance.from(), Some(start + ms(20)), "from here on one part in twenty");
        allowance.spend(ms(1), false, start);
        assert_eq!(allowance.from(), Some(start + ms(120)), "in vain: one in a hundred");
        // Time brings it back, up to a limit.
        let later = start + ms(60_000);
        allowance.spend(ms(1), true, later);
        assert_eq!(allowance.from(), Some(later - SAVED + ms(20)));
    }

    #[test]
    fn a_few_are_looked_after_at_once_and_the_rest_together() {
        let (start, mut window) = (Instant::now(), Window::default());
        let admitted = |window: &mut Window, at| (0..20).filter(|_| window.admits(at)).count();
        assert_eq!(admitted(&mut window, start), 8);
        assert_eq!(admitted(&mut window, start + us(999)), 0);
        assert_eq!(admitted(&mut window, start + ms(1)), 8);
    }
}
