//! The state machine of one service: from the verdict of its checks to "announce" or not.
//!
//! ```text
//!            healthy                up delay over
//!   ┌──────┐ ───────► ┌────────┐ ───────────────► ┌────┐
//!   │ Down │          │ Rising │                  │ Up │ ◄─┐ healthy
//!   └──────┘ ◄─────── └────────┘                  └────┘   │
//!      ▲    unhealthy                    unhealthy  │      │
//!      │                                            ▼      │
//!      │           down delay over           ┌─────────┐   │
//!      └──────────────────────────────────── │ Falling │ ──┘
//!                                            └─────────┘
//! ```
//!
//! Announced are `Up` and `Falling`, unless flap damping holds the service. A verdict of
//! `Unknown` never moves anything: it stops the running delay and holds what is (fail static).

use alloc::collections::BTreeSet;
use core::time::Duration;

use crate::check::{CheckIndex, Outcome};
use crate::config::ServiceConfig;
use crate::damping::{DampingConfig, Penalty};
use crate::listeners::Port;
use crate::net::Prefix;
use crate::reason::Reason;
use crate::time::Instant;

/// How many ports one service can be required to have.
const PORTS_MAX: usize = 1024;

/// The verdict of all checks of a service together.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Health {
    /// The rule passes.
    Healthy,
    /// The rule warns: it works, and not as it should.
    Degraded,
    /// The rule fails.
    Unhealthy,
    /// The rule cannot be judged.
    Unknown,
}

impl Health {
    /// Stable name for logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }

    /// True when it works.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }

    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self::Healthy,
            Outcome::Warn => Self::Degraded,
            Outcome::Fail => Self::Unhealthy,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

/// What a rule says, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) health: Health,
    /// What decided it.
    pub(crate) reason: Reason,
    /// The check that did, where that is one that is probed.
    pub(crate) check: Option<CheckIndex>,
}

impl Verdict {
    pub(crate) const fn new(outcome: Outcome, reason: Reason, check: Option<CheckIndex>) -> Self {
        Self { health: Health::of(outcome), reason, check }
    }
}

/// Where a service stands; see the module head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Down,
    Rising { until: Instant },
    Up,
    Falling { until: Instant },
}

/// What a step of the machine did, for the engine to tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// The verdict or its reason changed.
    Health,
    /// Flap damping took hold.
    Suppressed,
    /// Flap damping let go.
    Released,
}

/// One service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// The allowed network the VIP is in.
    pub(crate) network: Prefix,
    /// With `require_all_ports`: the ports seen so far; otherwise empty.
    ports_required: BTreeSet<Port>,
    /// The number of its configuration in the catalog.
    pub(crate) config: usize,
    verdict: Verdict,
    /// Whether it worked by the last verdict that was known: what a change is counted against.
    last_known: Option<bool>,
    /// The last verdict that was good was a warning.
    warned: bool,
    /// Checks without power would have it withdrawn now,
    shadow_fails: bool,
    /// and have begun to so often.
    shadow_count: u64,
    phase: Phase,
    /// It has been announced since it began.
    was_up: bool,
    penalty: Penalty,
    suppressed_until: Option<Instant>,
    /// Since when it is announced, or not,
    since: Instant,
    /// and how often that changed.
    transitions: u64,
    /// Since when nothing has listened, for forgetting.
    idle_since: Option<Instant>,
}

impl Service {
    pub(crate) fn new(network: Prefix, config: usize, now: Instant) -> Self {
        Self {
            network,
            ports_required: BTreeSet::new(),
            config,
            verdict: Verdict::new(Outcome::Unknown, Reason::Starting, None),
            last_known: None,
            warned: false,
            shadow_fails: false,
            shadow_count: 0,
            phase: Phase::Down,
            was_up: false,
            penalty: Penalty::default(),
            suppressed_until: None,
            since: now,
            transitions: 0,
            idle_since: None,
        }
    }

    /// Makes a port one that the service needs. At most [`PORTS_MAX`] are remembered: a service with
    /// more is one whose ports come and go.
    pub(crate) fn require_port(&mut self, port: Port) {
        if self.ports_required.len() < PORTS_MAX {
            self.ports_required.insert(port);
        }
    }

    /// No port is needed more than another.
    pub(crate) fn require_no_ports(&mut self) {
        self.ports_required.clear();
    }

