//! What is exported is what the table says, and what contrib asks for is exported. (The lab has
//! Prometheus' own parser read it.)

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ha2bgp_core::check::{CheckIndex, CheckKey, Counting, Metric, MetricUnit, More};
use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_core::config::{CheckConfig, CheckKind, EngineConfig, ServiceConfig};
use ha2bgp_core::engine::{Engine, Input};
use ha2bgp_core::explain::Explanation;
use ha2bgp_core::fact::{Observation, Source};
use ha2bgp_core::net::Networks;
use ha2bgp_core::rule::Rule;
use ha2bgp_core::time::Instant as EngineTime;
use ha2bgp_proto::bgp::fsm::State;
use ha2bgp_proto::bgp::{Counters, PeerAddress, Snapshot as SessionSnapshot};
use ha2bgp_proto::exabgp::{Options, Session};

use super::measures::{CheckTimes, PeerName, Queue};
use super::table::{Def, GROUPS, Is};
use super::*;
use crate::announce::{PeerState, PipeState, Progress, SpeakerState};
use crate::bfd::states::{SessionState, States};
use crate::bfd::target::Target;
use crate::control::questions::Question;
use crate::histogram::Histogram;

const PEER: &str = "192.0.2.1";

/// An engine with one service whose check has measured something.
fn engine() -> Engine {
    let mut config = EngineConfig {
        networks: Networks::new(vec!["100.64.0.0/24".parse().unwrap()]),
        ..EngineConfig::default()
    };
    let kind = CheckKind::Probe { per_vip: true, counting: Counting::default() };
    config.add_check(CheckConfig { name: "disk".into(), kind, ..CheckConfig::listen() });
    config.services.push(ServiceConfig {
        name: "web \"1\"".into(),
        vips: vec!["100.64.0.10".parse().unwrap()],
        rule: Rule::Check(CheckIndex(2)),
        up_delay: Duration::ZERO,
        ..ServiceConfig::default()
    });
    let mut engine = Engine::new(config, EngineTime::START);
    let metric =
        |label: &str, value: &str, unit| Metric { label: label.into(), value: value.into(), unit };
    let more = More {
        metrics: Box::new([
            metric("time", "0.25", MetricUnit::Seconds),
            metric("used", "1024", MetricUnit::Bytes),
            metric("share", "0.5", MetricUnit::Ratio),
            metric("users", "3", MetricUnit::Number),
            metric("hits", "7", MetricUnit::Counter),
        ]),
        ..More::default()
    };
    let mut result = ProbeResult::new(Outcome::Warn, "nearly full");
    result.more = Some(Arc::new(more));
    let check = CheckKey { check: CheckIndex(2), vip: Some("100.64.0.10".parse().unwrap()) };
    let input = Input::Observation(Observation::Probed { check, result });
    engine.handle(input, EngineTime::START);
    engine
}

fn histogram() -> Histogram {
    let mut histogram = Histogram::default();
    histogram.record(Duration::from_micros(15));
    histogram.record(Duration::from_secs(60));
    histogram
}

/// Everything that is known without an announcer.
fn measures() -> Measures {
    let engine = engine();
    let now = EngineTime::START;
    Measures {
        services: engine.explain_all(now).collect(),
        queues: vec![Queue { name: "observations", waiting: 1, limit: 4096 }],
        check_times: vec![CheckTimes {
            service: "web \"1\"".into(),
            check: "disk".into(),
            took: histogram(),
        }],
        observed_to_decided: histogram(),
        sights: Source::ALL.map(|source| (source, engine.sight(source))).into(),
        ..Measures::new(now, engine.explain_guard(now))
    }
}

