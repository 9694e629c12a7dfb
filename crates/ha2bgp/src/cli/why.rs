//! `ha2bgp why PREFIX|SERVICE`: asks the running daemon why an address is announced, or not.
//!
//! Exit codes: 0 answered, 1 refused, 2 bad usage, 3 no daemon was reached.

mod around;
mod rule;
#[cfg(test)]
pub(super) mod stage;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use jiff::tz::TimeZone;

use super::ask::{self, encode};
use super::push::{socket_arg, socket_of};
use super::say;
use super::screen::{BAD, GOOD, Screen, WARNING, clean, clock, count, no_color_arg, time};
use crate::control::api::service::{AttributesShown, PeerRoute};
use crate::control::api::why::{Why, WhyService, Whys};
use crate::control::orders::{OverrideShown, parse_prefix};

/// The command and its arguments.
pub(super) fn command() -> Command {
    Command::new("why")
        .about(
            "Says why an address is announced, or not: the answer first, then everything behind it",
        )
        .after_help(
            "Of a service, or of a network, every address is told.\n\
             Exit codes: 0 answered, 1 refused, 2 bad usage, 3 no daemon was reached.",
        )
        .arg(
            Arg::new("WHAT")
                .value_name("PREFIX|SERVICE")
                .help("A service address, known or not; a network; or the name of a service")
                .required(true),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("As JSON"))
        .arg(no_color_arg())
        .arg(socket_arg())
}

/// Asks, and shows the answer.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let what = matches.get_one::<String>("WHAT").map_or("", String::as_str);
    match answer(matches, what) {
        Ok(text) => {
            if say(text).is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(code) => code,
    }
}

fn answer(matches: &ArgMatches, what: &str) -> Result<String, ExitCode> {
    let socket = socket_of(matches);
    let one: Option<IpAddr> =
        parse_prefix(what).filter(|prefix| prefix.is_host()).map(|prefix| prefix.address());
    let target = match one {
        Some(address) => format!("/v1/why/{address}"),
        None => format!("/v1/services/{}", encode(what)),
    };
    let answer = ask::ask(&socket, "GET", &target, &[])?;
    if matches.get_flag("json") {
        return Ok(String::from_utf8_lossy(&answer.body).trim_end().to_owned());
    }
    let (screen, zone) = (Screen::of(matches), TimeZone::system());
    if one.is_some() {
        return Ok(show(&ask::read::<Why>(&answer)?, screen, &zone));
    }
    let Whys { mut services, mut next } = ask::read(&answer)?;
    while let Some(after) = next {
        let page: Whys = ask::get(&socket, &format!("{target}?after={}", encode(&after)))?;
        services.extend(page.services);
        next = page.next;
    }
    if services.is_empty() {
        return Ok(format!("{} has no address that is a service now", clean(what)));
    }
    let shown: Vec<String> = services.iter().map(|why| show(why, screen, &zone)).collect();
    Ok(shown.join("\n\n"))
}

/// The answer as text.
fn show(why: &Why, screen: Screen, zone: &TimeZone) -> String {
    let mut lines = vec![headline(why, screen, zone)];
    if let Some(service) = &why.service {
        lines.push(screen.wrap(&about(why, service), 2));
        timers(&mut lines, why, service, screen);
        for over in &service.overrides {
            let text = screen.wrap(&override_text(over, zone), 2);
            lines.push(screen.paint(WARNING, &text));
        }
        if let Some(other) = &service.otherwise {
            let is = if other.announced { "be announced" } else { "not be announced" };
            let text = format!("otherwise it would {is}: {} ({})", other.text, other.reason);
            lines.push(screen.wrap(&text, 2));
        }
        rule::tree(&mut lines, &service.rule, screen);
    }
    if let Some(around) = &why.around {
        around::lines(&mut lines, around, &why.reason, screen);
    }
    for peer in &why.peers {
        lines.push(screen.wrap(&peer_text(peer, screen), 2));
    }
    lines.join("\n")
}

/// The answer in a line.
fn headline(why: &Why, screen: Screen, zone: &TimeZone) -> String {
    let last_choice = why.service.as_ref().is_some_and(|service| service.last_choice);
    let (is, color) = match (why.announced, last_choice) {
        (true, false) => ("is announced", GOOD),
        (true, true) => ("is announced as the last choice", WARNING),
        (false, _) => ("is not announced", BAD),
    };
    // A reason may say the same again.
    let text = why.text.replace(": announced as the last choice", "");
    let text = match text.rsplit_once(" (") {
        Some((text, more)) if more.contains(&why.reason) => text,
        _ => &text,
    };
    let mut line = format!("{} {is}: {text} ({})", clean(&why.prefix), why.reason);
    if let Some(service) = &why.service {
        let since = clock(&service.since, zone);
        line.push_str(&format!(", for {}, since {since}", time(service.for_seconds)));
    }
    screen.paint(color, &screen.wrap(&line, 2))
}

