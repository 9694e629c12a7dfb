//! Messages from the peer.

use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use ha2bgp_core::time::Instant;

use super::negotiate;
use super::{Session, Which};
use crate::bgp::event::Event as Report;
use crate::bgp::export;
use crate::bgp::fsm::{Event, State};
use crate::bgp::io::{Connection, Direction};
use crate::bgp::wire::{
    self, Asn, Cease, Context, Disposition, HEADER, Kind, Notification, Open, Refresh,
};

/// Between reports of malformed messages.
const MALFORMED_EVERY: Duration = Duration::from_secs(10);
/// Octets of a malformed message that are kept.
const MALFORMED_KEPT: usize = 256;

impl Session {
    pub(super) fn received(&mut self, connection: Connection, mut bytes: &[u8], now: Instant) {
        self.counters.received_bytes =
            self.counters.received_bytes.saturating_add(bytes.len() as u64);
        let Some(link) = self.link_of(connection) else {
            return;
        };
        let mut framer = mem::take(&mut link.framer);
        loop {
            match framer.next(&mut bytes) {
                Ok(Some((kind, message))) => self.message(connection, kind, message, now),
                Ok(None) => break,
                Err(notification) => {
                    if let Some(which) = self.which(connection) {
                        self.feed(which, Event::HeaderError(notification), now);
                    }
                    break;
                }
            }
            // The message may have ended the connection; what follows it is not read.
            if self.which(connection).is_none() {
                return;
            }
        }
        if let Some(link) = self.link_of(connection) {
            link.framer = framer;
        }
    }

    fn message(&mut self, connection: Connection, kind: Kind, message: &[u8], now: Instant) {
        let Some((which, state)) =
            self.which(connection).and_then(|which| Some((which, self.slot(which)?.fsm.state())))
        else {
            return;
        };
        if let Some(count) = self.counters.received.get_mut(kind.index()) {
            *count += 1;
        }
        let body = message.get(HEADER..).unwrap_or(&[]);
        match kind {
            Kind::Open if state == State::OpenSent => self.open(which, body, now),
            Kind::Open => self.feed(which, Event::Open, now),
            Kind::Update if state == State::Established => self.update(which, body, now),
            Kind::Update => self.feed(which, Event::Update, now),
            Kind::Notification => {
                let notification = Notification::decode(body);
                let sent = self.link_of(connection).map(|link| link.open.clone());
                if matches!(state, State::OpenSent | State::OpenConfirm)
                    && sent.is_some_and(|sent| self.refused.learn(&notification, &sent))
                {
                    let codes =
                        if self.refused.all { Vec::new() } else { self.refused.codes.clone() };
                    self.report(Report::CapabilitiesDropped { codes });
                }
                self.feed(which, Event::Notification(notification), now);
            }
            Kind::Keepalive => self.feed(which, Event::Keepalive, now),
            Kind::RouteRefresh if state == State::Established => {
                self.route_refresh(which, message, now);
            }
            Kind::RouteRefresh => self.feed(which, Event::RouteRefresh, now),
        }
    }

    fn open(&mut self, which: Which, body: &[u8], now: Instant) {
        match self.judge_open(which, body) {
            Ok(theirs) => {
                if self.resolve_collision(which, &theirs, now) {
                    self.accept(which, &theirs, now);
                }
            }
            Err(notification) => self.feed(which, Event::OpenError(notification), now),
        }
    }

    fn judge_open(&mut self, which: Which, body: &[u8]) -> Result<Open, Notification> {
        let (theirs, parameters) = Open::decode(body)?;
        let Some(link) = self.slot(which).and_then(|slot| slot.link.as_ref()) else {
            return Ok(theirs);
        };
        negotiate::check(&self.config, &link.open, &theirs)?;
        parameters?;
        negotiate::check_role(&self.config, &link.open, &theirs)?;
        Ok(theirs)
    }