fn speaker() -> Snapshot {
    let peer: PeerAddress = PEER.parse().unwrap();
    let session = SessionSnapshot {
        state: State::Established,
        since: EngineTime::START,
        negotiated: None,
        wanted: 1,
        told: 1,
        pending: 0,
        unwritten: 0,
        last_error: None,
        failures: 0,
        next_attempt: None,
        counters: Counters { sent: [1, 2, 0, 3, 0], sent_bytes: 99, ..Counters::default() },
    };
    let state = PeerState {
        peer,
        leaving: false,
        session: Box::new(session),
        decided_to_sent: histogram(),
        sent_to_acknowledged: histogram(),
        trouble: None,
        last_notification: None,
        others: Vec::new(),
    };
    // One that leaves has the name of one that is there: it must not be told twice.
    let leaving = PeerState { leaving: true, ..state.clone() };
    let peers = vec![leaving, state];
    let name = |address: PeerAddress, description: &str| PeerName {
        address: Some(address),
        name: address.to_string(),
        asn: "65001".to_owned(),
        description: description.to_owned(),
    };
    let other = "192.0.2.2".parse().unwrap();
    let measures = Measures {
        peers: vec![name(peer, "edge \\ \"1\"\n"), name(other, "")],
        announcer: Some(Progress::Speaker(SpeakerState { peers, ..SpeakerState::default() })),
        bfd: bfd(),
        ..measures()
    };
    let routes = vec![vec![("100.64.0.10/32".parse().unwrap(), true, true)], Vec::new()];
    Snapshot { measures: Box::new(measures), routes }
}

fn pipe() -> Snapshot {
    let state = PipeState {
        session: Session::new(Options::default()).snapshot(),
        decided_to_sent: histogram(),
        sent_to_acknowledged: histogram(),
    };
    let measures = Measures {
        peers: vec![PeerName::pipe("exabgp")],
        announcer: Some(Progress::ExaBgp(Box::new(state))),
        ..measures()
    };
    Snapshot { measures: Box::new(measures), routes: vec![Vec::new()] }
}

/// A session of BFD that is up, and what does not come from its neighbor.
fn bfd() -> States {
    let state = SessionState { too_far: 7, ..crate::bfd::states::tests::up() };
    let target = Target { multihop: true, ..Target::neighbor(PEER.parse().unwrap()) };
    States::new([(target, state)].into(), 5)
}

/// Every metric of the table by the name of its family.
fn table() -> BTreeMap<String, &'static Def> {
    let all: Vec<&Def> = GROUPS.iter().flat_map(|(_, defs)| *defs).copied().collect();
    let by_name: BTreeMap<_, _> = all.iter().map(|def| (def.family(), *def)).collect();
    assert_eq!(by_name.len(), all.len(), "names are unique");
    by_name
}

/// The name, the labels and the value of a sample.
fn sample(line: &str) -> (&str, BTreeSet<String>, f64) {
    let (head, value) = line.rsplit_once(' ').unwrap();
    let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
    let (name, labels) = head.split_once('{').unwrap_or((head, "}"));
    let mut names = BTreeSet::new();
    let mut rest = labels.strip_suffix('}').unwrap();
    while let Some((label, after)) = rest.split_once("=\"") {
        assert!(names.insert(label.trim_start_matches(',').to_owned()), "twice: {line}");
        let mut escaped = false;
        let end = after.char_indices().find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        rest = &after[end.unwrap().0 + 1..];
    }
    assert_eq!(rest, "", "{line}");
    (name, names, value)
}

/// Holds a text against the table; returns the families that have samples.
fn compare(text: &str) -> BTreeSet<String> {
    let table = table();
    let (mut heads, mut seen, mut lines) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut current = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, is) = rest.split_once(' ').unwrap();
            let def = table.get(name).unwrap_or_else(|| panic!("{name} is not in the table"));
            assert_eq!(def.is.name(), is, "{name}");
            assert!(heads.insert(name.to_owned()), "{name} is there twice");
            current = Some((name.to_owned(), *def));
        } else if !line.starts_with('#') {
            let (name, mut labels, value) = sample(line);
            let (family, def) = current.as_ref().unwrap();
            let suffix = name.strip_prefix(family.as_str()).unwrap();
            let good: &[&str] = match def.is {
                Is::Gauge => &[""],
                Is::Counter => &["_total"],
                Is::Info => &["_info"],
                Is::Histogram => &["_bucket", "_sum", "_count"],
            };
            assert!(good.contains(&suffix), "{line}");
            assert_eq!(labels.remove("le"), suffix == "_bucket", "{line}");
            assert_eq!(labels, def.labels.iter().map(|it| (*it).to_owned()).collect(), "{line}");
            assert!(!value.is_nan(), "{line}");
            assert!(lines.insert(line.rsplit_once(' ').unwrap().0), "{line} is there twice");
            seen.insert(family.clone());
        }
    }
    assert_eq!(heads, table.into_keys().collect(), "what is exported, and what the table has");
    assert!(text.ends_with("# EOF\n"));
    seen
}

