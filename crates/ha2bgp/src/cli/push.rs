//! `ha2bgp push CHECK OUTCOME`: sends a result to the running daemon, from cron, a timer, a script.
//!
//! Exit codes: 0 done, 1 the daemon refused it, 2 bad usage, 3 no daemon was reached.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Map, Value};

use super::print_error;
use crate::config::duration;
use crate::control::{DEFAULT_PATH, client};

/// The variable that names the socket.
const VARIABLE: &str = "HA2BGP_CONTROL";
/// No daemon was reached.
pub(super) const EXIT_UNREACHABLE: u8 = 3;

/// The command and its arguments.
pub(super) fn command() -> Command {
    Command::new("push")
        .about("Sends the result of a check of type push to the running daemon")
        .after_help(
            "The result counts for its time to live; after that the check is what its on-expiry \
             says.\nExit codes: 0 done, 1 refused, 2 bad usage, 3 no daemon was reached.",
        )
        .arg(
            Arg::new("CHECK")
                .help("SERVICE/CHECK, or CHECK for one of all services")
                .required(true)
                .value_parser(check),
        )
        .arg(
            Arg::new("OUTCOME")
                .help("What the check found")
                .required(true)
                .value_parser(PossibleValuesParser::new(["pass", "warn", "fail", "unknown"])),
        )
        .arg(
            Arg::new("detail")
                .long("detail")
                .value_name("TEXT")
                .allow_hyphen_values(true)
                .help("One line for people"),
        )
        .arg(
            Arg::new("ttl")
                .long("ttl")
                .value_name("DURATION")
                .value_parser(|text: &str| duration::parse(text).map(|_| text.to_owned()))
                .help("How long it counts; without it: the ttl of the check, which is the most"),
        )
        .arg(
            Arg::new("vip")
                .long("vip")
                .value_name("IP")
                .value_parser(clap::value_parser!(IpAddr))
                .help("The VIP, for a check with per-vip = true"),
        )
        .arg(socket_arg())
}

/// The argument of every command that speaks to the daemon.
pub(super) fn socket_arg() -> Arg {
    Arg::new("socket")
        .long("socket")
        .value_name("PATH")
        .help(format!("The control socket; without it: ${VARIABLE}, else {DEFAULT_PATH}"))
}

/// What it comes to.
pub(super) fn socket_of(matches: &ArgMatches) -> PathBuf {
    let variable = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
    let given = matches.get_one::<String>("socket").map(Into::into);
    given.or_else(|| variable.map(Into::into)).unwrap_or_else(|| DEFAULT_PATH.into())
}

/// Sends it.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let socket = socket_of(matches);
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<String>| {
        body.extend(value.map(|value| (name.to_owned(), Value::String(value))));
    };
    put("outcome", text("OUTCOME"));
    put("detail", text("detail"));
    put("ttl", text("ttl"));
    put("vip", matches.get_one::<IpAddr>("vip").map(ToString::to_string));
    let target = format!("/v1/checks/{}", text("CHECK").unwrap_or_default());
    let body = Value::Object(body).to_string();
    match client::ask(&socket, "POST", &target, body.as_bytes()) {
        Ok(answer) if answer.status == 200 => ExitCode::SUCCESS,
        Ok(answer) => {
            print_error(&refusal(&answer));
            ExitCode::FAILURE
        }
        Err(error) => {
            print_error(&error.to_string());
            ExitCode::from(EXIT_UNREACHABLE)
        }
    }
}

/// Why the daemon refused it, in its own words.
pub(super) fn refusal(answer: &client::Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match body["error"]["message"].as_str() {
        Some(message) => message.to_owned(),
        None => format!("refused with status {}", answer.status),
    }
}

/// The name of a check, as it goes into a path.
fn check(text: &str) -> Result<String, String> {
    let good = |part: &str| {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !part.is_empty() && part.chars().all(fine)
    };
    if text.split('/').count() > 2 || !text.split('/').all(good) {
        return Err("write SERVICE/CHECK, or CHECK for one of all services".to_owned());
    }
    Ok(text.to_owned())
}
