//! What lints look at: settings, each with the text it came from, and this host.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ha2bgp_core::check::CheckIndex;
use ha2bgp_core::config::{CheckConfig, ServiceConfig};
use ha2bgp_core::net::Prefix;

use super::super::host::{Host, OwnAddress};
use super::super::origin::Written;
use super::super::peer::PeerSettings;
use super::super::raw::{CheckSection, Raw, Section, ServiceSection};
use super::super::settings::Settings;
use crate::observe::check::CheckSpec;

/// Settings, their text, and the host.
pub(super) struct View<'a> {
    pub(super) raw: &'a Raw,
    pub(super) settings: &'a Settings,
    pub(super) host: &'a Host<'a>,
    /// The addresses of this host; nothing where it does not tell.
    pub(super) addresses: Option<Vec<OwnAddress>>,
    /// The addresses by themselves, to find those of many VIPs.
    by_ip: BTreeMap<IpAddr, Vec<usize>>,
}

/// A service and its text.
#[derive(Clone, Copy)]
pub(super) struct Service<'a> {
    pub(super) section: &'a ServiceSection,
    pub(super) config: &'a ServiceConfig,
}

/// A check that a service uses, and its text.
pub(super) struct Check<'a> {
    pub(super) section: &'a CheckSection,
    pub(super) config: &'a CheckConfig,
    pub(super) spec: &'a CheckSpec,
}

impl<'a> View<'a> {
    pub(super) fn new(raw: &'a Raw, settings: &'a Settings, host: &'a Host<'a>) -> Self {
        let addresses = (host.addresses)();
        let mut by_ip: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
        for (index, own) in addresses.iter().flatten().enumerate() {
            by_ip.entry(own.ip).or_default().push(index);
        }
        Self { raw, settings, host, addresses, by_ip }
    }

    /// The services, in the order of the text.
    pub(super) fn services(&self) -> impl Iterator<Item = Service<'a>> {
        let sections = self.raw.services.iter();
        let services = sections.zip(&self.settings.engine.services);
        services.map(|(section, config)| Service { section, config })
    }

    /// The peers of the speaker, in the order of the text.
    pub(super) fn peers(&self) -> impl Iterator<Item = (&'a Section, &'a PeerSettings)> {
        let peers = self.settings.speaker.iter().flat_map(|speaker| &speaker.peers);
        self.raw.peers.iter().zip(peers)
    }

    /// A check as the engine knows it.
    pub(super) fn check(&self, index: CheckIndex) -> Option<&'a CheckConfig> {
        self.settings.engine.checks.get(&index)
    }

    /// The probed checks that a service's rule names, each once.
    pub(super) fn checks(&self, service: Service<'a>) -> Vec<Check<'a>> {
        let mut indexes = Vec::new();
        service.config.rule.for_each(&mut |index| {
            if !indexes.contains(index) {
                indexes.push(*index);
            }
        });
        let found = indexes.into_iter().filter_map(|index| {
            let config = self.check(index)?;
            let specs = &self.settings.checks;
            let spec = specs.specs.get(&specs.of.get(&index)?.0)?;
            let named = |check: &&CheckSection| check.name.text == *config.name;
            let own = service.section.checks.iter().find(named);
            let section = own.or_else(|| self.raw.checks.iter().find(named))?;
            Some(Check { section, config, spec })
        });
        found.collect()
    }

    /// The VIPs that are written down, each with its place and service.
    pub(super) fn vips(&self) -> impl Iterator<Item = (&'a Written, IpAddr, Service<'a>)> {
        self.services().flat_map(|service| {
            let written = service.section.section.values.all("vips").iter();
            written.filter_map(move |at| {
                let vip: IpAddr = at.text.parse().ok()?;
                Some((at, vip.to_canonical(), service))
            })
        })
    }

    /// The entries of this host that provide an address; nothing when that cannot be told.
    pub(super) fn providing(&self, ip: IpAddr) -> Option<Vec<&OwnAddress>> {
        let all = self.addresses.as_ref()?;
        let exact = self.by_ip.get(&ip).into_iter().flatten().filter_map(|index| all.get(*index));
        let spans = |own: &&OwnAddress| own.loopback && own.ip != ip && own.provides(ip);
        Some(exact.chain(all.iter().filter(spans)).collect())
    }

    /// The service addresses on loopback interfaces: the VIPs that are written down, and what would be
    /// discovered; each with the text that makes it one.
    pub(super) fn on_loopback(&self) -> Vec<(&'a Written, IpAddr)> {
        let mut known = BTreeSet::new();
        let mut found: Vec<(&Written, IpAddr)> = Vec::new();
        for (at, vip, _) in self.vips() {
            if self.providing(vip).is_some_and(|own| own.iter().any(|own| own.loopback)) {
                known.insert(vip);
                found.push((at, vip));
            }
        }
        let networks = self.raw.values.all("network").iter();
        let networks: Vec<(&Written, Prefix)> =
            networks.filter_map(|at| Some((at, at.text.parse().ok()?))).collect();
        for own in self.addresses.iter().flatten().filter(|own| own.loopback) {
            let network = networks.iter().find(|(_, network)| network.contains(own.ip));
            if let (Some((at, _)), false) = (network, own.ip.is_loopback())
                && known.insert(own.ip)
            {
                found.push((at, own.ip));
            }
        }
        found
    }
}
