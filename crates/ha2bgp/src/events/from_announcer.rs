//! The records of what announcers report. What only somebody who looks for a fault wants to know
//! is no record; it goes to the log of every step.

use ha2bgp_proto::bgp::fsm::State;
use ha2bgp_proto::bgp::{Event as PeerEvent, PeerAddress};
use ha2bgp_proto::exabgp;

use super::kind::Kind;
use super::record::Draft;
use super::record::Level::{Error, Info, Warn};
use crate::announce::{PeerNews, What};

/// The record of a report, if it is worth one.
pub fn draft(what: &What) -> Option<Draft> {
    match what {
        What::ExaBgp(event) => exabgp_event(event),
        What::Peer { peer, event } => peer_event(*peer, event),
        What::PeerConfiguration { peer, news } => {
            let (text, now) = match news {
                PeerNews::Added => ("new peer: announcing to it too".to_owned(), "added"),
                PeerNews::Removed => {
                    let text = "no longer a peer: withdrawing, then the session ends";
                    (text.to_owned(), "removed")
                }
                PeerNews::Changed(change) => (format!("peer changed: {change}"), "changed"),
            };
            Some(Draft::new(Kind::PeerConfigured, Info, text).peer(peer).to(now))
        }
        What::PeerUnreachable { peer, error } => {
            let text = format!("no connection: {error}");
            Some(Draft::new(Kind::PeerUnreachable, Warn, text).peer(peer).to("unreachable"))
        }
        What::CannotListen { error } => {
            let text = format!("peers cannot connect: {error}; trying again");
            Some(Draft::new(Kind::CannotListen, Error, text))
        }
        What::Snapshot(_) | What::Speaker(_) | What::Settled(_) | What::Lost { .. } => None,
    }
}

/// Writes what is no record to the log of every step.
pub(crate) fn trace(what: &What) {
    match what {
        What::ExaBgp(event) => tracing::debug!(?event, "ExaBGP"),
        What::Snapshot(snapshot) => tracing::debug!(?snapshot, "announcer"),
        What::Peer { peer, event: PeerEvent::StateChanged { from, to } } => {
            tracing::debug!(%peer, "state {from} -> {to}");
        }
        What::Peer { peer, event: PeerEvent::EndOfRibSent { family } } => {
            tracing::debug!(%peer, %family, "End-of-RIB sent");
        }
        What::Peer { peer, event: PeerEvent::EndOfRibReceived { family } } => {
            tracing::debug!(%peer, %family, "End-of-RIB received");
        }
        What::Peer { peer, event: PeerEvent::Down { cause, .. } } => {
            tracing::debug!(%peer, "no connection: {cause}");
        }
        What::Peer { peer, event } => tracing::debug!(%peer, ?event, "session"),
        What::Speaker(state) => {
            for state in &state.peers {
                tracing::debug!(peer = %state.peer, session = ?state.session, "session");
            }
        }
        What::Settled(routes) => {
            tracing::debug!(routes = routes.len(), "everybody has the newest set");
        }
        What::Lost { count } => tracing::debug!(count, "reports of the announcer lost"),
        What::PeerUnreachable { .. }
        | What::PeerConfiguration { .. }
        | What::CannotListen { .. } => {}
    }
}

