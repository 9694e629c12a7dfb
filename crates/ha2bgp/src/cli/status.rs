//! `ha2bgp status`: what is announced, what is not, and why; and what else is not as it should be.
//!
//! Exit codes: 0 all of it is announced, 1 something is not, 2 bad usage, 3 no daemon was reached.

mod view;

use std::io::{IsTerminal as _, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use jiff::tz::TimeZone;
use rustix::event::{Timespec, poll};
use serde::Serialize;

use super::ask::{self, encode};
use super::push::{EXIT_UNREACHABLE, socket_arg, socket_of};
use super::screen::{Screen, no_color_arg};
use super::{print_error, say};
use crate::config::duration;
use crate::control::api::service::{ServiceShown, ServicesShown};
use crate::control::api::status::StatusShown;

/// So many services are asked for at once.
const PAGE: usize = 500;
/// How often it looks again, unless somebody says otherwise.
const INTERVAL: &str = "2s";

/// The command and its arguments.
pub(super) fn command() -> Command {
    Command::new("status")
        .about("Shows what is announced, what is not, and why")
        .after_help(
            "CHECKS counts those that are good, of those with power; PEERS those that know what is \
             wanted, of those that should.\n`ha2bgp why PREFIX|SERVICE` says more of one.\n\
             Exit codes: 0 all of it is announced, 1 something is not, 2 bad usage, 3 no daemon was \
             reached.",
        )
        .arg(
            Arg::new("OF")
                .value_name("SERVICE|PREFIX")
                .num_args(0..=64)
                .help("Only these services, or addresses in these networks"),
        )
        .arg(
            Arg::new("bad")
                .long("bad")
                .action(ArgAction::SetTrue)
                .help("Only what is not announced"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("As JSON"))
        .arg(
            Arg::new("watch")
                .long("watch")
                .value_name("INTERVAL")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value(INTERVAL)
                .value_parser(interval)
                .help("Looks again and again, every 2s or --watch=INTERVAL"),
        )
        .arg(no_color_arg())
        .arg(socket_arg())
}

fn interval(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text).map_err(|error| error.to_string())?;
    let least = Duration::from_millis(100);
    if time < least { Err(format!("\"{text}\" is too often: 100ms at least")) } else { Ok(time) }
}

/// What is told as JSON.
#[derive(Debug, Serialize)]
struct All {
    status: StatusShown,
    services: Vec<ServiceShown>,
}

/// Looks, once or again and again.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let Some(interval) = matches.get_one::<Duration>("watch") else {
        return match look(matches) {
            Ok((text, good)) => match say(text) {
                Ok(()) if good => ExitCode::SUCCESS,
                _ => ExitCode::FAILURE,
            },
            Err(code) => code,
        };
    };
    let clear = if stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
    loop {
        match look(matches) {
            Ok((text, _)) => {
                if say(format_args!("{clear}{text}")).is_err() {
                    return ExitCode::FAILURE;
                }
            }
            // It may be about to start again.
            Err(code) if code == ExitCode::from(EXIT_UNREACHABLE) => {}
            Err(code) => return code,
        }
        let pause = Timespec::try_from(*interval).ok();
        if poll(&mut [], pause.as_ref()).is_err() {
            return ExitCode::FAILURE;
        }
    }
}

/// What there is to see, and whether all of it is announced.
fn look(matches: &ArgMatches) -> Result<(String, bool), ExitCode> {
    let socket = socket_of(matches);
    let of: Vec<&str> =
        matches.get_many::<String>("OF").into_iter().flatten().map(String::as_str).collect();
    if let Some(comma) = of.iter().find(|word| word.contains(',')) {
        print_error(&format!("\"{comma}\" is one word: write a blank instead of the comma"));
        return Err(ExitCode::from(super::EXIT_USAGE));
    }
    let status: StatusShown = ask::get(&socket, "/v1/status")?;
    let bad = matches.get_flag("bad");
    let services = services(&socket, &of.join(","), bad)?;
    let good = if of.is_empty() {
        status.services.withdrawn == 0
    } else {
        // Whoever asks for something expects that it is there.
        services.iter().all(|service| service.announced) && (bad || !services.is_empty())
    };
    let text = if matches.get_flag("json") {
        let all = All { status, services };
        serde_json::to_string(&all).unwrap_or_default()
    } else {
        let view = view::View {
            status: &status,
            services: &services,
            filtered: !of.is_empty() || bad,
            zone: &TimeZone::system(),
        };
        view.show(Screen::of(matches))
    };
    Ok((text, good))
}

/// All pages.
fn services(socket: &Path, of: &str, bad: bool) -> Result<Vec<ServiceShown>, ExitCode> {
    let mut target = format!("/v1/services?limit={PAGE}");
    if !of.is_empty() {
        target.push_str(&format!("&of={}", encode(of)));
    }
    if bad {
        target.push_str("&state=withdrawn");
    }
    let ServicesShown { mut services, mut next } = ask::get(socket, &target)?;
    while let Some(after) = next {
        let target = format!("{target}&after={}", encode(&after));
        let page: ServicesShown = ask::get(socket, &target)?;
        services.extend(page.services);
        next = page.next;
    }
    Ok(services)
}
