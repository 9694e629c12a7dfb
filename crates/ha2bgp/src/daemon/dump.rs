//! The status dump: what is announced, what is not, and why. Goes to the log (stderr).

use ha2bgp_core::check::{CheckState, Metric, MetricUnit, More, Outcome};
use ha2bgp_core::engine::Engine;
use ha2bgp_core::explain::{CheckExplanation, Explanation};
use ha2bgp_core::net::Prefix;
use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::{Count, Counters, Others};
use ha2bgp_proto::exabgp::{Acks, Snapshot};

use crate::announce::{PeerState, Progress};
use crate::bfd::states::{States, why};
use crate::config::duration;

/// How many services a dump shows.
const SERVICES_MAX: usize = 1000;

/// How many metrics of a check it shows.
const METRICS_SHOWN: usize = 3;

/// When the dump is written, and what is said of the program itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    pub(super) now: Instant,
    /// The routes are withdrawn then.
    pub(super) draining: Option<Instant>,
    /// How listeners are noticed.
    pub(super) notice: &'a str,
    /// What is known of BFD sessions.
    pub(super) bfd: &'a States,
}

/// Writes the dump.
pub(super) fn log(engine: &Engine, announcer: Option<&Progress>, at: &At<'_>) {
    let At { now, draining, notice, .. } = *at;
    let announced = engine.routes().len();
    let mut services = engine.explain_all(now);
    tracing::info!("status: {announced} announced; listeners are noticed by {notice}");
    if let Some(until) = draining {
        tracing::info!("status: draining, withdrawn in {}s", until.since(now).as_secs());
    }
    match announcer {
        Some(Progress::ExaBgp(state)) => pipe(&state.session),
        Some(Progress::Speaker(state)) => {
            state.peers.iter().for_each(|peer| session(peer, now));
            if let Some(last) = state.last_stranger {
                tracing::info!(
                    "status: {} connections from others than peers were closed, the last from {last}",
                    state.strangers
                );
            }
        }
        None => {}
    }
    bfd(at.bfd, now);
    for explanation in services.by_ref().take(SERVICES_MAX) {
        let mut text = line(&explanation, now);
        if let Some(Progress::Speaker(state)) = announcer {
            others(&mut text, explanation.prefix, &state.peers);
        }
        tracing::info!("status: {text}");
    }
    let more = services.count();
    if more > 0 {
        tracing::info!("status: {more} more services are not shown");
    }
}

/// The state of the pipe to ExaBGP.
fn pipe(state: &Snapshot) {
    let answers = match state.acks {
        Acks::Unknown => "not known yet",
        Acks::Present => "yes",
        Acks::Absent => "no",
    };
    tracing::info!(
        "status: announcer sent={} acknowledged={} rejected={} pending={} in-flight={} \
         answers={answers:?} stalled={}",
        state.sent,
        state.acknowledged,
        state.rejected,
        state.pending,
        state.in_flight,
        state.stalled,
    );
}

/// The state of one session.
fn session(peer: &PeerState, now: Instant) {
    let state = &peer.session;
    let counters = &state.counters;
    let mut text = format!(
        "{} for {}s announced={} wanted={} pending={} sent-announcements={} sent-withdrawals={} \
         established={} dropped={}",
        state.state,
        now.since(state.since).as_secs(),
        state.told,
        state.wanted,
        state.pending,
        counters.announced,
        counters.withdrawn,
        counters.established,
        counters.dropped,
    );
    let Counters { attribute_discard, treat_as_withdraw, as_loops, .. } = *counters;
    if attribute_discard + treat_as_withdraw + as_loops > 0 {
        text.push_str(&format!(
            " received-attributes-discarded={attribute_discard} \
             received-treated-as-withdrawal={treat_as_withdraw} received-loops={as_loops}"
        ));
    }
    if let Some(negotiated) = &state.negotiated {
        text.push_str(&format!(" hold={}s", negotiated.hold_time.as_secs()));
    }
    if let Some((at, cause)) = &state.last_error {
        text.push_str(&format!(" last-error={}s-ago ({cause})", now.since(*at).as_secs()));
    }
    if let Some((at, cause)) = &peer.last_notification {
        text.push_str(&format!(" last-notification={}s-ago ({cause})", now.since(*at).as_secs()));
    }
    if let Some((since, why)) = &peer.trouble {
        text.push_str(&format!(" no-connection={}s ({why})", now.since(*since).as_secs()));
    }
    if let Some(at) = state.next_attempt {
        text.push_str(&format!(" next-attempt={}s", at.since(now).as_secs()));
    }
    tracing::info!("status: peer {} {text}", peer.peer);
}

/// The BFD sessions.
fn bfd(states: &States, now: Instant) {
    for (target, session) in states.iter() {
        let status = &session.status;
        let counters = &status.counters;
        let mut text = format!(
            "{} for {}s ups={} downs={} failures={} sent={} received={} discarded={}",
            status.state,
            now.since(status.since).as_secs(),
            counters.ups,
            counters.downs,
            counters.failures,
            counters.sent,
            counters.received,
            session.discarded(),
        );
        if let Some(time) = status.detection_time {
            text.push_str(&format!(" detection={}", duration::show(time)));
        }
        if let Some(remote) = &status.remote {
            text.push_str(&format!(" remote={} ({})", remote.state, remote.diagnostic));
        }
        if let Some((at, cause)) = session.changed.filter(|_| !session.is_up()) {
            text.push_str(&format!(" down={}s ({})", now.since(at).as_secs(), why(cause)));
        }
        if let Some(trouble) = &session.trouble {
            text.push_str(&format!(" trouble=({trouble})"));
        }
        tracing::info!("status: bfd {target} {text}");
    }
}

