//! `ha2bgp why ADDRESS`: asks the running daemon why an address is announced, or not.
//!
//! Exit codes: 0 answered, 1 refused, 2 bad usage, 3 no daemon was reached.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::push::{EXIT_UNREACHABLE, refusal, socket_arg, socket_of};
use super::{print_error, say};
use crate::control::client;
use crate::control::why::{Why, WhyCheck, WhyRule};

/// The command and its arguments.
pub(super) fn command() -> Command {
    Command::new("why")
        .about("Says why an address is announced, or not: the answer first, then every check")
        .after_help("Exit codes: 0 answered, 1 refused, 2 bad usage, 3 no daemon was reached.")
        .arg(
            Arg::new("ADDRESS")
                .help("The service address")
                .required(true)
                .value_parser(clap::value_parser!(IpAddr)),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("As JSON"))
        .arg(socket_arg())
}

/// Asks, and shows the answer.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let Some(address) = matches.get_one::<IpAddr>("ADDRESS") else { return ExitCode::FAILURE };
    let target = format!("/v1/why/{address}");
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
    let text = if matches.get_flag("json") {
        String::from_utf8_lossy(&answer.body).trim_end().to_owned()
    } else {
        match serde_json::from_slice::<Why>(&answer.body) {
            Ok(why) => show(&why),
            Err(error) => {
                print_error(&format!("the answer cannot be read: {error}: is it another version?"));
                return ExitCode::FAILURE;
            }
        }
    };
    if say(text).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The answer as text.
fn show(why: &Why) -> String {
    let mut text = String::new();
    let is = if why.announced { "is announced" } else { "is not announced" };
    // Writing into a string cannot fail.
    let _ = write!(text, "{} {is}: {} ({})", why.prefix, why.text, why.reason);
    let Some(service) = &why.service else { return text };
    let _ = write!(text, ", for {}", time(service.for_seconds));
    let name = if service.name.is_empty() { "service without a name" } else { &service.name };
    let _ = write!(text, "\n{name}: {}", service.health);
    if let Some(decider) = &service.decider {
        let _ = write!(text, ", because of {decider}");
    }
    if !service.ports.is_empty() {
        let _ = write!(text, "; served on {}", service.ports.join(", "));
    }
    if service.last_choice {
        text.push_str("; as the last choice");
    }
    if let Some(left) = service.delay_left_seconds {
        let what = if why.announced { "withdrawn" } else { "announced" };
        let _ = write!(text, "\n{what} in {}, if nothing changes", time(left));
    }
    if let Some(left) = service.held_left_seconds {
        let _ = write!(text, "\nheld by flap damping for {}, if it keeps calm", time(left));
    }
    if service.penalty > 0 {
        let _ = write!(text, "\ndamping penalty {}", service.penalty);
    }
    if service.would_have_withdrawn > 0 {
        let times = service.would_have_withdrawn;
        let _ = write!(text, "\nshadow checks would have withdrawn it {times} times");
    }
    text.push('\n');
    tree(&mut text, &service.rule, "", "");
    text.trim_end().to_owned()
}

/// A part of the rule and what it is made of.
fn tree(text: &mut String, rule: &WhyRule, first: &str, rest: &str) {
    let weight = if rule.weight == 1 { String::new() } else { format!("*{}", rule.weight) };
    let outcome = match (&rule.outcome, &rule.check) {
        (Some(outcome), _) => outcome.clone(),
        (None, Some(check)) => format!("{} (shadow: no power)", check.outcome),
        (None, None) => "no power".to_owned(),
    };
    let _ = write!(text, "{first}{}{weight} = {outcome}", rule.part);
    if let Some(check) = &rule.check {
        text.push_str(&found(check, rule.outcome.as_deref()));
    }
    text.push('\n');
    for (number, part) in rule.of.iter().enumerate() {
        let last = number + 1 == rule.of.len();
        let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        tree(text, part, &format!("{rest}{branch}"), &format!("{rest}{below}"));
    }
}

/// What a check found, behind its verdict.
fn found(check: &WhyCheck, counts_as: Option<&str>) -> String {
    let mut text = String::new();
    if counts_as.is_some_and(|counts_as| counts_as != check.outcome) {
        let _ = write!(text, ", as {} counts", check.outcome);
    }
    match (&check.detail, check.age_seconds) {
        (Some(detail), Some(age)) => {
            let _ = write!(text, ": {detail} ({} ago", time(age));
            if let (Some(count), Some((rise, fall))) = (check.in_a_row, check.needed)
                && (rise > 1 || fall > 1)
            {
                let _ = write!(text, ", {count} in a row of {rise} up and {fall} down");
            }
            text.push(')');
        }
        _ if check.reason != "healthy" => {
            let _ = write!(text, ": {}", check.reason);
        }
        _ => {}
    }
    text
}

/// A time for people: `350 ms`, `4.2 s`, `12 m`, `3 h`, `2 d`.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 100.0 => format!("{s:.1} s"),
        s if s < 6000.0 => format!("{:.0} m", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_comes_first_and_the_tree_behind() {
        let leaf = |part: &str, outcome: &str, detail: Option<&str>, power: bool| WhyRule {
            part: part.to_owned(),
            outcome: power.then(|| outcome.to_owned()),
            weight: 1,
            of: Vec::new(),
            check: Some(WhyCheck {
                outcome: outcome.to_owned(),
                reason: if outcome == "pass" { "healthy" } else { "check-failed" }.to_owned(),
                detail: detail.map(str::to_owned),
                age_seconds: detail.map(|_| 0.25),
                in_a_row: detail.map(|_| 4),
                needed: detail.map(|_| (2, 3)),
            }),
        };
        let any = WhyRule {
            part: "any".to_owned(),
            outcome: Some("fail".to_owned()),
            weight: 2,
            of: vec![
                leaf("page", "fail", Some("status 503"), true),
                leaf("new", "fail", Some("no"), false),
            ],
            check: None,
        };
        let service = crate::control::why::WhyService {
            name: "web".to_owned(),
            health: "unhealthy".to_owned(),
            for_seconds: 7200.0,
            last_choice: false,
            decider: Some("page".to_owned()),
            rule: WhyRule {
                part: "all".to_owned(),
                outcome: Some("fail".to_owned()),
                weight: 1,
                of: vec![leaf("listen", "pass", None, true), any],
                check: None,
            },
            ports: vec!["tcp/80".to_owned()],
            delay_left_seconds: Some(2.0),
            penalty: 1000,
            held_left_seconds: None,
            would_have_withdrawn: 3,
        };
        let why = Why {
            prefix: "100.64.0.10/32".to_owned(),
            announced: true,
            reason: "down-delay".to_owned(),
            text: "a check fails".to_owned(),
            service: Some(service),
        };
        let want = "\
100.64.0.10/32 is announced: a check fails (down-delay), for 2 h
web: unhealthy, because of page; served on tcp/80
withdrawn in 2.0 s, if nothing changes
damping penalty 1000
shadow checks would have withdrawn it 3 times
all = fail
├─ listen = pass
└─ any*2 = fail
   ├─ page = fail: status 503 (250 ms ago, 4 in a row of 2 up and 3 down)
   └─ new = fail (shadow: no power): no (250 ms ago, 4 in a row of 2 up and 3 down)";
        assert_eq!(show(&why), want);
    }
}
