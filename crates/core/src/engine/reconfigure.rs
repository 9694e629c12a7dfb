//! Another configuration, and overrides, while the engine runs: what stays the same is not touched.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::{Engine, Input};
use crate::addresses::AddressFilter;
use crate::catalog::Catalog;
use crate::check::CheckKey;
use crate::config::{EngineConfig, OnFailure};
use crate::event::Event;
use crate::net::Prefix;
use crate::overrides::{Override, OverrideKind, Scope};
use crate::reason::Reason;
use crate::route::Route;
use crate::service::Service;
use crate::time::Instant;

/// For so long checks that are new to an announced service must not have been made.
const SETTLE: Duration = Duration::from_secs(60);

/// What another configuration would make of a prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlannedChange {
    /// The prefix.
    pub prefix: Prefix,
    /// How it is announced now.
    pub before: Option<Route>,
    /// How it would be.
    pub after: Option<Route>,
    /// When that would be, if nothing else happens; `None`: at once.
    pub at: Option<Instant>,
    /// Why it would be so.
    pub reason: Reason,
}

impl Engine {
    /// Makes another configuration count. Services stay as they are as far as it has them; checks
    /// whose numbers and kinds are the same keep their results.
    pub(super) fn reconfigure(&mut self, config: EngineConfig) {
        if self.stopping || config == self.config {
            return;
        }
        let catalog = Catalog::new(&config);
        // By themselves, whatever operators make of it: what they hold down may come back, and what
        // they force up is not taken for up.
        let up = self.services.iter().filter(|(_, service)| service.announced());
        self.start.remember_more(up.map(|(vip, _)| *vip), self.now, SETTLE);
        // What was probed for whom, by the configuration before.
        let vips: Vec<IpAddr> = self.services.keys().copied().collect();
        let before: Vec<(IpAddr, BTreeSet<CheckKey>)> =
            vips.iter().map(|vip| (*vip, self.probes_for(*vip))).collect();
        let old = core::mem::replace(&mut self.catalog, catalog);
        self.filter = AddressFilter::new(config.devices.clone(), config.labels.clone());
        self.guard.set(config.guard);
        self.config = config;
        self.timers.clear();
        for (vip, before) in &before {
            match self.config.networks.containing(*vip) {
                Some(network) => self.adopt(*vip, network, before, &old),
                None => self.drop_service(*vip),
            }
        }
        let deadline = |(vip, service): (&IpAddr, &Service)| {
            Some((service.deadline(self.config.forget_after)?, *vip))
        };
        self.timers = self.services.iter().filter_map(deadline).collect();
        for vip in self.catalog.vips() {
            self.discover(vip);
        }
        for vip in self.listeners_everywhere() {
            self.discover(vip);
        }
        // Only now: what another service uses from now on keeps what is known of it.
        for (vip, before) in &before {
            let after = self.probes_for(*vip);
            before.difference(&after).for_each(|key| self.checks.leave(*key, *vip));
        }
        self.judge_all();
        self.look_around();
        let services = self.services.len();
        self.events.push_back(Event::Reconfigured { services });
    }

    /// A service that the new configuration has too.
    fn adopt(&mut self, vip: IpAddr, network: Prefix, before: &BTreeSet<CheckKey>, old: &Catalog) {
        let number = self.catalog.number_of(vip);
        let all_ports = self.config.require_all_ports;
        let now_listening = if all_ports { self.listeners.ports_on(vip) } else { BTreeSet::new() };
        let Some(service) = self.services.get_mut(&vip) else { return };
        let number_before = core::mem::replace(&mut service.config, number);
        service.network = network;
        if all_ports {
            now_listening.into_iter().for_each(|port| service.require_port(port));
        } else {
            service.require_no_ports();
        }
        let damping = self.catalog.entry(number).config.damping;
        let damping_before = old.entry(number_before).config.damping;
        if damping != damping_before
            && service.set_damping(damping_before.as_ref(), damping.as_ref(), self.now)
        {
            self.events.push_back(Event::Released { vip });
        }
        let after = self.probes_of(vip, number);
        for (key, counting) in &after {
            if !before.contains(key) {
                self.checks.join(*key, vip, counting, self.now);
            }
        }
    }

