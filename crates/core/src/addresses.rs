//! The addresses of this host, and whether the configuration lets them count.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use crate::fact::{AddressId, AddressState, LocalAddress};
use crate::glob::Glob;
use crate::reason::Reason;

/// The table of local addresses. Each operation is O(log n).
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    by_id: BTreeMap<AddressId, LocalAddress>,
    /// The entries that make a whole IPv4 prefix local (127.0.0.1/8 on lo): a handful.
    prefixes: BTreeSet<AddressId>,
}

/// Which interfaces and labels count.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressFilter {
    devices: Vec<Glob>,
    labels: Vec<Glob>,
}

impl AddressFilter {
    pub(crate) fn new(devices: Vec<Glob>, labels: Vec<Glob>) -> Self {
        Self { devices, labels }
    }

    /// True when the interface and the label of `address` are wanted.
    pub(crate) fn admits(&self, address: &LocalAddress) -> bool {
        let label: &Arc<str> = address.label.as_ref().unwrap_or(&address.device);
        let any = |globs: &[Glob], name: &str| {
            globs.is_empty() || globs.iter().any(|glob| glob.matches(name))
        };
        any(&self.devices, &address.device) && any(&self.labels, label)
    }
}

impl Addresses {
    /// Takes an address in, or its newest state. Returns the entry it replaces.
    pub(crate) fn change(&mut self, address: LocalAddress) -> Option<LocalAddress> {
        if spans_prefix(&address) {
            self.prefixes.insert(address.id);
        } else {
            self.prefixes.remove(&address.id);
        }
        self.by_id.insert(address.id, address)
    }

    /// Drops an address; returns it when it was known.
    pub(crate) fn remove(&mut self, id: AddressId) -> Option<LocalAddress> {
        self.prefixes.remove(&id);
        self.by_id.remove(&id)
    }

    /// All addresses, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &LocalAddress> {
        self.by_id.values()
    }

    /// Why `vip` is not usable here; `None` when it is.
    ///
    /// One usable entry is enough. Otherwise the entry nearest to usable gives the reason.
    pub(crate) fn objection(&self, vip: IpAddr, filter: &AddressFilter) -> Option<Reason> {
        let mut worst = Reason::AddressMissing;
        for address in self.providing(vip) {
            let found = if filter.admits(address) {
                match address.state {
                    AddressState::Usable => return None,
                    AddressState::Tentative => Reason::AddressTentative,
                    AddressState::DadFailed => Reason::AddressDuplicate,
                    AddressState::LinkDown => Reason::LinkDown,
                }
            } else {
                Reason::AddressExcluded
            };
            if nearness(found) > nearness(worst) {
                worst = found;
            }
        }
        Some(worst)
    }

    /// The entries that make `vip` an address of this host.
    fn providing(&self, vip: IpAddr) -> impl Iterator<Item = &LocalAddress> {
        let low = AddressId { ip: vip, prefix_length: 0, interface: 0 };
        let high = AddressId { ip: vip, prefix_length: u8::MAX, interface: u32::MAX };
        let exact = self.by_id.range(low..=high).map(|(_, address)| address);
        let spanning = self
            .prefixes
            .iter()
            .filter(move |id| id.ip != vip)
            .filter_map(|id| self.by_id.get(id))
            .filter(move |address| address.provides(vip));
        exact.chain(spanning)
    }
}

/// True when the entry makes more local than its own address.
pub(crate) fn spans_prefix(address: &LocalAddress) -> bool {
    address.provides(match address.id.ip {
        // Any other address of the same prefix: flip the last bit.
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() ^ 1)),
        IpAddr::V6(_) => return false,
    })
}

/// How near to usable an address is: the nearest objection is the one worth showing.
fn nearness(reason: Reason) -> u8 {
    match reason {
        Reason::AddressTentative => 4,
        Reason::LinkDown => 3,
        Reason::AddressDuplicate => 2,
        Reason::AddressExcluded => 1,
        _ => 0,
    }
}
