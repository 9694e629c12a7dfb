//! `ha2bgp undrain TARGET`: takes drains back and waits until what they were for is announced again.
//!
//! Exit codes: 0 announced again, 1 something is not, or there was no such drain, 2 bad usage, 3 no
//! daemon was reached.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use super::{Failure, POLL, Target, ask, json, signed, socket_of, time, with_target};
use crate::cli::ask::encode;
use crate::cli::{print_error, say};
use crate::config::duration;
use crate::control::api::service::ServicesShown;
use crate::control::api::why::Why;
use crate::control::orders::{OverrideShown, OverridesShown};

/// What is not announced for one of these is not announced however long one waits.
const SAID: [&str; 4] = ["draining", "drained", "maintenance", "force-down"];

/// So many services are asked for at once.
const PAGE: usize = 500;

/// There is no drain at all.
const NOTHING: &str = "nothing is drained";

/// The command and its arguments.
pub(in crate::cli) fn command() -> Command {
    let command = Command::new("undrain")
        .about("Takes a drain back, and waits until the service is announced again")
        .after_help(
            "Exit codes: 0 announced again, or nothing was drained, 1 something is not announced, or \
             other drains than this there are, 2 bad usage, 3 no daemon was reached.",
        );
    let target = "What was drained: a service, a VIP, a network of VIPs, or the number of a drain";
    with_target(command, target)
        .arg(time("timeout", "How long to wait until it is announced again").default_value("30s"))
        .arg(
            Arg::new("no-wait").long("no-wait").action(ArgAction::SetTrue).help("Do not wait here"),
        )
}

/// What became of a VIP.
#[derive(Debug, Serialize)]
struct Vip {
    vip: String,
    announced: bool,
    reason: String,
    #[serde(skip)]
    text: String,
}

/// What became of all.
#[derive(Debug, Serialize)]
struct Undrained {
    undrained: Vec<OverrideShown>,
    vips: Vec<Vip>,
}

