//! The listening sockets of this host, indexed by what they serve.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use crate::fact::{ListenAddress, Listener, Protocol, SocketId};

/// A port of one protocol.
pub type Port = (Protocol, u16);

/// How many sockets (members of a `SO_REUSEPORT` group) serve each port.
type Ports = BTreeMap<Port, u32>;

/// The table of matching listeners. Each operation is O(log n).
#[derive(Clone, Debug, Default)]
pub(crate) struct Listeners {
    by_id: BTreeMap<SocketId, Listener>,
    /// Those on one address.
    by_address: BTreeMap<IpAddr, Ports>,
    /// Those on a wildcard: three at most, and asked about with every address. Beside a hundred thousand
    /// others each of these questions would be a search.
    wildcards: BTreeMap<ListenAddress, Ports>,
}

impl Listeners {
    /// Takes in a listener that is not known yet.
    pub(crate) fn open(&mut self, listener: Listener) {
        let replaced = self.by_id.insert(listener.id, listener);
        debug_assert!(replaced.is_none(), "{listener} was known already");
        let ports = match listener.address {
            ListenAddress::Address(vip) => self.by_address.entry(vip).or_default(),
            wildcard => self.wildcards.entry(wildcard).or_default(),
        };
        *ports.entry((listener.id.protocol, listener.port)).or_default() += 1;
    }

    /// Drops a listener; returns it when it was known.
    pub(crate) fn close(&mut self, id: SocketId) -> Option<Listener> {
        let listener = self.by_id.remove(&id)?;
        self.uncount(&listener);
        Some(listener)
    }

    fn uncount(&mut self, listener: &Listener) {
        let found = match &listener.address {
            ListenAddress::Address(vip) => self.by_address.get_mut(vip),
            wildcard => self.wildcards.get_mut(wildcard),
        };
        let Some(ports) = found else { return };
        let port = (listener.id.protocol, listener.port);
        if let Some(count) = ports.get_mut(&port) {
            *count -= 1;
            if *count == 0 {
                ports.remove(&port);
            }
        }
        if !ports.is_empty() {
            return;
        }
        match &listener.address {
            ListenAddress::Address(vip) => self.by_address.remove(vip),
            wildcard => self.wildcards.remove(wildcard),
        };
    }

    /// What is served by sockets that are bound like this.
    fn ports(&self, bound: &ListenAddress) -> Option<&Ports> {
        match bound {
            ListenAddress::Address(vip) => self.by_address.get(vip),
            wildcard => self.wildcards.get(wildcard),
        }
    }

    /// True when at least one socket serves `vip`.
    pub(crate) fn any_on(&self, vip: IpAddr) -> bool {
        Self::ways_to(vip).iter().any(|way| self.ports(way).is_some())
    }

    /// The ports on which `vip` is served.
    pub(crate) fn ports_on(&self, vip: IpAddr) -> BTreeSet<Port> {
        Self::ways_to(vip)
            .iter()
            .filter_map(|way| self.ports(way))
            .flat_map(|ports| ports.keys().copied())
            .collect()
    }

    /// True when `port` of `vip` is served.
    pub(crate) fn has_port(&self, vip: IpAddr, port: Port) -> bool {
        Self::ways_to(vip)
            .iter()
            .any(|way| self.ports(way).is_some_and(|ports| ports.contains_key(&port)))
    }

    /// True when some socket is bound to a wildcard that serves the family of `vip`.
    pub(crate) fn wildcard_on(&self, vip: IpAddr) -> bool {
        Self::ways_to(vip).iter().skip(1).any(|way| self.wildcards.contains_key(way))
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Listener> + '_ {
        self.by_id.values().copied()
    }

    /// Every address that a socket is bound to.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.by_address.keys().copied()
    }

    /// The bound addresses through which `vip` can be reached; the specific one first.
    fn ways_to(vip: IpAddr) -> [ListenAddress; 3] {
        let family = match vip {
            IpAddr::V4(_) => ListenAddress::AnyV4,
            IpAddr::V6(_) => ListenAddress::AnyV6Only,
        };
        [ListenAddress::Address(vip), family, ListenAddress::AnyDual]
    }
}
