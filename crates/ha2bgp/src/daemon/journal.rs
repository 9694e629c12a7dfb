//! Makes log lines from what happens: one line a transition, with its reason.
//!
//! At most [`LINES_PER_SECOND`] lines of single services a second; what is left out is counted and
//! told. A thousand services dying at once must not make the log the bottleneck.

use ha2bgp_core::event::{Cause, Event};
use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::fsm::State;
use ha2bgp_proto::bgp::{Event as PeerEvent, PeerAddress};
use ha2bgp_proto::exabgp;

use crate::announce::{PeerNews, What};
use crate::clock::Clock;

/// How many lines about single services are written in one second.
const LINES_PER_SECOND: u32 = 200;

/// Writes the log of the engine's events.
#[derive(Debug)]
pub(super) struct Journal {
    clock: Clock,
    second: u64,
    lines: u32,
    left_out: u64,
}

impl Journal {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, second: 0, lines: 0, left_out: 0 }
    }

    /// Writes one event.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::SourceReady { source } => {
                tracing::debug!(%source, "first look at this host is complete");
            }
            Event::SourceFailed { source, error } => {
                tracing::warn!(%source, %error, "cannot look at this host: the last state stays");
            }
            Event::SourceUnknown { source } => tracing::error!(
                %source,
                reason = "source-unknown",
                "cannot look at this host for too long: routes are held as they are"
            ),
            Event::SourceRecovered { source, failed_for } => {
                tracing::info!(%source, after = ?failed_for, "can look at this host again");
            }
            Event::ServiceRefused { vip, services_max } => tracing::error!(
                %vip,
                services_max,
                "too many services: this one and later ones are not taken in"
            ),
            Event::OverrideEnded(over) => tracing::warn!(
                id = over.id.0,
                "the time of an override is over: {}",
                over.kind.name()
            ),
            Event::Reconfigured { services } => {
                tracing::info!(services, "another configuration counts");
            }
            Event::FirstVerdicts { announced } => {
                tracing::info!(announced, "every service that is there has been judged");
            }
            Event::ServiceDiscovered { .. }
            | Event::ServiceForgotten { .. }
            | Event::HealthChanged { .. }
            | Event::CheckChanged { .. }
            | Event::WouldWithdraw { .. }
            | Event::RouteAnnounced { .. }
            | Event::RouteWithdrawn { .. }
            | Event::WithdrawalHeld { .. }
            | Event::Suppressed { .. }
            | Event::Released { .. } => {
                if self.may_write(self.clock.now()) {
                    self.service_event(event);
                }
            }
        }
    }

    fn service_event(&self, event: &Event) {
        match event {
            Event::ServiceDiscovered { vip, network, next_hop } => {
                tracing::info!("new listening socket IP added: {vip}, {network}");
                tracing::info!("registered new route {vip} -> {next_hop}");
            }
            Event::ServiceForgotten { vip } => {
                tracing::info!(%vip, "forgotten: nothing has listened for a long time");
            }
            Event::HealthChanged { vip, health, reason, cause } => {
                let cause = words(cause.as_ref());
                tracing::debug!(%vip, health = health.name(), %reason, "health changed{cause}");
            }
            Event::CheckChanged { check, vip, outcome, detail } => {
                let vip = vip.as_ref().map(tracing::field::display);
                tracing::info!(vip, "check {check}: {outcome}: {detail}");
            }
            Event::WouldWithdraw { vip, cause } => {
                let cause = words(cause.as_ref());
                tracing::warn!(%vip, "shadow checks would have it withdrawn{cause}");
            }
            Event::RouteAnnounced { prefix, next_hop, last_choice: false, .. } => {
                tracing::info!(%prefix, %next_hop, "announcing");
            }
            Event::RouteAnnounced { prefix, next_hop, last_choice: true, reason } => {
                let why = reason.text();
                tracing::warn!(%prefix, %next_hop, %reason, "announcing as the last choice: {why}");
            }
            Event::WithdrawalHeld { prefix, reason, cause, until } => {
                let cause = words(cause.as_ref());
                let room = until.since(self.clock.now());
                tracing::error!(
                    %prefix, %reason, seconds = room.as_secs(),
                    "the guard holds it, too many were withdrawn of late: {}{cause}",
                    reason.text()
                );
            }
            Event::RouteWithdrawn { prefix, reason, cause } => {
                let cause = words(cause.as_ref());
                tracing::info!(%prefix, %reason, "withdrawing: {}{cause}", reason.text());
            }
            Event::Suppressed { vip, penalty, until } => {
                let hold = until.since(self.clock.now());
                tracing::warn!(
                    %vip, penalty, seconds = hold.as_secs(), reason = "damping",
                    "flapping: held withdrawn until calm"
                );
            }
            Event::Released { vip } => tracing::info!(%vip, "calm again: released"),
            Event::FirstVerdicts { .. }
            | Event::SourceReady { .. }
            | Event::SourceFailed { .. }
            | Event::SourceUnknown { .. }
            | Event::SourceRecovered { .. }
            | Event::OverrideEnded(_)
            | Event::Reconfigured { .. }
            | Event::ServiceRefused { .. } => {}
        }
    }

    fn may_write(&mut self, now: Instant) -> bool {
        let second = now.as_micros() / 1_000_000;
        if second != self.second {
            if self.left_out > 0 {
                tracing::warn!(lines = self.left_out, "too much happened at once to log it all");
            }
            (self.second, self.lines, self.left_out) = (second, 0, 0);
        }
        self.lines += 1;
        let may = self.lines <= LINES_PER_SECOND;
        self.left_out += u64::from(!may);
        may
    }
}

