//! `ha2bgp history`: asks the running daemon what happened.
//!
//! Exit codes: 0 answered, 1 refused, 2 bad usage, 3 no daemon was reached.

mod lines;

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use self::lines::Lines;
use super::ask::encode;
use super::push::{EXIT_UNREACHABLE, refusal, socket_arg, socket_of};
use super::screen::Screen;
use super::{print_error, say};
use crate::config::duration;
use crate::control::client;
use crate::control::happened::{Happened, LIMIT_MAX};
use crate::events::Record;

pub(super) use self::lines::Lines as EventLines;

/// The command and its arguments.
pub(super) fn command() -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("history")
        .about("Shows what happened: who changed what, when and why; the newest last")
        .after_help(
            "Times are those of this terminal's time zone; --json has them in UTC. docs/history.md \
             says more.\nExit codes: 0 answered, 1 refused, 2 bad usage, 3 no daemon was reached.",
        )
        .arg(
            text("since", "DURATION", "None that is older: 1h, 30m, 2d")
                .value_parser(|text: &str| duration::parse(text).map(|_| text.to_owned())),
        )
        .arg(text("service", "NAME", "Of this service"))
        .arg(text("prefix", "PREFIX", "Of this prefix or service address"))
        .arg(text("kind", "KIND", "Of this kind: route-withdrawn, peer-lost, …"))
        .arg(
            text("limit", "NUMBER", "So many at most [default: 50, with --since 5000]")
                .value_parser(value_parser!(u64).range(1..=LIMIT_MAX)),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("A JSON object a line"))
        .arg(socket_arg())
}

/// Asks, and shows the answer.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let limit = matches
        .get_one::<u64>("limit")
        .copied()
        .unwrap_or_else(|| if matches.contains_id("since") { LIMIT_MAX } else { 50 });
    let mut target = format!("/v1/history?limit={limit}");
    for name in ["since", "service", "prefix", "kind"] {
        if let Some(value) = matches.get_one::<String>(name) {
            target.push_str(&format!("&{name}={}", encode(value)));
        }
    }
    let answer = match client::ask(&socket_of(matches), "GET", &target, &[]) {
        Ok(answer) if answer.status == 200 => answer,
        Ok(answer) => {
            print_error(&refusal(&answer));
            return ExitCode::FAILURE;
        }
        Err(error) => {
            print_error(&error.to_string());
            return ExitCode::from(EXIT_UNREACHABLE);
        }
    };
    let happened: Happened = match serde_json::from_slice(&answer.body) {
        Ok(happened) => happened,
        Err(error) => {
            print_error(&format!("the answer cannot be read: {error}: is it another version?"));
            return ExitCode::FAILURE;
        }
    };
    let json = matches.get_flag("json");
    let mut lines = Lines::new(Screen::of_stdout(), jiff::tz::TimeZone::system());
    for event in &happened.events {
        let shown = if json {
            say(event.get())
        } else {
            match serde_json::from_str::<Record>(event.get()) {
                Ok(record) => say(lines.of(&record)),
                // A record of another version is shown as it is.
                Err(_) => say(event.get()),
            }
        };
        if shown.is_err() {
            return ExitCode::FAILURE;
        }
    }
    if happened.events.is_empty() && !json {
        print_error("nothing of that is known");
    }
    ExitCode::SUCCESS
}
