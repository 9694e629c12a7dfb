//! The course of one drain, as a function of what is known and the time.

use std::time::Duration;

use ha2bgp_core::time::Instant;

use crate::control::orders::DrainPlan;

/// So many counts in a row say that connections are gone: between two requests of many short ones
/// there may be none for a moment.
const CALM: u8 = 2;

/// How far a drain is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::daemon) enum Phase {
    /// Routers are being told, or are moving the traffic.
    Depreferencing,
    /// Connections come to their end.
    Waiting,
    /// Withdrawn.
    Drained,
}

impl Phase {
    /// Stable name.
    pub(in crate::daemon) const fn name(self) -> &'static str {
        match self {
            Self::Depreferencing => "depreferencing",
            Self::Waiting => "waiting",
            Self::Drained => "drained",
        }
    }
}

/// Why a drain is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::daemon) enum Over {
    /// Nothing of it was announced.
    Nothing,
    /// Few enough connections are left.
    Few,
    /// Its time is over.
    Time,
}

impl Over {
    /// In words, for the log.
    pub(in crate::daemon) const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing of it was announced",
            Self::Few => "few enough connections are left",
            Self::Time => "its time is over",
        }
    }
}

/// What is known of a drain at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Every service has had its first verdict: what is not announced is not up.
    pub(super) judged: bool,
    /// Something of it is announced.
    pub(super) announced: bool,
    /// Every router that can be told knows all of that as the last choice.
    pub(super) told: bool,
}

/// One drain.
#[derive(Debug)]
pub(super) struct Course {
    plan: DrainPlan,
    /// It withdraws then at the latest.
    deadline: Option<Instant>,
    /// When every router had it.
    told_at: Option<Instant>,
    connections: Option<u32>,
    /// A count was made, or could not be made.
    looked: bool,
    /// Counts in a row that found few enough.
    calm: u8,
}

impl Course {
    /// One that begins, or is found again after a restart with so much time `left`.
    pub(super) fn new(plan: DrainPlan, left: Option<Duration>, now: Instant) -> Self {
        let deadline = left.map(|left| now + left);
        Self { plan, deadline, told_at: None, connections: None, looked: false, calm: 0 }
    }

    /// The newest count.
    pub(super) const fn connections(&self) -> Option<u32> {
        self.connections
    }

    /// True when the number of connections decides something.
    pub(super) const fn counts(&self) -> bool {
        self.plan.wait_connections.is_some()
    }

    pub(super) fn phase(&self, settle: Duration, now: Instant) -> Phase {
        match self.moved_at(settle) {
            Some(at) if now >= at => Phase::Waiting,
            _ => Phase::Depreferencing,
        }
    }

    /// When the traffic has moved.
    fn moved_at(&self, settle: Duration) -> Option<Instant> {
        Some(self.told_at? + settle)
    }

    /// Takes a count that was begun `at` that moment; nothing when it could not be made.
    pub(super) fn counted(&mut self, connections: Option<u32>, at: Instant, settle: Duration) {
        (self.connections, self.looked) = (connections, true);
        let few = connections.zip(self.plan.wait_connections).is_some_and(|(it, max)| it <= max);
        let calm = few && self.moved_at(settle).is_some_and(|moved| at >= moved);
        self.calm = if calm { self.calm.saturating_add(1) } else { 0 };
    }

    /// Whether it is over, and why.
    pub(super) fn step(&mut self, facts: Facts, settle: Duration, now: Instant) -> Option<Over> {
        if self.told_at.is_none() && facts.judged && facts.told {
            self.told_at = Some(now);
        }
        // Without any end it stays announced as soon as there is something to announce.
        let ends = self.counts() || self.deadline.is_some();
        if ends && facts.judged && !facts.announced && self.looked {
            return Some(Over::Nothing);
        }
        if self.calm >= CALM && self.phase(settle, now) == Phase::Waiting {
            return Some(Over::Few);
        }
        self.deadline.filter(|at| *at <= now).map(|_| Over::Time)
    }

