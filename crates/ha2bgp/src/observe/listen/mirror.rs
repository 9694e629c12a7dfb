//! The mirror of the listening sockets, and what was reported of it. No IO.
//!
//! A socket counts as closed on two testimonies: it is missing in a dump (or was destroyed), and
//! an exact query does not find it; or it is missing in a dump, and the doorbell or a destroy event told
//! of this very socket. One alone may be wrong: a dump can leave a living socket out (see
//! [`ha2bgp_sys::diag::Diag::dump`]), and an exact query can be answered by another socket.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use ha2bgp_core::fact::{ListenAddress, Listener, Observation, Protocol, SocketId};
use ha2bgp_core::route::RouteSet;
use ha2bgp_proto::inet_diag::{DiagSocket, ExactQuery};

use super::polled::Polled;
use super::tables::LookError;

/// So many dumps in a row may miss a socket that an exact query finds. After that it does not
/// match the filter any more: its mark, cgroup or device changed.
const MAX_MISSED: u8 = 3;

/// Where a socket listens. The members of a `SO_REUSEPORT` group share one.
///
/// The address comes first: the endpoints of one address are a range.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Endpoint {
    pub(super) address: ListenAddress,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) interface: Option<NonZeroU32>,
}

impl Endpoint {
    /// Reads a listening socket. `None` for a socket without a port, which nothing can reach.
    pub(super) fn of(protocol: Protocol, socket: &DiagSocket) -> Option<(SocketId, Self)> {
        let id = SocketId { protocol, cookie: socket.cookie };
        let endpoint = Self {
            address: ListenAddress::new(socket.src, socket.v6only.unwrap_or(false)),
            protocol,
            port: socket.sport,
            interface: socket.interface,
        };
        (socket.sport != 0).then_some((id, endpoint))
    }

    /// The smallest endpoint of an address.
    pub(super) const fn first(address: ListenAddress) -> Self {
        Self { address, protocol: Protocol::Tcp, port: 0, interface: None }
    }

    /// Asks for a socket that listens here. A wildcard is asked for as the unspecified address,
    /// so that a more specific listener does not answer in its place.
    pub(super) const fn query(self) -> ExactQuery {
        let address = match self.address {
            ListenAddress::Address(address) => address,
            ListenAddress::AnyV4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            ListenAddress::AnyV6Only | ListenAddress::AnyDual => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let Self { protocol, port, interface, .. } = self;
        ExactQuery { protocol, address, port, interface }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", self.protocol, self.address, self.port)
    }
}

#[derive(Debug)]
struct Tracked {
    endpoint: Endpoint,
    /// The last reconciliation that found it.
    seen: u64,
    /// Dumps in a row that did not find it.
    missed: u8,
}

/// Tells which socket answers for an endpoint, by its cookie: this one, if the tables can tell.
pub(super) type Find<'a> = dyn FnMut(SocketId, Endpoint) -> Result<Option<u64>, LookError> + 'a;

/// Endpoints with their sockets.
pub(super) type Endpoints = BTreeSet<(Endpoint, SocketId)>;

/// The sockets at an endpoint, or at the endpoints that come after it.
pub(super) fn from(
    endpoints: &Endpoints,
    first: Endpoint,
) -> impl Iterator<Item = (Endpoint, SocketId)> {
    let least = SocketId { protocol: Protocol::Tcp, cookie: 0 };
    endpoints.range((first, least)..).copied()
}

/// The sockets that were reported as open.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    sockets: BTreeMap<SocketId, Tracked>,
    /// The same by endpoint.
    endpoints: Endpoints,
    polled: Polled,
    /// How many sockets are at each port.
    ports: BTreeMap<u16, usize>,
    /// Counts the changes of which ports there are.
    ports_version: u64,
    reconciliations: u64,
    /// The last dump, while it describes `sockets` exactly; else empty.
    settled: Vec<(SocketId, Endpoint)>,
}

impl Mirror {
    /// Compares with a dump; appends what changed to `changes` and leaves `dumped` unspecified.
    /// Of those in `stopped` somebody has told: that is the other testimony.
    ///
    /// # Errors
    /// When `find` fails. What was appended until then is true.
    pub(super) fn reconcile(
        &mut self,
        dumped: &mut Vec<(SocketId, Endpoint)>,
        stopped: &BTreeSet<SocketId>,
        find: &mut Find<'_>,
        changes: &mut Vec<Observation>,
    ) -> Result<(), LookError> {
        // The usual case, and cheap: the kernel lists the same sockets in the same order.
        if !dumped.is_empty() && *dumped == self.settled {
            return Ok(());
        }
        self.reconciliations += 1;
        // Openings first: a restart within one interval is no interruption.
        for &(id, endpoint) in dumped.iter() {
            self.open(id, endpoint, changes);
        }
        let now = self.reconciliations;
        let missing: Vec<_> = self
            .sockets
            .iter()
            .filter(|(_, tracked)| tracked.seen != now)
            .map(|(id, tracked)| (*id, tracked.endpoint))
            .collect();
        self.settled.clear();
        let mut doubts = false;
        for (id, endpoint) in missing {
            let served = !stopped.contains(&id) && find(id, endpoint)? == Some(id.cookie);
            match self.sockets.get_mut(&id) {
                Some(tracked) if served && tracked.missed < MAX_MISSED => {
                    tracked.missed += 1;
                    doubts = true;
                }
                _ => self.close(id, changes),
            }
        }
        if !doubts {
            std::mem::swap(dumped, &mut self.settled);
        }
        Ok(())
    }

