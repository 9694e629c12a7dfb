//! What changes while a peer is spoken to: what is wanted, its configuration, our addresses, the end.

use std::net::IpAddr;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::{Input, Parting, PeerConfig, Policy, StopReason, Zone};
use ha2bgp_sys::lookup;

use super::super::difference::{Change, Effect, Field, change};
use super::{Missing, Peer, Running, Tell};
use crate::announce::{Desired, Manner, PeerNews, What};
use crate::clock::Clock;

impl Running {
    /// Takes what is wanted now.
    pub(in super::super) fn take(&mut self, desired: &Desired, now: Instant) {
        if self.leaving.is_some() {
            return;
        }
        if desired.manner == Manner::Draining && !self.draining {
            // From now on everything is the last choice (RFC 8326).
            self.draining = true;
            self.session.set_policy(self.policy(), now);
        }
        self.session.set_routes(&desired.routes, now);
        if self.up && !self.session.is_settled() {
            self.measure.decided(desired.decided_at);
        }
        // What is not announced is not up: End-of-RIB may go, and with it what the peer has kept
        // of an earlier session.
        if desired.complete && self.release_at.take().is_some() {
            self.release_end_of_rib(now);
        }
    }

    /// Takes another configuration; what it means, if anything. What is equal is not touched.
    pub(in super::super) fn change(
        &mut self,
        peer: Peer,
        now: Instant,
        tell: &mut Tell<'_>,
    ) -> Option<PeerNews> {
        if let Some(leaving) = &mut self.leaving {
            // It comes back, once it has left.
            return leaving.come_back(peer).then_some(PeerNews::Added);
        }
        let change = change(&self.peer, &peer);
        match change.effect() {
            Effect::Untouched => return None,
            Effect::Key | Effect::Live => self.change_live(peer, &change, now, tell),
            Effect::Session => {
                self.peer = peer;
                self.silent = self.session.reconfigure(self.config(), now) == Parting::Silent;
                self.begins_again = true;
                self.missing = None;
            }
        }
        Some(PeerNews::Changed(change))
    }

    fn change_live(&mut self, peer: Peer, change: &Change, now: Instant, tell: &mut Tell<'_>) {
        self.peer = peer;
        if change.effect() == Effect::Live {
            self.session.set_live(&self.config(), now);
        }
        let (peer, options) = (self.address(), &self.peer.socket);
        for link in &self.links {
            if change.has(Field::SendHoldTime) {
                // A connection that takes no option has failed, and the next one has it.
                let _ = link.set_up(peer.ip(), options);
            }
            if change.has(Field::Password)
                && let Err(error) = link.set_key(peer.ip(), options.key.as_ref())
            {
                let error = format!("the new key cannot be set: {error}");
                tell.reports.send(now, What::PeerUnreachable { peer, error });
            }
        }
    }

    /// The session begins again when nothing is left of the one before. True when it does.
    pub(super) fn begin_again(&mut self, now: Instant) -> bool {
        let begins = self.begins_again && self.links.is_empty();
        if begins {
            (self.begins_again, self.silent) = (false, false);
            self.want(now);
        }
        begins
    }

    /// What the session goes by.
    fn config(&self) -> PeerConfig {
        PeerConfig { hold_end_of_rib: true, policy: self.policy(), ..self.peer.config.clone() }
    }

    fn policy(&self) -> Policy {
        let policy = self.peer.config.policy.clone();
        Policy { graceful_shutdown: self.draining || policy.graceful_shutdown, ..policy }
    }

    /// Ends the session for good; the peer drops what we announced.
    pub(in super::super) fn stop(&mut self, communication: &str, now: Instant) {
        let communication = communication.to_owned();
        self.session.handle(Input::Stop { reason: StopReason::Shutdown, communication }, now);
    }

    /// Ends the session without a word; a peer that helps with graceful restart keeps the routes.
    pub(in super::super) fn restart(&mut self, now: Instant) {
        self.silent = true;
        self.session.handle(Input::Restart, now);
    }

    /// Addresses of this host have come or gone: a session whose end is gone ends at once, and
    /// when the end is back, the next attempt is made at once.
    pub(in super::super) fn addresses_changed(&mut self, clock: Clock, tell: &mut Tell<'_>) {
        let back = match self.missing {
            Some(Missing::Address(end)) => self.is_here(end),
            // Whether it has an address that counts, the next attempt tells.
            Some(Missing::Link) => self.has_link(),
            None => {
                if let Some(end) = self.end.filter(|end| !self.is_here(*end)) {
                    self.lose_end(end, clock, tell);
                }
                return;
            }
        };
        if back {
            self.missing = None;
            if !self.up {
                self.start_over(clock.now());
            }
        }
    }

    /// Whether an address is one of this host; a link-local one, on the peer's interface.
    pub(super) fn is_here(&self, address: IpAddr) -> bool {
        let zone = self.address().zone();
        lookup::is_local_on(address, zone.as_ref().map(Zone::as_str))
    }

    fn has_link(&self) -> bool {
        let zone = self.address().zone();
        zone.is_some_and(|zone| lookup::device_index(zone.as_str()).is_some())
    }

    fn lose_end(&mut self, end: IpAddr, clock: Clock, tell: &mut Tell<'_>) {
        let now = clock.now();
        self.end = None;
        // An interface that is made anew may have another address.
        let any = self.peer.config.local.is_none() && self.address().is_link_local();
        self.missing = Some(if any { Missing::Link } else { Missing::Address(end) });
        self.session.handle(Input::AddressGone, now);
        self.obey(clock, tell);
        if self.peer.config.local.is_none() {
            // Another address may do; if none does, attempts are made less and less often.
            self.want(now);
        }
    }

    /// Gives up attempts and pauses, and begins anew.
    fn start_over(&mut self, now: Instant) {
        // There is no session: what ends here are at most attempts, and nobody needs to hear of it.
        self.session.handle(Input::AddressGone, now);
        while self.session.poll_output().is_some() {}
        self.links.clear();
        self.want(now);
    }
}
