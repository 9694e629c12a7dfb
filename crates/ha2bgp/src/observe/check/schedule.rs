//! When probes are made: a fixed rate with some jitter, begun at a random moment.
//!
//! Ten thousand checks that start together shall not stay in step, nor shall those of many hosts.

use std::time::Duration;

use tokio::time::Instant;

/// When a probe is made, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// From the beginning of one probe to that of the next. More than zero.
    pub interval: Duration,
    /// The same while results point in a new way, and a change is being decided.
    pub fast_interval: Duration,
    /// A probe that takes longer has failed. More than zero.
    pub timeout: Duration,
    /// The first probe comes within this time.
    pub splay: Duration,
    /// Intervals are up to this share longer or shorter: 0 to 0.5.
    pub jitter: f64,
}

impl Timing {
    /// For what reports by itself, when it happens.
    pub const NONE: Self = Self {
        interval: Duration::MAX,
        fast_interval: Duration::MAX,
        timeout: Duration::MAX,
        splay: Duration::ZERO,
        jitter: 0.0,
    };
}

/// SplitMix64: enough to spread probes.
#[derive(Clone, Copy, Debug)]
pub struct Spread(u64);

impl Spread {
    /// A sequence of its own for each seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to 1, without 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // 32 bits are exact in a double.
        f64::from(u32::try_from(z >> 32).unwrap_or(u32::MAX)) / 4_294_967_296.0
    }
}

/// The moments of one check.
#[derive(Clone, Debug)]
pub struct Schedule {
    timing: Timing,
    spread: Spread,
    due: Instant,
}

impl Schedule {
    /// Begins within the splay.
    pub fn new(timing: Timing, mut spread: Spread, now: Instant) -> Self {
        let due = now + timing.splay.mul_f64(spread.next());
        Self { timing, spread, due }
    }

    /// When the next probe begins.
    pub const fn due(&self) -> Instant {
        self.due
    }

    /// Goes on to the next probe. Those that were missed are not made up for.
    pub fn advance(&mut self, now: Instant, deciding: bool) {
        let interval = if deciding { self.timing.fast_interval } else { self.timing.interval };
        let off = self.timing.jitter * (2.0 * self.spread.next() - 1.0);
        self.due = (self.due + interval.mul_f64(1.0 + off)).max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(splay: u64, jitter: f64) -> Timing {
        Timing {
            interval: Duration::from_secs(10),
            fast_interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            splay: Duration::from_secs(splay),
            jitter,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn beginnings_are_spread_over_the_splay() {
        let now = Instant::now();
        let late = (0..1000_u64)
            .map(|seed| Schedule::new(timing(10, 0.0), Spread::new(seed), now).due() - now)
            .filter(|wait| *wait < Duration::from_secs(5))
            .count();
        assert!((400..600).contains(&late), "{late} of 1000 in the first half");
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_fixed_and_missed_probes_are_not_made_up_for() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut schedule = Schedule::new(timing(0, 0.0), Spread::new(1), start);
        assert_eq!(schedule.due(), start);
        schedule.advance(at(1), false);
        assert_eq!(schedule.due(), at(10));
        schedule.advance(at(11), true);
        assert_eq!(schedule.due(), at(12));
        schedule.advance(at(50), false);
        assert_eq!(schedule.due(), at(50));
    }

    #[tokio::test(start_paused = true)]
    async fn jitter_goes_both_ways_and_stays_within_its_share() {
        let start = Instant::now();
        let mut schedule = Schedule::new(timing(0, 0.1), Spread::new(7), start);
        let (mut shorter, mut longer) = (0, 0);
        for _ in 0..200 {
            let before = schedule.due();
            schedule.advance(before, false);
            let interval = (schedule.due() - before).as_secs_f64();
            assert!((9.0..=11.0).contains(&interval), "{interval}");
            if interval < 10.0 { shorter += 1 } else { longer += 1 }
        }
        assert!(shorter > 50 && longer > 50, "{shorter} {longer}");
    }
}