fn peer_event(peer: PeerAddress, event: &PeerEvent) -> Option<Draft> {
    let draft = match event {
        PeerEvent::Established { negotiated } => {
            let families: Vec<String> =
                negotiated.families.iter().map(|family| family.to_string()).collect();
            Draft::new(Kind::PeerEstablished, Info, "BGP session established")
                .to(State::Established)
                .more("asn", negotiated.peer_as)
                .more("id", negotiated.peer_id)
                .more("hold", negotiated.hold_time.as_secs())
                .more("families", families.join(","))
        }
        PeerEvent::Down { state: State::Established, cause, .. } => {
            let text = format!("BGP session lost: {cause}");
            Draft::new(Kind::PeerLost, Warn, text).from(State::Established)
        }
        // `What::PeerUnreachable` says why, once: a router that is away for days fills no log.
        PeerEvent::Down { state: State::Connect, .. }
        | PeerEvent::StateChanged { .. }
        | PeerEvent::EndOfRibSent { .. }
        | PeerEvent::EndOfRibReceived { .. } => return None,
        PeerEvent::Down { state, cause, .. } => {
            let text = format!("no BGP session, in state {state}: {cause}");
            Draft::new(Kind::PeerDown, Info, text).from(state)
        }
        PeerEvent::Refused { .. } => {
            Draft::new(Kind::PeerRefused, Info, "connection of the peer refused")
        }
        PeerEvent::RefreshRequested { family } => {
            let text = "the peer asks for all routes again";
            Draft::new(Kind::PeerRefresh, Info, text).more("family", family)
        }
        // With its octets (RFC 7606 section 6), as many as the event has; events are limited.
        PeerEvent::Malformed { disposition, attribute, message } => {
            let text = "malformed UPDATE: the session stays (RFC 7606)";
            Draft::new(Kind::PeerMalformed, Warn, text)
                .more("disposition", disposition)
                .more("attribute", format_args!("{attribute:?}"))
                .more("update", hex(message))
        }
        PeerEvent::Unsendable { family, reason } => {
            let text = "routes of this family cannot be announced to this peer";
            Draft::new(Kind::PeerUnsendable, Error, text)
                .more("family", family)
                .more("why", format_args!("{reason:?}"))
        }
        PeerEvent::CapabilitiesDropped { codes } => {
            let text = "the peer refuses capabilities: trying without";
            Draft::new(Kind::PeerCapabilities, Warn, text).more("codes", format_args!("{codes:?}"))
        }
    };
    Some(draft.peer(peer))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn exabgp_event(event: &exabgp::Event) -> Option<Draft> {
    Some(match event {
        exabgp::Event::Sent { .. } | exabgp::Event::Acknowledged { .. } => return None,
        exabgp::Event::Rejected { prefix, line, reason } => {
            let text = format!(
                "ExaBGP refuses \"{line}\"; trying again until it is taken (does the neighbor's api \
                 section list this process?)"
            );
            Draft::new(Kind::ExabgpRejected, Error, text)
                .prefix(*prefix)
                .more("why", reason.as_deref().unwrap_or("none given"))
        }
        exabgp::Event::Accepted { prefix } => {
            Draft::new(Kind::ExabgpAccepted, Info, "ExaBGP takes it now").prefix(*prefix)
        }
        exabgp::Event::DialectLearned { dialect } => {
            let text = "learned which API ExaBGP speaks";
            Draft::new(Kind::ExabgpDialect, Info, text).more("api", dialect)
        }
        exabgp::Event::AcksAbsent => {
            let text = "ExaBGP does not answer commands: going on without";
            Draft::new(Kind::ExabgpAnswers, Info, text).to("no")
        }
        exabgp::Event::AcksPresent => {
            Draft::new(Kind::ExabgpAnswers, Info, "ExaBGP answers commands").to("yes")
        }
        exabgp::Event::Stalled { in_flight } => {
            let text = "ExaBGP has stopped answering: the newest state is sent when it goes on";
            Draft::new(Kind::ExabgpStalled, Warn, text).more("in_flight", in_flight)
        }
        exabgp::Event::Resumed { after } => {
            Draft::new(Kind::ExabgpResumed, Info, "ExaBGP answers again")
                .more("after", format_args!("{after:?}"))
        }
        exabgp::Event::PeerStops => {
            Draft::new(Kind::ExabgpStops, Info, "ExaBGP stops: its answers are not waited for")
        }
        exabgp::Event::Resynchronised { prefixes } => {
            let text = "answers were lost: sending again what waited for them";
            Draft::new(Kind::ExabgpResynchronised, Warn, text).more("prefixes", prefixes)
        }
    })
}
