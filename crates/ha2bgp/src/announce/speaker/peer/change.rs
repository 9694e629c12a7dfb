//! What changes while a peer is spoken to: draining, its key, our addresses, the end.

use std::net::IpAddr;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::{Input, Policy, StopReason, Zone};
use ha2bgp_sys::lookup;
use ha2bgp_sys::tcp::Key;

use super::{Missing, Running, Tell};
use crate::clock::Clock;

impl Running {
    /// From now on announces everything as the last choice (RFC 8326).
    pub(in super::super) fn drain(&mut self, now: Instant) {
        let policy = &self.session.config().policy;
        if !policy.graceful_shutdown {
            let policy = Policy { graceful_shutdown: true, ..policy.clone() };
            self.session.set_policy(policy, now);
        }
    }

    /// What is not announced is not up: End-of-RIB may go, and with it what the peer has kept of
    /// an earlier session.
    pub(in super::super) fn set_complete(&mut self, now: Instant) {
        if self.release_at.take().is_some() {
            self.release_end_of_rib(now);
        }
    }

    /// Ends the session for good; the peer drops what we announced.
    pub(in super::super) fn stop(&mut self, communication: &str, now: Instant) {
        let communication = communication.to_owned();
        self.session.handle(Input::Stop { reason: StopReason::Shutdown, communication }, now);
    }

    /// Ends the session without a word; a peer that helps with graceful restart keeps the routes.
    pub(in super::super) fn restart(&mut self, now: Instant) {
        self.restarting = true;
        self.session.handle(Input::Restart, now);
    }

    /// Sets the key of the next connections and of those that are there: the session stays, if
    /// the peer does the same within its hold time. Returns what the kernel has against it.
    pub(in super::super) fn set_key(&mut self, key: &Key) -> Option<std::io::Error> {
        self.peer.socket.key = Some(key.clone());
        let peer = self.address().ip();
        self.links.iter().filter_map(|link| link.set_key(peer, key).err()).next()
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
            self.session.handle(Input::Start, now);
        }
    }

    /// Gives up attempts and pauses, and begins anew.
    fn start_over(&mut self, now: Instant) {
        // There is no session: what ends here are at most attempts, and nobody needs to hear of it.
        self.session.handle(Input::AddressGone, now);
        while self.session.poll_output().is_some() {}
        self.links.clear();
        self.session.handle(Input::Start, now);
    }
}
