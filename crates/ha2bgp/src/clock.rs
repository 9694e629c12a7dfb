//! The one place where the monotonic clock becomes a core [`Instant`].

use ha2bgp_core::time::Instant;

/// The daemon's clock. It follows tokio's, so a test that pauses tokio's time steers it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    /// Starts the clock: this moment is [`Instant::START`].
    pub fn start() -> Self {
        Self { start: tokio::time::Instant::now() }
    }

    /// The moment now.
    pub fn now(&self) -> Instant {
        Instant::START + self.start.elapsed()
    }

    /// The tokio moment to sleep until for `at`.
    pub fn until(&self, at: Instant) -> tokio::time::Instant {
        let since_start = at.since(Instant::START);
        // "Never" is further away than tokio can count.
        self.start
            .checked_add(since_start)
            .unwrap_or_else(|| self.start + std::time::Duration::from_secs(100 * 365 * 24 * 3600))
    }
}
