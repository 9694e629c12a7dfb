//! `ha2bgp reload`: has the running daemon read its configuration again, and says what that changed.
//!
//! Exit codes: 0 done, 1 refused, 2 the files are no good, 3 no daemon was reached.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value};

use super::plan::{Tense, json_arg, order, tell};
use super::push::{socket_arg, socket_of};
use super::screen::{no_color_arg, time};
use super::{ask, say};
use crate::config::duration;
use crate::control::orders::Confirmed;

/// The command and its arguments.
pub(super) fn command() -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    Command::new("reload")
        .about("Has the daemon read its configuration again; what is unchanged is not touched")
        .after_help(
            "Files that are no good change nothing.\n\
             Exit codes: 0 done, 1 refused, 2 the files are no good, 3 no daemon was reached.",
        )
        .arg(
            Arg::new("confirm")
                .long("confirm")
                .value_name("DURATION")
                .value_parser(|text: &str| duration::parse(text).map(|_| text.to_owned()))
                .help("On trial: after so long what was before counts again, unless confirmed"),
        )
        .arg(
            switch("confirmed", "Keeps the configuration that is on trial; reads nothing")
                .conflicts_with_all(["confirm", "force", "restart"]),
        )
        .arg(switch("force", "Even if it withdraws more than the guard allows"))
        .arg(
            switch(
                "restart",
                "Ends the daemon so that routes stay (as SIGUSR2): systemd starts it",
            )
            .conflicts_with_all(["confirm", "force"]),
        )
        .arg(json_arg())
        .arg(no_color_arg())
        .arg(socket_arg())
}

/// Sends it.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let done = if matches.get_flag("confirmed") {
        confirm(matches)
    } else if matches.get_flag("restart") {
        restart(matches)
    } else {
        reload(matches)
    };
    done.err().unwrap_or(ExitCode::SUCCESS)
}

fn reload(matches: &ArgMatches) -> Result<(), ExitCode> {
    let mut body = Map::new();
    body.insert("force".to_owned(), Value::Bool(matches.get_flag("force")));
    let confirm = matches.get_one::<String>("confirm").cloned();
    body.extend(confirm.map(|confirm| ("confirm".to_owned(), Value::String(confirm))));
    let (answer, planned) = order(matches, "/v1/reload", &Value::Object(body))?;
    tell(matches, &answer, &planned, Tense::Is).map_err(|_| ExitCode::FAILURE)
}

fn confirm(matches: &ArgMatches) -> Result<(), ExitCode> {
    let answer = ask::ask(&socket_of(matches), "POST", "/v1/reload/confirm", &[])?;
    let Confirmed { left_seconds } = ask::read(&answer)?;
    let text = format!("the configuration stays: {} of its trial were left", time(left_seconds));
    let said = if matches.get_flag("json") {
        say(String::from_utf8_lossy(&answer.body).trim_end())
    } else {
        say(text)
    };
    said.map_err(|_| ExitCode::FAILURE)
}

fn restart(matches: &ArgMatches) -> Result<(), ExitCode> {
    let answer = ask::ask(&socket_of(matches), "POST", "/v1/restart", &[])?;
    let text = "the daemon ends and leaves its routes where they are: whatever started it must \
                start it again";
    let said = if matches.get_flag("json") {
        say(String::from_utf8_lossy(&answer.body).trim_end())
    } else {
        say(text)
    };
    said.map_err(|_| ExitCode::FAILURE)
}
