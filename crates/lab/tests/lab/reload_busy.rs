//! Reloads while much happens: probes, pushes, routes that come and go, HAProxy, plugins.

use crate::reload_stage::{DNS, FAR, FOUND, OTHER, PAGE, Stage, Text, WEB};
use crate::stage::SOON;
use ha2bgp::control::client;
use ha2bgp_lab::haproxy::{HaProxy, Options};
use ha2bgp_lab::plugins::{Plugins, Script};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, procfs, require, wait};
use std::time::{Duration, Instant};

macro_rules! require_all {
    () => {
        require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("bird"));
        require!(Need::Tool("nginx"), Need::File("/usr/lib/frr/bgpd"));
    };
}

/// How often the page is asked for.
const INTERVAL: Duration = Duration::from_millis(100);
const RELOADS: u64 = 50;

/// A check whose results are pushed, and count for long.
const PUSHED: &str = "[service.checks.up]\ntype = \"push\"\nttl = \"1h\"\n";

/// A metric of a check, summed over its outcomes.
fn results(stage: &Stage, check: &str) -> Result<u64> {
    let missing = |text: String| LabError::Missing(text);
    let answer = client::ask(&stage.path("control.sock"), "GET", "/metrics", &[]);
    let body = answer.map_err(|error| missing(error.to_string()))?.body;
    let text = String::from_utf8_lossy(&body).into_owned();
    let check = format!("check=\"{check}\"");
    let lines = text
        .lines()
        .filter(|line| line.starts_with("ha2bgp_check_results_total") && line.contains(&check));
    let numbers = lines.map(|line| {
        let number = line.split_whitespace().last().and_then(|word| word.parse::<u64>().ok());
        number.ok_or_else(|| missing(line.to_owned()))
    });
    let numbers: Vec<u64> = numbers.collect::<Result<_>>()?;
    if numbers.is_empty() { Err(missing(text)) } else { Ok(numbers.iter().sum()) }
}

/// Fifty reloads in a row, each with another change somewhere else: what does not change is probed
/// as often as before and not once more, keeps its results, and each push counts.
#[test]
fn fifty_in_a_row() -> Result<()> {
    require_all!();
    let mut base = Text::new();
    base.and("far", FAR, "all(listen, up)", PUSHED);
    let mut extra = base.clone();
    extra.and("extra", OTHER[0], "all(address)", "");
    let mut second = base.clone();
    second.services[1].2 = "all(listen, address, second)".to_owned();
    second.services[1].3 = PAGE
        .replace("checks.page", "checks.second")
        .replace("http://{vip}:8080/health", &format!("http://{WEB}:8080/status/200"))
        + "initial = \"down\"\n";
    let mut defaults = base.clone();
    defaults.defaults = defaults.defaults.replace("down-delay = \"0s\"", "down-delay = \"1s\"");
    let mut stage = Stage::begin(&base)?;
    stage.push("pass")?;
    stage.wait_routes(4)?;
    let before = stage.rest()?;
    let results_before = results(&stage, "page")?;
    let probes =
        |stage: &Stage| stage.web.requests().iter().filter(|line| line.contains("/health")).count();
    let (began, probes_before) = (Instant::now(), probes(&stage));
    let mut want = before.routes;
    let mut at = before.routes;
    for round in 0..RELOADS {
        let text = [&extra, &base, &second, &defaults][usize::try_from(round % 4).unwrap_or(0)];
        stage.reload(text)?;
        match round % 4 {
            0 => want.0 += 1,
            1 => want.1 += 1,
            _ => {}
        }
        if round % 10 == 5 {
            // A service that goes and comes, and a result that is pushed, in between.
            stage.close_dns();
            stage.bird.wait_route(&format!("{DNS}/32"), false, SOON)?;
            stage.open_dns()?;
            stage.push("fail")?;
            stage.bird.wait_route(&format!("{FAR}/32"), false, SOON)?;
            stage.push("pass")?;
            stage.bird.wait_route(&format!("{DNS}/32"), true, SOON)?;
            stage.bird.wait_route(&format!("{FAR}/32"), true, SOON)?;
            want = (want.0 + 2, want.1 + 2);
        }
        at = stage.told()?.routes;
    }
    assert!(at.0 > before.routes.0);
    // An upper bound: a busy machine probes less often, and nothing makes a probe more than one.
    let time = began.elapsed();
    let made = probes(&stage) - probes_before;
    let most = time.as_millis() / INTERVAL.as_millis() + 3;
    assert!(made as u128 <= most, "{made} probes in {time:?}");
    stage.reload(&base)?;
    if RELOADS % 4 == 1 {
        want.1 += 1;
    }
    let after = stage.rest()?;
    assert_eq!(after.routes, want, "since {before:?}\n{}", stage.ha2bgp.tail());
    assert_eq!(after.updates.1, before.updates.1, "FRR hears UPDATEs only");
    assert!(results(&stage, "page")? >= results_before + made as u64 / 2, "its counters go on");
    for vip in [WEB, DNS, FOUND, FAR] {
        stage.frr.wait_route(&format!("{vip}/32"), true, SOON)?;
    }
    let log = stage.ha2bgp.stderr();
    assert!(!log.contains("session lost"), "{log}");
    Ok(())
}

