//! `ha2bgp nagios`: a monitoring plugin about ha2bgp itself: one line, performance data, and the exit
//! codes of such plugins.
//!
//! Exit codes: 0 ok, 1 warning, 2 critical (also when no daemon is reached), 3 unknown (also bad usage).

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::push::{refusal, socket_arg, socket_of};
use super::say;
use super::screen::{clean, count, cut};
use crate::control::api::service::{ServiceShown, ServicesShown};
use crate::control::api::status::StatusShown;
use crate::control::client;

/// So many services are named.
const NAMED: usize = 3;
/// The longest text of a problem.
const TEXT_MAX: usize = 120;

/// What it comes to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum State {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

/// From how many on it is a warning, or critical.
#[derive(Clone, Copy, Debug)]
struct Limits {
    warning: usize,
    critical: usize,
}

/// The command and its arguments.
pub(super) fn command() -> Command {
    let number = |name: &'static str, short: char, default: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .short(short)
            .value_name("COUNT")
            .default_value(default)
            .value_parser(value_parser!(u32).range(1..))
            .help(help)
    };
    Command::new("nagios")
        .about("Answers as a monitoring plugin: is all announced that should be?")
        .after_help(
            "CRITICAL: services that are not announced though no operator says so, a session that is \
             down, ExaBGP that takes nothing, no daemon.\nWARNING: overrides, what the guard holds, a configuration on trial, an \
             observer that cannot see, other problems.\nExit codes are those of plugins: 0 ok, 1 \
             warning, 2 critical, 3 unknown.",
        )
        .arg(number("warning", 'w', "1", "From so many services on that are down"))
        .arg(number("critical", 'c', "1", "From so many services on that are down"))
        .arg(socket_arg())
}

/// How to end when the usage is bad: as every plugin does.
pub(super) const USAGE: u8 = State::Unknown.code();

/// Asks, and tells.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let limit = |name: &str| {
        let given = matches.get_one::<u32>(name).copied().unwrap_or(1);
        usize::try_from(given).unwrap_or(usize::MAX)
    };
    let limits = Limits { warning: limit("warning"), critical: limit("critical") };
    let (state, text) = match ask(matches) {
        Ok((status, down)) => judge(&status, &down, limits),
        Err((state, error)) => (state, clean(&error)),
    };
    match say(format_args!("HA2BGP {} - {text}", state.name())) {
        Ok(()) => ExitCode::from(state.code()),
        Err(_) => ExitCode::from(State::Unknown.code()),
    }
}

/// The state, and some of the services that are not announced.
fn ask(matches: &ArgMatches) -> Result<(StatusShown, Vec<ServiceShown>), (State, String)> {
    let socket = socket_of(matches);
    let get = |target: &str| match client::ask(&socket, "GET", target, &[]) {
        Ok(answer) if answer.status == 200 => Ok(answer.body),
        Ok(answer) => Err((State::Unknown, refusal(&answer))),
        Err(error) => Err((State::Critical, error.to_string())),
    };
    let unreadable = |error: serde_json::Error| {
        (State::Unknown, format!("the answer cannot be read: {error}: is it another version?"))
    };
    let status: StatusShown = serde_json::from_slice(&get("/v1/status")?).map_err(unreadable)?;
    if status.services.withdrawn == 0 {
        return Ok((status, Vec::new()));
    }
    let down = get("/v1/services?state=withdrawn&limit=100")?;
    let down: ServicesShown = serde_json::from_slice(&down).map_err(unreadable)?;
    Ok((status, down.services))
}

fn judge(status: &StatusShown, down: &[ServiceShown], limits: Limits) -> (State, String) {
    let mut said: Vec<(State, String)> = Vec::new();
    let services = &status.services;
    let dead = services.withdrawn.saturating_sub(services.overridden);
    if dead > 0 {
        let state = match dead {
            dead if dead >= limits.critical => State::Critical,
            dead if dead >= limits.warning => State::Warning,
            _ => State::Ok,
        };
        said.push((
            state,
            format!("{} not announced{}", count(dead, "service"), names(down, dead)),
        ));
    }
    for problem in &status.problems {
        let state = match problem.code.as_str() {
            // Nothing that happens is told to a router.
            "peer" | "announcer-stalled" => State::Critical,
            _ => State::Warning,
        };
        said.push((state, clean(&problem.text)));
    }
    if !status.overrides.is_empty() {
        let mut text = count(status.overrides.len(), "override");
        if let Some(over) = status.overrides.first() {
            let _ = write!(text, " ({} of {} by {})", over.kind, over.scope, over.author);
        }
        said.push((State::Warning, clean(&text)));
    }
    if let Some(guard) = status.guard.filter(|guard| guard.held > 0) {
        said.push((State::Warning, format!("the guard holds {}", count(guard.held, "route"))));
    }
    if status.trial.is_some() {
        said.push((State::Warning, "a configuration is on trial".to_owned()));
    }
    if status.stopping_seconds.is_some() {
        said.push((State::Warning, "ha2bgp stops".to_owned()));
    }
    // The worst comes first, for those who read one line on a small screen.
    said.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
    let state = said.first().map_or(State::Ok, |(state, _)| *state);
    let mut text = format!("{} of {} announced", services.announced, services.all);
    for (_, what) in said {
        // A bar begins the performance data.
        text.push_str(&format!("; {}", cut(&what.replace('|', "/"), TEXT_MAX)));
    }
    (state, format!("{text} | {}", performance(status, dead, limits)))
}

