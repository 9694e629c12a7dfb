//! The session with one peer: FSM, negotiation, Adj-RIB-Out.

use ha2bgp_core::route::RouteSet;
use ha2bgp_core::time::Instant;

use super::config::{PeerConfig, Policy};
use super::event::{Counters, Snapshot};
use super::fsm::State;
use super::io::{Connection, Input, Output};
use super::wire::Family;

/// The conversation with one peer, over one connection or, while both sides connect, two.
///
/// * It never reads a clock: `now` comes with every call and must not run backwards.
/// * It wants the whole desired set ([`Session::set_routes`]) and sends what differs from what the
///   peer was told: withdrawals first, each prefix in its newest state only.
/// * Output is made when it can be written: [`Session::poll_write`] hands out at most
///   [`Session::WRITE_MAX`] octets and makes more only when those are written. What was handed
///   out is settled.
/// * No input makes it panic; no state is without a timer or pending IO, except stopped.
#[derive(Debug)]
pub struct Session {
    config: PeerConfig,
    since: Instant,
}

impl Session {
    /// Events kept for the driver.
    pub const EVENTS_MAX: usize = 1024;
    /// About so many octets wait to be written at most (and one message more).
    pub const WRITE_MAX: usize = 65_536;

    /// A session that does nothing until [`Input::Start`]. `seed` spreads timers.
    ///
    /// `config` must have passed [`PeerConfig::validate`]; where it did not, the session works as
    /// far as it can, and the peer will refuse it.
    pub fn new(config: PeerConfig, seed: u64, now: Instant) -> Self {
        let _ = seed;
        Self { config, since: now }
    }

    /// What is spoken to the peer.
    pub fn config(&self) -> &PeerConfig {
        &self.config
    }

    /// Takes the whole desired set. Prefixes outside of the policy's networks stay out.
    pub fn set_routes(&mut self, routes: &RouteSet, now: Instant) {
        let _ = (routes, now);
    }

    /// Changes what is announced and how, without a new session: draining, for instance.
    pub fn set_policy(&mut self, policy: Policy, now: Instant) {
        let _ = now;
        self.config.policy = policy;
    }

    /// Lets End-of-RIB go out for this family, on this session and all later ones.
    pub fn release_end_of_rib(&mut self, family: Family, now: Instant) {
        let _ = (family, now);
    }

    /// Takes one thing that happened.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        let _ = (input, now);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// What to write to a connection now: at most about [`Session::WRITE_MAX`] octets, the same
    /// ones until [`Input::Written`] reports them.
    pub fn poll_write(&mut self, connection: Connection, now: Instant) -> Option<&[u8]> {
        let _ = (connection, now);
        None
    }

    /// True when [`Session::poll_write`] has something.
    pub fn wants_write(&self, connection: Connection) -> bool {
        let _ = connection;
        false
    }

    /// When [`Input::Timeout`] is due at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// True when the session is up and the peer was told everything that is wanted and can be
    /// sent, and all of it was written to the kernel.
    pub fn is_settled(&self) -> bool {
        false
    }

    /// The state in one piece. Costs time with the number of routes; for status, not for loops.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            state: State::Idle,
            since: self.since,
            negotiated: None,
            wanted: 0,
            told: 0,
            pending: 0,
            unwritten: 0,
            last_error: None,
            failures: 0,
            next_attempt: None,
            counters: Counters::default(),
        }
    }
}