    /// A service that the new configuration does not allow.
    fn drop_service(&mut self, vip: IpAddr) {
        self.guard.release(vip);
        self.start.forget(vip);
        if self.services.remove(&vip).is_some() {
            self.withdraw(vip, Reason::OutsideNetworks, None);
            self.refusal_told = false;
            self.events.push_back(Event::ServiceForgotten { vip });
            if self.start.decided(vip) {
                self.tell_first_verdicts();
            }
        }
    }

    /// The checks that are probed for a service, by the configuration that counts.
    fn probes_for(&self, vip: IpAddr) -> BTreeSet<CheckKey> {
        let Some(service) = self.services.get(&vip) else { return BTreeSet::new() };
        self.probes_of(vip, service.config).into_iter().map(|(key, _)| key).collect()
    }

    /// Every address that something listens on.
    fn listeners_everywhere(&self) -> BTreeSet<IpAddr> {
        let mut vips: BTreeSet<IpAddr> = self.listeners.addresses().collect();
        let local = self.addresses.iter().filter(|address| self.filter.admits(address));
        vips.extend(local.map(|it| it.id.ip).filter(|vip| self.listeners.wildcard_on(*vip)));
        vips
    }

    /// What a configuration would change, as far as it is known now: nothing is changed by asking.
    /// In the order of the prefixes.
    pub fn plan(&self, config: EngineConfig, now: Instant) -> Vec<PlannedChange> {
        let mut then = self.clone();
        then.handle(Input::Reconfigure(alloc::boxed::Box::new(config)), now);
        let vips: BTreeSet<IpAddr> =
            self.services.keys().chain(then.services.keys()).copied().collect();
        vips.into_iter().filter_map(|vip| self.planned(&then, vip, now)).collect()
    }

    fn planned(&self, then: &Self, vip: IpAddr, now: Instant) -> Option<PlannedChange> {
        let prefix = Prefix::host(vip);
        let before = self.routes.get(prefix).copied();
        let at_once = then.routes.get(prefix).copied();
        let heading = |engine: &Self| engine.services.get(&vip).map(Service::heading);
        let reason = then.explain(prefix, now).reason;
        if before != at_once {
            return Some(PlannedChange { prefix, before, after: at_once, at: None, reason });
        }
        // A delay begins, and operators have nothing against what comes then.
        let (announced, at) = heading(then)?;
        if heading(self).is_some_and(|(before, _)| before == announced) {
            return None;
        }
        let service = then.services.get(&vip)?;
        let config = &then.catalog.entry(service.config).config;
        let said = then.overrides.of(vip, &config.name);
        let drains = said.down == Some(OverrideKind::Drain);
        if said.up || (said.down.is_some() && !drains) {
            return None;
        }
        let stays = |last_choice| {
            let last_choice = last_choice || drains;
            Some(Route { next_hop: then.config.next_hop, last_choice, draining: drains })
        };
        let after = match config.on_failure {
            _ if announced => stays(service.is_last_choice(config)),
            OnFailure::Depreference if then.is_here(vip) => stays(true),
            OnFailure::Absorb if then.is_here(vip) => before,
            OnFailure::Withdraw | OnFailure::Depreference | OnFailure::Absorb => None,
        };
        let change = PlannedChange { prefix, before, after, at: Some(at?), reason };
        (after != before).then_some(change)
    }

    /// Takes the whole list of overrides.
    pub(super) fn set_overrides(&mut self, list: Vec<Override>) {
        self.overrides.set(list, self.now);
        self.step_all(&Scope::All);
    }

    /// Forgets what flap damping has counted.
    pub(super) fn reset_damping(&mut self, scope: &Scope) {
        for vip in self.meant(scope) {
            self.step(vip, |service, _, _, told| service.reset_damping(told));
        }
    }

    /// Brings everything of these services up to date.
    pub(super) fn step_all(&mut self, scope: &Scope) {
        for vip in self.meant(scope) {
            self.step(vip, |_, _, _, _| {});
        }
    }

    pub(super) fn meant(&self, scope: &Scope) -> Vec<IpAddr> {
        let name = |number| &*self.catalog.entry(number).config.name;
        let meant =
            self.services.iter().filter(|(vip, service)| scope.means(**vip, name(service.config)));
        meant.map(|(vip, _)| *vip).collect()
    }
}
