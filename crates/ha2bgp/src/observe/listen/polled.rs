//! Which endpoints are polled: those that back announced routes. No IO.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Bound;

use ha2bgp_core::fact::ListenAddress;
use ha2bgp_core::net::Prefix;
use ha2bgp_core::route::RouteSet;

use super::mirror::{Endpoint, Endpoints, from};

/// The endpoints to poll, and where the polling stands.
#[derive(Debug, Default)]
pub(super) struct Polled {
    announced: RouteSet,
    /// How many routes of each family are announced.
    routes_v4: usize,
    routes_v6: usize,
    due: BTreeSet<Endpoint>,
    /// An exact query does not find these although they listen: there is no use in asking.
    left_out: BTreeSet<Endpoint>,
    last: Option<Endpoint>,
}

impl Polled {
    /// How many endpoints there are to poll.
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// The endpoint after the last one, round and round.
    pub(super) fn next(&mut self) -> Option<Endpoint> {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.due.range((after, Bound::Unbounded)).next().or_else(|| self.due.first());
        self.last = next.copied();
        self.last
    }

    /// To be called when a socket came to `endpoint` or went; whether any is left there.
    pub(super) fn members_changed(&mut self, endpoint: Endpoint, listens: bool) {
        self.left_out.remove(&endpoint);
        self.update(endpoint, listens);
    }

    /// Whether it is known that an exact query does not find what listens there.
    pub(super) fn is_left_out(&self, endpoint: Endpoint) -> bool {
        self.left_out.contains(&endpoint)
    }

    /// Does not poll `endpoint` until its members change.
    pub(super) fn leave_out(&mut self, endpoint: Endpoint) {
        self.left_out.insert(endpoint);
        self.due.remove(&endpoint);
    }

    /// Takes over which routes are announced, in time proportional to what changed.
    pub(super) fn announce(&mut self, announced: &RouteSet, endpoints: &Endpoints) {
        let before = std::mem::replace(&mut self.announced, announced.clone());
        let had = (self.routes_v4 != 0, self.routes_v6 != 0);
        let mut hosts: Vec<IpAddr> = Vec::new();
        before.diff(announced, &mut |change| {
            let routes =
                if change.prefix.is_ipv4() { &mut self.routes_v4 } else { &mut self.routes_v6 };
            match (change.before, change.after) {
                (None, Some(_)) => *routes += 1,
                (Some(_), None) => *routes = routes.saturating_sub(1),
                _ => return,
            }
            if change.prefix.is_host() {
                hosts.push(change.prefix.address());
            }
        });
        for host in hosts {
            let address = ListenAddress::Address(host);
            let first = Endpoint::first(address);
            for (endpoint, _) in from(endpoints, first).take_while(|(e, _)| e.address == address) {
                self.update(endpoint, true);
            }
        }
        if had != (self.routes_v4 != 0, self.routes_v6 != 0) {
            // The wildcards come after all addresses.
            for (endpoint, _) in from(endpoints, Endpoint::first(ListenAddress::AnyV4)) {
                self.update(endpoint, true);
            }
        }
    }

    fn update(&mut self, endpoint: Endpoint, listens: bool) {
        if listens && self.backs_a_route(endpoint) && !self.left_out.contains(&endpoint) {
            self.due.insert(endpoint);
        } else {
            self.due.remove(&endpoint);
        }
    }

    fn backs_a_route(&self, endpoint: Endpoint) -> bool {
        match endpoint.address {
            ListenAddress::Address(address) => self.announced.get(Prefix::host(address)).is_some(),
            ListenAddress::AnyV4 => self.routes_v4 != 0,
            ListenAddress::AnyV6Only => self.routes_v6 != 0,
            ListenAddress::AnyDual => self.routes_v4 != 0 || self.routes_v6 != 0,
        }
    }
}
