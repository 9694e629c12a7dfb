//! Why a prefix is, or is not, announced: a pure read of the engine.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::check::{CheckIndex, CheckKey, CheckState, Counting, Outcome};
use crate::config::CheckKind;
use crate::damping::DampingConfig;
use crate::engine::Engine;
use crate::listeners::Port;
use crate::net::{Prefix, never_announced};
use crate::overrides::Override;
use crate::reason::Reason;
use crate::rule::Rule;
use crate::service::{Health, Service};
use crate::time::Instant;

/// The whole answer to "why?".
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// The prefix that was asked for.
    pub prefix: Prefix,
    /// Whether it is in the desired set.
    pub announced: bool,
    /// What decides that at the moment.
    pub reason: Reason,
    /// The service behind it, when there is one.
    pub service: Option<ServiceExplanation>,
}

/// What there is to know of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceExplanation {
    /// What people call it; empty when nobody named it.
    pub name: Arc<str>,
    /// The allowed network it is in.
    pub network: Prefix,
    /// The verdict of its rule.
    pub health: Health,
    /// The check that decided it, by its place in `checks`.
    pub decider: Option<usize>,
    /// Since when it is announced, or not.
    pub since: Instant,
    /// How often it was announced or withdrawn.
    pub transitions: u64,
    /// It is, or would be, announced as the last choice.
    pub last_choice: bool,
    /// How the checks make the verdict.
    pub rule: RuleExplanation,
    /// Each check by itself, in the order of the rule.
    pub checks: Vec<CheckExplanation>,
    /// Checks without power want it withdrawn now, and how often they began to.
    pub shadow: (bool, u64),
    /// The ports on which it is served now.
    pub ports: Vec<Port>,
    /// With `require_all_ports`: the ports that are missing.
    pub ports_missing: Vec<Port>,
    /// When the running up or down delay is over.
    pub delay_until: Option<Instant>,
    /// How flap damping is configured; `None`: not at all.
    pub damping: Option<DampingConfig>,
    /// The damping penalty now.
    pub penalty: u64,
    /// Until when flap damping holds it, if it keeps calm.
    pub suppressed_until: Option<Instant>,
    /// What operators say of it, in the order in which they said it.
    pub overrides: Vec<Override>,
    /// Since when the guard holds it, and when there may be room to let it go.
    pub held: Option<(Instant, Instant)>,
    /// What would be if neither operators nor the guard had a say.
    pub own: (bool, Reason),
}

/// What there is to know of the guard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GuardExplanation {
    /// So many routes are held.
    pub held: usize,
    /// So often a route was held.
    pub vetoes: u64,
    /// So many withdrawals would be let through now; `None`: all.
    pub room: Option<usize>,
}

/// A part of a rule and what it says now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleExplanation {
    /// Which part.
    pub part: RulePart,
    /// What it says; `None` when nothing in it has power.
    pub outcome: Option<Outcome>,
    /// What it weighs in an `at-least`; 1 elsewhere.
    pub weight: u32,
    /// What it is made of.
    pub of: Vec<Self>,
}

/// What a part of a rule is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RulePart {
    /// A check, by its place in [`ServiceExplanation::checks`].
    Check(usize),
    /// `all(…)`.
    All,
    /// `any(…)`.
    Any,
    /// `at-least(n, …)`.
    AtLeast(u32),
    /// `not(…)`.
    Not,
}

/// One check of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CheckExplanation {
    /// What people call it.
    pub name: Arc<str>,
    /// Its verdict.
    pub outcome: Outcome,
    /// What that counts as in the rule; `None` for a check without power (shadow).
    pub counts_as: Option<Outcome>,
    /// What decided it.
    pub reason: Reason,
    /// For checks that are probed: what is known of it, and how results are counted.
    pub probe: Option<(CheckState, Counting)>,
}

impl Engine {
    /// Explains one prefix.
    pub fn explain(&self, prefix: Prefix, now: Instant) -> Explanation {
        let announced = self.routes.get(prefix).is_some();
        let service = if prefix.is_host() { self.services.get(&prefix.address()) } else { None };
        let reason = match service {
            Some(_) if self.stopping => Reason::Shutdown,
            Some(service) => self.stand(prefix.address(), service).reason,
            None if never_announced(prefix.address()).is_some() => Reason::NeverAnnounced,
            None if self.config.networks.iter().any(|net| net.covers(prefix)) => {
                Reason::NotDiscovered
            }
            None => Reason::OutsideNetworks,
        };
        let service = service.map(|service| self.explain_service(prefix.address(), service, now));
        Explanation { prefix, announced, reason, service }
    }