    /// Two connections, one may live (RFC 4271 section 6.8). False when it is not this one.
    ///
    /// Only a connection whose OPEN was received takes part: the other side's decision about one
    /// that is still in OpenSent is the same as ours will be. A connection that has lost is
    /// closed here; the caller's `which` stays valid, since this one lives.
    fn resolve_collision(&mut self, which: Which, theirs: &Open, now: Instant) -> bool {
        let other = which.other();
        let this_way = self.direction(which);
        let Some((state, restarts)) = self.slot(other).map(|slot| {
            let agreed = slot.link.as_ref().and_then(|link| link.negotiated.as_ref());
            let restart = agreed.and_then(|agreed| agreed.peer_graceful_restart);
            (slot.fsm.state(), restart.is_some_and(|it| !it.families.is_empty()))
        }) else {
            return true;
        };
        let this_wins = match state {
            State::Idle | State::Connect | State::Active | State::OpenSent => return true,
            // RFC 4724 section 4.2: the peer has lost the old connection, we have not noticed.
            // Section 5 acts when TCP connects; we wait for a good OPEN, which only the peer sends.
            State::Established => {
                if restarts {
                    self.feed_alone(other, Event::Replaced, now);
                    return true;
                }
                false
            }
            State::OpenConfirm => match (this_way, self.direction(other)) {
                (Some(this), Some(other)) if this != other => {
                    let ours = (self.config.router_id.to_bits(), self.config.local_as);
                    let theirs: (u32, Asn) = (theirs.id.to_bits(), theirs.asn());
                    // Equal identifiers: the larger AS (RFC 6286).
                    (this == Direction::Outgoing) == (ours > theirs)
                }
                // The same side opened both: it has given up the older one.
                _ => true,
            },
        };
        let loser = if this_wins { other } else { which };
        self.feed_alone(loser, Event::CollisionDump, now);
        if !this_wins {
            self.settle(now);
        }
        this_wins
    }

    fn accept(&mut self, which: Which, theirs: &Open, now: Instant) {
        let Some(slot) = self.slots.get_mut(which as usize).and_then(Option::as_mut) else {
            return;
        };
        let Some(link) = &mut slot.link else {
            return;
        };
        let negotiated = negotiate::negotiate(&self.config, link, theirs);
        slot.fsm.agree(negotiated.hold_time, negotiated.keepalive);
        link.negotiated = Some(negotiated);
        self.feed(which, Event::Open, now);
    }

    fn update(&mut self, which: Which, body: &[u8], now: Instant) {
        let Some(agreed) = self.negotiated() else {
            return;
        };
        let context = Context {
            local_as: self.config.local_as,
            internal: self.config.is_internal(),
            four_octet_as: agreed.four_octet_as,
            families: agreed.families,
            extended_next_hop: agreed.extended_next_hop,
            add_path: agreed.add_path_receive,
        };
        let limit = self.config.max_prefixes.map(|max| max as usize);
        let counts = self.config.count_announcers;
        let Self { config, prefixes, announcers, .. } = self;
        let mut too_many = false;
        let result = wire::inspect_update(body, &context, &mut |heard| {
            if counts && export::is_allowed(&config.policy, heard.prefix) {
                announcers.hear(heard);
            }
            let Some(limit) = limit else { return };
            let path = (heard.prefix, heard.path_id);
            if heard.path.is_some() {
                prefixes.insert(path);
                if prefixes.len() > limit {
                    too_many = true;
                    prefixes.remove(&path);
                }
            } else {
                prefixes.remove(&path);
            }
        });
        let received = match result {
            Ok(received) => received,
            Err(notification) => {
                self.feed(which, Event::UpdateError(notification), now);
                return;
            }
        };
        let counters = &mut self.counters;
        counters.received_announced += u64::from(received.announced);
        counters.received_withdrawn += u64::from(received.withdrawn);
        counters.ignored_family += u64::from(received.ignored_family);
        counters.as_loops += u64::from(received.as_loop);
        if let Some(family) = received.end_of_rib {
            self.announcers.end_of_rib(family);
            self.report(Report::EndOfRibReceived { family });
        }
        if let Some((disposition, attribute)) = received.malformed {
            match disposition {
                Disposition::AttributeDiscard => self.counters.attribute_discard += 1,
                Disposition::TreatAsWithdraw => self.counters.treat_as_withdraw += 1,
            }
            if self.next_malformed.is_none_or(|at| now >= at) {
                self.next_malformed = Some(now + MALFORMED_EVERY);
                let message = body.get(..MALFORMED_KEPT).unwrap_or(body).to_vec();
                self.report(Report::Malformed { disposition, attribute, message });
            }
        }
        let event = if too_many {
            Event::AutomaticStop(Notification::cease(Cease::MaxPrefixes, ""))
        } else {
            Event::Update
        };
        self.feed(which, event, now);
    }

    fn route_refresh(&mut self, which: Which, message: &[u8], now: Instant) {
        let (offered, enhanced) = self
            .negotiated()
            .map_or((false, false), |it| (it.route_refresh, it.enhanced_route_refresh));
        match wire::decode_refresh(message, enhanced) {
            Ok(request) => {
                // Begin and end are about routes that we do not keep.
                if let Some((family, Refresh::Request)) = request
                    && offered
                    && self.negotiated().is_some_and(|it| it.families.contains(family))
                    && self.rib.refresh(family)
                {
                    self.report(Report::RefreshRequested { family });
                }
                self.feed(which, Event::RouteRefresh, now);
            }
            Err(notification) => self.feed(which, Event::UpdateError(notification), now),
        }
    }
}
