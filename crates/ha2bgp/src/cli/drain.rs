//! `ha2bgp drain TARGET`: sends the traffic elsewhere, waits until it is gone, withdraws; and
//! `ha2bgp undrain TARGET`, which takes that back.
//!
//! Exit codes: 0 drained, 1 refused or with more connections than were to be left, 2 bad usage, 3 no
//! daemon was reached, 130 interrupted: the drain goes on.

mod follow;
mod screen;
pub(super) mod undrain;

use std::process::ExitCode;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};
use serde_json::{Map, Value};

use super::push::{EXIT_UNREACHABLE, refusal, socket_arg, socket_of};
use super::{print_error, say};
use crate::config::duration;
use crate::control::client::{self, ClientError};
use crate::control::orders::{OverrideShown, TEXT_MAX, parse_prefix};

/// What is said where nobody says why.
const NO_REASON: &str = "no reason given";
/// How often the daemon is asked how far it is.
const POLL: Duration = Duration::from_millis(250);
/// How long it may not answer meanwhile: it may be restarting.
const RESTART_TIME: Duration = Duration::from_secs(30);
/// Interrupted, as shells have it for SIGINT.
const EXIT_INTERRUPTED: u8 = 130;

/// The command and its arguments.
pub(super) fn command() -> Command {
    let command = Command::new("drain")
        .about("Sends the traffic of a service elsewhere, waits until it is gone, then withdraws")
        .after_help(
            "Routers are told to prefer others (drain of the peer says how), then connections are \
             watched, then the route is withdrawn. It stays so over restarts until `ha2bgp undrain` \
             or the end of --for.\n\
             Exit codes: 0 drained, 1 refused, or withdrawn with more connections than \
             --wait-connections, 2 bad usage, 3 no daemon was reached, 130 interrupted: the drain \
             goes on.",
        );
    with_target(command, "A service by its name, or a VIP, or a network of VIPs")
        .arg(time("for", "Take it back by itself after this long; without it: until undrain"))
        .arg(
            Arg::new("wait-connections")
                .long("wait-connections")
                .value_name("NUMBER")
                .default_value("0")
                .value_parser(clap::value_parser!(u32))
                .help("Withdraw when no more TCP connections than that are left"),
        )
        .arg(time("timeout", "Withdraw after this long at the latest").default_value("120s"))
        .arg(
            Arg::new("no-withdraw")
                .long("no-withdraw")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["wait-connections", "timeout"])
                .help("Stay announced as the last choice until taken back"),
        )
        .arg(
            Arg::new("no-wait")
                .long("no-wait")
                .action(ArgAction::SetTrue)
                .help("Do not wait here: the daemon does the rest"),
        )
}

/// The arguments that both commands have.
fn with_target(command: Command, target: &'static str) -> Command {
    command
        .arg(Arg::new("TARGET").help(target).value_parser(NonEmptyStringValueParser::new()))
        .arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help("All of them"))
        .group(ArgGroup::new("whom").args(["TARGET", "all"]).required(true))
        .arg(
            Arg::new("reason")
                .long("reason")
                .value_name("TEXT")
                .allow_hyphen_values(true)
                .value_parser(reason)
                .help("Why, for whoever finds it at night"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("The end as JSON"))
        .arg(socket_arg())
}

fn time(name: &'static str, help: &'static str) -> Arg {
    let parse = |text: &str| duration::parse(text).map(|_| text.to_owned());
    Arg::new(name).long(name).value_name("DURATION").value_parser(parse).help(help)
}

fn reason(text: &str) -> Result<String, String> {
    match text.chars().count() {
        0..=TEXT_MAX => Ok(text.to_owned()),
        more => Err(format!("it has {more} characters: write {TEXT_MAX} at most")),
    }
}

/// Whom a command is for.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Target {
    All,
    Service(String),
    Prefix(String),
}

impl Target {
    fn of(matches: &ArgMatches) -> Self {
        match matches.get_one::<String>("TARGET") {
            None => Self::All,
            Some(text) => Self::read(text),
        }
    }

    /// No service has the name of an address.
    fn read(text: &str) -> Self {
        match parse_prefix(text) {
            Some(prefix) => Self::Prefix(prefix.to_string()),
            None => Self::Service(text.to_owned()),
        }
    }

    /// Its field in a request.
    fn field(&self) -> (&'static str, Value) {
        match self {
            Self::All => ("all", Value::Bool(true)),
            Self::Service(name) => ("service", Value::String(name.clone())),
            Self::Prefix(prefix) => ("prefix", Value::String(prefix.clone())),
        }
    }

    /// As overrides show it.
    fn scope(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Service(name) => format!("service {name}"),
            Self::Prefix(prefix) => prefix.clone(),
        }
    }

    /// As it is written in a command.
    fn argument(scope: &str) -> &str {
        match scope {
            "all" => "--all",
            other => other.strip_prefix("service ").unwrap_or(other),
        }
    }
}

/// Who drains: the person behind sudo(8), where there is one.
fn author() -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|it: &String| !it.trim().is_empty());
    let name = variable("SUDO_USER").or_else(|| variable("USER"))?;
    Some(name.chars().take(TEXT_MAX).collect())
}