/// Takes drains back.
pub(in crate::cli) fn main(matches: &ArgMatches) -> ExitCode {
    let socket = socket_of(matches);
    let undrained = match undrain(&socket, matches) {
        Ok(undrained) => undrained,
        Err(Failure::Refused(404, text)) if text == NOTHING => {
            // As it was to be.
            print_error(NOTHING);
            return ExitCode::SUCCESS;
        }
        Err(failure) => return failure.tell(),
    };
    let mut vips = Vec::new();
    if !matches.get_flag("no-wait") {
        let time = matches.get_one::<String>("timeout").and_then(|it| duration::parse(it).ok());
        let waiting = wait(&socket, &undrained, time.unwrap_or_default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        vips = match runtime.map(|runtime| runtime.block_on(waiting)) {
            Ok(Ok(vips)) => vips,
            Ok(Err(failure)) => return failure.tell(),
            Err(error) => {
                print_error(&format!("taken back; but cannot wait: {error}"));
                return ExitCode::FAILURE;
            }
        };
    }
    let good = vips.iter().all(|it| it.announced);
    let all = Undrained { undrained, vips };
    let said = say(if matches.get_flag("json") { json(&all) } else { screen(&all) });
    if good && said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The drains that are meant; or which ones there are.
fn meant(target: &str, list: Vec<OverrideShown>) -> Result<Vec<OverrideShown>, String> {
    let drains = || list.iter().filter(|it| it.drain.is_some());
    let id = target.parse::<u64>().ok();
    let scope = (target != "--all").then(|| Target::read(target).scope());
    let of_scope = |it: &&OverrideShown| scope.as_ref().is_none_or(|scope| it.scope == *scope);
    let mut found: Vec<OverrideShown> = drains().filter(of_scope).cloned().collect();
    if found.is_empty() {
        // A number is the name of a service first.
        found = drains().filter(|it| Some(it.id) == id).cloned().collect();
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let others: Vec<String> = drains()
        .take(10)
        .map(|it| format!("{} ({})", Target::argument(&it.scope), it.id))
        .collect();
    Err(match others.as_slice() {
        [] => NOTHING.to_owned(),
        others => format!("no drain is for {target}: there are {}", others.join(", ")),
    })
}

fn undrain(socket: &Path, matches: &ArgMatches) -> Result<Vec<OverrideShown>, Failure> {
    let list: OverridesShown = ask(socket, "GET", "/v1/overrides", &Value::Null)?;
    let target = matches.get_one::<String>("TARGET").map_or("--all", String::as_str);
    let meant = meant(target, list.overrides).map_err(|text| Failure::Refused(404, text))?;
    let body = Value::Object(signed(matches));
    let mut undrained = Vec::new();
    for drain in meant {
        match ask(socket, "DELETE", &format!("/v1/overrides/{}", drain.id), &body) {
            Ok(lifted) => undrained.push(lifted),
            // It ended by itself meanwhile.
            Err(Failure::Refused(404, _)) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(undrained)
}

/// Waits until all are announced as usual, or there is no hope or no time.
async fn wait(
    socket: &Path,
    undrained: &[OverrideShown],
    time: Duration,
) -> Result<Vec<Vip>, Failure> {
    let until = Instant::now() + time;
    let scopes: BTreeSet<&str> = undrained.iter().map(|it| it.scope.as_str()).collect();
    loop {
        let mut all = BTreeMap::new();
        for scope in &scopes {
            of_scope(socket, scope, &mut all)?;
        }
        // Some may be none any more, which is not what was wanted.
        for vip in undrained.iter().flat_map(|it| &it.vips) {
            if !all.contains_key(vip) {
                all.insert(vip.clone(), look(socket, vip)?);
            }
        }
        let vips: Vec<Vip> = all.into_values().collect();
        let waits = |it: &&Vip| !it.announced && !SAID.contains(&it.reason.as_str());
        if !vips.iter().any(|it| waits(&it)) || Instant::now() >= until {
            return Ok(vips);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// All services that a drain was for, however many.
fn of_scope(socket: &Path, scope: &str, all: &mut BTreeMap<String, Vip>) -> Result<(), Failure> {
    let mut target = format!("/v1/services?limit={PAGE}");
    if scope != "all" {
        target.push_str(&format!("&of={}", encode(Target::argument(scope))));
    }
    let mut next = None;
    loop {
        let after =
            next.map_or_else(String::new, |next: String| format!("&after={}", encode(&next)));
        let page: ServicesShown = ask(socket, "GET", &format!("{target}{after}"), &Value::Null)?;
        for service in page.services {
            let vip = address(&service.prefix).to_owned();
            let announced = service.announced && service.reason != "draining";
            let (reason, text) = (service.reason, service.text);
            all.insert(vip.clone(), Vip { vip, announced, reason, text });
        }
        next = page.next;
        if next.is_none() {
            return Ok(());
        }
    }
}

/// A host route without its length.
fn address(prefix: &str) -> &str {
    prefix.split_once('/').map_or(prefix, |(address, _)| address)
}

fn look(socket: &Path, vip: &str) -> Result<Vip, Failure> {
    let why: Why = ask(socket, "GET", &format!("/v1/why/{vip}"), &Value::Null)?;
    let announced = why.announced && why.reason != "draining";
    Ok(Vip { vip: vip.to_owned(), announced, reason: why.reason, text: why.text })
}

/// What is said of it: a line for all that are well, and one for each that is not.
fn screen(all: &Undrained) -> String {
    let scopes: Vec<&str> = all.undrained.iter().map(|it| it.scope.as_str()).collect();
    let mut text = scopes.join(", ");
    text.push_str(": taken back");
    let good = all.vips.iter().filter(|it| it.announced).count();
    if all.vips.is_empty() {
        return text;
    }
    let are = if good == 1 { "is" } else { "are" };
    text.push_str(&format!("; {good} of {} {are} announced", all.vips.len()));
    for Vip { vip, text: why, reason, .. } in all.vips.iter().filter(|it| !it.announced) {
        text.push_str(&format!("\n{vip} is not: {why} ({reason})"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(id: u64, scope: &str) -> OverrideShown {
        let text = format!(
            "{{\"id\":{id},\"kind\":\"drained\",\"scope\":\"{scope}\",\"reason\":\"\",\"author\":\"\",\
             \"since\":\"\",\"until\":null,\"left_seconds\":null,\"connections_left\":0,\"saved\":true,\
             \"drain\":{{\"wait_connections\":0,\"timeout_seconds\":120}}}}"
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn drains_are_found_by_what_they_are_for() {
        let list = || {
            let other = OverrideShown { drain: None, ..drain(9, "service web") };
            vec![drain(3, "service web"), drain(4, "all"), drain(5, "100.64.0.10/32"), other]
        };
        let ids = |target| {
            let found = meant(target, list())?;
            Ok::<_, String>(found.iter().map(|it| it.id).collect::<Vec<_>>())
        };
        assert_eq!(ids("web"), Ok(vec![3]));
        assert_eq!(ids("100.64.0.10"), Ok(vec![5]));
        assert_eq!(ids("4"), Ok(vec![4]));
        assert_eq!(ids("--all"), Ok(vec![3, 4, 5]));
        let others = "there are web (3), --all (4), 100.64.0.10/32 (5)";
        for target in ["api", "9", "100.64.0.0/24"] {
            assert_eq!(ids(target), Err(format!("no drain is for {target}: {others}")));
        }
        let named = vec![drain(3, "service 4"), drain(4, "service web")];
        assert_eq!(meant("4", named).map(|it| it.iter().map(|it| it.id).collect()), Ok(vec![3]));
        assert_eq!(meant("web", Vec::new()), Err(NOTHING.to_owned()));
    }

    #[test]
    fn what_is_not_announced_says_why() {
        let vip = |vip: &str, reason: Option<&str>| Vip {
            vip: vip.to_owned(),
            announced: reason.is_none(),
            reason: reason.unwrap_or("healthy").to_owned(),
            text: "a check fails".to_owned(),
        };
        let mut all = Undrained { undrained: vec![drain(3, "service web")], vips: Vec::new() };
        assert_eq!(screen(&all), "service web: taken back");
        all.vips.push(vip("100.64.0.10", None));
        assert_eq!(screen(&all), "service web: taken back; 1 of 1 is announced");
        all.vips.push(vip("100.64.0.11", Some("check-failed")));
        assert_eq!(
            screen(&all),
            "service web: taken back; 1 of 2 is announced\n\
             100.64.0.11 is not: a check fails (check-failed)"
        );
    }
}