#[test]
fn what_is_exported_is_what_the_table_has() {
    let speaker = compare(&encode(speaker()));
    let pipe = compare(&encode(pipe()));
    let all: BTreeSet<String> = speaker.union(&pipe).cloned().collect();
    assert_eq!(all, table().into_keys().collect(), "each has a sample");
    // Nothing at all is no reason for anything to be missing.
    let nothing = Measures::new(EngineTime::START, engine().explain_guard(EngineTime::START));
    compare(&encode(Snapshot { measures: Box::new(nothing), routes: Vec::new() }));
}

#[test]
fn everything_is_there_and_never_absent() {
    let text = encode(speaker());
    let labels = "service=\"web \\\"1\\\"\",vip=\"100.64.0.10\"";
    let check = format!("{labels},check=\"disk\"");
    let bfd = format!("peer=\"{PEER}\",local=\"\",interface=\"\",hops=\"multi\"");
    for line in [
        format!("ha2bgp_service_announced{{{labels}}} 1"),
        format!("ha2bgp_service_would_have_withdrawn_total{{{labels}}} 0"),
        format!("ha2bgp_service_transitions_total{{{labels}}} 1"),
        format!("ha2bgp_service_health{{{labels},health=\"degraded\"}} 1"),
        format!("ha2bgp_check_verdict{{{check},verdict=\"pass\"}} 0"),
        format!("ha2bgp_check_verdict{{{check},verdict=\"warn\"}} 1"),
        format!("ha2bgp_check_results_total{{{check},outcome=\"warn\"}} 1"),
        format!("ha2bgp_check_value_seconds{{{check},label=\"time\"}} 0.25"),
        format!("ha2bgp_check_value_bytes{{{check},label=\"used\"}} 1024.0"),
        format!("ha2bgp_check_value_counted_total{{{check},label=\"hits\"}} 7.0"),
        format!("ha2bgp_route_intended{{{labels},peer=\"{PEER}\"}} 1"),
        format!("ha2bgp_route_announced{{{labels},peer=\"{PEER}\"}} 1"),
        format!("ha2bgp_route_announced{{{labels},peer=\"192.0.2.2\"}} 0"),
        format!("ha2bgp_peer_up{{peer=\"{PEER}\"}} 1"),
        "ha2bgp_peer_up{peer=\"192.0.2.2\"} 0".to_owned(),
        format!("ha2bgp_peer_messages_sent_total{{peer=\"{PEER}\",type=\"update\"}} 2"),
        format!("ha2bgp_peer_sent_bytes_total{{peer=\"{PEER}\"}} 99"),
        format!("ha2bgp_decided_to_sent_seconds_bucket{{le=\"0.00002\",peer=\"{PEER}\"}} 1"),
        format!("ha2bgp_decided_to_sent_seconds_bucket{{le=\"10.0\",peer=\"{PEER}\"}} 1"),
        format!("ha2bgp_decided_to_sent_seconds_bucket{{le=\"+Inf\",peer=\"{PEER}\"}} 2"),
        format!("ha2bgp_decided_to_sent_seconds_count{{peer=\"{PEER}\"}} 2"),
        "ha2bgp_guard_vetoes_total 0".to_owned(),
        format!("ha2bgp_bfd_up{{{bfd}}} 1"),
        format!("ha2bgp_bfd_ups_total{{{bfd}}} 1"),
        format!("ha2bgp_bfd_detection_time_seconds{{{bfd}}} 0.9"),
        format!("ha2bgp_bfd_packets_discarded_total{{{bfd},reason=\"hop-limit\"}} 7"),
        "ha2bgp_bfd_strangers_total 5".to_owned(),
    ] {
        let found = text.lines().any(|known| known == line);
        assert!(found, "{line}\n{text}");
    }
}

