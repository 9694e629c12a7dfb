//! What ExaBGP has of each prefix, what it should have, and when it was told.

use alloc::sync::Arc;
use alloc::vec::Vec;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::route::Route;

use super::Session;
use crate::exabgp::LastChoice;
use crate::exabgp::rib::Look;
use crate::told::When;

/// What there is to know of a prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PipeRoute {
    /// The prefix.
    pub prefix: Prefix,
    /// As it should be announced.
    pub intended: Option<Route>,
    /// As it was announced last; none when it was withdrawn since.
    pub sent: Option<Route>,
    /// ExaBGP has answered `done` to that.
    pub is_acknowledged: bool,
    /// ExaBGP has answered `error` to that.
    pub is_rejected: bool,
    /// When that was said.
    pub when: When,
}

impl Session {
    /// What is said of a route beside its next hop.
    pub fn attributes(&self, route: Route) -> Option<Arc<LastChoice>> {
        self.rib.attributes(route)
    }

    /// What there is to know of one prefix.
    pub fn route(&self, prefix: Prefix) -> PipeRoute {
        let when = self.told.find(&[prefix]).pop().flatten();
        self.pipe_route(prefix, when)
    }

    /// What there is to know of up to `limit` prefixes behind `after`, in their order: those that are
    /// desired, and those that ExaBGP may have still. The second value is where to go on, if there are
    /// more.
    pub fn routes(&self, after: Option<Prefix>, limit: usize) -> (Vec<PipeRoute>, Option<Prefix>) {
        let prefixes = self.rib.prefixes(after, limit);
        let more = prefixes.last().copied().filter(|_| prefixes.len() == limit);
        let told = self.told.find(&prefixes);
        let routes = prefixes.iter().zip(told);
        let routes = routes.map(|(prefix, when)| self.pipe_route(*prefix, when));
        (routes.filter(|it| it.intended.is_some() || it.sent.is_some()).collect(), more)
    }

    fn pipe_route(&self, prefix: Prefix, when: Option<When>) -> PipeRoute {
        let Look { intended, sent, is_acknowledged, is_rejected } = self.rib.look(prefix);
        let before = if sent.is_some() { self.told.before() } else { When::default() };
        let when = when.unwrap_or(before);
        PipeRoute { prefix, intended, sent, is_acknowledged, is_rejected, when }
    }
}
