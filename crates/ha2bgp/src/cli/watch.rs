//! `ha2bgp watch`: shows what happens in the running daemon, as it happens.
//!
//! It comes again when the connection ends, and goes on where it was: nothing is missed or shown
//! twice, over a restart of the daemon too. Exit codes: 0 as many as were asked for were shown, 1
//! refused, 2 bad usage, 3 no daemon was reached at first.

use std::io;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::ask::encode;
use super::history::EventLines;
use super::push::{EXIT_UNREACHABLE, refusal, socket_arg, socket_of};
use super::screen::Screen;
use super::{print_error, say};
use crate::control::client::stream::{Received, StreamEnd, follow};
use crate::control::happened::GapShown;
use crate::events::Record;

/// How long it waits before it comes again.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

/// The command and its arguments.
pub(super) fn command() -> Command {
    Command::new("watch")
        .about("Shows what happens, as it happens, over restarts of the daemon too")
        .after_help("Exit codes: 0 done, 1 refused, 2 bad usage, 3 no daemon was reached.")
        .arg(
            Arg::new("after")
                .long("after")
                .value_name("ID")
                .help("Begin behind this event (its id in --json); without it: from now on"),
        )
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("NUMBER")
                .value_parser(value_parser!(u64).range(1..))
                .help("End after so many events"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("A JSON object a line"))
        .arg(socket_arg())
}

/// What is shown, and where it goes on.
struct Watch {
    json: bool,
    lines: EventLines,
    last: Option<String>,
    left: Option<u64>,
    /// Nobody reads any more.
    closed: bool,
}

/// Follows the events until somebody ends it.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let socket = socket_of(matches);
    let mut watch = Watch {
        json: matches.get_flag("json"),
        lines: EventLines::new(Screen::of_stdout(), jiff::tz::TimeZone::system()),
        last: matches.get_one::<String>("after").cloned(),
        left: matches.get_one::<u64>("count").copied(),
        closed: false,
    };
    let mut reached = false;
    let mut told = false;
    loop {
        // The first one names a place in the query, which a refusal can show.
        let target = match watch.last.as_ref().filter(|_| !reached) {
            Some(id) => format!("/v1/events?after={}", encode(id)),
            None => "/v1/events".to_owned(),
        };
        let last = watch.last.clone().filter(|_| reached);
        match follow(&socket, &target, last.as_deref(), &mut |event| watch.show(&event)) {
            Ok(StreamEnd::Refused(answer)) if answer.status != 503 => {
                print_error(&refusal(&answer));
                return ExitCode::FAILURE;
            }
            Ok(end) => {
                if watch.left == Some(0) {
                    return ExitCode::SUCCESS;
                }
                if watch.closed {
                    return ExitCode::FAILURE;
                }
                (reached, told) = (true, matches!(end, StreamEnd::Refused(_)) && told);
            }
            Err(error) if !reached => {
                print_error(&error.to_string());
                return ExitCode::from(EXIT_UNREACHABLE);
            }
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    print_error(&format!("{error}; trying again"));
                }
            }
        }
        if !rest() {
            return ExitCode::FAILURE;
        }
    }
}

/// Waits before it comes again; false when nobody reads any more.
fn rest() -> bool {
    let stdout = io::stdout();
    // Nothing is asked for but what is always told: that the other end is gone.
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    match poll(&mut polled, Some(&PAUSE)) {
        Ok(_) => polled[0].revents().is_empty(),
        Err(_) => true,
    }
}

impl Watch {
    /// Shows an event. False when there shall be no more.
    fn show(&mut self, event: &Received) -> bool {
        if let Some(id) = &event.id {
            self.last = Some(id.clone());
        }
        // Where the stream begins: to come again from there, and nothing to show.
        if event.kind == "begin" {
            return true;
        }
        let shown = self.line(event);
        if event.id.is_some() {
            self.left = self.left.map(|left| left.saturating_sub(1));
        }
        self.closed = shown.is_err();
        !self.closed && self.left != Some(0)
    }

    fn line(&mut self, event: &Received) -> io::Result<()> {
        if self.json {
            return say(&event.data);
        }
        if event.kind == "gap" {
            return match serde_json::from_str::<GapShown>(&event.data) {
                Ok(gap) => say(self.lines.gap(&gap)),
                Err(_) => say(&event.data),
            };
        }
        match serde_json::from_str::<Record>(&event.data) {
            Ok(record) => say(self.lines.of(&record)),
            // A record of another version is shown as it is.
            Err(_) => say(&event.data),
        }
    }
}
