//! From facts to verdicts to routes: the deciding half of the engine.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::{Engine, Stand};
use crate::addresses::AddressFilter;
use crate::check::{CheckIndex, CheckKey, Outcome, ProbeResult};
use crate::config::{CheckConfig, CheckKind, ServiceConfig};
use crate::event::{Cause, Event};
use crate::fact::Source;
use crate::net::Prefix;
use crate::overrides::OverrideKind;
use crate::reason::Reason;
use crate::service::{Health, Service, Step, Verdict};
use crate::time::Instant;

impl Engine {
    pub(super) fn judge_all(&mut self) {
        let vips: Vec<IpAddr> = self.services.keys().copied().collect();
        for vip in vips {
            self.judge(vip);
        }
    }

    /// Lets a service see the newest verdict of its rule.
    pub(super) fn judge(&mut self, vip: IpAddr) {
        let Some(service) = self.services.get(&vip) else { return };
        let mut verdict = self.verdict(vip, service, false);
        let remembered = self.start.remembers(vip);
        let warm = self.start.recalls(vip, verdict.health, self.now);
        if remembered && !self.start.remembers(vip) {
            // As good or as bad as before; checks that have not been made may now be why.
            verdict = self.verdict(vip, service, false);
        }
        let shadow = self.catalog.entry(service.config).has_shadow.then(|| {
            let with = self.verdict(vip, service, true);
            (with.health == Health::Unhealthy && verdict.health.is_good()).then_some(with)
        });
        let idle = self.is_idle(vip);
        // All that this host knows by itself is good, and the probes cannot tell (yet).
        let untold = matches!(verdict.reason, Reason::CheckPending | Reason::CheckUnknown);
        let held = verdict.health == Health::Unknown && untold && self.start.holds(vip, self.now);
        self.step(vip, |service, config, now, told| {
            service.judge(verdict, config, now, told);
            service.set_idle(idle, now);
            if warm {
                service.skip_up_delay(now);
            }
            if held {
                service.hold();
            }
        });
        if let Some(fails) = shadow
            && let Some(service) = self.services.get_mut(&vip)
            && service.judge_shadow(fails.is_some())
        {
            let cause = fails.and_then(|verdict| self.cause(vip, verdict));
            self.events.push_back(Event::WouldWithdraw { vip, cause });
        }
    }

    /// Takes the result of a probe in.
    pub(super) fn probed(&mut self, key: CheckKey, result: ProbeResult) {
        let Some(CheckConfig { kind: CheckKind::Probe { counting, .. }, name, .. }) =
            self.catalog.check(key.check)
        else {
            return;
        };
        let (counting, name) = (*counting, Arc::clone(name));
        let (outcome, detail) = (result.outcome, Arc::clone(&result.detail));
        if self.checks.take(key, result, &counting, self.now) {
            self.events.push_back(Event::CheckChanged {
                check: name,
                vip: key.vip,
                outcome,
                detail,
            });
            for vip in self.checks.users(key) {
                self.judge(vip);
            }
        }
    }

    /// Nothing listens on a service that was only found: it may be forgotten some day.
    fn is_idle(&self, vip: IpAddr) -> bool {
        self.sources.objection(Source::Listen).is_none()
            && !self.listeners.any_on(vip)
            && !self.catalog.names(vip)
    }

    /// What the rule of a service says, with or without the checks that have no power.
    pub(super) fn verdict(&self, vip: IpAddr, service: &Service, shadow: bool) -> Verdict {
        let rule = &self.catalog.entry(service.config).config.rule;
        let found = rule.judge(&mut |index| {
            let check = self.catalog.check(*index)?;
            let powerful = shadow || !check.shadow;
            powerful.then(|| self.counted(*index, check, vip, service).0)
        });
        // The configuration has no rule without any power; if it had, nothing would be known.
        let Some((outcome, index)) = found else {
            return Verdict::new(Outcome::Unknown, Reason::CheckPending, None);
        };
        let Some(check) = self.catalog.check(*index) else {
            return Verdict::new(outcome, Reason::CheckPending, None);
        };
        let own = self.counted(*index, check, vip, service).1;
        let reason = match (outcome, own) {
            (Outcome::Pass, _) => Reason::Healthy,
            // Turned round by a `not`, or by its powers.
            (Outcome::Fail, Reason::Healthy | Reason::CheckWarns | Reason::CheckUnknown) => {
                Reason::CheckFailed
            }
            (Outcome::Warn, Reason::CheckFailed | Reason::CheckUnknown) => Reason::CheckWarns,
            (_, reason) => reason,
        };
        let probed = matches!(check.kind, CheckKind::Probe { .. }) && outcome != Outcome::Pass;
        Verdict::new(outcome, reason, probed.then_some(*index))
    }

