//! What an operator says over the heads of the checks: `force`, `maintenance`, `overrides`, `lift`,
//! `reset-damping`. Thin commands over the control socket.
//!
//! Exit codes: 0 done, 1 refused, 2 bad usage, 3 no daemon was reached.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::ask;
use super::push::{socket_arg, socket_of};
use super::say;
use super::screen::{Screen, WARNING, no_color_arg};
use super::why::override_text;
use crate::config::duration;
use crate::control::orders::{OverrideShown, OverridesShown, parse_prefix};

/// Why, when nobody says.
const NO_REASON: &str = "no reason given";

/// Whether that is one of these commands.
pub(super) fn is_command(name: &str) -> bool {
    commands().iter().any(|command| command.get_name() == name)
}

/// The commands and their arguments.
pub(super) fn commands() -> [Command; 5] {
    let end = "Exit codes: 0 done, 1 refused, 2 bad usage, 3 no daemon was reached.";
    let says = |command: Command| {
        whom(command).arg(lasts_arg()).arg(reason_arg()).arg(json_arg()).arg(socket_arg())
    };
    let new =
        |name: &'static str, about: &'static str| Command::new(name).about(about).after_help(end);
    [
        says(
            new("force", "Announces services, or withdraws them, whatever the checks say").arg(
                Arg::new("DIRECTION")
                    .value_name("up|down")
                    .required(true)
                    .value_parser(["up", "down"])
                    .help("Announced, or withdrawn"),
            ),
        ),
        says(new("maintenance", "Withdraws services, since somebody works on them")),
        new("overrides", "Shows what operators say over the heads of the checks")
            .arg(json_arg())
            .arg(no_color_arg())
            .arg(socket_arg()),
        new("lift", "Takes overrides back")
            .arg(
                Arg::new("ID")
                    .required(true)
                    .num_args(1..)
                    .value_parser(value_parser!(u64))
                    .help("Their numbers, as `ha2bgp overrides` shows them"),
            )
            .arg(reason_arg())
            .arg(socket_arg()),
        whom(new("reset-damping", "Forgets what flap damping has counted of services"))
            .arg(socket_arg()),
    ]
}

/// Whom it is for. Nothing is never everything.
fn whom(command: Command) -> Command {
    command
        .arg(
            Arg::new("WHAT")
                .value_name("PREFIX|SERVICE")
                .help("A service address, a network, or the name of a service"),
        )
        .arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help("Every service"))
        .group(ArgGroup::new("whom").args(["WHAT", "all"]).required(true))
}

fn lasts_arg() -> Arg {
    Arg::new("for")
        .long("for")
        .value_name("DURATION")
        .value_parser(|text: &str| duration::parse(text).map(|_| text.to_owned()))
        .help("It is over by itself after so long; without it: until somebody takes it back")
}

fn reason_arg() -> Arg {
    Arg::new("reason")
        .long("reason")
        .value_name("TEXT")
        .help("Why; whoever finds it at night will want to know")
}

fn json_arg() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("As JSON")
}

/// Does one of them.
pub(super) fn main(name: &str, matches: &ArgMatches) -> ExitCode {
    let done = match name {
        "overrides" => list(matches),
        "lift" => lift(matches),
        "reset-damping" => reset(matches),
        "maintenance" => set(matches, "maintenance"),
        _ => {
            let up = matches.get_one::<String>("DIRECTION").is_some_and(|it| it == "up");
            set(matches, if up { "force-up" } else { "force-down" })
        }
    };
    match done {
        Ok(text) if say(&text).is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(code) => code,
    }
}

/// Whom it is for, as the interface has it.
fn scope(matches: &ArgMatches) -> (&'static str, Value) {
    let what = matches.get_one::<String>("WHAT");
    match what {
        None => ("all", Value::Bool(true)),
        Some(what) if parse_prefix(what).is_some() => ("prefix", Value::String(what.clone())),
        Some(name) => ("service", Value::String(name.clone())),
    }
}

/// The user behind sudo; whoever calls is known to the daemon already.
fn author() -> Option<String> {
    std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty())
}

fn reason(matches: &ArgMatches) -> String {
    let given = matches.get_one::<String>("reason").map(|text| text.trim());
    given.filter(|text| !text.is_empty()).unwrap_or(NO_REASON).to_owned()
}

