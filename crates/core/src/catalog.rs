//! Which configuration counts for which VIP.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::check::CheckIndex;
use crate::config::{CheckConfig, CheckKind, EngineConfig, ServiceConfig};
use crate::net::Prefix;

/// One configuration and what follows from it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) config: ServiceConfig,
    /// The checks of its rule that are probed, each once.
    pub(crate) probes: Vec<CheckIndex>,
    /// Its rule names checks without power.
    pub(crate) has_shadow: bool,
}

/// All configurations: the defaults first.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    entries: Vec<Entry>,
    checks: BTreeMap<CheckIndex, CheckConfig>,
    by_vip: BTreeMap<IpAddr, usize>,
    /// The longest prefix first.
    by_network: Vec<(Prefix, usize)>,
}

impl Catalog {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        let checks = config.checks.clone();
        let all = core::iter::once(&config.defaults).chain(&config.services);
        let entries: Vec<Entry> = all.map(|config| Entry::new(config.clone(), &checks)).collect();
        let mut by_vip = BTreeMap::new();
        let mut by_network = Vec::new();
        for (number, entry) in entries.iter().enumerate() {
            for vip in &entry.config.vips {
                by_vip.entry(*vip).or_insert(number);
            }
            by_network.extend(entry.config.networks.iter().map(|network| (*network, number)));
        }
        by_network.sort_by_key(|(network, _)| core::cmp::Reverse(network.len()));
        Self { entries, checks, by_vip, by_network }
    }

    /// The number of the configuration that counts for a VIP.
    pub(crate) fn number_of(&self, vip: IpAddr) -> usize {
        let network = || self.by_network.iter().find(|(network, _)| network.contains(vip));
        let named = self.by_vip.get(&vip).copied();
        named.or_else(|| network().map(|(_, number)| *number)).unwrap_or(0)
    }

    /// The configuration of that number; the defaults where there is none.
    pub(crate) fn entry(&self, number: usize) -> &Entry {
        // There is always the first one: it was made from `defaults`.
        self.entries.get(number).unwrap_or(&self.entries[0])
    }

    pub(crate) fn check(&self, index: CheckIndex) -> Option<&CheckConfig> {
        self.checks.get(&index)
    }

    /// The VIPs that are services from the start.
    pub(crate) fn vips(&self) -> Vec<IpAddr> {
        self.by_vip.keys().copied().collect()
    }

    /// True when the configuration itself makes this VIP a service.
    pub(crate) fn names(&self, vip: IpAddr) -> bool {
        self.by_vip.contains_key(&vip)
    }
}

impl Entry {
    fn new(config: ServiceConfig, checks: &BTreeMap<CheckIndex, CheckConfig>) -> Self {
        let mut probes = BTreeSet::new();
        let mut has_shadow = false;
        config.rule.for_each(&mut |index| {
            let Some(check) = checks.get(index) else { return };
            has_shadow |= check.shadow;
            if matches!(check.kind, CheckKind::Probe { .. }) {
                probes.insert(*index);
            }
        });
        Self { config, probes: probes.into_iter().collect(), has_shadow }
    }
}
