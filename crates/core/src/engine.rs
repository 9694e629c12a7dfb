//! The engine: all state, one owner, a function of (state, input, now).
//!
//! The contract, in this order, for every input:
//!
//! 1. [`Engine::handle`] one [`Input`];
//! 2. [`Engine::poll_output`] until it returns `None`;
//! 3. sleep until [`Engine::poll_timeout`] (then hand in [`Input::Timeout`]) or the next input.
//!
//! `now` never goes backwards. Timers fire only on [`Input::Timeout`]: a shell that was frozen can
//! hand in what happened meanwhile before it lets late timers fire, so that a service which is
//! back is not withdrawn.

use alloc::boxed::Box;
use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::addresses::{AddressFilter, Addresses, spans_prefix};
use crate::catalog::Catalog;
use crate::check::{CheckKey, Counting};
use crate::checks::Checks;
use crate::config::{CheckKind, EngineConfig, OnFailure};
use crate::event::Event;
use crate::fact::{ListenAddress, Listener, LocalAddress, Observation, SocketId, Source};
use crate::guard::Guard;
use crate::listeners::Listeners;
use crate::net::{NextHop, Prefix, never_announced};
use crate::overrides::{Override, OverrideKind, Overrides, Scope};
use crate::reason::Reason;
use crate::route::{Route, RouteSet};
use crate::service::{Health, Service};
use crate::sources::Sources;
use crate::start::Start;
use crate::time::Instant;

mod checkpoint;
mod judge;
mod reconfigure;

pub use self::reconfigure::PlannedChange;

/// What the engine is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// An observer reports.
    Observation(Observation),
    /// The process before announced these a moment ago, in this boot: those whose first verdict,
    /// made before `until`, is good need no up delay. To be said first.
    Remember {
        /// What was announced.
        vips: Vec<IpAddr>,
        /// Until when that counts.
        until: Instant,
    },
    /// Another configuration counts from now on. Services, and checks whose numbers and kinds stay,
    /// keep their state.
    Reconfigure(Box<EngineConfig>),
    /// What operators say over the heads of the checks: all of it, instead of what was said before.
    SetOverrides(Vec<Override>),
    /// Forget what flap damping has counted.
    ResetDamping(Scope),
    /// The moment of [`Engine::poll_timeout`] has come.
    Timeout,
    /// The program stops: withdraw everything, announce nothing more.
    Shutdown,
}

/// What the engine wants done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// The whole desired set changed; this is the newest one.
    SetRoutes(RouteSet),
    /// Other checks are to be probed than before: [`Engine::checks`] has them all.
    SetChecks,
    /// Something happened.
    Event(Event),
}

/// Whether a service is to be announced, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stand {
    pub(crate) announced: bool,
    pub(crate) last_choice: bool,
    pub(crate) draining: bool,
    pub(crate) reason: Reason,
}

impl Stand {
    /// The route, where it is announced.
    pub(crate) const fn route(&self, next_hop: NextHop) -> Route {
        Route { next_hop, last_choice: self.last_choice, draining: self.draining }
    }
}

/// The decision engine.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) config: EngineConfig,
    pub(crate) filter: AddressFilter,
    pub(crate) listeners: Listeners,
    pub(crate) addresses: Addresses,
    pub(crate) sources: Sources,
    pub(crate) catalog: Catalog,
    pub(crate) checks: Checks,
    pub(crate) services: BTreeMap<IpAddr, Service>,
    /// The deadline of each service that has one, earliest first.
    timers: BTreeSet<(Instant, IpAddr)>,
    pub(crate) routes: RouteSet,
    routes_changed: bool,
    events: VecDeque<Event>,
    pub(crate) stopping: bool,
    start: Start,
    pub(crate) overrides: Overrides,
    pub(crate) guard: Guard,
    /// The refusal of a service is told once until there is room again.
    refusal_told: bool,
    now: Instant,
}

impl Engine {
    /// An engine that knows nothing yet and announces nothing. Services that the configuration
    /// names are there from the start: drain [`Engine::poll_output`].
    pub fn new(config: EngineConfig, now: Instant) -> Self {
        let mut engine = Self {
            filter: AddressFilter::new(config.devices.clone(), config.labels.clone()),
            catalog: Catalog::new(&config),
            checks: Checks::default(),
            guard: Guard::new(config.guard),
            overrides: Overrides::default(),
            config,
            listeners: Listeners::default(),
            addresses: Addresses::default(),
            sources: Sources::default(),
            services: BTreeMap::new(),
            timers: BTreeSet::new(),
            routes: RouteSet::new(),
            routes_changed: false,
            events: VecDeque::new(),
            stopping: false,
            start: Start::default(),
            refusal_told: false,
            now,
        };
        for vip in engine.catalog.vips() {
            engine.discover(vip);
        }
        engine
    }