    /// Another flap damping counts from now on. Returns true when nothing holds it any more.
    pub(crate) fn set_damping(
        &mut self,
        before: Option<&DampingConfig>,
        config: Option<&DampingConfig>,
        now: Instant,
    ) -> bool {
        match (before, config) {
            (Some(before), Some(config)) => {
                self.penalty.rebase(before, config, now);
                if self.suppressed_until.is_some() {
                    self.suppressed_until = Some(self.penalty.reuse_at(config));
                }
                false
            }
            _ => {
                self.penalty = Penalty::default();
                self.suppressed_until.take().is_some()
            }
        }
    }

    /// Forgets what flap damping has counted.
    pub(crate) fn reset_damping(&mut self, told: &mut dyn FnMut(Step)) {
        self.penalty = Penalty::default();
        if self.suppressed_until.take().is_some() {
            told(Step::Released);
        }
    }

    /// Whether it will be announced if nothing else happens, and from when on where a delay runs.
    pub(crate) const fn heading(&self) -> (bool, Option<Instant>) {
        match self.phase {
            Phase::Down => (false, None),
            Phase::Rising { until } => (true, Some(until)),
            Phase::Up => (self.suppressed_until.is_none(), None),
            Phase::Falling { until } => (false, Some(until)),
        }
    }

    /// The ports that the service needs.
    pub(crate) fn ports_required(&self) -> impl Iterator<Item = &Port> {
        self.ports_required.iter()
    }

    /// Takes the newest verdict of the rule.
    pub(crate) fn judge(
        &mut self,
        verdict: Verdict,
        config: &ServiceConfig,
        now: Instant,
        told: &mut dyn FnMut(Step),
    ) {
        if self.verdict == verdict {
            return;
        }
        self.verdict = verdict;
        told(Step::Health);
        let health = verdict.health;
        if health != Health::Unknown {
            let good = health.is_good();
            let changed = self.last_known.is_some_and(|known| known != good);
            self.last_known = Some(good);
            if good {
                self.warned = health == Health::Degraded;
            }
            if changed {
                self.count_change(config, now, told);
            }
        }
        match (health, self.phase) {
            (Health::Healthy | Health::Degraded, Phase::Down) => {
                self.phase = Phase::Rising { until: now + config.up_delay };
            }
            (Health::Healthy | Health::Degraded | Health::Unknown, Phase::Falling { .. }) => {
                self.phase = Phase::Up;
            }
            (Health::Unhealthy, Phase::Up) => {
                self.phase = Phase::Falling { until: now + config.down_delay };
            }
            (Health::Unhealthy | Health::Unknown, Phase::Rising { .. }) => {
                self.phase = Phase::Down;
            }
            (Health::Healthy | Health::Degraded, Phase::Rising { .. } | Phase::Up)
            | (Health::Unhealthy, Phase::Down | Phase::Falling { .. })
            | (Health::Unknown, Phase::Down | Phase::Up) => {}
        }
    }

    /// Notes since when nothing has listened: such a service is forgotten some day. Whatever
    /// listens is found again only by its opening, and keeps it.
    pub(crate) fn set_idle(&mut self, idle: bool, now: Instant) {
        self.idle_since = if idle { self.idle_since.or(Some(now)) } else { None };
    }

    /// Takes what the rule would say if checks without power had it. Returns true when they begin
    /// to want a withdrawal that the others do not.
    pub(crate) fn judge_shadow(&mut self, fails: bool) -> bool {
        let begins = fails && !self.shadow_fails;
        self.shadow_fails = fails;
        self.shadow_count = self.shadow_count.saturating_add(u64::from(begins));
        begins
    }

    /// Whether checks without power want it withdrawn, and how often they began to.
    pub(crate) const fn shadow(&self) -> (bool, u64) {
        (self.shadow_fails, self.shadow_count)
    }

    /// Ends a running up delay: the service was announced a moment ago, by the process before.
    pub(crate) const fn skip_up_delay(&mut self, now: Instant) {
        if let Phase::Rising { until } = &mut self.phase {
            *until = now;
        }
    }

    /// Forgets what it was judged to be before anything was known: no change is counted from there.
    pub(crate) const fn forget_verdict(&mut self) {
        self.last_known = None;
    }

    /// Takes the service as up although nothing is known yet: the process before announced it.
    pub(crate) const fn hold(&mut self) {
        if matches!(self.phase, Phase::Down) {
            self.phase = Phase::Up;
        }
    }

    /// True while it has no verdict that counts: one cannot be made, or the up delay runs. A probe
    /// that was made and cannot tell is a verdict: it may stay so for days.
    pub(crate) const fn is_undecided(&self) -> bool {
        let Verdict { health, reason, .. } = self.verdict;
        matches!(self.phase, Phase::Rising { .. })
            || (matches!(health, Health::Unknown) && !matches!(reason, Reason::CheckUnknown))
    }

