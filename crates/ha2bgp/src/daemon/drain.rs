//! Drains: what comes after traffic was asked to go elsewhere.
//!
//! ```text
//! depreferencing ──► every router has it, and had time ──► waiting ──► few connections ──► drained
//!       └────────────────────────── the time is over ──────────────────────────────────────►┘
//! ```
//! `drained` is written into the ledger, and withdraws; the rest is found out again after a restart.
//! Connections are counted in a thread for blocking work, as often as costs a tenth of its time.

mod count;
mod course;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::engine::Input;
use ha2bgp_core::net::Prefix;
use ha2bgp_core::overrides::OverrideId;
use ha2bgp_core::route::RouteSet;
use ha2bgp_core::time::Instant;
use ha2bgp_sys::NetlinkError;
use ha2bgp_sys::diag::Diag;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::count::Counts;
use self::course::{Course, Facts};
pub(super) use self::course::{Over, Phase};
use super::engine_task::EngineTask;
use super::ledger::Entry;
use crate::clock::Clock;
use crate::control::orders::OverrideShown;

/// The shortest pause between two counts.
const PACE_MIN: Duration = Duration::from_millis(200);
/// The longest one, and what counting for show only gets.
const PACE_MAX: Duration = Duration::from_secs(2);
/// A pause is so many times as long as what comes before it took.
const PACE: u32 = 10;
/// How often it is looked whether somebody has set the clock, while an override has an end.
const CLOCK_EVERY: Duration = Duration::from_secs(30);
/// A clock that is off by more than this was set, and does not just run differently.
const CLOCK_SET: Duration = Duration::from_secs(1);
/// The most VIPs that are shown with an override.
const VIPS_SHOWN: usize = 100;

/// All drains that are under way.
pub(super) struct Drains {
    /// The newest set that every router has.
    told: watch::Receiver<RouteSet>,
    courses: BTreeMap<u64, Course>,
    /// A count that is being made; one at a time.
    counting: JoinSet<Counted>,
    diag: Option<Diag>,
    next_count: Instant,
    /// When to look again.
    wake: Option<Instant>,
    /// Connections cannot be counted, and that was said.
    blind: bool,
    /// The addresses of this host, after so many changes of them.
    own: Option<(u64, Arc<BTreeSet<IpAddr>>)>,
    /// Two clocks at one moment, while an override has an end.
    clocks: Option<(Timestamp, Instant)>,
}

impl std::fmt::Debug for Drains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drains").field("courses", &self.courses).finish_non_exhaustive()
    }
}

/// A count, with the socket it was made over.
#[derive(Debug)]
pub(super) struct Counted {
    diag: Option<Diag>,
    /// When it began, and what it took.
    at: Instant,
    took: Duration,
    counts: Result<Counts, NetlinkError>,
}

/// Why drains are looked at.
#[derive(Debug)]
pub(super) enum Woken {
    /// It is time to, or routers have something new.
    Look,
    /// Connections were counted.
    Counted(Option<Counted>),
}

impl Drains {
    /// None yet; what is in the ledger is looked at first.
    pub(super) fn new(told: watch::Receiver<RouteSet>, now: Instant) -> Self {
        Self {
            told,
            courses: BTreeMap::new(),
            counting: JoinSet::new(),
            diag: None,
            next_count: now,
            wake: Some(now),
            blind: false,
            own: None,
            clocks: None,
        }
    }