    fn open(&mut self, id: SocketId, endpoint: Endpoint, changes: &mut Vec<Observation>) {
        let seen = self.reconciliations;
        if let Some(tracked) = self.sockets.get_mut(&id) {
            (tracked.seen, tracked.missed) = (seen, 0);
            if tracked.endpoint == endpoint {
                return;
            }
            // The same socket was shut down, bound anew, and listens elsewhere.
            self.close(id, changes);
        }
        self.sockets.insert(id, Tracked { endpoint, seen, missed: 0 });
        self.endpoints.insert((endpoint, id));
        self.polled.members_changed(endpoint, true);
        let Endpoint { address, port, .. } = endpoint;
        let count = self.ports.entry(port).or_default();
        *count += 1;
        self.ports_version += u64::from(*count == 1);
        changes.push(Observation::ListenerOpened(Listener { id, address, port }));
    }

    /// Takes a socket out and appends that to `changes`.
    pub(super) fn close(&mut self, id: SocketId, changes: &mut Vec<Observation>) {
        let Some(Tracked { endpoint, .. }) = self.sockets.remove(&id) else {
            return;
        };
        self.settled.clear();
        self.endpoints.remove(&(endpoint, id));
        self.polled.members_changed(endpoint, self.listens(endpoint));
        if let Some(count) = self.ports.get_mut(&endpoint.port) {
            *count -= 1;
            if *count == 0 {
                self.ports.remove(&endpoint.port);
                self.ports_version += 1;
            }
        }
        changes.push(Observation::ListenerClosed(id));
    }

    /// The socket that a destroy event is about, if it was reported as open.
    pub(super) fn find(&self, socket: &DiagSocket) -> Option<(SocketId, Endpoint)> {
        let id = SocketId { protocol: socket.protocol?, cookie: socket.cookie };
        Some((id, self.sockets.get(&id)?.endpoint))
    }

    /// Whether this socket was reported as open.
    pub(super) fn has(&self, id: SocketId) -> bool {
        self.sockets.contains_key(&id)
    }

    /// Whether any socket listens at `endpoint`.
    pub(super) fn listens(&self, endpoint: Endpoint) -> bool {
        self.members(endpoint).next().is_some()
    }

    fn members(&self, endpoint: Endpoint) -> impl Iterator<Item = SocketId> {
        from(&self.endpoints, endpoint).take_while(move |(at, _)| *at == endpoint).map(|(_, id)| id)
    }

    /// The socket that listens at `endpoint`, if it is the only one and exact queries find it as
    /// far as is known.
    pub(super) fn only_member(&self, endpoint: Endpoint) -> Option<SocketId> {
        let mut members = self.members(endpoint);
        let first = members.next()?;
        (members.next().is_none() && !self.polled.is_left_out(endpoint)).then_some(first)
    }

    /// The TCP endpoints at this address and port; with port 0, at all ports of the address. Each
    /// is there once for every socket.
    pub(super) fn at(&self, address: IpAddr, port: u16) -> impl Iterator<Item = Endpoint> {
        [false, true].into_iter().flat_map(move |v6only| {
            let address = ListenAddress::new(address, v6only);
            // Only of the wildcard of IPv6 there are two.
            let twice = v6only && address != ListenAddress::AnyV6Only;
            let protocol = Protocol::Tcp;
            from(&self.endpoints, Endpoint { port, ..Endpoint::first(address) })
                .map(|(endpoint, _)| endpoint)
                .take_while(move |it| {
                    let here = it.address == address && it.protocol == protocol;
                    !twice && here && (port == 0 || it.port == port)
                })
        })
    }

    /// At which ports anything listens, so many of them at most.
    pub(super) fn ports(&self, most: usize) -> Vec<u16> {
        self.ports.keys().copied().take(most).collect()
    }

    /// Is another number whenever [`Mirror::ports`] has changed.
    pub(super) const fn ports_version(&self) -> u64 {
        self.ports_version
    }

    /// Whether the socket with this cookie listens at `endpoint`.
    pub(super) fn is_member(&self, endpoint: Endpoint, cookie: u64) -> bool {
        let id = SocketId { protocol: endpoint.protocol, cookie };
        self.sockets.get(&id).is_some_and(|tracked| tracked.endpoint == endpoint)
    }

    /// Takes over which routes are announced.
    pub(super) fn announce(&mut self, announced: &RouteSet) {
        self.polled.announce(announced, &self.endpoints);
    }

    /// How many endpoints there are to poll.
    pub(super) fn polled_len(&self) -> usize {
        self.polled.len()
    }

    /// The next endpoint to poll, round and round.
    pub(super) fn next_polled(&mut self) -> Option<Endpoint> {
        self.polled.next()
    }

    /// Leaves an endpoint out of the polling until its members change.
    pub(super) fn do_not_poll(&mut self, endpoint: Endpoint) {
        self.polled.leave_out(endpoint);
    }
}

#[cfg(test)]
#[path = "mirror_tests.rs"]
mod tests;
