//! How many requests may be made in a time: the generic cell rate algorithm, which needs one moment
//! of memory.

use std::time::Duration;

use tokio::time::Instant;

/// A limit on events.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// The pause between events at the full rate.
    pause: Duration,
    /// So far ahead of the rate events may be.
    ahead: Duration,
    /// When the events so far would have ended at the full rate.
    until: Instant,
}

impl Rate {
    /// So many a second, and `burst` at once after a rest. Both 1 at least.
    pub fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let pause = Duration::from_secs(1) / per_second.max(1);
        Self { pause, ahead: pause * burst.max(1), until: now }
    }

    /// Counts an event, if it may be.
    pub fn take(&mut self, now: Instant) -> bool {
        let until = self.until.max(now) + self.pause;
        let fits = until <= now + self.ahead;
        if fits {
            self.until = until;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_the_rate() {
        let start = Instant::now();
        let mut rate = Rate::new(10, 5, start);
        let taken = |rate: &mut Rate, after: u64, tries: usize| {
            let now = start + Duration::from_millis(after);
            (0..tries).filter(|_| rate.take(now)).count()
        };
        assert_eq!(taken(&mut rate, 0, 100), 5);
        assert_eq!(taken(&mut rate, 99, 100), 0);
        assert_eq!(taken(&mut rate, 100, 100), 1);
        assert_eq!(taken(&mut rate, 400, 100), 3);
        // A long rest earns no more than the burst.
        assert_eq!(taken(&mut rate, 60_000, 100), 5);
    }
}
