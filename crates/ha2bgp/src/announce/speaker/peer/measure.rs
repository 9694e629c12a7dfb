//! How long things take at a peer, and what it has: for the status and metrics.

use std::time::Duration;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::Session;

use super::Running;
use crate::announce::RouteState;
use crate::histogram::Histogram;

/// When the kernel is asked for the first time what was acknowledged: nothing tells.
const FIRST: Duration = Duration::from_millis(1);
/// The longest pause between two questions.
const LONGEST: Duration = Duration::from_millis(256);

/// Times of one peer.
#[derive(Debug, Default)]
pub(super) struct Measure {
    /// When that was decided which is being written: of several decisions, the first.
    decided: Option<Instant>,
    /// When the kernel is asked, and the pause after that.
    ask: Option<(Instant, Duration)>,
    pub(super) decided_to_sent: Histogram,
    pub(super) sent_to_acknowledged: Histogram,
}

impl Measure {
    /// Something was decided that this peer must be told.
    pub(super) fn decided(&mut self, at: Instant) {
        self.decided.get_or_insert(at);
    }

    /// Something was written.
    pub(super) fn written(&mut self, session: &Session, now: Instant) {
        if let Some(decided) = self.decided.take_if(|_| session.is_settled()) {
            self.decided_to_sent.record(now - decided);
        }
        if session.awaits_acknowledgement() {
            let at = self.ask.map_or(now + FIRST, |(at, _)| at.min(now + FIRST));
            self.ask = Some((at, FIRST * 2));
        }
    }

    /// The session is another one, or gone: nothing is to be measured.
    pub(super) fn begin(&mut self) {
        (self.decided, self.ask) = (None, None);
    }

    /// When the kernel is to be asked.
    pub(super) fn ask_at(&self) -> Option<Instant> {
        self.ask.map(|(at, _)| at)
    }

    /// True when it is time to ask the kernel.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.ask_at().is_some_and(|at| at <= now)
    }
}

impl Running {
    /// Asks the kernel what the peer has acknowledged. True when that is news.
    pub(super) fn ask_acknowledged(&mut self, now: Instant) -> bool {
        let Self { session, links, measure, .. } = self;
        let Some((_, pause)) = measure.ask.take() else { return false };
        // While the session is up, the link that it speaks over is the only open one but for
        // another that may be on trial, which has nothing of it.
        let unacknowledged = links.iter().map(super::Link::unacknowledged).sum();
        let latencies = &mut measure.sent_to_acknowledged;
        let mut news = false;
        session.acknowledged(unacknowledged, now, &mut |latency| {
            news = true;
            latencies.record(latency);
        });
        if session.awaits_acknowledgement() {
            measure.ask = Some((now + pause, (pause * 2).min(LONGEST)));
        }
        news
    }

    /// Remembers of so many changes when the peer was told.
    pub(in super::super) fn remember(&mut self, changes: usize) {
        self.session.remember(changes);
    }

    /// What is known of one prefix at this peer.
    pub(in super::super) fn route(&self, prefix: Prefix) -> RouteState {
        RouteState::of_peer(self.address(), self.is_leaving(), self.session.route(prefix))
    }

    /// What is known of up to `limit` prefixes behind `after`, and where to go on.
    pub(in super::super) fn routes(
        &self,
        after: Option<Prefix>,
        limit: usize,
    ) -> (Vec<RouteState>, Option<Prefix>) {
        let (routes, more) = self.session.routes(after, limit);
        let (peer, leaving) = (self.address(), self.is_leaving());
        let states = routes.into_iter().map(|route| RouteState::of_peer(peer, leaving, route));
        (states.collect(), more)
    }
}
