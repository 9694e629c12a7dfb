//! What the engine task counts for metrics, and hands out when it is asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::check::CheckIndex;
use ha2bgp_core::config::EngineConfig;
use ha2bgp_core::fact::Source;
use ha2bgp_core::rule::Rule;
use jiff::Timestamp;

use super::engine_task::EngineTask;
use crate::announce::Progress;
use crate::config::settings::{Backend, Settings};
use crate::control::metrics::measures::{
    CONFIGURED_TIMES_MAX, CheckTimes, Measures, PeerName, Queue, SERVICES_MAX,
};
use crate::histogram::Histogram;

/// What is counted while the program runs.
#[derive(Debug)]
pub(super) struct Meter {
    /// From an observation until it had changed the routes.
    observed_to_decided: Histogram,
    /// How long probes took, by check: as many as there are checks at most.
    probes: BTreeMap<CheckIndex, Histogram>,
    /// Reloads that count,
    reloaded: u64,
    /// and those that were refused.
    refused: u64,
    /// The last one was not refused.
    good: bool,
    /// When the configuration in force was made to count.
    loaded: Timestamp,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            observed_to_decided: Histogram::default(),
            probes: BTreeMap::new(),
            reloaded: 0,
            refused: 0,
            good: true,
            loaded: Timestamp::now(),
        }
    }

    /// An observation that is so old has changed the routes.
    pub(super) fn decided(&mut self, after: Duration) {
        self.observed_to_decided.record(after);
    }

    /// A probe took so long.
    pub(super) fn probed(&mut self, check: CheckIndex, took: Duration) {
        self.probes.entry(check).or_default().record(took);
    }

    /// A reload was accepted, or refused.
    pub(super) fn reload(&mut self, accepted: bool) {
        let count = if accepted { &mut self.reloaded } else { &mut self.refused };
        *count = count.saturating_add(1);
        self.good = accepted;
    }

    /// Another configuration counts: what was counted of checks that it does not have is forgotten.
    pub(super) fn put_in_force(&mut self, before: &EngineConfig, now: &EngineConfig) {
        self.loaded = Timestamp::now();
        self.probes.retain(|check, _| before.checks.get(check) == now.checks.get(check));
    }

    /// How long the probes of each configured service took.
    fn times(&self, config: &EngineConfig) -> Vec<CheckTimes> {
        let mut times = Vec::new();
        let services = config.services.iter().chain([&config.defaults]);
        for service in services {
            for index in checks_of(&service.rule) {
                let histogram = self.probes.get(&index);
                let check = config.checks.get(&index);
                if let Some((histogram, check)) = histogram.zip(check)
                    && times.len() < CONFIGURED_TIMES_MAX
                {
                    times.push(CheckTimes {
                        service: service.name.clone(),
                        check: check.name.clone(),
                        took: histogram.clone(),
                    });
                }
            }
        }
        // Two services may have no name: what goes out is one line each.
        times.sort_by(|a, b| (&a.service, &a.check).cmp(&(&b.service, &b.check)));
        times.dedup_by(|a, b| (&a.service, &a.check) == (&b.service, &b.check));
        times
    }
}

/// The checks that a rule names, each once.
fn checks_of(rule: &Rule<CheckIndex>) -> Vec<CheckIndex> {
    let mut indices = Vec::new();
    rule.for_each(&mut |index| {
        if !indices.contains(index) {
            indices.push(*index);
        }
    });
    indices
}

/// Who is told of routes, whatever they answer.
fn peers(settings: &Settings) -> Vec<PeerName> {
    match settings.backend {
        Backend::Speaker => {
            let peers = settings.speaker.iter().flat_map(|speaker| &speaker.peers);
            let name = |peer: &crate::config::peer::PeerSettings| PeerName {
                address: Some(peer.config.peer),
                name: peer.config.peer.to_string(),
                asn: peer.config.peer_as.to_string(),
                description: peer.description.clone().unwrap_or_default(),
            };
            peers.map(name).collect()
        }
        Backend::Exabgp => vec![PeerName::pipe("exabgp")],
        Backend::Test => vec![PeerName::pipe("stdout")],
    }
}

impl EngineTask {
    /// Everything that is exported and known here.
    pub(super) fn measures(&self) -> Measures {
        let settings = &self.configuration.settings;
        let now = self.clock.now();
        let announcer: Option<Progress> = self.ends.announcer.borrow().clone();
        let queue = |name, waiting: usize, limit: usize| Queue { name, waiting, limit };
        let (observations, questions) = (&self.observations, &self.ends.questions);
        let (told, told_limit) = self.ends.teller.waiting();
        Measures {
            now,
            wall: Timestamp::now(),
            services: Vec::new(),
            left_out: self.engine.services_len().saturating_sub(SERVICES_MAX),
            guard: self.engine.explain_guard(now),
            overrides: self.ledger.entries().iter().map(super::ledger::Entry::kind).collect(),
            complete: self.engine.has_first_verdicts(),
            draining: self.draining.is_some(),
            observed_to_decided: self.meter.observed_to_decided.clone(),
            check_times: self.meter.times(&settings.engine),
            peers: peers(settings),
            announcer,
            bfd: self.ends.bfd.borrow().clone(),
            looks: self.ends.looks.counts(),
            queues: vec![
                queue("observations", observations.len(), observations.max_capacity()),
                queue("questions", questions.len(), questions.max_capacity()),
                queue("events", told, told_limit),
            ],
            events_lost: self.ends.teller.lost(),
            reloads: (self.meter.reloaded, self.meter.refused),
            last_reload_good: self.meter.good,
            config: Arc::clone(&settings.in_force),
            config_loaded: self.meter.loaded,
            sights: Source::ALL.map(|source| (source, self.engine.sight(source))).into(),
        }
    }
}
