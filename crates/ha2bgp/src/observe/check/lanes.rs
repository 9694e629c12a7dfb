//! How many probes may be made at once.
//!
//! A check whose last probe timed out goes to the slow lane, which has half of all places: however
//! many targets hang, checks of those that answer find a place.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Descriptors that are left for everything else: sessions, netlink, files, the log.
const RESERVE: usize = 128;

/// How many probes may be made at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Probes over the network; less where this process may have fewer descriptors.
    pub probes: usize,
    /// Plugins: processes.
    pub plugins: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { probes: 16_384, plugins: 16 }
    }
}

impl Limits {
    /// The limits where a process may have so many descriptors.
    #[must_use]
    pub fn within(self, descriptors: usize) -> Self {
        let free = descriptors.saturating_sub(RESERVE).max(1);
        Self { probes: self.probes.clamp(1, free), plugins: self.plugins.clamp(1, free) }
    }
}

/// Places for probes of one sort.
#[derive(Clone, Debug)]
pub struct Lanes {
    all: std::sync::Arc<Semaphore>,
    slow: std::sync::Arc<Semaphore>,
    limit: usize,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _all: OwnedSemaphorePermit,
    _slow: Option<OwnedSemaphorePermit>,
}

impl Lanes {
    /// So many places.
    pub fn new(limit: usize) -> Rc<Self> {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        let semaphore = |places: usize| std::sync::Arc::new(Semaphore::new(places.max(1)));
        Rc::new(Self { all: semaphore(limit), slow: semaphore(limit / 2), limit })
    }

    /// How many places there are.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Waits for a place, so long at most.
    pub async fn enter(&self, slow: bool, wait: Duration) -> Option<Place> {
        let enter = async {
            let slow = match slow {
                true => Some(self.slow.clone().acquire_owned().await.ok()?),
                false => None,
            };
            let all = self.all.clone().acquire_owned().await.ok()?;
            Some(Place { _all: all, _slow: slow })
        };
        // Most find one at once: no timer then.
        tokio::select! {
            biased;
            place = enter => place,
            () = tokio::time::sleep(wait) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[tokio::test(start_paused = true)]
    async fn slow_checks_leave_half_of_the_places() {
        let lanes = Lanes::new(4);
        let slow = [lanes.enter(true, NOW).await, lanes.enter(true, NOW).await];
        assert!(slow.iter().all(Option::is_some));
        assert!(lanes.enter(true, NOW).await.is_none(), "the slow lane is full");
        let quick = [lanes.enter(false, NOW).await, lanes.enter(false, NOW).await];
        assert!(quick.iter().all(Option::is_some));
        assert!(lanes.enter(false, NOW).await.is_none(), "all places are taken");
        drop(slow);
        assert!(lanes.enter(false, NOW).await.is_some(), "a place that is left is free");
    }

    #[test]
    fn descriptors_limit_probes() {
        assert_eq!(Limits::default().within(1024).probes, 1024 - RESERVE);
        assert_eq!(Limits::default().within(10).probes, 1);
        assert_eq!(Limits::default().within(1 << 20).probes, Limits::default().probes);
    }
}
