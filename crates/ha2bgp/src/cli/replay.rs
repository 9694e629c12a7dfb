//! `ha2bgp replay FILE`: repeats what the flight recorder wrote, and shows where the decisions would
//! have been others.
//!
//! Exit codes: 0 all went as recorded (and the other configuration does not differ), 1 something did
//! not, 2 bad usage, configuration or file.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use ha2bgp_core::record::{LINE_MAX, RecordError};
use ha2bgp_core::time::Instant;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{EXIT_USAGE, load, print_error, texts};
use crate::config::raw::Given;
use crate::config::settings::Settings;
use crate::record::replay::{Found, Replay, Stand, Summary};

/// The command and its arguments.
pub(super) fn command() -> Command {
    Command::new("replay")
        .about("Repeats a recorded file; with --config shows where that would decide otherwise")
        .after_help(
            "Exit codes: 0 all went as recorded, and the other configuration does not differ; 1 \
             something went otherwise; 2 bad usage, configuration or file.",
        )
        .arg(
            Arg::new("FILE")
                .help("Recorded file (the key record); several are repeated one after the other")
                .required(true)
                .num_args(1..),
        )
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .action(ArgAction::Append)
                .help("Another configuration: what would it have decided?"),
        )
        .arg(
            Arg::new("until")
                .long("until")
                .value_name("TIME")
                .value_parser(|text: &str| {
                    text.parse::<Timestamp>().map_err(|error| error.to_string())
                })
                .help("Stop at this time, such as 2026-01-31T12:00:00Z"),
        )
        .arg(
            Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object a line"),
        )
}

/// Repeats the files.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let files: Vec<String> = matches.get_many("config").into_iter().flatten().cloned().collect();
    let other = if files.is_empty() {
        None
    } else {
        let flag = |name| if name == "config" { files.clone() } else { Vec::new() };
        match load(&Given { flag: &flag, variable: &|_| None }, &[]).settings {
            Ok(good) => Some(good.settings),
            Err(errors) => {
                texts(&errors).iter().for_each(|error| print_error(error));
                return ExitCode::from(EXIT_USAGE);
            }
        }
    };
    let until = matches.get_one::<Timestamp>("until").copied();
    let mut out = Out { json: matches.get_flag("json"), out: io::stdout().lock() };
    let mut code = ExitCode::SUCCESS;
    for path in matches.get_many::<String>("FILE").into_iter().flatten() {
        match one(path, other.as_ref(), until, &mut out) {
            Ok(Summary { otherwise: 0, differs: 0, .. }) => {}
            Ok(_) => code = ExitCode::FAILURE,
            Err(Problem::Output) => return ExitCode::FAILURE,
            Err(Problem::File(text)) => {
                print_error(&text);
                return ExitCode::from(EXIT_USAGE);
            }
        }
    }
    code
}

/// Why a file was not repeated to its end.
enum Problem {
    /// Nobody reads what is printed.
    Output,
    /// In these words.
    File(String),
}

impl From<io::Error> for Problem {
    fn from(_: io::Error) -> Self {
        Self::Output
    }
}

/// Repeats one file.
fn one<W: Write>(
    path: &str,
    other: Option<&Settings>,
    until: Option<Timestamp>,
    out: &mut Out<W>,
) -> Result<Summary, Problem> {
    let bad = |number: usize, text: String| Problem::File(format!("{path}:{number}: {text}"));
    let file = File::open(path).map_err(|error| Problem::File(format!("{path}: {error}")))?;
    let mut replay = Replay::new(other.map(|settings| settings.engine.clone()));
    let mut lines = BufReader::new(file);
    let (mut line, mut number, mut told) = (Vec::new(), 0, false);
    let most = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
    loop {
        line.clear();
        number += 1;
        let read = lines.by_ref().take(most).read_until(b'\n', &mut line);
        if read.map_err(|error| bad(number, error.to_string()))? == 0 {
            break;
        }
        // Without its newline it was being written when the power failed, or is no line at all.
        let Some((b'\n', text)) = line.split_last() else {
            if lines.fill_buf().is_ok_and(<[u8]>::is_empty) {
                out.note(&format!("line {number} is not whole: the record ends before it"))?;
                break;
            }
            return Err(bad(number, format!("a line is longer than {LINE_MAX} octets")));
        };
        let text = std::str::from_utf8(text)
            .map_err(|error| bad(number, format!("it is no UTF-8: {error}")))?;
        let mut found = Vec::new();
        let read = replay.line(text, &mut |at, what| found.push((at, what)));
        if let Err(error) = read {
            let place = error.span.start + 1;
            return Err(Problem::File(format!("{path}:{number}:{place}: {}", shown(&error, text))));
        }
        if !told && let Some((filter, other)) = replay.listen_filter().zip(other) {
            told = true;
            let wanted = other.listen_filter.text.split_whitespace();
            if !wanted.eq(filter.split_whitespace()) {
                out.note(&format!(
                    "the record has only what the listen filter \"{filter}\" matches; that of the \
                     other configuration is \"{}\"",
                    other.listen_filter.text
                ))?;
            }
        }
        for (at, what) in found {
            let wall = replay.wall(at);
            if until.zip(wall).is_some_and(|(until, wall)| wall > until) {
                return Ok(out.summary(path, replay.summary(), other.is_some())?);
            }
            out.found(at, wall, &what, other.is_some())?;
        }
    }
    let mut found = Vec::new();
    let summary = replay.end(&mut |at, what| found.push((at, what)));
    for (at, what) in found {
        out.found(at, replay.wall(at), &what, other.is_some())?;
    }
    Ok(out.summary(path, summary, other.is_some())?)
}

