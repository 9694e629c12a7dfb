//! `ha2bgp log-level`: shows or changes which lines the log of the running daemon has.
//!
//! Exit codes: 0 done, 1 the daemon refused it, 2 bad usage, 3 no daemon was reached.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Map, Value};

use super::ask::{ask, read};
use super::push::{socket_arg, socket_of};
use super::say;
use super::screen::time;
use crate::config::duration;
use crate::control::level::LevelShown;
use crate::events::Level;

/// The command and its arguments.
pub(super) fn command() -> Command {
    Command::new("log-level")
        .about("Shows or changes which lines the log of the running daemon has")
        .after_help("Exit codes: 0 done, 1 refused, 2 bad usage, 3 no daemon was reached.")
        .arg(
            Arg::new("LEVEL")
                .help("This level and what is more urgent; without it the one of now is shown")
                .value_parser(PossibleValuesParser::new(Level::ALL.map(Level::name))),
        )
        .arg(
            Arg::new("for")
                .long("for")
                .value_name("DURATION")
                .requires("LEVEL")
                .value_parser(|text: &str| duration::parse(text).map(|_| text.to_owned()))
                .help("For so long, 24h at most; without it until the next change"),
        )
        .arg(
            Arg::new("reason")
                .long("reason")
                .value_name("TEXT")
                .requires("LEVEL")
                .help("Why: it is shown by `ha2bgp status`"),
        )
        .arg(socket_arg())
}

/// Asks the daemon.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let mut body = Map::new();
    for (field, name) in [("level", "LEVEL"), ("for", "for"), ("reason", "reason")] {
        body.extend(text(name).map(|value| (field.to_owned(), Value::String(value))));
    }
    let (method, body) = match body.is_empty() {
        true => ("GET", String::new()),
        false => ("POST", Value::Object(body).to_string()),
    };
    let answer = ask(&socket_of(matches), method, "/v1/log-level", body.as_bytes());
    match answer.and_then(|answer| read::<LevelShown>(&answer)) {
        Ok(shown) => match say(answer_words(&shown)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(code) => code,
    }
}

/// In a line: the level of now, for how long, and what is configured.
fn words(shown: &LevelShown) -> String {
    let LevelShown { level, configured, left_seconds, .. } = shown;
    match left_seconds {
        _ if level == configured => format!("{level}, as configured"),
        Some(left) => {
            format!("{level}, for {} more; then {configured}, as configured", time(*left))
        }
        None => format!("{level}; configured is {configured}"),
    }
}

/// What is said to whoever has changed it: also when that is gone after a restart.
fn answer_words(shown: &LevelShown) -> String {
    let lost = if shown.saved || shown.level == shown.configured {
        ""
    } else {
        " (not on disk: gone after a restart)"
    };
    format!("{}{lost}", words(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_in_a_line() {
        let shown = |level: &str, left_seconds| LevelShown {
            level: level.to_owned(),
            configured: "info".to_owned(),
            left_seconds,
            saved: level != "warn",
            ..LevelShown::default()
        };
        let lost = "warn; configured is info (not on disk: gone after a restart)";
        assert_eq!(answer_words(&shown("warn", None)), lost);
        assert_eq!(answer_words(&shown("debug", None)), "debug; configured is info");
        assert_eq!(words(&shown("info", None)), "info, as configured");
        assert_eq!(words(&shown("warn", None)), "warn; configured is info");
        let for_a_time = words(&shown("debug", Some(42.0)));
        assert_eq!(for_a_time, "debug, for 42.0 s more; then info, as configured");
    }
}