    fn count_change(&mut self, config: &ServiceConfig, now: Instant, told: &mut dyn FnMut(Step)) {
        let Some(damping) = &config.damping else {
            return;
        };
        self.penalty.add(damping, now);
        if self.suppressed_until.is_some() {
            self.suppressed_until = Some(self.penalty.reuse_at(damping));
        } else if self.penalty.exceeds(damping, now) {
            self.suppressed_until = Some(self.penalty.reuse_at(damping));
            told(Step::Suppressed);
        }
    }

    /// Lets every timer fire whose moment has come.
    pub(crate) fn expire(&mut self, now: Instant, told: &mut dyn FnMut(Step)) {
        match self.phase {
            Phase::Rising { until } if until <= now => self.phase = Phase::Up,
            Phase::Falling { until } if until <= now => self.phase = Phase::Down,
            Phase::Down | Phase::Rising { .. } | Phase::Up | Phase::Falling { .. } => {}
        }
        self.was_up |= matches!(self.phase, Phase::Up);
        if self.suppressed_until.is_some_and(|until| until <= now) {
            self.suppressed_until = None;
            told(Step::Released);
        }
    }

    /// True when its rule has failed for long enough, and has not worked for long enough since. What is
    /// not known changes nothing here either.
    pub(crate) const fn is_down(&self) -> bool {
        matches!(self.phase, Phase::Down | Phase::Rising { .. }) && self.last_known.is_some()
    }

    /// True when it has worked since it began.
    pub(crate) const fn was_up(&self) -> bool {
        self.was_up
    }

    /// How often it was announced or withdrawn.
    pub(crate) const fn transitions(&self) -> u64 {
        self.transitions
    }

    /// Notes that the service is announced, or not, since `now`.
    pub(crate) fn mark(&mut self, now: Instant) {
        self.since = now;
        self.transitions = self.transitions.saturating_add(1);
    }

    /// The earliest moment at which a timer fires.
    pub(crate) fn deadline(&self, forget_after: Duration) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Rising { until } | Phase::Falling { until } => Some(until),
            Phase::Down => self.forget_at(forget_after),
            Phase::Up => None,
        };
        [phase, self.suppressed_until].into_iter().flatten().min()
    }

    /// When an idle service may be dropped; `None` while it is anything but idle.
    pub(crate) fn forget_at(&self, forget_after: Duration) -> Option<Instant> {
        if self.phase != Phase::Down || self.suppressed_until.is_some() {
            return None;
        }
        self.idle_since.map(|since| since + forget_after)
    }

    /// True when the route should be announced.
    pub(crate) const fn announced(&self) -> bool {
        matches!(self.phase, Phase::Up | Phase::Falling { .. }) && self.suppressed_until.is_none()
    }

    /// True when the route should be announced as the last choice.
    pub(crate) const fn is_last_choice(&self, config: &ServiceConfig) -> bool {
        self.warned && config.warn_depreferences
    }

    /// Why it is, or is not, announced.
    pub(crate) const fn outcome(&self) -> Reason {
        match (self.phase, self.verdict.health) {
            (_, Health::Unknown) => self.verdict.reason,
            _ if self.suppressed_until.is_some() => Reason::Damping,
            (Phase::Down, _) => self.verdict.reason,
            (Phase::Rising { .. }, _) => Reason::UpDelay,
            (Phase::Up, Health::Degraded) => self.verdict.reason,
            (Phase::Up, _) => Reason::Healthy,
            (Phase::Falling { .. }, _) => Reason::DownDelay,
        }
    }

    /// The verdict and what decided it.
    pub(crate) const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Since when it is announced, or not.
    pub(crate) const fn since(&self) -> Instant {
        self.since
    }

    /// When the running delay is over.
    pub(crate) const fn delay_until(&self) -> Option<Instant> {
        match self.phase {
            Phase::Rising { until } | Phase::Falling { until } => Some(until),
            Phase::Down | Phase::Up => None,
        }
    }

    /// Until when flap damping holds it, if it keeps calm.
    pub(crate) const fn suppressed_until(&self) -> Option<Instant> {
        self.suppressed_until
    }

    /// The damping penalty now.
    pub(crate) fn penalty(&self, config: &ServiceConfig, now: Instant) -> u64 {
        config.damping.as_ref().map_or(0, |damping| self.penalty.current(damping, now))
    }
}