    /// When something happens by itself.
    pub(super) fn wake(&self, settle: Duration, now: Instant) -> Option<Instant> {
        let moved = self.moved_at(settle).filter(|at| *at > now);
        self.deadline.into_iter().chain(moved).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(2);
    const TOLD: Facts = Facts { judged: true, announced: true, told: true };

    fn at(millis: u64) -> Instant {
        Instant::START + Duration::from_millis(millis)
    }

    fn course(wait_connections: Option<u32>, timeout: Option<u64>) -> Course {
        let plan = DrainPlan { wait_connections, timeout_seconds: timeout };
        Course::new(plan, timeout.map(Duration::from_secs), at(0))
    }

    #[test]
    fn connections_count_once_the_traffic_has_moved() {
        let mut drain = course(Some(3), Some(120));
        let untold = Facts { told: false, ..TOLD };
        assert_eq!(drain.step(untold, SETTLE, at(0)), None);
        // Nobody speaks at the moment, but routers do not know yet.
        drain.counted(Some(0), at(100), SETTLE);
        drain.counted(Some(0), at(300), SETTLE);
        assert_eq!(drain.step(untold, SETTLE, at(400)), None);
        assert_eq!(drain.wake(SETTLE, at(400)), Some(at(120_000)));
        assert_eq!(drain.step(TOLD, SETTLE, at(1000)), None);
        assert_eq!(drain.wake(SETTLE, at(1000)), Some(at(3000)));
        assert_eq!(drain.phase(SETTLE, at(2999)), Phase::Depreferencing);
        drain.counted(Some(0), at(2999), SETTLE);
        assert_eq!(drain.phase(SETTLE, at(3000)), Phase::Waiting);
        // A count that began before does not count; nor does a single one.
        for (moment, connections) in [(3000, 4), (3200, 3), (3400, 4), (3600, 3)] {
            drain.counted(Some(connections), at(moment), SETTLE);
            assert_eq!(drain.step(TOLD, SETTLE, at(moment)), None, "{moment}");
        }
        drain.counted(Some(2), at(3800), SETTLE);
        assert_eq!(drain.step(TOLD, SETTLE, at(3800)), Some(Over::Few));
        assert_eq!(drain.connections(), Some(2));
    }

    #[test]
    fn time_ends_it_whatever_is_left() {
        for untold in [false, true] {
            let facts = Facts { told: !untold, ..TOLD };
            let mut drain = course(Some(0), Some(10));
            for second in 0..10 {
                drain.counted(Some(7), at(second * 1000), SETTLE);
                assert_eq!(drain.step(facts, SETTLE, at(second * 1000)), None);
            }
            assert_eq!(drain.step(facts, SETTLE, at(10_000)), Some(Over::Time));
        }
        // Nobody can count.
        let mut drain = course(Some(0), Some(10));
        drain.counted(None, at(5000), SETTLE);
        assert_eq!(drain.step(TOLD, SETTLE, at(9999)), None);
        assert_eq!(drain.step(TOLD, SETTLE, at(10_000)), Some(Over::Time));
        // A time alone.
        let mut drain = course(None, Some(10));
        drain.counted(Some(0), at(5000), SETTLE);
        drain.counted(Some(0), at(6000), SETTLE);
        assert_eq!(drain.step(TOLD, SETTLE, at(9999)), None);
        assert_eq!(drain.step(TOLD, SETTLE, at(10_000)), Some(Over::Time));
    }

    #[test]
    fn without_an_end_it_stays_as_it_is() {
        let mut drain = course(None, None);
        for facts in [TOLD, Facts { announced: false, ..TOLD }, TOLD] {
            drain.counted(Some(0), at(1_000_000), SETTLE);
            assert_eq!(drain.step(facts, SETTLE, at(1_000_000)), None);
        }
        assert_eq!(drain.wake(SETTLE, at(2_000_000)), None);
        assert_eq!(drain.phase(SETTLE, at(2_000_000)), Phase::Waiting);
    }

    #[test]
    fn nothing_to_drain_is_drained_at_once_but_not_before_that_is_known() {
        let mut drain = course(Some(0), Some(120));
        let nothing = Facts { announced: false, ..TOLD };
        let early = Facts { judged: false, ..nothing };
        assert_eq!(drain.step(nothing, SETTLE, at(0)), None, "how many are left is said too");
        drain.counted(Some(5), at(10), SETTLE);
        assert_eq!(drain.step(early, SETTLE, at(20)), None, "a restart has just begun");
        assert_eq!(drain.step(nothing, SETTLE, at(30)), Some(Over::Nothing));
    }
}
