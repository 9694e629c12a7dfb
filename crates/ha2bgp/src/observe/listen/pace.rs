//! How often the listen observer looks, so that looking stays cheap. No IO, no clock.

use std::time::Duration;

use tokio::time::Instant;

use super::ListenConfig;

/// The most exact queries in one go: about 64 µs.
pub(super) const POLL_BATCH: usize = 64;
/// Polling takes about one part in this many of a core,
const POLL_SHARE: u32 = 1000;
/// more where the pause would be longer than this, but never more than a dump may.
const POLL_SLOWEST: Duration = Duration::from_millis(20);
/// What it takes of a core to wake up for a poll, beyond what the poll itself takes.
const WAKE_COST: Duration = Duration::from_micros(15);
/// Dumping takes at most one part in this many of a core,
const DUMP_SHARE: u32 = 100;
/// and one in this many where what changes rings: then a dump finds only what nobody expects.
const CALM_SHARE: u32 = 2000;
/// Dumping never gets slower than this.
const DUMP_SLOWEST: Duration = Duration::from_secs(10);

/// The pauses between dumps and between polls, stretched where one of them costs more than its
/// share of a core.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    poll_interval: Duration,
    dump_interval: Duration,
    calm_interval: Duration,
    dump_pause: Duration,
}

impl Pace {
    pub(super) fn new(config: &ListenConfig) -> Self {
        let dump_interval = config.reconcile_interval;
        Self {
            poll_interval: config.poll_interval,
            dump_interval,
            calm_interval: config.calm_reconcile_interval,
            dump_pause: dump_interval,
        }
    }

    /// How long to rest after a dump that took this much of the processor, where what changes `rings`
    /// or does not.
    pub(super) fn after_dump(&mut self, cost: Duration, rings: bool) -> Duration {
        let (share, least) =
            if rings { (CALM_SHARE, self.calm_interval) } else { (DUMP_SHARE, self.dump_interval) };
        self.dump_pause = cost.saturating_mul(share).min(DUMP_SLOWEST).max(least);
        self.dump_pause
    }

    /// How long to rest after a poll that took this much of the processor. One that was slow by
    /// accident delays the next by half a dump at most.
    pub(super) fn after_poll(&self, cost: Duration) -> Duration {
        let cost = cost.saturating_add(WAKE_COST);
        let slowest = cost.saturating_mul(DUMP_SHARE).max(POLL_SLOWEST).min(self.dump_pause / 2);
        cost.saturating_mul(POLL_SHARE).min(slowest).max(self.poll_interval)
    }

    /// Whether so many endpoints are worth polling: a round takes no more than half the time to
    /// the next dump, which asks for everything at once and costs less for each.
    pub(super) fn polls(&self, endpoints: usize) -> bool {
        u32::try_from(endpoints.div_ceil(POLL_BATCH)).is_ok_and(|batches| {
            let pause = self.poll_interval.max(POLL_SLOWEST);
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

    /// From when on looks are made at once again; none: now. Until then nothing need be heard: while many
    /// die together each ring would cost them and us a wake-up.
    pub(super) fn shut_until(&self, now: Instant) -> Option<Instant> {
        let until = self.since.map(|since| since + WINDOW).filter(|until| now < *until);
        until.filter(|_| self.looks > AT_ONCE)
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

    /// Dumps every 100 ms, or every second.
    fn pace(poll_interval: Duration) -> Pace {
        Pace::new(&ListenConfig { poll_interval, ..ListenConfig::default() })
    }

    #[test]
    fn what_is_cheap_keeps_its_interval() {
        let mut pace = pace(ms(20));
        assert_eq!(pace.after_dump(us(30), false), ms(100));
        assert_eq!(pace.after_poll(us(5)), ms(20));
        assert_eq!(pace.after_dump(us(30), true), ms(1000));
    }

    #[test]
    fn a_cheap_poll_comes_again_soon() {
        let mut pace = pace(ms(5));
        pace.after_dump(us(30), false);
        assert_eq!(pace.after_poll(us(0)), ms(15));
        assert_eq!(pace.after_poll(us(3)), ms(18));
        assert_eq!(pace.after_poll(us(64)), ms(20));
        assert!(pace.polls(2 * POLL_BATCH));
        assert!(!pace.polls(2 * POLL_BATCH + 1));
    }

    #[test]
    fn what_is_dear_rests_longer_up_to_a_limit() {
        let mut pace = pace(ms(20));
        assert_eq!(pace.after_dump(ms(3), false), ms(300));
        assert_eq!(pace.after_poll(us(64)), ms(20));
        assert_eq!(
            pace.after_poll(us(300)),
            us(31_500),
            "more than 20 ms, or it would take more than 1 %"
        );
        assert_eq!(pace.after_poll(ms(5)), ms(150));
        assert_eq!(pace.after_dump(ms(500), false), DUMP_SLOWEST);
        assert_eq!(pace.after_dump(Duration::MAX, false), DUMP_SLOWEST);
        assert_eq!(pace.after_dump(ms(2), true), ms(4000), "nothing of it is urgent");
        assert_eq!(pace.after_dump(ms(20), true), DUMP_SLOWEST);
    }

    #[test]
    fn a_slow_poll_does_not_end_the_polling() {
        let mut pace = pace(ms(20));
        pace.after_dump(us(30), false);
        assert!(pace.polls(5));
        assert_eq!(pace.after_poll(ms(1)), ms(50));
        assert!(pace.polls(5));
    }

    #[test]
    fn polling_ends_where_the_dump_is_sooner() {
        let mut pace = pace(ms(20));
        assert!(!pace.polls(0));
        assert!(pace.polls(2 * POLL_BATCH));
        assert!(!pace.polls(2 * POLL_BATCH + 1));
        pace.after_dump(ms(10), false);
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
        assert_eq!((0..8).filter(|_| window.admits(start)).count(), 8);
        assert_eq!(window.shut_until(start), None);
        assert_eq!(admitted(&mut window, start + us(999)), 0);
        assert_eq!(window.shut_until(start + us(999)), Some(start + ms(1)));
        assert_eq!(window.shut_until(start + ms(1)), None);
        assert_eq!(admitted(&mut window, start + ms(1)), 8);
    }
}
