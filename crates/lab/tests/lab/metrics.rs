//! Metrics of the running program, as Prometheus' own tools read them; alert rules and dashboard.

use crate::speaker_stage::{Pair, Plan};
use crate::stage::{SOON, VIP};
use ha2bgp::control::client;
use ha2bgp_lab::router::Kind;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, child, readme, require, service, tools, wait};
use std::path::{Path, PathBuf};
use std::process::Command;

fn contrib(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(file)
}

fn promtool(args: &[&str]) -> Result<String> {
    let program = tools::find("promtool").ok_or(LabError::Missing("promtool".to_owned()))?;
    child::run(Command::new(program).args(args))
}

fn scrape(socket: &Path) -> std::result::Result<String, String> {
    let answer = client::ask(socket, "GET", "/metrics", &[]).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

/// Waits until the text has all these lines.
fn has(socket: &Path, lines: &[String]) -> Result<String> {
    wait::until(SOON, &format!("the metrics have {lines:#?}"), || {
        let text = scrape(socket)?;
        let missing = lines.iter().find(|line| !text.lines().any(|it| it == line.as_str()));
        match missing {
            None => Ok(text),
            Some(line) => Err(format!("no {line} in\n{text}")),
        }
    })
}

/// The value of a sample without labels, or with these.
fn value(text: &str, sample: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?;
    line.parse().ok()
}

#[test]
fn what_happens_is_what_they_say() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Kind::Bird.need(), Need::Tool("promtool"));
    let dir = readme::workdir()?;
    let socket = dir.path().join("control.sock");
    let plan = Plan::new(Kind::Bird).section(&format!(
        "[control]\nunix = \"{}\"\n[[service]]\nname = \"web\"\nvips = [\"{VIP}\"]\n",
        socket.display()
    ));
    let mut pair = Pair::established(plan)?;
    let labels = format!("service=\"web\",vip=\"{VIP}\"");
    let peer = "peer=\"10.9.1.2\"";
    let up = format!("ha2bgp_peer_up{{{peer}}} 1");
    let state = |is: u8| {
        vec![
            up.clone(),
            format!("ha2bgp_service_announced{{{labels}}} {is}"),
            format!("ha2bgp_route_intended{{{labels},{peer}}} {is}"),
            format!("ha2bgp_route_announced{{{labels},{peer}}} {is}"),
            format!("ha2bgp_peer_routes_told{{{peer}}} {is}"),
        ]
    };
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    let text = has(&socket, &state(1))?;
    let before = value(&text, "ha2bgp_observed_to_decided_seconds_count");
    drop(listener);
    pair.wait_route(false)?;
    // Never absent: it is there with 0.
    has(&socket, &state(0))?;
    let text = wait::until(SOON, "both messages are acknowledged", || {
        let text = scrape(&socket)?;
        let of = |name: &str| value(&text, &format!("ha2bgp_{name}_seconds_count{{{peer}}}"));
        let counted = [of("decided_to_sent"), of("sent_to_acknowledged")];
        let all = counted.iter().all(|count| count.is_some_and(|count| count >= 2.0));
        if all { Ok(text) } else { Err(format!("{counted:?}")) }
    })?;
    let after = value(&text, "ha2bgp_observed_to_decided_seconds_count");
    assert!(after > before && before.is_some(), "{before:?} {after:?}");
    let transitions = value(&text, &format!("ha2bgp_service_transitions_total{{{labels}}}"));
    assert_eq!(transitions, Some(2.0), "{text}");
    let dumps = value(&text, "ha2bgp_listen_looks_total{how=\"dump\"}");
    assert!(dumps.is_some_and(|dumps| dumps > 0.0), "{text}");

    // A router that is gone still should have the route.
    let listener = service::listen(&pair.us, &pair.plan.service())?;
    pair.wait_route(true)?;
    pair.router.kill()?;
    let text = has(
        &socket,
        &[
            format!("ha2bgp_peer_up{{{peer}}} 0"),
            format!("ha2bgp_service_announced{{{labels}}} 1"),
            format!("ha2bgp_route_intended{{{labels},{peer}}} 1"),
            format!("ha2bgp_route_announced{{{labels},{peer}}} 0"),
            format!("ha2bgp_peer_sessions_dropped_total{{{peer}}} 1"),
        ],
    )?;
    drop(listener);

    let file = pair.dir.path().join("x.prom");
    let path = file.display().to_string();
    let text = ha2bgp::status::from_openmetrics(&text);
    std::fs::write(&file, text).map_err(LabError::io(path.clone()))?;
    let program = tools::find("promtool").ok_or(LabError::Missing("promtool".to_owned()))?;
    let script = "\"$0\" check metrics < \"$1\" 2>&1";
    let said = child::run(Command::new("sh").args(["-c", script]).arg(program).arg(&file))?;
    assert_eq!(said, "");
    Ok(())
}

#[test]
fn alert_rules_are_valid_and_do_what_their_tests_say() -> Result<()> {
    require!(Need::Tool("promtool"));
    let path = |file: &str| contrib(file).display().to_string();
    promtool(&["check", "rules", &path("prometheus/ha2bgp.rules.yml")])?;
    promtool(&["test", "rules", &path("prometheus/ha2bgp.rules.test.yml")])?;
    Ok(())
}

/// Each query of the dashboard, with something in the place of Grafana's variables.
#[test]
fn the_queries_of_the_dashboard_are_promql() -> Result<()> {
    require!(Need::Tool("promtool"));
    let file = contrib("grafana/ha2bgp.json");
    let text = std::fs::read_to_string(&file).map_err(LabError::io(file.display().to_string()))?;
    // One on a line; a string of JSON is one of YAML, too.
    let query =
        |line: &str| Some(line.trim().strip_prefix("\"expr\": ")?.trim_end_matches(',').to_owned());
    let queries: Vec<String> = text.lines().filter_map(query).collect();
    assert!(queries.len() > 20, "{queries:?}");
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (number, query) in queries.iter().enumerate() {
        let query = query.replace("$__rate_interval", "5m").replace("$__interval", "1m");
        rules.push_str(&format!("  - record: query_{number}\n    expr: {query}\n"));
    }
    let dir = tempfile::tempdir().map_err(LabError::io("make a directory"))?;
    let path = dir.path().join("rules.yml");
    std::fs::write(&path, rules).map_err(LabError::io("write rules"))?;
    promtool(&["check", "rules", &path.display().to_string()])?;
    Ok(())
}
