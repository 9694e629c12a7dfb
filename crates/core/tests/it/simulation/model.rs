//! The shadow of the engine: plain lists, from which everything is computed anew after every input.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_core::check::{CheckIndex, CheckKey, Counting, Outcome};
use ha2bgp_core::config::{CheckKind, EngineConfig};
use ha2bgp_core::damping::DampingConfig;
use ha2bgp_core::fact::{AddressState, ListenAddress, Listener, LocalAddress, Observation, Source};
use ha2bgp_core::net::Prefix;
use ha2bgp_core::overrides::{Override, OverrideKind, Scope};
use ha2bgp_core::time::Instant;

/// For so long a new check must not have been made.
const SETTLE: Duration = Duration::from_secs(60);

/// What the model knows of one service.
#[derive(Default)]
struct Judged {
    health: Option<bool>,
    last_known: Option<bool>,
    since: Instant,
    /// The delays that counted then, for up and for down.
    delays: (Duration, Duration),
    /// By its checks alone, without damping.
    announced: bool,
    /// Moments of all changes, newest last: the penalty is summed up from them.
    changes: Vec<Instant>,
    /// What the penalty was when another damping began to count.
    base: (f64, Instant),
    held: bool,
    /// It cannot be judged only because a probe that was made cannot tell.
    probe_unknown: bool,
}

impl Judged {
    fn own(&self) -> bool {
        self.announced && !self.held
    }

    fn penalty(&self, damping: &DampingConfig, now: Instant) -> f64 {
        let decayed = |value: f64, at: Instant| {
            value * (-(now.since(at).as_secs_f64() / damping.half_life.as_secs_f64())).exp2()
        };
        let penalty = f64::from(damping.penalty);
        let changes = self.changes.iter().map(|at| decayed(penalty, *at));
        decayed(self.base.0, self.base.1) + changes.sum::<f64>()
    }
}

/// What all results of a check come to, looked at from each of them backwards, and whether there
/// were never enough for any verdict.
fn verdict_of(results: &[Outcome], counting: Counting) -> (Outcome, bool) {
    let mut verdict = counting.initial;
    let mut first = true;
    for end in 1..=results.len() {
        let last = results[end - 1];
        let backwards = || results[..end].iter().rev();
        let way = backwards().take_while(|it| it.is_good() == last.is_good()).count();
        let same = backwards().take_while(|it| **it == last).count();
        let (rise, fall) = (counting.rise as usize, counting.fall as usize);
        let bad = backwards().take_while(|it| !it.is_good());
        let fails = bad.filter(|it| **it == Outcome::Fail).count();
        let next = match (last, verdict) {
            (Outcome::Pass | Outcome::Warn, Outcome::Pass | Outcome::Warn) => last,
            (Outcome::Pass | Outcome::Warn, _) if way >= rise => last,
            (Outcome::Unknown, Outcome::Fail) if same >= fall => last,
            (Outcome::Unknown, Outcome::Pass | Outcome::Warn) if way >= fall => last,
            (Outcome::Fail, _) if fails >= fall => last,
            (Outcome::Fail, Outcome::Pass | Outcome::Warn) if way >= fall => Outcome::Unknown,
            _ => verdict,
        };
        first &= match last {
            Outcome::Pass | Outcome::Warn => way < rise,
            Outcome::Fail => fails < fall,
            Outcome::Unknown => way < fall,
        };
        verdict = next;
    }
    (verdict, first)
}

/// What takes a route away, whatever else is said.
const GONE: [OverrideKind; 3] =
    [OverrideKind::ForceDown, OverrideKind::Maintenance, OverrideKind::Drained];

/// The shadow of the engine.
pub(super) struct Model {
    pub(super) config: EngineConfig,
    pub(super) listeners: Vec<Listener>,
    addresses: Vec<LocalAddress>,
    /// Per source: complete once, failing since, unknown.
    ready: [bool; 2],
    failing: [Option<Instant>; 2],
    services: BTreeMap<IpAddr, Judged>,
    /// What was announced a moment ago and has had no verdict since, and until when that counts.
    memory: BTreeSet<IpAddr>,
    memory_until: Instant,
    /// Services of the first complete look that are not judged yet.
    awaited: Option<BTreeSet<IpAddr>>,
    /// Every result of every probe since its service came.
    results: BTreeMap<CheckKey, Vec<Outcome>>,
    overrides: Vec<Override>,
    /// When the guard let something go.
    let_go: Vec<Instant>,
    /// What it holds, and since when.
    guarded: BTreeSet<(Instant, IpAddr)>,
    /// What is announced, and whether as the last choice.
    routes: BTreeMap<IpAddr, bool>,
}

