//! Requests that come with no token, or with nobody's: told in the log, seldom, and slowed down.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::rate::Rate;

/// How long such a request waits for its answer. Whoever guesses has 32 connections.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// Lines in the log: so many a second and at once. The rest is counted.
const LINES: (u32, u32) = (1, 5);

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Failures {
    lines: RefCell<Option<Rate>>,
    left_out: Cell<u64>,
}

impl Failures {
    /// Tells of one, and takes the time that it costs.
    pub(super) async fn tell(&self, from: IpAddr, why: &str) {
        if self.may_tell() {
            let before = match self.left_out.take() {
                0 => String::new(),
                count => format!(" ({count} more before were not told)"),
            };
            tracing::warn!("control: a request from {from} was refused: {why}{before}");
        } else {
            self.left_out.set(self.left_out.get().saturating_add(1));
        }
        tokio::time::sleep(PAUSE).await;
    }

    fn may_tell(&self) -> bool {
        let now = Instant::now();
        let mut lines = self.lines.borrow_mut();
        lines.get_or_insert_with(|| Rate::new(LINES.0, LINES.1, now)).take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_takes_its_time_and_few_are_told() {
        let (failures, start) = (Failures::default(), Instant::now());
        let from = IpAddr::from([192, 0, 2, 1]);
        failures.tell(from, "unauthorized").await;
        assert_eq!(start.elapsed(), PAUSE);
        let told = (0..100).filter(|_| failures.may_tell()).count();
        assert_eq!(told, usize::try_from(LINES.1).unwrap());
        tokio::join!(failures.tell(from, "x"), failures.tell(from, "y"));
        assert_eq!(failures.left_out.get(), 2);
        // The next one that is told has their number.
        tokio::time::advance(Duration::from_secs(60)).await;
        failures.tell(from, "z").await;
        assert_eq!(failures.left_out.get(), 0);
    }
}