/// Which service it is, and how it is.
fn about(why: &Why, service: &WhyService) -> String {
    let mut text = match service.name.as_str() {
        "" => format!("a service without a name in {}", clean(&service.network)),
        name => format!("service {}", clean(name)),
    };
    text.push_str(&format!(": {}", clean(&service.health)));
    if let Some(decider) = &service.decider {
        text.push_str(&format!(", because of {}", clean(decider)));
    }
    if !service.ports.is_empty() {
        text.push_str(&format!("; served on {}", service.ports.join(", ")));
    }
    if !service.ports_missing.is_empty() {
        text.push_str(&format!("; not on {}", service.ports_missing.join(", ")));
    }
    if !why.announced && service.last_choice {
        text.push_str("; it would be the last choice");
    }
    text
}

/// What is waited for.
fn timers(lines: &mut Vec<String>, why: &Why, service: &WhyService, screen: Screen) {
    let mut add = |text: String| lines.push(screen.wrap(&text, 2));
    if let Some(left) = service.delay_left_seconds {
        let (what, delay) = match service.delay_announces {
            true => ("announces", "up-delay"),
            false => ("withdraws", "down-delay"),
        };
        add(format!("{what} in {}, if nothing changes: {delay}", time(left)));
    }
    if let Some(damping) = service.damping.filter(|damping| damping.penalty > 0) {
        let (penalty, reuse) = (damping.penalty, damping.reuse);
        add(match damping.left_seconds {
            Some(left) => format!(
                "held by flap damping for {}, if it keeps calm: the penalty is {penalty} and must \
                 fall to {reuse}",
                time(left)
            ),
            None => {
                format!("damping penalty {penalty}; it is held above {}", damping.suppress)
            }
        });
    }
    if let Some(held) = service.held {
        let room = match held.room_in_seconds {
            0.0 => "there may be room at any moment".to_owned(),
            left => format!("there may be room in {}", time(left)),
        };
        let since = time(held.for_seconds);
        add(format!("the guard has held it for {since} instead of withdrawing it; {room}"));
    }
    if service.would_have_withdrawn > 0 {
        let times = service.would_have_withdrawn;
        let s = if times == 1 { "" } else { "s" };
        add(format!("shadow checks would have withdrawn it {times} time{s}"));
    }
    if !why.announced && why.reason == "check-pending" {
        add("its checks have not been made often enough: wait, or look at them below".to_owned());
    }
}

/// What an operator says.
pub(super) fn override_text(over: &OverrideShown, zone: &TimeZone) -> String {
    let until = match (&over.until, over.left_seconds) {
        (Some(until), Some(left)) => {
            format!("until {}, in {}", clock(until, zone), time(left))
        }
        _ => "until somebody takes it back".to_owned(),
    };
    let mut text = format!(
        "override {}: {} of {} by {}: {}; {until}",
        over.id,
        clean(&over.kind),
        clean(&over.scope),
        clean(&over.author),
        clean(&over.reason)
    );
    if let Some(phase) = &over.phase {
        text.push_str(&format!("; {}", clean(phase)));
    }
    if let Some(now) = over.connections {
        text.push_str(&format!(
            ", {} now",
            count(usize::try_from(now).unwrap_or(usize::MAX), "connection")
        ));
    }
    if let Some(left) = over.connections_left {
        text.push_str(&format!("; {left} connections were left"));
    }
    if !over.saved {
        text.push_str("; NOT ON DISK");
    }
    text
}

/// What a peer was told.
fn peer_text(peer: &PeerRoute, screen: Screen) -> String {
    let color = match peer.state.as_str() {
        "announced" | "withdrawn" => GOOD,
        "excluded" => super::screen::QUIET,
        _ => WARNING,
    };
    let mut text = clean(&peer.peer);
    if let Some(description) = &peer.description {
        text.push_str(&format!(" ({})", clean(description)));
    }
    text.push_str(&format!(": {}", screen.paint(color, &clean(&peer.state))));
    if let Some(seconds) = peer.sent_seconds {
        let before = if peer.sent_before { "more than " } else { "" };
        text.push_str(&format!(" {before}{} ago", time(seconds)));
    }
    match (&peer.acknowledged, peer.acknowledged_after_seconds) {
        (Some(_), Some(after)) if after > 0.0 => {
            text.push_str(&format!(", acknowledged {} later", time(after)));
        }
        (Some(_), _) => text.push_str(", acknowledged"),
        // Nobody answers there.
        (None, _) if peer.peer == "stdout" => {}
        (None, _) if peer.sent.is_some() => text.push_str(", not acknowledged yet"),
        _ => {}
    }
    if let Some(why) = &peer.why {
        text.push_str(&format!(": {}", clean(why)));
    }
    if let Some(attributes) = peer.attributes.as_ref().filter(|_| peer.state != "withdrawn") {
        text.push_str(&format!("; {}", attributes_text(attributes)));
    }
    text
}

/// The attributes of a route in a few words.
fn attributes_text(it: &AttributesShown) -> String {
    let mut parts = vec![format!("next hop {}", clean(&it.next_hop))];
    if let Some(path) = it.as_path.as_ref().filter(|path| !path.is_empty()) {
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        parts.push(format!("path {}", path.join(" ")));
    }
    parts.extend(it.med.map(|med| format!("MED {med}")));
    parts.extend(it.local_pref.map(|local_pref| format!("local-pref {local_pref}")));
    if !it.communities.is_empty() {
        let communities: Vec<String> = it.communities.iter().map(|it| clean(it)).collect();
        parts.push(format!("communities {}", communities.join(" ")));
    }
    parts.join(", ")
}