/// Who else announces a prefix, by each peer that is asked to tell.
fn others(text: &mut String, prefix: Prefix, peers: &[PeerState]) {
    for peer in peers {
        let Ok(at) = peer.others.binary_search_by_key(&prefix, |(prefix, _)| *prefix) else {
            continue;
        };
        let others = peer.others.get(at).map_or(Others::UNKNOWN, |(_, others)| *others);
        let count = match others.full {
            Count::Known(count) => count.to_string(),
            Count::AtLeast(count) => format!("{count}-or-more"),
            Count::Unknown => "unknown".to_owned(),
        };
        text.push_str(&format!(" others-at-{}={count}", peer.peer));
        if others.last_choice > 0 {
            let last = others.last_choice;
            text.push_str(&format!(" others-as-last-choice-at-{}={last}", peer.peer));
        }
    }
}

/// One service in one line.
fn line(explanation: &Explanation, now: Instant) -> String {
    let state = if explanation.announced { "announced" } else { "withdrawn" };
    let mut text = format!("{} {state}", explanation.prefix);
    if let Some(service) = &explanation.service {
        text.push_str(&format!(" for {}s", now.since(service.since).as_secs()));
    }
    text.push_str(&format!(" reason={} ({})", explanation.reason, explanation.reason.text()));
    let Some(service) = &explanation.service else { return text };
    if !service.name.is_empty() {
        text.push_str(&format!(" service={}", service.name));
    }
    let checks: Vec<String> = service.checks.iter().map(check).collect();
    text.push_str(&format!("; {}", checks.join(" ")));
    if let (_, count @ 1..) = service.shadow {
        text.push_str(&format!(" would-have-withdrawn={count}"));
    }
    let ports: Vec<String> =
        service.ports.iter().map(|(protocol, port)| format!("{protocol}/{port}")).collect();
    if !ports.is_empty() {
        text.push_str(&format!(" ports={}", ports.join(",")));
    }
    for (name, until) in [("delay", service.delay_until), ("held", service.suppressed_until)] {
        if let Some(until) = until {
            text.push_str(&format!(" {name}-left={}s", until.since(now).as_secs_f32()));
        }
    }
    if service.penalty > 0 {
        text.push_str(&format!(" penalty={}", service.penalty));
    }
    text
}

/// One check in a few words; what it found where that is more than its name says.
fn check(check: &CheckExplanation) -> String {
    let mut text = format!("{}={}", check.name, check.outcome);
    match check.counts_as {
        None => text.push_str("(shadow)"),
        Some(power) if power != check.outcome => text.push_str(&format!("(as-{power})")),
        Some(_) => {}
    }
    match &check.probe {
        None if check.outcome == Outcome::Pass => {}
        None => text.push_str(&format!(":{}", check.reason)),
        Some((CheckState { last: Some((last, _)), .. }, _)) => {
            text.push_str(&format!(" \"{}\"", last.detail));
            if let Some(more) = &last.more {
                self::more(&mut text, more);
            }
        }
        Some(_) => text.push_str(":check-pending"),
    }
    text
}

/// The first metrics and how much more there is: `[time=0.02s size=500B, 3 more lines]`.
fn more(text: &mut String, more: &More) {
    let mut parts: Vec<String> = more.metrics.iter().take(METRICS_SHOWN).map(metric).collect();
    if let hidden @ 1.. = more.metrics.len().saturating_sub(METRICS_SHOWN) {
        parts.push(format!("{hidden} more"));
    }
    let mut all = parts.join(" ");
    if let lines @ 1.. = more.long.lines().count() {
        let comma = if all.is_empty() { "" } else { ", " };
        all.push_str(&format!("{comma}{lines} more lines"));
    }
    text.push_str(&format!(" [{all}]"));
}

fn metric(metric: &Metric) -> String {
    let unit = match metric.unit {
        MetricUnit::Seconds => "s",
        MetricUnit::Bytes => "B",
        MetricUnit::Number | MetricUnit::Ratio | MetricUnit::Counter => "",
    };
    format!("{}={}{unit}", metric.label, metric.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_tells_is_brief() {
        let shown = |long: &str, labels: &[&str]| {
            let metrics = labels.iter().map(|label| Metric {
                label: (*label).into(),
                value: "0.5".into(),
                unit: MetricUnit::Seconds,
            });
            let mut text = String::new();
            more(&mut text, &More { long: long.into(), metrics: metrics.collect() });
            text
        };
        assert_eq!(shown("", &["time"]), " [time=0.5s]");
        assert_eq!(shown("a\nb", &[]), " [2 more lines]");
        assert_eq!(
            shown("a", &["a", "b", "c", "d", "e"]),
            " [a=0.5s b=0.5s c=0.5s 2 more, 1 more lines]"
        );
    }
}