/// Writes what an announcer reports.
pub(super) fn report(what: &What) {
    match what {
        What::ExaBgp(event) => exabgp_event(event),
        What::Snapshot(snapshot) => tracing::debug!(?snapshot, "announcer"),
        What::Peer { peer, event } => peer_event(*peer, event),
        What::PeerConfiguration { peer, news } => match news {
            PeerNews::Added => tracing::info!(%peer, "new peer: announcing to it too"),
            PeerNews::Removed => {
                tracing::info!(%peer, "no longer a peer: withdrawing, then the session ends");
            }
            PeerNews::Changed(change) => tracing::info!(%peer, "peer changed: {change}"),
        },
        What::PeerUnreachable { peer, error } => tracing::warn!(%peer, "no connection: {error}"),
        What::CannotListen { error } => {
            tracing::error!("peers cannot connect: {error}; trying again");
        }
        What::Speaker(state) => {
            for state in &state.peers {
                tracing::debug!(peer = %state.peer, session = ?state.session, "session");
            }
        }
        What::Lost { count } => tracing::debug!(count, "reports of the announcer lost"),
    }
}

/// Writes what happened to a session.
fn peer_event(peer: PeerAddress, event: &PeerEvent) {
    match event {
        PeerEvent::StateChanged { from, to } => {
            tracing::debug!(%peer, "state {from} -> {to}");
        }
        PeerEvent::Established { negotiated } => tracing::info!(
            %peer,
            asn = %negotiated.peer_as,
            id = %negotiated.peer_id,
            hold = negotiated.hold_time.as_secs(),
            families = negotiated.families.iter().map(|f| f.to_string()).collect::<Vec<_>>().join(","),
            "BGP session established"
        ),
        PeerEvent::Down { state: State::Established, cause, .. } => {
            tracing::warn!(%peer, "BGP session lost: {cause}");
        }
        // `What::PeerUnreachable` says why, once: a router that is away for days fills no log.
        PeerEvent::Down { state: State::Connect, cause, .. } => {
            tracing::debug!(%peer, "no connection: {cause}");
        }
        PeerEvent::Down { state, cause, .. } => {
            tracing::info!(%peer, "no BGP session, in state {state}: {cause}");
        }
        PeerEvent::Refused { .. } => tracing::info!(%peer, "connection of the peer refused"),
        PeerEvent::EndOfRibSent { family } => tracing::debug!(%peer, %family, "End-of-RIB sent"),
        PeerEvent::EndOfRibReceived { family } => {
            tracing::debug!(%peer, %family, "End-of-RIB received");
        }
        PeerEvent::RefreshRequested { family } => {
            tracing::info!(%peer, %family, "the peer asks for all routes again");
        }
        // With its octets (RFC 7606 section 6), as many as the event has; events are limited.
        PeerEvent::Malformed { disposition, attribute, message } => tracing::warn!(
            %peer, %disposition, ?attribute, update = hex(message),
            "malformed UPDATE: the session stays (RFC 7606)"
        ),
        PeerEvent::Unsendable { family, reason } => tracing::error!(
            %peer, %family, ?reason, "routes of this family cannot be announced to this peer"
        ),
        PeerEvent::CapabilitiesDropped { codes } => {
            tracing::warn!(%peer, ?codes, "the peer refuses capabilities: trying without");
        }
    }
}

/// The probe behind a decision, to stand behind a text.
fn words(cause: Option<&Cause>) -> String {
    cause.map(|cause| format!(": {}: {}", cause.check, cause.detail)).unwrap_or_default()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Writes what happened in the conversation with ExaBGP.
fn exabgp_event(event: &exabgp::Event) {
    match event {
        exabgp::Event::Sent { command } => tracing::debug!(
            verb = %command.verb,
            count = command.prefixes.len(),
            purpose = ?command.purpose,
            first = ?command.prefixes.first(),
            "sent"
        ),
        exabgp::Event::Acknowledged { command, latency } => tracing::debug!(
            verb = %command.verb,
            count = command.prefixes.len(),
            ?latency,
            "acknowledged"
        ),
        exabgp::Event::Rejected { prefix, line, reason } => tracing::error!(
            %prefix,
            reason = reason.as_deref().unwrap_or("none given"),
            "ExaBGP refuses \"{line}\"; trying again until it is taken (does the neighbor's api \
             section list this process?)"
        ),
        exabgp::Event::Accepted { prefix } => tracing::info!(%prefix, "ExaBGP takes it now"),
        exabgp::Event::DialectLearned { dialect } => {
            tracing::info!(api = %dialect, "learned which API ExaBGP speaks");
        }
        exabgp::Event::AcksAbsent => {
            tracing::info!("ExaBGP does not answer commands: going on without");
        }
        exabgp::Event::AcksPresent => tracing::info!("ExaBGP answers commands"),
        exabgp::Event::Stalled { in_flight } => tracing::warn!(
            in_flight,
            "ExaBGP has stopped answering: the newest state is sent when it goes on"
        ),
        exabgp::Event::Resumed { after } => tracing::info!(?after, "ExaBGP answers again"),
        exabgp::Event::PeerStops => tracing::info!("ExaBGP stops: its answers are not waited for"),
        exabgp::Event::Resynchronised { prefixes } => {
            tracing::warn!(prefixes, "answers were lost: sending again what waited for them");
        }
    }
}
