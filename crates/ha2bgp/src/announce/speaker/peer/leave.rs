//! Taking leave of a peer that is no longer in the configuration: its routes are withdrawn, then
//! the session ends with Cease/3 (RFC 4486). One that is to come back waits for that.

use std::time::Duration;

use ha2bgp_core::route::RouteSet;
use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::{Input, StopReason};

use super::{Peer, Running};
use crate::announce::speaker::ASK_EVERY;

/// How long the peer may take to acknowledge the withdrawals.
const WITHDRAW_TIME: Duration = Duration::from_secs(4);

/// How far it is.
#[derive(Debug)]
pub(super) struct Leaving {
    /// Withdrawals are on their way, until here at the latest; none: the session was ended.
    withdraws_until: Option<Instant>,
    /// It is in the configuration again.
    then: Option<Peer>,
}

impl Leaving {
    /// Notes that the peer is in the configuration again. False when that is known.
    pub(super) fn come_back(&mut self, peer: Peer) -> bool {
        let news = self.then.as_ref() != Some(&peer);
        self.then = Some(peer);
        news
    }
}

impl Running {
    /// Takes leave. False when that is no news.
    pub(in super::super) fn leave(&mut self, now: Instant) -> bool {
        if let Some(leaving) = &mut self.leaving {
            return leaving.then.take().is_some();
        }
        self.leaving = Some(Leaving { withdraws_until: Some(now + WITHDRAW_TIME), then: None });
        self.begins_again = false;
        self.session.set_routes(&RouteSet::new(), now);
        true
    }

    /// Ends the session once the peer has the withdrawals.
    pub(super) fn go_on_leaving(&mut self, now: Instant) {
        let Some(until) = self.leaving.as_ref().and_then(|it| it.withdraws_until) else { return };
        // Without a session nobody can be told anything.
        if !self.up || now >= until || self.is_quiet(now) {
            let reason = StopReason::Deconfigured;
            self.session.handle(Input::Stop { reason, communication: String::new() }, now);
            if let Some(leaving) = &mut self.leaving {
                leaving.withdraws_until = None;
            }
        }
    }

    /// When to look whether the peer has the withdrawals: nothing tells.
    pub(super) fn leaves_at(&self, now: Instant) -> Option<Instant> {
        let until = self.leaving.as_ref()?.withdraws_until?;
        Some(if self.session.is_settled() { until.min(now + ASK_EVERY) } else { until })
    }

    /// True while it is taken leave of.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// True when nothing is left of it.
    pub(in super::super) fn has_left(&self) -> bool {
        let ended = self.leaving.as_ref().is_some_and(|it| it.withdraws_until.is_none());
        ended && self.links.is_empty()
    }

    /// The peer that comes after it, at the same address.
    pub(in super::super) fn successor(self) -> Option<Peer> {
        self.leaving?.then
    }
}