/// What would be too many lines is left out, and counted.
#[test]
fn there_is_a_limit_on_lines() {
    let one = measures().services.remove(0);
    let services: Vec<Explanation> = vec![one; peers::PAIRS_MAX / 2];
    let pipe = || PeerName::pipe("x");
    let measures = Measures { services, peers: vec![pipe(), pipe(), pipe()], ..measures() };
    assert_eq!(peers::shown(&measures), 2);
    let text = encode(Snapshot { measures: Box::new(measures), routes: vec![Vec::new(); 2] });
    let left_out = format!("ha2bgp_routes_left_out {}", peers::PAIRS_MAX / 2);
    assert!(text.lines().any(|line| line == left_out));
    let pairs = text.lines().filter(|line| line.starts_with("ha2bgp_route_announced{"));
    assert_eq!(pairs.count(), peers::PAIRS_MAX);
}

/// Where a file of contrib is.
fn contrib(file: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(file);
    std::fs::read_to_string(path).unwrap()
}

/// What stands behind each occurrence of a word, up to what cannot be part of a name.
fn names_after<'t>(text: &'t str, before: &str) -> BTreeSet<&'t str> {
    let end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    text.split(before).skip(1).map(|rest| rest.split(end).next().unwrap_or(rest)).collect()
}

/// A metric that is renamed must not leave an alert behind that never fires.
#[test]
fn rules_and_dashboard_ask_for_what_there_is() {
    let mut known = BTreeSet::new();
    for (_, def) in table() {
        let name = def.queried();
        if def.is == Is::Histogram {
            known.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")));
        } else {
            known.insert(name);
        }
    }
    let files =
        ["prometheus/ha2bgp.rules.yml", "prometheus/ha2bgp.rules.test.yml", "grafana/ha2bgp.json"];
    for file in files {
        let text = contrib(file);
        let asked = names_after(&text, "ha2bgp_");
        assert!(asked.len() > 10, "{file}: {asked:?}");
        for name in asked {
            let name = format!("ha2bgp_{name}");
            assert!(known.contains(&name), "{file} asks for {name}, which there is not");
        }
    }
}

/// An alert that no test makes fire may never fire.
#[test]
fn each_alert_has_a_test_that_makes_it_fire() {
    let (rules, tests) =
        (contrib("prometheus/ha2bgp.rules.yml"), contrib("prometheus/ha2bgp.rules.test.yml"));
    let alerts = names_after(&rules, "alert: ");
    let fires = tests.split("alertname: ").skip(1).filter_map(|rest| {
        let name = rest.split_whitespace().next()?;
        rest.lines().nth(1)?.trim().starts_with("exp_alerts:").then_some(name)
    });
    assert_eq!(alerts, fires.collect());
}

#[test]
fn the_reference_page_is_fresh() {
    crate::cli::flags::assert_fresh("docs/reference/metrics.md", &table::reference());
}

/// Services come in pages, each once, however many there are.
#[tokio::test]
async fn services_come_in_pages() {
    let mut config = EngineConfig {
        networks: Networks::new(vec!["100.64.0.0/16".parse().unwrap()]),
        ..EngineConfig::default()
    };
    let count = u32::try_from(2 * crate::control::questions::PAGE).unwrap();
    let vip = |n: u32| std::net::Ipv4Addr::from(0x6440_0000 + n).into();
    config
        .services
        .push(ServiceConfig { vips: (0..count).map(vip).collect(), ..ServiceConfig::default() });
    let engine = Engine::new(config, EngineTime::START);
    let (asking, mut questions) = tokio::sync::mpsc::channel(1);
    let answering = tokio::spawn(async move {
        let mut pages = 0;
        while let Some(question) = questions.recv().await {
            let now = EngineTime::START;
            match question {
                Question::Measures(answer) => {
                    drop(answer.send(Box::new(Measures::new(now, engine.explain_guard(now)))));
                }
                Question::Page(after, most, answer) => {
                    pages += 1;
                    drop(answer.send(engine.page(after, most, &mut |_, _, _| true, now)));
                }
                other => panic!("{other:?} is nothing that metrics ask"),
            }
        }
        pages
    });
    let metrics = Metrics::new(Questions(asking), announce::questions::Questions::channel().0);
    let text = String::from_utf8(metrics.text().await.unwrap()).unwrap();
    // The same second: nothing is asked.
    metrics.text().await.unwrap();
    drop(metrics);
    compare(&text);
    let lines = text.lines().filter(|line| line.starts_with("ha2bgp_service_announced{"));
    assert_eq!(lines.count(), 2 * crate::control::questions::PAGE);
    assert_eq!(answering.await.unwrap(), 2);
}