/// An error with its line and a caret.
fn shown(error: &RecordError, line: &str) -> String {
    const SHOWN_MAX: usize = 160;
    let line: String = line.chars().filter(|it| !it.is_control()).take(SHOWN_MAX).collect();
    let length = error.span.len().clamp(1, SHOWN_MAX);
    let caret = " ".repeat(error.span.start.min(SHOWN_MAX)) + &"^".repeat(length);
    format!("{error}\n  | {line}\n  | {caret}")
}

/// Where it is printed.
struct Out<W> {
    json: bool,
    out: W,
}

impl<W: Write> Out<W> {
    fn found(
        &mut self,
        at: Instant,
        wall: Option<Timestamp>,
        what: &Found,
        compared: bool,
    ) -> io::Result<()> {
        // Beside another configuration only what differs is worth a line.
        if compared && matches!(what, Found::Decided(_)) {
            return Ok(());
        }
        if self.json {
            let mut object = as_json(what);
            object["at"] = match wall {
                Some(wall) => Value::from(wall.to_string()),
                None => Value::Null,
            };
            object["micros"] = Value::from(at.as_micros());
            return writeln!(self.out, "{object}");
        }
        let time = match wall {
            Some(wall) => {
                let local = wall.to_zoned(TimeZone::system());
                local.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
            }
            None => at.to_string(),
        };
        writeln!(self.out, "{time} {}", words(what))
    }

    fn note(&mut self, text: &str) -> io::Result<()> {
        if self.json {
            return writeln!(self.out, "{}", json!({ "note": text }));
        }
        writeln!(self.out, "note: {text}")
    }

    fn summary(&mut self, path: &str, all: Summary, compared: bool) -> io::Result<Summary> {
        if self.json {
            let object = json!({
                "file": path, "inputs": all.inputs, "decisions": all.decisions,
                "otherwise": all.otherwise, "differs": all.differs, "missing": all.missing,
                "unknown_checks": all.strangers,
            });
            writeln!(self.out, "{object}")?;
            return Ok(all);
        }
        let Summary { inputs, decisions, .. } = all;
        write!(self.out, "{path}: {inputs} inputs and {decisions} decisions repeated, ")?;
        match all.otherwise {
            0 => write!(self.out, "all as recorded")?,
            count => write!(self.out, "{count} went otherwise than recorded")?,
        }
        if compared {
            match all.differs {
                0 => write!(self.out, "; the other configuration would have decided the same")?,
                count => write!(self.out, "; the other configuration would differ {count} times")?,
            }
        }
        if all.strangers > 0 {
            write!(self.out, "; it has no check for {} results", all.strangers)?;
        }
        if all.missing > 0 {
            write!(self.out, "; {} entries are missing", all.missing)?;
        }
        writeln!(self.out)?;
        Ok(all)
    }
}

fn words(what: &Found) -> String {
    match what {
        Found::Begins => "the record begins here".to_owned(),
        Found::Gap(count) => format!("{count} entries are missing here"),
        Found::Decided(it) => format!("{} {} ({})", it.prefix, it.verb.name(), it.reason),
        Found::NotRepeated(it) => {
            format!("{} RECORDED AND NOT REPEATED: {} ({})", it.prefix, it.verb.name(), it.reason)
        }
        Found::NotRecorded(it) => {
            format!("{} REPEATED AND NOT RECORDED: {} ({})", it.prefix, it.verb.name(), it.reason)
        }
        Found::Differs { prefix, recorded, other } => {
            format!("{prefix} recorded: {}; other: {}", stand(recorded), stand(other))
        }
        Found::Alike { prefix, stand: both } => format!("{prefix} both: {}", stand(both)),
    }
}

fn stand(of: &Stand) -> String {
    format!("{} ({})", state(of), of.reason)
}

fn state(of: &Stand) -> &'static str {
    match of.route {
        None => "not announced",
        Some(route) if route.last_choice => "last choice",
        Some(_) => "announced",
    }
}

fn as_json(what: &Found) -> Value {
    let decision = |kind: &str, it: &ha2bgp_core::record::Decision| {
        json!({
            "kind": kind, "prefix": it.prefix.to_string(), "decision": it.verb.name(),
            "reason": it.reason.code(),
        })
    };
    let stand = |it: &Stand| json!({ "state": state(it), "reason": it.reason.code() });
    match what {
        Found::Begins => json!({ "kind": "begins" }),
        Found::Gap(count) => json!({ "kind": "gap", "missing": count }),
        Found::Decided(it) => decision("decided", it),
        Found::NotRepeated(it) => decision("not-repeated", it),
        Found::NotRecorded(it) => decision("not-recorded", it),
        Found::Differs { prefix, recorded, other } => json!({
            "kind": "differs", "prefix": prefix.to_string(), "recorded": stand(recorded),
            "other": stand(other),
        }),
        Found::Alike { prefix, stand: both } => {
            json!({ "kind": "alike", "prefix": prefix.to_string(), "both": stand(both) })
        }
    }
}