/// HAProxy is asked on, whatever else changes; a plugin and a push appear with a reload, work, and
/// leave nothing behind when they go.
#[test]
fn haproxy_plugins_and_pushes() -> Result<()> {
    require_all!();
    require!(Need::Tool("haproxy"));
    let mut text = Text::new();
    let mut stage = Stage::start(&text)?;
    let config = format!(
        "defaults\n    mode http\n    timeout connect 2s\n    timeout client 10s\n    timeout server 10s\n\
         frontend other\n    bind {}:8081\n    default_backend pages\n\
         backend pages\n    server one {WEB}:8080 check inter 100ms fall 1 rise 1\n",
        OTHER[0]
    );
    let haproxy =
        HaProxy::start(&stage.us, "haproxy", stage.dir.path(), &config, Options::default())?;
    let route = |vip: &str| format!("{vip}/32");
    let checks = format!(
        "[service.checks.haproxy]\ntype = \"haproxy\"\nsocket = \"{}\"\n",
        haproxy.socket().display()
    );
    text.and("balanced", OTHER[0], "all(address, haproxy)", &checks);
    stage.reload(&text)?;
    stage.bird.wait_route(&route(OTHER[0]), true, SOON)?;

    let scripts = Plugins::new(stage.dir.path(), "plugins")?;
    scripts.set_state("all is well", 0)?;
    let script = scripts.script("check_it", &Script::State)?;
    let plugin = format!(
        "[service.checks.it]\ntype = \"plugin\"\ncommand = [\"{}\"]\ninterval = \"100ms\"\n\
         rise = 1\nfall = 1\n",
        script.display()
    );
    text.and("plugged", OTHER[1], "all(address, it)", &plugin);
    text.services[1].2 = "all(listen, address, up)".to_owned();
    text.services[1].3 = PUSHED.to_owned();
    let said = stage.reload(&text)?;
    assert!(said.contains("check plugged/it") && said.contains("check dns/up"), "{said}");
    stage.bird.wait_route(&route(OTHER[1]), true, SOON)?;
    stage.wait_routes(6)?;
    let before = stage.rest()?;
    // Each of them still decides, after one more reload of something else.
    text.filter = "sport = :8080 or sport = :8099";
    stage.reload(&text)?;
    assert_eq!(stage.rest()?, before, "nothing is said");
    haproxy.command("disable server pages/one")?;
    stage.bird.wait_route(&route(OTHER[0]), false, SOON)?;
    haproxy.command("enable server pages/one")?;
    stage.bird.wait_route(&route(OTHER[0]), true, SOON)?;
    scripts.set_state("broken", 2)?;
    stage.bird.wait_route(&route(OTHER[1]), false, SOON)?;
    scripts.set_state("all is well", 0)?;
    stage.bird.wait_route(&route(OTHER[1]), true, SOON)?;
    stage.ends(&["push", "dns/up", "fail"], 0)?;
    stage.bird.wait_route(&route(DNS), false, SOON)?;
    stage.ends(&["push", "dns/up", "pass"], 0)?;
    stage.bird.wait_route(&route(DNS), true, SOON)?;
    // And they go, with their processes.
    stage.reload(&Text::new())?;
    stage.bird.wait_count(4, SOON)?;
    scripts.wait_gone(SOON)?;
    assert_eq!(procfs::children(stage.ha2bgp.pid()), [0; 0], "no process is left");
    stage.ends(&["push", "dns/up", "pass"], 1)?;
    Ok(())
}

/// Files that are watched are read when they change, by the way of SIGHUP.
#[test]
fn files_are_watched_where_that_is_asked_for() -> Result<()> {
    require_all!();
    let mut text = Text::new();
    let stage = Stage::start(&text)?;
    let mut more = text.clone();
    more.and("extra", OTHER[0], "all(address)", "");
    more.more = "watch-config = true".to_owned();
    stage.write(&more)?;
    wait::holds(Duration::from_secs(2), "nobody has asked for it", || {
        let log = stage.ha2bgp.stderr();
        if log.contains("was read again") { Err(log) } else { Ok(()) }
    })?;
    stage.ends(&["reload"], 0)?;
    stage.wait_routes(5)?;
    text.more = more.more.clone();
    stage.write(&text)?;
    stage.wait_routes(4)?;
    stage.wait_log("the configuration was read again and counts now author=watch-config")?;
    // What is no good changes nothing.
    let mut bad = text.clone();
    bad.filter = "sport = ";
    stage.write(&bad)?;
    stage.wait_log("bad configuration: everything stays as it is")?;
    stage.write(&more)?;
    stage.wait_routes(5)?;
    Ok(())
}