/// Some of those that are down.
fn names(down: &[ServiceShown], dead: usize) -> String {
    let own = down.iter().filter(|service| service.overrides.is_empty());
    let mut words: Vec<String> = own
        .take(NAMED.min(dead))
        .map(|service| {
            let address = service.prefix.split('/').next().unwrap_or_default();
            let name = if service.service.is_empty() { address } else { &service.service };
            clean(&format!("{name}: {}", service.reason))
        })
        .collect();
    if words.is_empty() {
        return String::new();
    }
    if dead > words.len() {
        words.push("…".to_owned());
    }
    format!(" ({})", words.join(", "))
}

/// The performance data: `label=value;warning;critical;least;most`.
fn performance(status: &StatusShown, dead: usize, limits: Limits) -> String {
    let services = &status.services;
    let peers = &status.peers.peers;
    let up = peers.iter().filter(|peer| peer.is_up()).count();
    let held = status.guard.map_or(0, |guard| guard.held);
    let all = services.all;
    // A range is bad above it (nagios plugins guidelines): one less than from where on it is bad.
    let (warning, critical) = (limits.warning.saturating_sub(1), limits.critical.saturating_sub(1));
    format!(
        "announced={};;;0;{all} down={dead};{warning};{critical};0;{all} last_choice={};;;0;{all} \
         overridden={};;;0;{all} held={held};;;0;{all} peers_up={up};;;0;{} uptime={:.0}s",
        services.announced,
        services.last_choice,
        services.overridden,
        peers.len(),
        status.uptime_seconds
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::assert_screen;
    use crate::control::api::peer::{PeerShown, PeersShown};
    use crate::control::api::status::{Counts, GuardShown, ProblemShown, TrialShown};
    use crate::control::orders::OverrideShown;

    fn good() -> StatusShown {
        let state = Some("Established".to_owned());
        let peer = PeerShown { state, ..PeerShown::default() };
        StatusShown {
            uptime_seconds: 3600.4,
            services: Counts { all: 3, announced: 3, ..Counts::default() },
            peers: PeersShown { peers: vec![peer.clone(), peer], ..PeersShown::default() },
            ..StatusShown::default()
        }
    }

    fn withdrawn(status: StatusShown, dead: usize, overridden: usize) -> StatusShown {
        let withdrawn = dead + overridden;
        let (all, announced) = (3 + withdrawn, 3);
        let services = Counts { all, announced, withdrawn, overridden, last_choice: 0 };
        StatusShown { services, ..status }
    }

    fn problem(code: &str, text: &str) -> StatusShown {
        let problem = ProblemShown { code: code.to_owned(), text: text.to_owned() };
        StatusShown { problems: vec![problem], ..good() }
    }

    #[test]
    fn the_worst_comes_first() {
        let said = || OverrideShown {
            kind: "maintenance".to_owned(),
            scope: "service web".to_owned(),
            author: "anna|\x1b".to_owned(),
            ..OverrideShown::default()
        };
        let down: Vec<ServiceShown> = (1..=5)
            .map(|number| ServiceShown {
                service: if number == 1 { "web".to_owned() } else { String::new() },
                prefix: format!("100.64.0.{number}/32"),
                reason: "check-failed".to_owned(),
                ..ServiceShown::default()
            })
            .collect();
        let one = Limits { warning: 1, critical: 1 };
        let some = Limits { warning: 2, critical: 4 };
        let guard = Some(GuardShown { held: 1, ..GuardShown::default() });
        let trial = Some(TrialShown::default());
        let table = [
            (good(), one, State::Ok),
            (withdrawn(good(), 1, 0), one, State::Critical),
            (withdrawn(good(), 5, 0), one, State::Critical),
            (withdrawn(good(), 1, 0), some, State::Ok),
            (withdrawn(good(), 2, 0), some, State::Warning),
            (withdrawn(good(), 4, 0), some, State::Critical),
            (
                StatusShown { overrides: vec![said()], ..withdrawn(good(), 0, 2) },
                one,
                State::Warning,
            ),
            (StatusShown { guard, ..good() }, one, State::Warning),
            (StatusShown { trial, ..good() }, one, State::Warning),
            (problem("observer", "listening sockets cannot be seen"), one, State::Warning),
            (problem("announcer-stalled", "ExaBGP takes nothing"), one, State::Critical),
            (
                StatusShown {
                    overrides: vec![said()],
                    ..problem("peer", "peer 10.0.0.1: the session is Idle: a | in it")
                },
                one,
                State::Critical,
            ),
        ];
        let mut screen = String::new();
        for (status, limits, want) in table {
            let (state, text) = judge(&status, &down, limits);
            assert_eq!(state, want, "{text}");
            assert_eq!((text.matches('|').count(), text.contains('\x1b')), (1, false), "{text}");
            screen.push_str(&format!("{} - {text}\n", state.name()));
        }
        assert_screen("nagios", &screen);
    }
}