impl Model {
    pub(super) fn new(config: EngineConfig) -> Self {
        Self {
            config,
            listeners: Vec::new(),
            addresses: Vec::new(),
            ready: [false; 2],
            failing: [None; 2],
            services: BTreeMap::new(),
            memory: BTreeSet::new(),
            memory_until: Instant::START,
            awaited: None,
            results: BTreeMap::new(),
            overrides: Vec::new(),
            let_go: Vec::new(),
            guarded: BTreeSet::new(),
            routes: BTreeMap::new(),
        }
    }

    /// This was announced a moment ago by the process before.
    pub(super) fn remember(&mut self, vips: &[IpAddr], until: Instant) {
        self.memory = vips.iter().copied().collect();
        self.memory_until = until;
    }

    pub(super) fn reset_damping(&mut self, scope: &Scope) {
        let meant = self.services.iter_mut().filter(|(vip, _)| scope.means(**vip, ""));
        for (_, judged) in meant {
            judged.changes.clear();
            judged.base = (0.0, Instant::START);
            judged.held = false;
        }
    }

    pub(super) fn set_overrides(&mut self, list: &[Override]) {
        self.overrides = list.to_vec();
    }

    /// The checks that are probed: one for all, one for each VIP.
    fn probes(&self) -> Vec<(CheckIndex, bool, Counting)> {
        let probes = self.config.checks.iter().filter_map(|(index, check)| match check.kind {
            CheckKind::Probe { per_vip, counting } => Some((*index, per_vip, counting)),
            _ => None,
        });
        probes.collect()
    }

    pub(super) fn reconfigure(&mut self, config: &EngineConfig, now: Instant) {
        if *config == self.config {
            return;
        }
        if self.memory_until <= now {
            self.memory.clear();
        }
        let up = self.services.iter().filter(|(_, judged)| judged.own());
        self.memory.extend(up.map(|(vip, _)| *vip));
        self.memory_until = self.memory_until.max(now + SETTLE);
        let before = std::mem::replace(&mut self.config, config.clone());
        let networks = &self.config.networks;
        let (services, memory) = (&mut self.services, &mut self.memory);
        services.retain(|vip, _| {
            let stays = networks.containing(*vip).is_some();
            if !stays {
                memory.remove(vip);
            }
            stays
        });
        self.guarded.retain(|(_, vip)| services.contains_key(vip) && config.guard.is_some());
        // Whoever is not there has no results.
        let known = &self.config.checks;
        self.results.retain(|key, _| {
            let used = match key.vip {
                Some(vip) => services.contains_key(&vip),
                // Those that are found by this configuration take over what is known.
                None => true,
            };
            used && known.contains_key(&key.check)
        });
        if before.defaults.damping != config.defaults.damping {
            for judged in self.services.values_mut() {
                judged.base = match (&before.defaults.damping, &config.defaults.damping) {
                    (Some(before), Some(_)) => (judged.penalty(before, now), now),
                    _ => {
                        judged.held = false;
                        (0.0, now)
                    }
                };
                judged.changes.clear();
            }
        }
    }

    pub(super) fn apply(&mut self, observation: &Observation, now: Instant) {
        match observation {
            Observation::ListenerOpened(listener) => {
                self.listeners.retain(|known| known.id != listener.id);
                self.listeners.push(*listener);
            }
            Observation::ListenerClosed(id) => self.listeners.retain(|known| known.id != *id),
            Observation::AddressChanged(address) => {
                self.addresses.retain(|known| known.id != address.id);
                self.addresses.push(address.clone());
            }
            Observation::AddressRemoved(id) => self.addresses.retain(|known| known.id != *id),
            Observation::Probed { check, result } => {
                let wanted = check.vip.is_none_or(|vip| self.services.contains_key(&vip))
                    && !self.services.is_empty();
                if wanted {
                    self.results.entry(*check).or_default().push(result.outcome);
                }
            }
            Observation::Complete(source) => {
                self.ready[*source as usize] = true;
                self.failing[*source as usize] = None;
            }
            Observation::Failed { source, .. } => {
                let failing = &mut self.failing[*source as usize];
                *failing = failing.or(Some(now));
            }
        }
    }

