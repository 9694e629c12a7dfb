//! `ha2bgp plan [FILE…]`: what another configuration would change, asked of the running daemon.
//!
//! Exit codes: 0 nothing would be withdrawn, 1 something would, or the daemon refused to say, 2 the
//! files are no good, 3 no daemon was reached.

mod show;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

pub(super) use self::show::{Tense, show};
use super::push::{EXIT_UNREACHABLE, refusal, socket_arg, socket_of};
use super::screen::{Screen, no_color_arg};
use super::{EXIT_USAGE, ask, print_error, say};
use crate::config::file::LENGTH_MAX;
use crate::config::sources;
use crate::control::client::{self, Answer};
use crate::control::orders::Planned;

/// The command and its arguments.
pub(super) fn command() -> Command {
    Command::new("plan")
        .about("Says what other configuration files would announce, withdraw, change, restart")
        .after_help(
            "Nothing is changed. Flags and environment of the daemon count as they do for it.\n\
             Exit codes: 0 nothing would be withdrawn, 1 something would, 2 the files are no good,\n\
             3 no daemon was reached.",
        )
        .arg(
            Arg::new("FILE")
                .help(
                    "Files, or directories of *.toml files, in the place of the daemon's; without any: \
                     what a reload would do now",
                )
                .num_args(0..),
        )
        .arg(json_arg())
        .arg(no_color_arg())
        .arg(socket_arg())
}

/// The argument of commands that can answer as the API does.
pub(super) fn json_arg() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("As JSON, as the API has it")
}

/// Asks, and shows it.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let mut files = Vec::new();
    let mut unread = false;
    for path in matches.get_many::<String>("FILE").into_iter().flatten() {
        match read_all(path) {
            Ok(mut read) => files.append(&mut read),
            Err(error) => {
                print_error(&format!("{path}: {error}"));
                unread = true;
            }
        }
    }
    if unread {
        return ExitCode::from(EXIT_USAGE);
    }
    let body = json!({ "files": files });
    let (answer, planned) = match order(matches, "/v1/plan", &body) {
        Ok(planned) => planned,
        Err(code) => return code,
    };
    let lost = planned.withdraw > 0 || planned.beyond_guard > 0;
    match tell(matches, &answer, &planned, Tense::Would) {
        Ok(()) if lost => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Reads a file, or the files of a directory, for the daemon, which may see others under that name.
fn read_all(path: &str) -> io::Result<Vec<Value>> {
    // What is relative in it is relative to its directory.
    let path = std::path::absolute(Path::new(path))?;
    if !path.is_dir() {
        return Ok(vec![read(&path, None)?]);
    }
    let directory = path.to_string_lossy();
    let directory = directory.trim_end_matches('/');
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&path)? {
        names.extend(entry?.file_name().into_string().ok().filter(|name| sources::counts(name)));
    }
    if names.is_empty() {
        return Err(io::Error::other("it is a directory without any *.toml file"));
    }
    names.sort_unstable();
    let read = |name| read(&Path::new(directory).join(name), Some(directory));
    names.iter().map(read).collect()
}

fn read(path: &Path, directory: Option<&str>) -> io::Result<Value> {
    let mut bytes = Vec::new();
    let most = u64::try_from(LENGTH_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))?;
    Ok(json!({ "name": path.to_string_lossy(), "text": text, "directory": directory }))
}

/// Sends an order that is answered with what it changes.
///
/// # Errors
/// How to end; why is said already.
pub(super) fn order(
    matches: &ArgMatches,
    target: &str,
    body: &Value,
) -> Result<(Answer, Planned), ExitCode> {
    let body = body.to_string();
    match client::ask(&socket_of(matches), "POST", target, body.as_bytes()) {
        Ok(answer) if answer.status == 200 => {
            let planned = ask::read(&answer)?;
            Ok((answer, planned))
        }
        Ok(answer) => Err(refused(&answer)),
        Err(error) => {
            print_error(&error.to_string());
            Err(ExitCode::from(EXIT_UNREACHABLE))
        }
    }
}

/// Says why it is refused. What is wrong with files is said as `check-config` does.
fn refused(answer: &Answer) -> ExitCode {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = refusal(answer);
    if body["error"]["code"] == "bad-config" {
        text.split("\n\n").for_each(print_error);
        return ExitCode::from(EXIT_USAGE);
    }
    print_error(&text);
    ExitCode::FAILURE
}

/// Prints it.
pub(super) fn tell(
    matches: &ArgMatches,
    answer: &Answer,
    planned: &Planned,
    tense: Tense,
) -> io::Result<()> {
    if matches.get_flag("json") {
        return say(String::from_utf8_lossy(&answer.body).trim_end());
    }
    say(show(planned, tense, Screen::of(matches)))
}