    /// What one check counts as for one service, and why.
    pub(crate) fn counted(
        &self,
        index: CheckIndex,
        check: &CheckConfig,
        vip: IpAddr,
        service: &Service,
    ) -> (Outcome, Reason) {
        if let CheckKind::Probe { per_vip, .. } = check.kind
            && self.start.remembers(vip)
            && self.is_first(CheckKey { check: index, vip: per_vip.then_some(vip) })
        {
            // A restart takes no route away: neither `initial` nor `on-unknown` counts yet.
            return (Outcome::Unknown, Reason::CheckPending);
        }
        let (outcome, reason) = self.look(index, check, vip, service);
        (check.powers.apply(outcome), reason)
    }

    /// True while a probe has not been made often enough for a verdict of its own.
    fn is_first(&self, key: CheckKey) -> bool {
        self.checks.state(key).is_none_or(|state| state.first)
    }

    /// What one check says of one service, before its powers.
    pub(crate) fn look(
        &self,
        index: CheckIndex,
        check: &CheckConfig,
        vip: IpAddr,
        service: &Service,
    ) -> (Outcome, Reason) {
        let (source, objection) = match &check.kind {
            CheckKind::Listen { ports } if ports.is_empty() => {
                (Source::Listen, self.listen_objection(vip, service))
            }
            CheckKind::Listen { ports } => {
                let missing = ports.iter().any(|port| !self.listeners.has_port(vip, *port));
                (Source::Listen, missing.then_some(Reason::NoListener))
            }
            CheckKind::Address { devices, labels } if devices.is_empty() && labels.is_empty() => {
                (Source::Address, self.addresses.objection(vip, &self.filter))
            }
            CheckKind::Address { devices, labels } => {
                let or = |own: &Vec<_>, all: &Vec<_>| {
                    if own.is_empty() { all.clone() } else { own.clone() }
                };
                let filter = AddressFilter::new(
                    or(devices, &self.config.devices),
                    or(labels, &self.config.labels),
                );
                (Source::Address, self.addresses.objection(vip, &filter))
            }
            CheckKind::Probe { per_vip, .. } => {
                let key = CheckKey { check: index, vip: per_vip.then_some(vip) };
                let Some(state) = self.checks.state(key) else {
                    return (Outcome::Unknown, Reason::CheckPending);
                };
                let reason = match state.verdict {
                    Outcome::Pass => Reason::Healthy,
                    Outcome::Warn => Reason::CheckWarns,
                    Outcome::Fail => Reason::CheckFailed,
                    Outcome::Unknown if state.pending => Reason::CheckPending,
                    Outcome::Unknown => Reason::CheckUnknown,
                };
                return (state.verdict, reason);
            }
        };
        match (self.sources.objection(source), objection) {
            (Some(reason), _) => (Outcome::Unknown, reason),
            (None, Some(reason)) => (Outcome::Fail, reason),
            (None, None) => (Outcome::Pass, Reason::Healthy),
        }
    }

    fn listen_objection(&self, vip: IpAddr, service: &Service) -> Option<Reason> {
        if !self.listeners.any_on(vip) {
            return Some(Reason::NoListener);
        }
        let missing = service.ports_required().any(|port| !self.listeners.has_port(vip, *port));
        missing.then_some(Reason::PortMissing)
    }

    /// The probe behind a verdict, in words.
    pub(super) fn cause(&self, vip: IpAddr, verdict: Verdict) -> Option<Cause> {
        let index = verdict.check?;
        let check = self.catalog.check(index)?;
        let CheckKind::Probe { per_vip, .. } = check.kind else { return None };
        let state = self.checks.state(CheckKey { check: index, vip: per_vip.then_some(vip) })?;
        let (last, _) = state.last.as_ref()?;
        Some(Cause { check: Arc::clone(&check.name), detail: Arc::clone(&last.detail) })
    }

    /// Once every observer has delivered a complete picture: which services are not judged yet?
    pub(super) fn look_around(&mut self) {
        let blind = Source::ALL.iter().any(|source| self.sources.objection(*source).is_some());
        if !self.start.is_incomplete() || blind {
            return;
        }
        let undecided = self.services.iter().filter(|(_, service)| service.is_undecided());
        let undecided: BTreeSet<IpAddr> = undecided.map(|(vip, _)| *vip).collect();
        if self.start.looked(undecided) {
            self.tell_first_verdicts();
        }
    }

