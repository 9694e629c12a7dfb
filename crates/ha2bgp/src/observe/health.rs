//! What all observers share: reporting failure once, retrying ever slower, reporting recovery.

use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::fact::{Observation, Source};
use tokio::sync::mpsc;

use super::Seen;

/// Waits between attempts start here, double, and stop growing there.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LAST_DELAY: Duration = Duration::from_secs(5);

/// What to do when a netlink socket cannot be opened.
pub(super) const NETLINK_HINT: &str =
    "; netlink sockets must be permitted (systemd: RestrictAddressFamilies=AF_NETLINK)";

/// Why an observer stopped looking.
#[derive(Debug)]
pub(super) enum Stop {
    /// Nobody receives observations any more: the end.
    Closed,
    /// It is to look for something else.
    Changed,
    /// It cannot see, for this reason, and shall try again.
    Failed(String),
}

impl From<mpsc::error::SendError<Seen>> for Stop {
    fn from(_: mpsc::error::SendError<Seen>) -> Self {
        Self::Closed
    }
}

/// Whether a source can see.
#[derive(Debug)]
pub(super) struct Health {
    source: Source,
    seeing: bool,
    failed: bool,
    delay: Duration,
}

impl Health {
    pub(super) fn new(source: Source) -> Self {
        Self { source, seeing: false, failed: false, delay: FIRST_DELAY }
    }

    /// To be called when everything was reported: yields `Complete` for the first time and
    /// after each failure.
    pub(super) fn complete(&mut self) -> Option<Observation> {
        self.delay = FIRST_DELAY;
        self.failed = false;
        let first = !self.seeing;
        self.seeing = true;
        first.then_some(Observation::Complete(self.source))
    }

    /// To be called on a failure: yields `Failed` for the first one in a row.
    fn fail(&mut self, error: &str) -> Option<Observation> {
        let first = !self.failed;
        self.seeing = false;
        self.failed = true;
        first.then(|| Observation::Failed { source: self.source, error: Arc::from(error) })
    }

    /// Reports a failure and waits until it is time for the next attempt.
    pub(super) async fn recover(
        &mut self,
        error: &str,
        tx: &mpsc::Sender<Seen>,
    ) -> Result<(), Stop> {
        if let Some(failed) = self.fail(error) {
            tx.send(failed.into()).await?;
        }
        let delay = self.delay;
        self.delay = (delay * 2).min(LAST_DELAY);
        tokio::select! {
            () = tokio::time::sleep(delay) => Ok(()),
            () = tx.closed() => Err(Stop::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_and_recovery_are_each_said_once() {
        let mut health = Health::new(Source::Listen);
        let complete = Some(Observation::Complete(Source::Listen));
        assert_eq!(health.complete(), complete);
        assert_eq!(health.complete(), None);
        let failed = health.fail("no netlink");
        assert!(
            matches!(failed, Some(Observation::Failed { error, .. }) if &*error == "no netlink")
        );
        assert_eq!(health.fail("still none"), None);
        assert_eq!(health.complete(), complete);
        assert_eq!(health.complete(), None);
    }

    #[test]
    fn a_source_that_never_saw_can_fail() {
        let mut health = Health::new(Source::Address);
        assert!(health.fail("denied").is_some());
        assert!(health.complete().is_some());
    }
}