    /// Applies one input. Drain [`Engine::poll_output`] afterwards.
    pub fn handle(&mut self, input: Input, now: Instant) {
        debug_assert!(now >= self.now, "time went backwards");
        self.now = now.max(self.now);
        let fired = matches!(input, Input::Timeout);
        match input {
            Input::Observation(observation) => self.observe(observation),
            Input::Remember { vips, until } => self.remember(vips, until),
            Input::Reconfigure(config) => self.reconfigure(*config),
            Input::SetOverrides(list) => self.set_overrides(list),
            Input::ResetDamping(scope) => self.reset_damping(&scope),
            Input::Timeout => self.expire(),
            Input::Shutdown => self.shutdown(),
        }
        self.check_invariants(fired);
    }

    /// The next thing to do: the newest desired set first, then events in their order.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.routes_changed {
            self.routes_changed = false;
            return Some(Output::SetRoutes(self.routes.clone()));
        }
        if self.checks.take_changed() {
            return Some(Output::SetChecks);
        }
        self.events.pop_front().map(Output::Event)
    }

    /// When to hand in [`Input::Timeout`], if nothing else comes first.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let service = self.timers.first().map(|(at, _)| *at);
        let source = self.sources.deadline(self.config.unknown_after);
        // Where there is room already, now is soon enough.
        let room = self.guard.deadline().map(|at| at.max(self.now));
        let over = self.overrides.deadline();
        [service, source, over, room].into_iter().flatten().min()
    }

    /// The configuration that counts.
    pub const fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// The desired set as it is now.
    pub const fn routes(&self) -> &RouteSet {
        &self.routes
    }

    /// True when every service that was there at the first complete look has been judged, and the
    /// desired set is therefore all that is up.
    pub const fn has_first_verdicts(&self) -> bool {
        self.start.is_done()
    }

    /// The VIPs of the services that an override of this scope is for.
    pub fn services_in(&self, scope: &Scope) -> Vec<IpAddr> {
        self.meant(scope)
    }

    /// The addresses of this host, as far as they are known; some may come twice.
    pub fn local_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.addresses.iter().map(|address| address.id.ip)
    }

    /// The checks that are to be probed.
    pub fn checks(&self) -> impl Iterator<Item = CheckKey> + '_ {
        self.checks.keys()
    }

    /// What was announced a moment ago: what the configuration named is judged again by that.
    fn remember(&mut self, vips: Vec<IpAddr>, until: Instant) {
        for vip in &vips {
            if let Some(service) = self.services.get_mut(vip) {
                service.forget_verdict();
            }
        }
        self.start.remember(vips, until);
        self.judge_all();
    }

    fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::ListenerOpened(listener) => self.listener_opened(listener),
            Observation::ListenerClosed(id) => self.listener_closed(id),
            Observation::AddressChanged(address) => {
                let touched = address.clone();
                let before = self.addresses.change(address);
                self.address_touched(&touched, before.as_ref());
            }
            Observation::AddressRemoved(id) => {
                if let Some(address) = self.addresses.remove(id) {
                    self.address_touched(&address, None);
                }
            }
            Observation::Complete(source) => {
                if let Some(event) = self.sources.complete(source, self.now) {
                    self.events.push_back(event);
                    self.judge_all();
                    self.look_around();
                }
            }
            Observation::Probed { check, result } => self.probed(check, result),
            Observation::Failed { source, error } => {
                if self.sources.failed(source, self.now) {
                    self.events.push_back(Event::SourceFailed { source, error });
                }
            }
        }
    }

    fn listener_opened(&mut self, listener: Listener) {
        let before = self.listeners.close(listener.id);
        self.listeners.open(listener);
        if before == Some(listener) {
            return;
        }
        match listener.address {
            ListenAddress::Address(vip) => {
                self.discover(vip);
            }
            ListenAddress::AnyV4 | ListenAddress::AnyV6Only | ListenAddress::AnyDual => {
                let served: BTreeSet<IpAddr> = self
                    .addresses
                    .iter()
                    .filter(|address| listener.address.serves(address.id.ip))
                    .filter(|address| self.filter.admits(address))
                    .map(|address| address.id.ip)
                    .collect();
                for vip in served {
                    self.discover(vip);
                }
            }
        }
        for vip in self.served_by(listener.address) {
            if self.config.require_all_ports
                && let Some(service) = self.services.get_mut(&vip)
            {
                service.require_port((listener.id.protocol, listener.port));
            }
            self.judge(vip);
        }
        // A socket that moved: what it served before has lost it.
        for vip in before.map_or_else(Vec::new, |before| self.served_by(before.address)) {
            self.judge(vip);
        }
    }

    fn listener_closed(&mut self, id: SocketId) {
        let Some(listener) = self.listeners.close(id) else {
            return;
        };
        for vip in self.served_by(listener.address) {
            self.judge(vip);
        }
    }

    /// The services that a socket bound to `address` serves, and perhaps an address that is none.
    fn served_by(&self, address: ListenAddress) -> Vec<IpAddr> {
        match address {
            // Where it is no service, there is nothing to judge.
            ListenAddress::Address(vip) => [vip].into(),
            ListenAddress::AnyV4 | ListenAddress::AnyV6Only | ListenAddress::AnyDual => {
                self.services.keys().copied().filter(|vip| address.serves(*vip)).collect()
            }
        }
    }

    fn address_touched(&mut self, address: &LocalAddress, before: Option<&LocalAddress>) {
        let vip = address.id.ip;
        if self.listeners.wildcard_on(vip) && self.filter.admits(address) {
            self.discover(vip);
        }
        self.judge(vip);
        // An entry like 127.0.0.1/8 on lo decides about its whole prefix.
        if (spans_prefix(address) || before.is_some_and(spans_prefix))
            && let Some(prefix) = Prefix::truncating(vip, address.id.prefix_length)
        {
            let inside: Vec<IpAddr> =
                self.services.keys().copied().filter(|vip| prefix.contains(*vip)).collect();
            for vip in inside {
                self.judge(vip);
            }
        }
    }

    /// Makes `vip` a service if the configuration allows it and it is none yet.
    fn discover(&mut self, vip: IpAddr) {
        if self.stopping || never_announced(vip).is_some() {
            return;
        }
        let Some(network) = self.config.networks.containing(vip) else {
            return;
        };
        let services_max = self.config.services_max;
        if self.services.len() >= services_max && !self.services.contains_key(&vip) {
            if !self.refusal_told {
                self.refusal_told = true;
                self.events.push_back(Event::ServiceRefused { vip, services_max });
            }
            return;
        }
        let Entry::Vacant(entry) = self.services.entry(vip) else {
            return;
        };
        let config = self.catalog.number_of(vip);
        let service = entry.insert(Service::new(network, config, self.now));
        if self.config.require_all_ports {
            for port in self.listeners.ports_on(vip) {
                service.require_port(port);
            }
        }
        let next_hop = self.config.next_hop;
        self.events.push_back(Event::ServiceDiscovered { vip, network, next_hop });
        for (key, counting) in self.probes_of(vip, config) {
            self.checks.join(key, vip, &counting, self.now);
        }
        self.judge(vip);
    }

    /// The checks that are probed for a VIP.
    fn probes_of(&self, vip: IpAddr, config: usize) -> Vec<(CheckKey, Counting)> {
        let indices = self.catalog.entry(config).probes.iter();
        let keys = indices.filter_map(|index| match self.catalog.check(*index)?.kind {
            CheckKind::Probe { per_vip, counting } => {
                let key = CheckKey { check: *index, vip: per_vip.then_some(vip) };
                Some((key, counting))
            }
            CheckKind::Listen { .. } | CheckKind::Address { .. } => None,
        });
        keys.collect()
    }

    fn expire(&mut self) {
        while let Some(&(at, vip)) = self.timers.first()
            && at <= self.now
        {
            let forget = self.services.get(&vip).is_none_or(|service| {
                service.forget_at(self.config.forget_after).is_some_and(|at| at <= self.now)
            });
            if forget && self.routes.get(Prefix::host(vip)).is_some() {
                // The guard, an operator or `on-failure` keeps it: it is looked at again later.
                self.step(vip, |service, _, now, _| {
                    service.set_idle(false, now);
                    service.set_idle(true, now);
                });
            } else if forget {
                self.timers.remove(&(at, vip));
                if let Some(service) = self.services.remove(&vip) {
                    for (key, _) in self.probes_of(vip, service.config) {
                        self.checks.leave(key, vip);
                    }
                    self.guard.release(vip);
                    self.refusal_told = false;
                    self.events.push_back(Event::ServiceForgotten { vip });
                }
            } else {
                self.step(vip, |service, _, now, told| service.expire(now, told));
            }
        }
        for over in self.overrides.expire(self.now) {
            let scope = over.scope.clone();
            self.events.push_back(Event::OverrideEnded(over));
            self.step_all(&scope);
        }
        while let Some(vip) = self.guard.next(self.now) {
            // It has its place in the window: the guard is not asked again.
            let verdict = self.services.get(&vip).map(Service::verdict);
            let cause = verdict.and_then(|verdict| self.cause(vip, verdict));
            self.settle(vip, cause);
        }
        for source in Source::ALL {
            if self.sources.expire(source, self.config.unknown_after, self.now) {
                self.events.push_back(Event::SourceUnknown { source });
                self.judge_all();
            }
        }
    }

    /// What its checks alone make of a service.
    pub(crate) fn stand_by_checks(&self, vip: IpAddr, service: &Service) -> Stand {
        let config = &self.catalog.entry(service.config).config;
        let announced = |last_choice, reason| Stand {
            announced: true,
            last_choice,
            draining: false,
            // A delay, or what is not known, says more.
            reason: match service.outcome() {
                reason @ (Reason::UpDelay | Reason::Starting) => reason,
                other if service.verdict().health == Health::Unknown => other,
                _ => reason,
            },
        };
        match config.on_failure {
            // Where the VIP is not even an address of this host, nobody is served by its route.
            OnFailure::Depreference if service.is_down() && self.is_here(vip) => {
                announced(true, Reason::Depreferenced)
            }
            OnFailure::Absorb if service.is_down() && service.was_up() && self.is_here(vip) => {
                announced(false, Reason::Absorbed)
            }
            OnFailure::Withdraw | OnFailure::Depreference | OnFailure::Absorb => Stand {
                announced: service.announced(),
                last_choice: service.is_last_choice(config),
                draining: false,
                reason: service.outcome(),
            },
        }
    }

    pub(crate) fn is_here(&self, vip: IpAddr) -> bool {
        self.addresses.objection(vip, &self.filter).is_none()
    }

    /// What the checks, the guard and the operators together make of a service.
    pub(crate) fn stand(&self, vip: IpAddr, service: &Service) -> Stand {
        let config = &self.catalog.entry(service.config).config;
        let said = self.overrides.of(vip, &config.name);
        let stand = |announced, last_choice, reason| {
            let draining = reason == Reason::Draining;
            Stand { announced, last_choice, draining, reason }
        };
        let gone = |reason| stand(false, false, reason);
        let own = self.stand_by_checks(vip, service);
        let up = if said.up {
            let last_choice = own.announced && own.last_choice;
            stand(true, last_choice, Reason::ForceUp)
        } else if !own.announced && self.guard.held_since(vip).is_some() {
            stand(true, true, Reason::Guard)
        } else {
            own
        };
        match said.down {
            Some(OverrideKind::ForceDown) => gone(Reason::ForceDown),
            Some(OverrideKind::Maintenance) => gone(Reason::Maintenance),
            Some(OverrideKind::Drained) => gone(Reason::Drained),
            Some(OverrideKind::Drain) if up.announced => stand(true, true, Reason::Draining),
            Some(OverrideKind::Drain | OverrideKind::ForceUp) | None => up,
        }
    }

    fn shutdown(&mut self) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        self.start.finish();
        let mut announced = Vec::new();
        self.routes.for_each(&mut |prefix, _| announced.push(prefix));
        for prefix in announced {
            if let Some(service) = self.services.get_mut(&prefix.address()) {
                service.mark(self.now);
            }
            self.withdraw(prefix.address(), Reason::Shutdown, None);
        }
    }

    /// What must hold after every input; checked in debug builds.
    fn check_invariants(&self, fired: bool) {
        // The whole look is O(n): in big tests it would hide what the tests are about.
        if !cfg!(debug_assertions) || self.services.len() > 64 {
            return;
        }
        let mut wanted = RouteSet::new();
        for (vip, service) in &self.services {
            debug_assert!(never_announced(*vip).is_none(), "{vip} may never be a service");
            debug_assert!(self.config.networks.containing(*vip) == Some(service.network));
            let deadline = service.deadline(self.config.forget_after);
            // Between timers an input may come first, after a freeze for instance.
            let passed = deadline.is_some_and(|at| at <= self.now);
            debug_assert!(!(fired && passed), "{vip} missed its deadline");
            debug_assert!(deadline.is_none_or(|at| self.timers.contains(&(at, *vip))));
            debug_assert_eq!(
                service.verdict(),
                self.verdict(*vip, service, false),
                "{vip} is out of date"
            );
            let stand = self.stand(*vip, service);
            if stand.announced && !self.stopping {
                wanted.insert(Prefix::host(*vip), stand.route(self.config.next_hop));
            }
        }
        debug_assert_eq!(self.routes, wanted, "the desired set is what the services say");
        debug_assert!(self.timers.len() <= self.services.len(), "at most one timer a service");
        debug_assert!(self.services.len() <= self.config.services_max);
    }
}