fn body(parts: impl IntoIterator<Item = (&'static str, Value)>) -> String {
    let parts = parts.into_iter().map(|(name, value)| (name.to_owned(), value));
    Value::Object(parts.collect::<Map<_, _>>()).to_string()
}

fn set(matches: &ArgMatches, kind: &str) -> Result<String, ExitCode> {
    let text = |text: String| Value::String(text);
    let lasts = matches.get_one::<String>("for").cloned();
    let parts =
        [("kind", text(kind.to_owned())), scope(matches), ("reason", text(reason(matches)))];
    let more = [("for", lasts.map(text)), ("author", author().map(text))];
    let more = more.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let body = body(parts.into_iter().chain(more));
    let answer = ask::ask(&socket_of(matches), "POST", "/v1/overrides", body.as_bytes())?;
    if matches.get_flag("json") {
        return Ok(String::from_utf8_lossy(&answer.body).trim_end().to_owned());
    }
    Ok(override_text(&ask::read::<OverrideShown>(&answer)?, &TimeZone::system()))
}

/// Takes back what can be; the others are said, and make it a failure.
fn lift(matches: &ArgMatches) -> Result<String, ExitCode> {
    let (mut lines, mut failed) = (Vec::new(), None);
    for id in matches.get_many::<u64>("ID").into_iter().flatten() {
        let parts = [("reason", Some(reason(matches))), ("author", author())];
        let parts = parts.into_iter().filter_map(|(name, it)| Some((name, Value::String(it?))));
        let (target, body) = (format!("/v1/overrides/{id}"), body(parts));
        let answer = ask::ask(&socket_of(matches), "DELETE", &target, body.as_bytes());
        match answer.and_then(|answer| ask::read::<OverrideShown>(&answer)) {
            Ok(over) => {
                lines.push(format!("taken back: {}", override_text(&over, &TimeZone::system())));
            }
            Err(code) => failed = Some(code),
        }
    }
    match failed {
        None => Ok(lines.join("\n")),
        Some(code) => {
            if !lines.is_empty() {
                // Whether it can be printed or not: it failed.
                let _ = say(lines.join("\n"));
            }
            Err(code)
        }
    }
}

fn reset(matches: &ArgMatches) -> Result<String, ExitCode> {
    let body = body([scope(matches)]);
    ask::ask(&socket_of(matches), "POST", "/v1/damping/reset", body.as_bytes())?;
    Ok("what flap damping has counted is forgotten".to_owned())
}

fn list(matches: &ArgMatches) -> Result<String, ExitCode> {
    let answer = ask::ask(&socket_of(matches), "GET", "/v1/overrides", &[])?;
    if matches.get_flag("json") {
        return Ok(String::from_utf8_lossy(&answer.body).trim_end().to_owned());
    }
    let OverridesShown { overrides } = ask::read(&answer)?;
    Ok(show(&overrides, Screen::of(matches), &TimeZone::system()))
}

fn show(overrides: &[OverrideShown], screen: Screen, zone: &TimeZone) -> String {
    if overrides.is_empty() {
        return "there are none: the checks decide alone".to_owned();
    }
    let line =
        |over: &OverrideShown| screen.paint(WARNING, &screen.wrap(&override_text(over, zone), 2));
    overrides.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use ha2bgp_core::reason::Reason;

    use super::*;
    use crate::cli::screen::assert_screens;
    use crate::cli::why::stage::of;

    #[test]
    fn each_override_is_told_with_who_and_why() {
        let said = [Reason::Drained, Reason::Maintenance, Reason::ForceUp];
        let mut all: Vec<_> =
            said.iter().flat_map(|reason| of(*reason).0.scene().overrides).collect();
        all[1].reason =
            "a\x1b[31m reason that is so long that it does not fit in one line".to_owned();
        all[2].saved = false;
        assert_screens("overrides", |screen| show(&all, screen, &TimeZone::UTC));
        let plain = Screen { width: None, color: false };
        assert_eq!(show(&[], plain, &TimeZone::UTC), "there are none: the checks decide alone");
    }

    #[test]
    fn nothing_is_never_everything() {
        let parse = |name: &str, args: &[&str]| {
            let command = commands().into_iter().find(|it| it.get_name() == name).unwrap();
            command.try_get_matches_from([&[name], args].concat())
        };
        let whom = |name: &str, args: &[&str]| scope(&parse(name, args).unwrap());
        assert_eq!(whom("maintenance", &["--all"]), ("all", Value::Bool(true)));
        assert_eq!(whom("force", &["up", "web"]), ("service", "web".into()));
        assert_eq!(whom("force", &["down", "10.0.0.0/8"]), ("prefix", "10.0.0.0/8".into()));
        assert_eq!(whom("reset-damping", &["2001:db8::1"]), ("prefix", "2001:db8::1".into()));
        for (name, args) in [
            ("maintenance", &[][..]),
            ("maintenance", &["web", "--all"]),
            ("force", &["web"]),
            ("force", &["up"]),
            ("lift", &["web"]),
            ("reset-damping", &[]),
            ("maintenance", &["web", "--for", "5"]),
        ] {
            assert!(parse(name, args).is_err(), "{name} {args:?}");
        }
    }
}