    /// What people call the service of an address; empty when nobody named it.
    pub fn service_name(&self, vip: IpAddr) -> Arc<str> {
        self.catalog.entry(self.catalog.number_of(vip)).config.name.clone()
    }

    /// What the guard has done and may still do.
    pub fn explain_guard(&self, now: Instant) -> GuardExplanation {
        GuardExplanation {
            held: self.guard.held(),
            vetoes: self.guard.vetoes(),
            room: self.guard.room(now),
        }
    }

    /// Explains every service, in the order of their addresses.
    pub fn explain_all(&self, now: Instant) -> impl Iterator<Item = Explanation> + '_ {
        self.services.keys().map(move |vip| self.explain(Prefix::host(*vip), now))
    }

    fn explain_service(&self, vip: IpAddr, service: &Service, now: Instant) -> ServiceExplanation {
        let ports = self.listeners.ports_on(vip);
        let ports_missing =
            service.ports_required().filter(|port| !ports.contains(port)).copied().collect();
        let config = &self.catalog.entry(service.config).config;
        let mut indices: Vec<CheckIndex> = Vec::new();
        config.rule.for_each(&mut |index| {
            if !indices.contains(index) {
                indices.push(*index);
            }
        });
        let checks: Vec<CheckExplanation> =
            indices.iter().map(|index| self.explain_check(*index, vip, service)).collect();
        let verdict = service.verdict();
        let place = |wanted: &CheckIndex| indices.iter().position(|index| index == wanted);
        let power = |index: &CheckIndex| checks.get(place(index)?)?.counts_as;
        let decider = config.rule.judge(&mut |index| power(index)).map(|(_, index)| index);
        ServiceExplanation {
            name: Arc::clone(&config.name),
            network: service.network,
            health: verdict.health,
            decider: decider.and_then(place),
            since: service.since(),
            transitions: service.transitions(),
            last_choice: self.stand(vip, service).last_choice,
            rule: explain_rule(&config.rule, 1, &checks, &place),
            checks,
            shadow: service.shadow(),
            ports: ports.into_iter().collect(),
            ports_missing,
            delay_until: service.delay_until(),
            damping: config.damping,
            penalty: service.penalty(config, now),
            suppressed_until: service.suppressed_until(),
            overrides: self.overrides.meaning(vip, &config.name).cloned().collect(),
            held: self
                .guard
                .held_since(vip)
                .map(|since| (since, self.guard.deadline().unwrap_or(now).max(now))),
            own: {
                let own = self.stand_by_checks(vip, service);
                (own.announced, own.reason)
            },
        }
    }

    fn explain_check(&self, index: CheckIndex, vip: IpAddr, service: &Service) -> CheckExplanation {
        let Some(check) = self.catalog.check(index) else {
            return CheckExplanation {
                name: Arc::from(""),
                outcome: Outcome::Unknown,
                counts_as: None,
                reason: Reason::CheckPending,
                probe: None,
            };
        };
        let (outcome, reason) = self.look(index, check, vip, service);
        let probe = match check.kind {
            CheckKind::Probe { per_vip, counting } => {
                let key = CheckKey { check: index, vip: per_vip.then_some(vip) };
                self.checks.state(key).map(|state| (state.clone(), counting))
            }
            CheckKind::Listen { .. } | CheckKind::Address { .. } => None,
        };
        CheckExplanation {
            name: Arc::clone(&check.name),
            outcome,
            counts_as: (!check.shadow).then(|| self.counted(index, check, vip, service).0),
            reason,
            probe,
        }
    }
}

fn explain_rule(
    rule: &Rule<CheckIndex>,
    weight: u32,
    checks: &[CheckExplanation],
    place: &dyn Fn(&CheckIndex) -> Option<usize>,
) -> RuleExplanation {
    let power = |index: &CheckIndex| checks.get(place(index)?)?.counts_as;
    let outcome = rule.judge(&mut |index| power(index)).map(|(outcome, _)| outcome);
    let each = |rules: &[Rule<CheckIndex>]| {
        rules.iter().map(|rule| explain_rule(rule, 1, checks, place)).collect()
    };
    let (part, of) = match rule {
        Rule::Check(index) => (RulePart::Check(place(index).unwrap_or_default()), Vec::new()),
        Rule::All(rules) => (RulePart::All, each(rules)),
        Rule::Any(rules) => (RulePart::Any, each(rules)),
        Rule::AtLeast { needed, of } => {
            let of = of.iter().map(|(weight, rule)| explain_rule(rule, *weight, checks, place));
            (RulePart::AtLeast(*needed), of.collect())
        }
        Rule::Not(rule) => (RulePart::Not, each(core::slice::from_ref(rule))),
    };
    RuleExplanation { part, outcome, weight, of }
}
