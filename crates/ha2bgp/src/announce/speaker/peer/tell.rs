//! What is told of a peer: events, why there is no connection, its state.

use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::fsm::State;
use ha2bgp_proto::bgp::wire::Families;
use ha2bgp_proto::bgp::{DownCause, Event, PeerAddress};
use ha2bgp_sys::tcp::Counters;

use super::Running;
use crate::announce::{OTHERS_MAX, PeerState, Reports, What};

/// The code of the NOTIFICATION "hold timer expired" (RFC 4271 section 4.5).
const HOLD_TIMER_EXPIRED: u8 = 4;

/// Where a peer tells what happened.
pub(in super::super) struct Tell<'a> {
    pub(in super::super) reports: &'a mut Reports,
    /// Set when something happened.
    pub(in super::super) news: &'a mut bool,
}

/// What was last found wrong with a peer.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Why there is no connection, and since when; told once.
    unreachable: Option<(Instant, String)>,
    /// The last NOTIFICATION, and when.
    notification: Option<(Instant, DownCause)>,
}

impl Trouble {
    /// It is over.
    pub(super) fn clear(&mut self) {
        self.unreachable = None;
    }
}

/// What stays the same of a reason: the counters at its end differ from time to time.
fn gist(reason: &str) -> &str {
    reason.split(';').next().unwrap_or_default()
}

impl Running {
    pub(super) fn event(&mut self, event: Event, now: Instant, tell: &mut Tell<'_>) {
        match &event {
            Event::Established { negotiated } => {
                self.up = true;
                self.measure.begin();
                self.families = negotiated.families;
                self.lost_at = None;
                self.missing = None;
                // What cannot be told from a foreign address now cannot be told later either.
                self.end = Some(negotiated.local).filter(|end| self.is_here(*end));
                self.trouble.unreachable = None;
                if self.release_at.is_none() {
                    self.release_end_of_rib(now);
                }
            }
            Event::Down { state: State::Established, .. } => {
                self.up = false;
                self.measure.begin();
                self.end = None;
                self.families = Families::NONE;
                self.lost_at = Some(now);
            }
            Event::Down { cause: DownCause::ConnectTimeout, .. } => {
                self.no_answer("no answer", now, tell);
            }
            // Its OPEN came, and it has not answered ours.
            Event::Down { state: State::OpenConfirm, cause: DownCause::Sent(sent), .. }
                if sent.code == HOLD_TIMER_EXPIRED =>
            {
                self.no_answer("the peer does not hear us", now, tell);
            }
            _ => {}
        }
        if let Event::Down {
            cause: cause @ (DownCause::Sent(_) | DownCause::Received(_)), ..
        } = &event
        {
            self.trouble.notification = Some((now, cause.clone()));
        }
        let peer = self.address();
        tell.reports.send(now, What::Peer { peer, event });
        *tell.news = true;
    }

    /// Says what usually is the matter when a peer that is there does not answer.
    pub(super) fn no_answer(&mut self, what: &str, now: Instant, tell: &mut Tell<'_>) {
        let dropped = self.dropped_before.zip(Counters::read().ok());
        let dropped = dropped.map(|(before, after)| after.since(before)).unwrap_or_default();
        self.say(
            format!(
                "{what}: a filter on the way, another MD5 key on the other side, or another idea \
                 of TTL security; dropped here meanwhile: {dropped}"
            ),
            now,
            tell,
        );
    }

    /// Says why there is no connection, when that is new.
    pub(super) fn say(&mut self, error: String, now: Instant, tell: &mut Tell<'_>) {
        *tell.news = true;
        let since = match &self.trouble.unreachable {
            Some((since, said)) if gist(said) == gist(&error) => Some(*since),
            _ => None,
        };
        // The status shows the newest counters.
        self.trouble.unreachable = Some((since.unwrap_or(now), error.clone()));
        if since.is_none() {
            let peer = self.address();
            tell.reports.send(now, What::PeerUnreachable { peer, error });
        }
    }

    pub(in super::super) fn address(&self) -> PeerAddress {
        self.peer.config.peer
    }

    pub(in super::super) fn state(&self) -> PeerState {
        PeerState {
            peer: self.address(),
            leaving: self.is_leaving(),
            session: Box::new(self.session.snapshot()),
            decided_to_sent: self.measure.decided_to_sent.clone(),
            sent_to_acknowledged: self.measure.sent_to_acknowledged.clone(),
            trouble: self.trouble.unreachable.clone(),
            last_notification: self.trouble.notification.clone(),
            others: self.session.others(OTHERS_MAX),
        }
    }
}
