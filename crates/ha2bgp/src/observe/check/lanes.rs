//! How many probes may be made at once.
//!
//! A check whose last probe timed out goes to the slow lane, which has half of all places: however
//! many targets hang, checks of those that answer find a place.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Descriptors that are left for everything else: sessions, netlink, files, the log, and 172 for the
/// control interface: connections over its socket and its ports, 64 each and 16 that are about to end,
/// what it listens on, and its runtime.
const RESERVE: usize = 300;

/// Descriptors of a plugin: two pipes and a pidfd; and of another one in its place that was killed
/// and has not ended yet.
const OF_PLUGIN: usize = 6;

/// How many probes may be made at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Probes over the network; less where this process may have fewer descriptors.
    pub probes: usize,
    /// Plugins: processes; less for the same reason.
    pub plugins: usize,
}

/// What a process with so many descriptors can have at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// Probes over the network.
    pub probes: usize,
    /// Connections that wait for their next probe.
    pub kept: usize,
    /// Plugins.
    pub plugins: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { probes: 16_384, plugins: 16 }
    }
}

impl Limits {
    /// What there can be where a process may have so many descriptors: half of them are for probes, a
    /// quarter for connections that are kept, a quarter for plugins.
    #[must_use]
    pub fn within(self, descriptors: usize) -> Budget {
        let free = descriptors.saturating_sub(RESERVE);
        Budget {
            probes: self.probes.min(free / 2).max(1),
            kept: (free / 4).min(Semaphore::MAX_PERMITS),
            plugins: self.plugins.min(free / 4 / OF_PLUGIN).max(1),
        }
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
        let within = |descriptors| Limits { probes: 16_384, plugins: 1000 }.within(descriptors);
        for descriptors in [512, 1024, 4096, 1 << 20] {
            let Budget { probes, kept, plugins } = within(descriptors);
            let most = probes + kept + plugins * OF_PLUGIN + RESERVE;
            assert!(most <= descriptors, "{most} of {descriptors}");
        }
        assert_eq!(within(1024).probes, 362);
        assert_eq!(within(10), Budget { probes: 1, kept: 0, plugins: 1 });
        let Budget { probes, plugins, .. } = within(1 << 20);
        assert_eq!((probes, plugins), (16_384, 1000));
    }
}