    /// Every address that some listener serves and the networks allow is a service for good.
    pub(super) fn look(&mut self, now: Instant) {
        let bound = self.listeners.iter().filter_map(|listener| match listener.address {
            ListenAddress::Address(vip) => Some(vip),
            _ => None,
        });
        let local = self
            .addresses
            .iter()
            .map(|address| address.id.ip)
            .filter(|ip| self.listeners.iter().any(|listener| listener.address.serves(*ip)));
        let found: BTreeSet<IpAddr> = bound
            .chain(local)
            .filter(|vip| self.config.networks.containing(*vip).is_some())
            .collect();
        for vip in found {
            self.services.entry(vip).or_insert(Judged { since: now, ..Judged::default() });
        }
        if self.services.is_empty() {
            self.results.clear();
        }
    }

    fn sees(&self, source: Source, now: Instant) -> bool {
        let failing = self.failing[source as usize];
        self.ready[source as usize]
            && failing.is_none_or(|since| now.since(since) < self.config.unknown_after)
    }

    /// `Some(true)` healthy, `Some(false)` unhealthy, `None` cannot be judged.
    /// And where it cannot be judged only because of probes: whether the first of those was not made
    /// often enough yet.
    pub(super) fn health(&self, vip: IpAddr, now: Instant) -> (Option<bool>, Option<bool>) {
        // Announced a moment ago, and not judged here yet.
        let fresh = self.memory.contains(&vip);
        let listens = self
            .sees(Source::Listen, now)
            .then(|| self.listeners.iter().any(|listener| listener.address.serves(vip)));
        let present = self.sees(Source::Address, now).then(|| {
            self.addresses
                .iter()
                .any(|address| address.id.ip == vip && address.state == AddressState::Usable)
        });
        // all(listen, address, any(a, b)) where there are probes.
        let mut facts = vec![listens, present];
        let mut waiting = None;
        let probes = self.probes();
        if !probes.is_empty() {
            let probes: Vec<_> =
                probes.iter().map(|probe| self.probed(*probe, vip, fresh)).collect();
            let known: Vec<_> = probes.iter().map(|(known, _)| *known).collect();
            facts.push(if known.contains(&Some(true)) {
                Some(true)
            } else if known.contains(&None) {
                // The first that is unknown gives the reason.
                let unknown = probes.iter().find(|(known, _)| known.is_none());
                waiting = unknown.filter(|_| facts == [Some(true), Some(true)]).map(|it| it.1);
                None
            } else {
                Some(false)
            });
        }
        if facts.contains(&Some(false)) {
            return (Some(false), None);
        }
        if facts.contains(&None) { (None, waiting) } else { (Some(true), None) }
    }

    fn probed(
        &self,
        (check, per_vip, counting): (CheckIndex, bool, Counting),
        vip: IpAddr,
        fresh: bool,
    ) -> (Option<bool>, bool) {
        let key = CheckKey { check, vip: per_vip.then_some(vip) };
        let results = self.results.get(&key).map_or(&[][..], Vec::as_slice);
        let (verdict, first) = verdict_of(results, counting);
        if fresh && first {
            return (None, true);
        }
        let known = match verdict {
            Outcome::Pass | Outcome::Warn => Some(true),
            Outcome::Fail => Some(false),
            Outcome::Unknown => None,
        };
        (known, first && counting.initial == Outcome::Unknown)
    }