    /// The ledger has changed.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.wake = Some(now);
    }

    /// Waits until there is something to look at.
    pub(super) async fn next(&mut self, clock: Clock) -> Woken {
        let Self { told, counting, wake, courses, .. } = self;
        let time = async {
            match *wake {
                Some(at) => tokio::time::sleep_until(clock.until(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = time => Woken::Look,
            Some(counted) = counting.join_next() => Woken::Counted(counted.ok()),
            Ok(()) = told.changed(), if !courses.is_empty() => Woken::Look,
        }
    }

    /// What there is to show of a drain that is under way.
    fn show(&self, id: u64, settle: Duration, now: Instant) -> Option<(Phase, Option<u32>)> {
        let course = self.courses.get(&id)?;
        Some((course.phase(settle, now), course.connections()))
    }

    /// How long to wait until the next count.
    fn pace(&self, took: Duration, settle: Duration, now: Instant) -> Duration {
        let waits =
            |course: &Course| course.counts() && course.phase(settle, now) == Phase::Waiting;
        if self.courses.values().any(waits) {
            took.saturating_mul(PACE).clamp(PACE_MIN, PACE_MAX)
        } else {
            PACE_MAX / 2
        }
    }
}

impl EngineTask {
    /// Takes the drains on.
    pub(super) fn drains_woken(&mut self, woken: Woken) {
        if let Woken::Counted(counted) = woken {
            self.take_count(counted);
        }
        self.look_at_clock();
        self.look_at_drains();
    }

    /// Ends of overrides are moments of the wall clock: when that was set, they are counted anew.
    fn look_at_clock(&mut self) {
        let (wall, now) = (Timestamp::now(), self.clock.now());
        if !self.ledger.entries().iter().any(Entry::ends) {
            self.drains.clocks = None;
            return;
        }
        let Some((wall_before, before)) = self.drains.clocks.replace((wall, now)) else { return };
        let shown = i128::from(wall.as_millisecond()) - i128::from(wall_before.as_millisecond());
        let passed = i128::try_from((now - before).as_millis()).unwrap_or(i128::MAX);
        let off = shown.abs_diff(passed);
        if off <= CLOCK_SET.as_millis() {
            return;
        }
        tracing::warn!(
            seconds = off / 1000,
            "the clock was set: when overrides end is counted anew"
        );
        for id in self.ledger.over(wall) {
            self.override_ended(id);
        }
        let list = self.ledger.for_engine(wall, now);
        self.handle_all([Input::SetOverrides(list)]);
    }

    fn take_count(&mut self, counted: Option<Counted>) {
        // A thread that panicked has said so.
        let Some(Counted { diag, at, took, counts }) = counted else { return };
        let drains = &mut self.drains;
        let settle = self.configuration.settings.drain_settle;
        drains.diag = diag;
        let now = self.clock.now();
        drains.next_count = now + drains.pace(took, settle, now);
        let counts = match counts {
            Ok(counts) => {
                drains.blind = false;
                Some(counts)
            }
            Err(error) => {
                if !std::mem::replace(&mut drains.blind, true) {
                    tracing::error!(
                        %error, "connections cannot be counted: drains withdraw when their time is over"
                    );
                }
                None
            }
        };
        for (id, course) in &mut drains.courses {
            let Some(entry) = self.ledger.find(OverrideId(*id)) else { continue };
            let left = counts.as_ref().map(|counts| {
                let vips = self.engine.services_in(&entry.scope());
                vips.iter()
                    .filter_map(|vip| counts.get(vip))
                    .fold(0, |a: u32, b| a.saturating_add(*b))
            });
            course.counted(left, at, settle);
        }
    }

    /// Looks at every drain: what is over withdraws; begins to count when it is time.
    fn look_at_drains(&mut self) {
        let now = self.clock.now();
        let settle = self.configuration.settings.drain_settle;
        let wall = Timestamp::now();
        let told = self.drains.told.borrow_and_update().clone();
        let judged = self.engine.has_first_verdicts();
        let under_way: Vec<_> = self.ledger.drains().cloned().collect();
        let is_there = |id: &u64, _: &mut Course| under_way.iter().any(|entry| entry.id == *id);
        self.drains.courses.retain(is_there);
        let mut over = Vec::new();
        let mut vips = BTreeSet::new();
        for entry in &under_way {
            let own = self.engine.services_in(&entry.scope());
            let mut announced = own
                .iter()
                .map(|vip| Prefix::host(*vip))
                .filter(|it| self.engine.routes().get(*it).is_some());
            let facts = Facts {
                judged,
                announced: announced.clone().next().is_some(),
                told: announced.all(|it| told.get(it).is_some_and(|route| route.last_choice)),
            };
            let begin = || Course::new(entry.plan(), entry.time_left(wall), now);
            let course = self.drains.courses.entry(entry.id).or_insert_with(begin);
            match course.step(facts, settle, now) {
                Some(how) => over.push((OverrideId(entry.id), course.connections(), how)),
                None => vips.extend(own),
            }
        }
        for (id, left, how) in over {
            self.drains.courses.remove(&id.0);
            self.drained(id, left, how);
        }
        let took = self.clock.now() - now;
        self.count_if_due(vips, took);
        let drains = &self.drains;
        let count =
            (!drains.courses.is_empty() && drains.counting.is_empty()).then_some(drains.next_count);
        let courses = drains.courses.values().filter_map(|course| course.wake(settle, now));
        let clocks = drains.clocks.map(|(_, at)| at + CLOCK_EVERY);
        self.drains.wake = courses.chain(count).chain(clocks).min();
    }

    fn count_if_due(&mut self, vips: BTreeSet<IpAddr>, took: Duration) {
        let now = self.clock.now();
        let own = self.own_addresses();
        let drains = &mut self.drains;
        let due = drains.next_count <= now && drains.counting.is_empty();
        if drains.courses.is_empty() || !due {
            return;
        }
        let (mut diag, clock) = (drains.diag.take(), self.clock);
        drains.counting.spawn_blocking(move || {
            let counts = count::count(&mut diag, &vips, &own);
            if counts.is_err() {
                // A new socket may do better.
                diag = None;
            }
            Counted { diag, at: now, took: (clock.now() - now).max(took), counts }
        });
    }

    /// Where connections come from that are no clients: this host itself.
    fn own_addresses(&mut self) -> Arc<BTreeSet<IpAddr>> {
        let drains = &mut self.drains;
        if drains.courses.is_empty() {
            drains.own = None;
            return Arc::default();
        }
        let changes = *self.ends.addresses.borrow();
        match &drains.own {
            Some((known, own)) if *known == changes => Arc::clone(own),
            _ => {
                let own: Arc<BTreeSet<IpAddr>> = Arc::new(self.engine.local_addresses().collect());
                drains.own = Some((changes, Arc::clone(&own)));
                own
            }
        }
    }

    /// An override with what is known of it now.
    pub(super) fn show(&self, mut shown: OverrideShown) -> OverrideShown {
        let settle = self.configuration.settings.drain_settle;
        let now = self.clock.now();
        if shown.drain.is_some() {
            let (phase, connections) = match self.drains.show(shown.id, settle, now) {
                Some(found) => found,
                None if shown.kind == "drained" => (Phase::Drained, None),
                None => (Phase::Depreferencing, None),
            };
            shown.phase = Some(phase.name().to_owned());
            shown.connections = connections;
        }
        shown
    }

    /// The VIPs that an override is for, the first ones.
    pub(super) fn vips_of(&self, scope: &ha2bgp_core::overrides::Scope) -> Vec<String> {
        let vips = self.engine.services_in(scope);
        vips.iter().take(VIPS_SHOWN).map(ToString::to_string).collect()
    }
}
