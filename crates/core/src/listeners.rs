//! The listening sockets of this host, indexed by what they serve.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use crate::fact::{ListenAddress, Listener, Protocol, SocketId};

/// A port of one protocol.
pub type Port = (Protocol, u16);

/// The table of matching listeners. Each operation is O(log n).
#[derive(Clone, Debug, Default)]
pub(crate) struct Listeners {
    by_id: BTreeMap<SocketId, Listener>,
    /// How many sockets (members of a `SO_REUSEPORT` group) serve each address and port.
    by_address: BTreeMap<ListenAddress, BTreeMap<Port, u32>>,
}

impl Listeners {
    /// Takes in a listener that is not known yet.
    pub(crate) fn open(&mut self, listener: Listener) {
        let replaced = self.by_id.insert(listener.id, listener);
        debug_assert!(replaced.is_none(), "{listener} was known already");
        let ports = self.by_address.entry(listener.address).or_default();
        *ports.entry((listener.id.protocol, listener.port)).or_default() += 1;
    }

    /// Drops a listener; returns it when it was known.
    pub(crate) fn close(&mut self, id: SocketId) -> Option<Listener> {
        let listener = self.by_id.remove(&id)?;
        self.uncount(&listener);
        Some(listener)
    }

    fn uncount(&mut self, listener: &Listener) {
        let Some(ports) = self.by_address.get_mut(&listener.address) else {
            return;
        };
        let port = (listener.id.protocol, listener.port);
        if let Some(count) = ports.get_mut(&port) {
            *count -= 1;
            if *count == 0 {
                ports.remove(&port);
            }
        }
        if ports.is_empty() {
            self.by_address.remove(&listener.address);
        }
    }

    /// True when at least one socket serves `vip`.
    pub(crate) fn any_on(&self, vip: IpAddr) -> bool {
        Self::ways_to(vip).iter().any(|way| self.by_address.contains_key(way))
    }

    /// The ports on which `vip` is served.
    pub(crate) fn ports_on(&self, vip: IpAddr) -> BTreeSet<Port> {
        Self::ways_to(vip)
            .iter()
            .filter_map(|way| self.by_address.get(way))
            .flat_map(|ports| ports.keys().copied())
            .collect()
    }

    /// True when `port` of `vip` is served.
    pub(crate) fn has_port(&self, vip: IpAddr, port: Port) -> bool {
        Self::ways_to(vip)
            .iter()
            .any(|way| self.by_address.get(way).is_some_and(|ports| ports.contains_key(&port)))
    }

    /// True when some socket is bound to a wildcard that serves the family of `vip`.
    pub(crate) fn wildcard_on(&self, vip: IpAddr) -> bool {
        Self::ways_to(vip).iter().skip(1).any(|way| self.by_address.contains_key(way))
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Listener> + '_ {
        self.by_id.values().copied()
    }

    /// Every address that a socket is bound to.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.by_address.keys().filter_map(|address| match address {
            ListenAddress::Address(vip) => Some(*vip),
            ListenAddress::AnyV4 | ListenAddress::AnyV6Only | ListenAddress::AnyDual => None,
        })
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