/// Why an order was not carried out.
enum Failure {
    /// The daemon says no, with this status.
    Refused(u16, String),
    /// It was not reached.
    Unreachable(ClientError),
}

impl Failure {
    fn tell(&self) -> ExitCode {
        match self {
            Self::Refused(_, why) => {
                print_error(why);
                ExitCode::FAILURE
            }
            Self::Unreachable(error) => {
                print_error(&error.to_string());
                ExitCode::from(EXIT_UNREACHABLE)
            }
        }
    }
}

/// Asks, and reads the answer.
fn ask<T: serde::de::DeserializeOwned>(
    socket: &std::path::Path,
    method: &str,
    target: &str,
    body: &Value,
) -> Result<T, Failure> {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    match client::ask(socket, method, target, &body) {
        Ok(answer) if answer.status == 200 => {
            serde_json::from_slice(&answer.body).map_err(|error| {
                let text = format!("the answer cannot be read: {error}: is it another version?");
                Failure::Refused(answer.status, text)
            })
        }
        Ok(answer) => Err(Failure::Refused(answer.status, refusal(&answer))),
        Err(error) => Err(Failure::Unreachable(error)),
    }
}

/// Who says so, and why, as fields of a request.
fn signed(matches: &ArgMatches) -> Map<String, Value> {
    let mut body = Map::new();
    let reason = matches.get_one::<String>("reason").filter(|it| !it.trim().is_empty());
    let reason = reason.map_or(NO_REASON, String::as_str);
    body.insert("reason".to_owned(), reason.into());
    body.extend(author().map(|author| ("author".to_owned(), author.into())));
    body
}

/// The request.
fn body(matches: &ArgMatches) -> Value {
    let mut body = signed(matches);
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("kind", "drain".into());
    let (field, value) = Target::of(matches).field();
    put(field, value);
    if let Some(time) = matches.get_one::<String>("for") {
        put("for", time.as_str().into());
    }
    if !matches.get_flag("no-withdraw") {
        put("wait_connections", matches.get_one::<u32>("wait-connections").copied().into());
        put("timeout", matches.get_one::<String>("timeout").cloned().into());
    }
    Value::Object(body)
}

/// Drains.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let socket = socket_of(matches);
    let started = match ask::<OverrideShown>(&socket, "POST", "/v1/overrides", &body(matches)) {
        Ok(started) => started,
        Err(failure) => return failure.tell(),
    };
    if !started.saved {
        print_error("it is not on disk and ends with the next restart: the log of ha2bgp says why");
    }
    if !matches.get_flag("no-wait") {
        return follow::main(&socket, started, matches.get_flag("json"));
    }
    let said =
        if matches.get_flag("json") { say(json(&started)) } else { say(screen::begun(&started)) };
    if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// As JSON, in one line.
fn json(shown: &impl serde::Serialize) -> String {
    // These types have nothing that JSON cannot hold.
    serde_json::to_string(shown).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body_of(args: &[&str]) -> Value {
        let args = ["drain"].iter().chain(args);
        let mut body = body(&command().try_get_matches_from(args).unwrap());
        body.as_object_mut().unwrap().remove("author");
        body
    }

    #[test]
    fn arguments_become_a_request() {
        assert_eq!(
            body_of(&["web"]),
            json!({"kind": "drain", "service": "web", "reason": "no reason given",
                   "wait_connections": 0, "timeout": "120s"})
        );
        let args = ["100.64.0.0/24", "--for", "30m", "--reason", "-x", "--wait-connections", "5"];
        assert_eq!(
            body_of(&args),
            json!({"kind": "drain", "prefix": "100.64.0.0/24", "reason": "-x", "for": "30m",
                   "wait_connections": 5, "timeout": "120s"})
        );
        assert_eq!(
            body_of(&["--all", "--no-withdraw", "--reason", " "]),
            json!({"kind": "drain", "all": true, "reason": "no reason given"})
        );
    }

    #[test]
    fn bad_usage_is_told() {
        for (args, words) in [
            (&[][..], "TARGET"),
            (&["web", "--all"], "cannot be used with"),
            (&["web", "api"], "unexpected"),
            (&[""], "TARGET"),
            (&["web", "--timeout", "30"], "write 30s for seconds"),
            (&["web", "--wait-connections", "no"], "--wait-connections"),
            (&["web", "--no-withdraw", "--timeout", "30s"], "cannot be used with"),
        ] {
            let args = ["drain"].iter().chain(args);
            let error = command().try_get_matches_from(args).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn targets_are_told_apart() {
        for (text, scope) in [
            ("web", "service web"),
            ("100.64.0.10", "100.64.0.10/32"),
            ("::ffff:100.64.0.10", "100.64.0.10/32"),
            ("2001:db8::/64", "2001:db8::/64"),
        ] {
            let target = Target::read(text);
            assert_eq!(target.scope(), scope);
            assert_eq!(Target::read(Target::argument(scope)), target);
        }
        assert_eq!(Target::argument(&Target::All.scope()), "--all");
    }
}
