//! The records of what the engine says.

use std::net::IpAddr;

use ha2bgp_core::event::{Cause, Event};
use ha2bgp_core::net::Prefix;
use ha2bgp_core::time::Instant;

use super::kind::Kind;
use super::record::{Draft, Level};

/// The service address or prefix that an event is about.
pub fn vip(event: &Event) -> Option<IpAddr> {
    match event {
        Event::ServiceDiscovered { vip, .. }
        | Event::ServiceForgotten { vip }
        | Event::ServiceRefused { vip, .. }
        | Event::HealthChanged { vip, .. }
        | Event::WouldWithdraw { vip, .. }
        | Event::Suppressed { vip, .. }
        | Event::Released { vip } => Some(*vip),
        Event::CheckChanged { vip, .. } => *vip,
        Event::RouteAnnounced { prefix, .. }
        | Event::RouteWithdrawn { prefix, .. }
        | Event::WithdrawalHeld { prefix, .. } => Some(prefix.address()),
        Event::FirstVerdicts { .. }
        | Event::OverrideEnded(_)
        | Event::Reconfigured { .. }
        | Event::SourceReady { .. }
        | Event::SourceFailed { .. }
        | Event::SourceUnknown { .. }
        | Event::SourceRecovered { .. } => None,
    }
}

/// The record of an event; `now` is the moment it was said.
pub fn draft(event: &Event, now: Instant) -> Draft {
    let draft = plain(event, now);
    match vip(event) {
        Some(vip) => draft.prefix(Prefix::host(vip)),
        None => draft,
    }
}

fn plain(event: &Event, now: Instant) -> Draft {
    use Level::{Debug, Error, Info, Warn};
    match event {
        Event::SourceReady { source } => {
            Draft::new(Kind::SourceReady, Debug, "first look at this host is complete")
                .more("source", source)
        }
        Event::SourceFailed { source, error } => {
            let text = "cannot look at this host: the last state stays";
            Draft::new(Kind::SourceFailed, Warn, text).more("source", source).more("error", error)
        }
        Event::SourceUnknown { source } => {
            let text = "cannot look at this host for too long: routes are held as they are";
            Draft::new(Kind::SourceUnknown, Error, text)
                .reason(ha2bgp_core::reason::Reason::SourceUnknown)
                .more("source", source)
        }
        Event::SourceRecovered { source, failed_for } => {
            Draft::new(Kind::SourceRecovered, Info, "can look at this host again")
                .more("source", source)
                .more("after", format_args!("{failed_for:?}"))
        }
        Event::ServiceRefused { services_max, .. } => {
            let text = "too many services: this one and later ones are not taken in";
            Draft::new(Kind::ServiceRefused, Error, text).more("services_max", services_max)
        }
        Event::FirstVerdicts { announced } => {
            let text = "every service that is there has been judged";
            Draft::new(Kind::FirstVerdicts, Info, text).more("announced", announced)
        }
        Event::ServiceDiscovered { vip, network, next_hop } => {
            let text = format!(
                "new listening socket IP added: {vip}, {network}; registered new route {vip} -> \
                 {next_hop}"
            );
            Draft::new(Kind::ServiceDiscovered, Info, text)
        }
        Event::ServiceForgotten { .. } => {
            let text = "forgotten: nothing has listened for a long time";
            Draft::new(Kind::ServiceForgotten, Info, text)
        }
        Event::HealthChanged { health, reason, cause, .. } => {
            let text = format!("health changed: {}{}", health.name(), words(cause.as_ref()));
            let draft = Draft::new(Kind::HealthChanged, Debug, text).to(health.name());
            caused(draft.reason(*reason), cause.as_ref())
        }
        Event::CheckChanged { check, outcome, detail, .. } => {
            let text = format!("check {check}: {outcome}: {detail}");
            Draft::new(Kind::CheckChanged, Info, text).to(outcome).check(check, detail)
        }
        Event::WouldWithdraw { cause, .. } => {
            let text = format!("shadow checks would have it withdrawn{}", words(cause.as_ref()));
            caused(Draft::new(Kind::WouldWithdraw, Warn, text), cause.as_ref())
        }
        Event::RouteAnnounced { next_hop, last_choice: false, reason, .. } => {
            Draft::new(Kind::RouteAnnounced, Info, "announcing")
                .to("announced")
                .reason(*reason)
                .more("next_hop", next_hop)
        }
        Event::RouteAnnounced { next_hop, last_choice: true, reason, .. } => {
            let text = format!("announcing as the last choice: {}", reason.text());
            Draft::new(Kind::RouteAnnounced, Warn, text)
                .to("last-choice")
                .reason(*reason)
                .more("next_hop", next_hop)
        }
        Event::WithdrawalHeld { reason, cause, until, .. } => {
            let text = format!(
                "the guard holds it, too many were withdrawn of late: {}{}",
                reason.text(),
                words(cause.as_ref())
            );
            let draft = Draft::new(Kind::WithdrawalHeld, Error, text).to("last-choice");
            let draft = draft.reason(*reason).more("seconds", until.since(now).as_secs());
            caused(draft, cause.as_ref())
        }
        Event::OverrideEnded(over) => {
            let text = format!("the time of an override is over: {}", over.kind.name());
            Draft::new(Kind::OverrideEnded, Warn, text)
                .from(over.kind.name())
                .more("override", over.id.0)
        }
        Event::Reconfigured { services } => {
            let text = "another configuration counts";
            Draft::new(Kind::Reconfigured, Info, text).more("services", services)
        }
        Event::RouteWithdrawn { reason, cause, .. } => {
            let text = format!("withdrawing: {}{}", reason.text(), words(cause.as_ref()));
            let draft = Draft::new(Kind::RouteWithdrawn, Info, text).to("withdrawn");
            caused(draft.reason(*reason), cause.as_ref())
        }
        Event::Suppressed { penalty, until, .. } => {
            Draft::new(Kind::Suppressed, Warn, "flapping: held withdrawn until calm")
                .reason(ha2bgp_core::reason::Reason::Damping)
                .more("penalty", penalty)
                .more("seconds", until.since(now).as_secs())
        }
        Event::Released { .. } => Draft::new(Kind::Released, Info, "calm again: released"),
    }
}

/// The probe behind a decision, to stand behind a text.
fn words(cause: Option<&Cause>) -> String {
    cause.map(|cause| format!(": {}: {}", cause.check, cause.detail)).unwrap_or_default()
}

fn caused(draft: Draft, cause: Option<&Cause>) -> Draft {
    match cause {
        Some(cause) => draft.check(&cause.check, &cause.detail),
        None => draft,
    }
}