    pub(super) fn tell_first_verdicts(&mut self) {
        self.events.push_back(Event::FirstVerdicts { announced: self.routes.len() });
    }

    /// Runs one step of a service's machine, then brings timers, routes and events up to date.
    pub(super) fn step(
        &mut self,
        vip: IpAddr,
        act: impl FnOnce(&mut Service, &ServiceConfig, Instant, &mut dyn FnMut(Step)),
    ) {
        let Some(service) = self.services.get_mut(&vip) else {
            return;
        };
        let config = &self.catalog.entry(service.config).config;
        let forget_after = self.config.forget_after;
        if let Some(at) = service.deadline(forget_after) {
            self.timers.remove(&(at, vip));
        }
        let mut steps = [None; 3];
        let mut free = steps.iter_mut();
        let mut told = |step| {
            if let Some(slot) = free.next() {
                *slot = Some(step);
            }
        };
        act(service, config, self.now, &mut told);
        // A delay of zero is over at once.
        service.expire(self.now, &mut told);
        if let Some(at) = service.deadline(forget_after) {
            self.timers.insert((at, vip));
        }
        let verdict = service.verdict();
        let (decided, outcome) = (!service.is_undecided(), service.outcome());
        let (penalty, until) = (service.penalty(config, self.now), service.suppressed_until());
        let cause = self.cause(vip, verdict);
        for step in steps.into_iter().flatten() {
            let Verdict { health, reason, .. } = verdict;
            self.events.push_back(match step {
                Step::Health => Event::HealthChanged { vip, health, reason, cause: cause.clone() },
                Step::Suppressed => {
                    Event::Suppressed { vip, penalty, until: until.unwrap_or(self.now) }
                }
                Step::Released => Event::Released { vip },
            });
        }
        self.ask_guard(vip, outcome, cause.as_ref());
        self.settle(vip, cause);
        if decided && self.start.decided(vip) {
            self.tell_first_verdicts();
        }
    }

    /// The guard may hold what the checks withdraw; operators it never holds.
    fn ask_guard(&mut self, vip: IpAddr, reason: Reason, cause: Option<&Cause>) {
        let prefix = Prefix::host(vip);
        let Some(service) = self.services.get(&vip) else { return };
        let own = self.stand_by_checks(vip, service).announced;
        let name = &self.catalog.entry(service.config).config.name;
        let said = self.overrides.of(vip, name);
        let gone = said.down.is_some_and(|kind| kind != OverrideKind::Drain);
        if own || gone || said.up || self.stopping {
            self.guard.release(vip);
        } else if self.routes.get(prefix).is_some()
            && self.guard.held_since(vip).is_none()
            && !self.guard.lets_go(vip, self.now)
        {
            let until = self.guard.deadline().unwrap_or(self.now);
            let cause = cause.cloned();
            self.events.push_back(Event::WithdrawalHeld { prefix, reason, cause, until });
        }
    }

    /// Brings the route of a service up to date.
    pub(super) fn settle(&mut self, vip: IpAddr, cause: Option<Cause>) {
        let Some(service) = self.services.get(&vip) else { return };
        let stand = self.stand(vip, service);
        let announced = stand.announced && !self.stopping;
        if announced != self.routes.get(Prefix::host(vip)).is_some()
            && let Some(service) = self.services.get_mut(&vip)
        {
            service.mark(self.now);
        }
        if announced {
            self.announce(vip, stand);
        } else {
            self.withdraw(vip, stand.reason, cause);
        }
    }

    fn announce(&mut self, vip: IpAddr, stand: Stand) {
        let (prefix, next_hop) = (Prefix::host(vip), self.config.next_hop);
        let route = stand.route(next_hop);
        if self.routes.get(prefix) == Some(&route) {
            return;
        }
        self.routes.insert(prefix, route);
        self.routes_changed = true;
        let Stand { last_choice, reason, .. } = stand;
        self.events.push_back(Event::RouteAnnounced { prefix, next_hop, last_choice, reason });
    }

    pub(super) fn withdraw(&mut self, vip: IpAddr, reason: Reason, cause: Option<Cause>) {
        let prefix = Prefix::host(vip);
        if self.routes.remove(prefix).is_some() {
            self.routes_changed = true;
            self.events.push_back(Event::RouteWithdrawn { prefix, reason, cause });
        }
    }
}
