//! The mirror of the kernel's links and addresses, and what was reported of it. No IO.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ha2bgp_core::fact::{AddressId, AddressState, LocalAddress, Observation};
use ha2bgp_proto::rtnetlink::{AddressFlags, AddressInfo, LinkInfo, RouteMessage};
use ha2bgp_sys::route::Tables;

/// What matters of a link.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Link {
    name: Arc<str>,
    loopback: bool,
    up: bool,
}

/// What matters of an address.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Entry {
    flags: AddressFlags,
    label: Option<Arc<str>>,
}

/// The entries of one interface. The far end of a point-to-point entry is part of its identity
/// for the kernel and not for us: two entries may make one local address.
type Entries = BTreeMap<(AddressId, IpAddr), Entry>;

/// Links, addresses, and what was reported.
#[derive(Debug, Default)]
pub(super) struct Table {
    links: BTreeMap<u32, Link>,
    /// By interface. Addresses may come before their link does; they wait here.
    addresses: BTreeMap<u32, Entries>,
    reported: BTreeMap<AddressId, LocalAddress>,
}

impl Table {
    /// Follows one message; appends to `changes` what is to be reported.
    pub(super) fn apply(&mut self, message: RouteMessage, changes: &mut Vec<Observation>) {
        match message {
            RouteMessage::Link(info) => {
                let index = info.index;
                if self.set_link(info) {
                    self.report_interface(index, changes);
                }
            }
            RouteMessage::LinkGone(index) => {
                // The kernel removes the addresses of a link before the link.
                self.links.remove(&index);
                self.report_interface(index, changes);
                self.addresses.remove(&index);
            }
            RouteMessage::Address(info) => {
                let id = self.set_address(info);
                self.report(id, changes);
            }
            RouteMessage::AddressGone(info) => {
                let (id, peer) = key(&info);
                if let Some(entries) = self.addresses.get_mut(&id.interface) {
                    entries.remove(&(id, peer));
                }
                self.report(id, changes);
            }
            RouteMessage::Other => {}
        }
    }

    /// Takes over everything as it was read; appends the differences to `changes`.
    pub(super) fn replace(&mut self, tables: Tables, changes: &mut Vec<Observation>) {
        self.links.clear();
        self.addresses.clear();
        for link in tables.links {
            self.set_link(link);
        }
        let mut ids: BTreeSet<_> = self.reported.keys().copied().collect();
        for address in tables.addresses {
            ids.insert(self.set_address(address));
        }
        for id in ids {
            self.report(id, changes);
        }
    }

    /// True when something that matters changed.
    fn set_link(&mut self, info: LinkInfo) -> bool {
        let link =
            Link { up: info.is_up(), loopback: info.flags.loopback(), name: info.name.into() };
        self.links.insert(info.index, link.clone()) != Some(link)
    }

    fn set_address(&mut self, info: AddressInfo) -> AddressId {
        let (id, peer) = key(&info);
        let entry = Entry { flags: info.flags, label: info.label.map(Arc::from) };
        self.addresses.entry(id.interface).or_default().insert((id, peer), entry);
        id
    }

    fn report_interface(&mut self, index: u32, changes: &mut Vec<Observation>) {
        let Some(entries) = self.addresses.get(&index) else {
            return;
        };
        let ids: BTreeSet<_> = entries.keys().map(|(id, _)| *id).collect();
        for id in ids {
            self.report(id, changes);
        }
    }

    /// Reports `id` if it is not what it was reported as.
    fn report(&mut self, id: AddressId, changes: &mut Vec<Observation>) {
        let now = self.local_address(id);
        if self.reported.get(&id) == now.as_ref() {
            return;
        }
        if let Some(address) = now {
            self.reported.insert(id, address.clone());
            changes.push(Observation::AddressChanged(address));
        } else if self.reported.remove(&id).is_some() {
            changes.push(Observation::AddressRemoved(id));
        }
    }

    /// The address as the core shall see it; `None` without an entry or without its link.
    fn local_address(&self, id: AddressId) -> Option<LocalAddress> {
        let link = self.links.get(&id.interface)?;
        let lowest = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        let (entry, state) = self
            .addresses
            .get(&id.interface)?
            .range((id, lowest)..)
            .take_while(|((other, _), _)| *other == id)
            .map(|(_, entry)| (entry, state(link, entry.flags)))
            // Of two entries of one address, the one that works counts.
            .min_by_key(|(_, state)| *state)?;
        Some(LocalAddress {
            id,
            device: Arc::clone(&link.name),
            label: entry.label.clone(),
            loopback: link.loopback,
            state,
        })
    }
}

fn key(info: &AddressInfo) -> (AddressId, IpAddr) {
    let id =
        AddressId { ip: info.local, prefix_length: info.prefix_length, interface: info.interface };
    (id, info.peer)
}

/// A failed detection keeps the tentative flag (`addrconf_dad_stop` in net/ipv6/addrconf.c).
/// A deprecated address is usable: service addresses are made with `preferred_lft 0` so that the
/// host does not use them as a source.
fn state(link: &Link, flags: AddressFlags) -> AddressState {
    if flags.dad_failed() {
        AddressState::DadFailed
    } else if flags.tentative() {
        AddressState::Tentative
    } else if !link.up {
        AddressState::LinkDown
    } else {
        AddressState::Usable
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