    /// Brings every service up to `now`. `engine_holds` breaks ties that rounding may decide; `late`
    /// is true when timers fire.
    pub(super) fn settle(&mut self, now: Instant, engine_holds: &BTreeSet<IpAddr>, late: bool) {
        let vips: Vec<IpAddr> = self.services.keys().copied().collect();
        for vip in &vips {
            self.judge(*vip, now, engine_holds);
        }
        if late {
            self.overrides.retain(|it| it.until.is_none_or(|until| until > now));
        }
        self.routes.retain(|vip, _| vips.contains(vip));
        for vip in &vips {
            let forced = self.is_said(*vip, &[OverrideKind::ForceUp]);
            if self.services[vip].own() || forced || self.is_said(*vip, &GONE) {
                self.guarded.retain(|(_, held)| held != vip);
            } else if self.routes.contains_key(vip) && !self.is_guarded(*vip) && !self.lets_go(now)
            {
                self.guarded.insert((now, *vip));
            }
        }
        // Those that it holds go when there is room, and only by its own timer.
        while late && !self.guarded.is_empty() && self.lets_go(now) {
            self.guarded.pop_first();
        }
        for vip in vips {
            let (own, guarded) = (self.services[&vip].own(), self.is_guarded(vip));
            let forced = self.is_said(vip, &[OverrideKind::ForceUp]);
            if self.is_said(vip, &GONE) || !(own || guarded || forced) {
                self.routes.remove(&vip);
            } else {
                let last = self.is_said(vip, &[OverrideKind::Drain]) || !(own || forced);
                self.routes.insert(vip, last);
            }
        }
    }

    fn is_said(&self, vip: IpAddr, kinds: &[OverrideKind]) -> bool {
        self.overrides.iter().any(|it| kinds.contains(&it.kind) && it.scope.means(vip, ""))
    }

    fn is_guarded(&self, vip: IpAddr) -> bool {
        self.guarded.iter().any(|(_, held)| *held == vip)
    }

    /// Whether the guard lets one more go now; if so, it counts.
    fn lets_go(&mut self, now: Instant) -> bool {
        let Some(guard) = self.config.guard else { return true };
        self.let_go.retain(|at| now.since(*at) < guard.per);
        let room = self.let_go.len() < guard.count as usize;
        if room {
            self.let_go.push(now);
        }
        room
    }

    fn judge(&mut self, vip: IpAddr, now: Instant, engine_holds: &BTreeSet<IpAddr>) {
        let (health, waiting) = self.health(vip, now);
        let config = &self.config.defaults;
        let fresh = self.memory.contains(&vip);
        let recent = fresh && now < self.memory_until;
        let Some(judged) = self.services.get_mut(&vip) else { return };
        let mut counted = false;
        judged.probe_unknown = waiting == Some(false);
        // Announced a moment ago: it stays so until its probes can tell.
        judged.announced |= waiting.is_some() && recent;
        if health != judged.health {
            judged.health = health;
            judged.since = now;
            judged.delays = (config.up_delay, config.down_delay);
            if let Some(known) = health {
                if judged.last_known.is_some_and(|last| last != known) {
                    judged.changes.push(now);
                    counted = true;
                }
                judged.last_known = Some(known);
            }
        }
        if health.is_some() && fresh {
            // Announced a moment ago, and its first verdict is good.
            judged.announced |= health == Some(true) && recent;
            self.memory.remove(&vip);
        }
        let (up, down) = judged.delays;
        match judged.health {
            Some(true) if now.since(judged.since) >= up => judged.announced = true,
            Some(false) if now.since(judged.since) >= down => judged.announced = false,
            _ => {}
        }
        if let Some(damping) = &config.damping {
            let penalty = judged.penalty(damping, now);
            let near = |limit: u32| (penalty - f64::from(limit)).abs() < 2.0;
            if near(damping.suppress) || near(damping.reuse) {
                judged.held = engine_holds.contains(&vip);
            } else if !judged.held && counted && penalty > f64::from(damping.suppress) {
                judged.held = true;
            } else if judged.held && penalty <= f64::from(damping.reuse) {
                judged.held = false;
            }
        }
    }

    /// Whether every service of the first complete look has been judged since.
    pub(super) fn has_first_verdicts(&mut self, now: Instant) -> bool {
        let undecided = |judged: &Judged| match judged.health {
            None => !judged.probe_unknown,
            Some(healthy) => healthy && !judged.announced,
        };
        if self.awaited.is_none() && Source::ALL.iter().all(|source| self.sees(*source, now)) {
            self.awaited = Some(self.services.keys().copied().collect());
        }
        let services = &self.services;
        match &mut self.awaited {
            Some(awaited) => {
                awaited.retain(|vip| services.get(vip).is_some_and(undecided));
                awaited.is_empty()
            }
            None => false,
        }
    }

    /// What is announced, and whether as the last choice.
    pub(super) fn announced(&self) -> BTreeMap<Prefix, bool> {
        self.routes.iter().map(|(vip, last)| (Prefix::host(*vip), *last)).collect()
    }
}
