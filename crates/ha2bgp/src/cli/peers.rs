//! `ha2bgp peers`: the announcer and its peers.
//!
//! Exit codes: 0 all sessions are up, 1 one is not, 2 bad usage, 3 no daemon was reached.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::push::{socket_arg, socket_of};
use super::screen::{
    BAD, Cell, Column, GOOD, PLAIN, QUIET, Screen, Table, WARNING, brief, clean, no_color_arg, time,
};
use super::{ask, say};
use crate::control::api::bfd::BfdShown;
use crate::control::api::peer::{PeerShown, PeersShown, PipeShown};

/// The command and its arguments.
pub(super) fn command() -> Command {
    Command::new("peers")
        .about("Shows the routers: the state of each session, and what was told")
        .after_help(
            "IP is what both sides speak. ROUTES counts those that the router was told, of those that \
             it should know; LOST how often the session went down; BFD the state of its BFD session.\n\
             Exit codes: 0 all sessions are up, 1 one is not, 2 bad usage, 3 no daemon was reached.",
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("As JSON"))
        .arg(no_color_arg())
        .arg(socket_arg())
}

/// Asks, and shows the answer.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let looked = || -> Result<(String, bool), ExitCode> {
        let answer = ask::ask(&socket_of(matches), "GET", "/v1/peers", &[])?;
        let peers: PeersShown = ask::read(&answer)?;
        let text = if matches.get_flag("json") {
            String::from_utf8_lossy(&answer.body).trim_end().to_owned()
        } else {
            show(&peers, Screen::of(matches))
        };
        Ok((text, is_good(&peers)))
    };
    match looked() {
        Ok((text, good)) => match say(text) {
            Ok(()) if good => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        },
        Err(code) => code,
    }
}

/// Every session is up; where ExaBGP has the sessions: it takes what we say, as far as is known.
fn is_good(peers: &PeersShown) -> bool {
    let pipe = match &peers.pipe {
        Some(pipe) => !pipe.stalled,
        None => peers.announcer != "exabgp",
    };
    pipe && peers.peers.iter().all(PeerShown::is_up)
}

/// The answer as text.
fn show(peers: &PeersShown, screen: Screen) -> String {
    let pipe = match (&peers.pipe, peers.announcer.as_str()) {
        (Some(pipe), _) => Some(screen.wrap(&pipe_text(pipe), 2)),
        (None, "exabgp") => Some("the pipe to ExaBGP: nothing is known of it yet".to_owned()),
        (None, "test") => Some("no peers: the commands go to standard output".to_owned()),
        (None, _) => None,
    };
    if let Some(pipe) = pipe {
        let lines = std::iter::once(pipe).chain(bfd_lines(peers, screen));
        return lines.collect::<Vec<_>>().join("\n");
    }
    let mut table = Table::new(&[
        Column::whole("PEER"),
        Column::number("AS"),
        Column::whole("STATE"),
        Column::number("SINCE"),
        Column::whole("IP"),
        Column::number("ROUTES"),
        Column::number("LOST"),
        Column::whole("BFD"),
    ]);
    for peer in &peers.peers {
        let state = peer.state.as_deref().unwrap_or("not known yet");
        let late = if peer.told < peer.wanted || peer.pending > 0 { WARNING } else { PLAIN };
        table.row(vec![
            Cell::new(PLAIN, clean(&peer.peer)),
            Cell::new(PLAIN, clean(&peer.remote_as)),
            Cell::new(if peer.is_up() { GOOD } else { BAD }, clean(state)),
            Cell::new(PLAIN, peer.for_seconds.map(brief).unwrap_or_default()),
            Cell::new(PLAIN, families(peer)),
            Cell::new(late, format!("{}/{}", peer.told, peer.wanted)),
            Cell::new(PLAIN, peer.dropped.to_string()),
            bfd(peer.bfd.as_ref()),
        ]);
    }
    let mut lines = vec![table.show(screen)];
    for peer in peers.peers.iter().filter(|peer| peer.error.is_some() || !peer.is_up()) {
        let color = if peer.is_up() { QUIET } else { BAD };
        lines.push(screen.paint(color, &screen.wrap(&error_text(peer), 2)));
    }
    lines.extend(bfd_lines(peers, screen));
    lines.join("\n")
}

/// The state of a BFD session; `-` without one.
fn bfd(session: Option<&BfdShown>) -> Cell {
    match session {
        Some(session) => {
            let color = if session.is_up() { GOOD } else { BAD };
            Cell::new(color, clean(&session.state))
        }
        None => Cell::new(QUIET, "-"),
    }
}

/// Sessions of checks alone, and why those of peers are not up.
fn bfd_lines(peers: &PeersShown, screen: Screen) -> Vec<String> {
    let of_peer = |session: &BfdShown| {
        let mut sessions = peers.peers.iter().filter_map(|peer| peer.bfd.as_ref());
        sessions.any(|it| it.peer == session.peer && it.multihop == session.multihop)
    };
    let told = peers.bfd.iter().filter(|it| !it.is_up() || !of_peer(it));
    let line = |session: &BfdShown| {
        let color = if session.is_up() { GOOD } else { BAD };
        screen.paint(color, &screen.wrap(&bfd_text(session), 2))
    };
    told.map(line).collect()
}

fn bfd_text(session: &BfdShown) -> String {
    let mut text = format!("BFD with {}", clean(&session.peer));
    if session.multihop {
        text.push_str(" (multihop)");
    }
    text.push_str(&format!(": {} for {}", clean(&session.state), time(session.for_seconds)));
    match (&session.error, &session.remote_state) {
        (Some(error), _) => text.push_str(&format!(": {}", clean(&error.text))),
        (None, Some(state)) if !session.is_up() => {
            text.push_str(&format!("; the other end says {}", clean(state)));
        }
        (None, None) if !session.is_up() => text.push_str("; nothing is heard"),
        (None, _) => {}
    }
    text
}

/// `4+6`, `4`, `6`; `-` without a session.
fn families(peer: &PeerShown) -> String {
    let number = |name: &String| clean(name.strip_prefix("ipv").unwrap_or(name));
    let agreed: Vec<String> = peer.families.iter().map(number).collect();
    if agreed.is_empty() { "-".to_owned() } else { agreed.join("+") }
}

/// Why there is no session, or why there was none.
fn error_text(peer: &PeerShown) -> String {
    let mut text = clean(&peer.peer);
    if let Some(description) = &peer.description {
        text.push_str(&format!(" ({})", clean(description)));
    }
    text.push_str(match peer.is_up() {
        true => ": the session before was lost",
        false => ": there is no session",
    });
    if let Some(error) = &peer.error {
        text.push_str(&format!(": {} ago: {}", time(error.age_seconds), clean(&error.text)));
    }
    if let Some(left) = peer.next_attempt_seconds.filter(|_| !peer.is_up()) {
        text.push_str(&format!("; tries again in {}", time(left)));
    }
    text
}

fn pipe_text(pipe: &PipeShown) -> String {
    let answers = match pipe.answers {
        Some(true) => "it answers",
        Some(false) => "it does not answer",
        None => "whether it answers is not known yet",
    };
    let mut text = format!(
        "the pipe to ExaBGP: {} of {} routes sent, {} acknowledged, {} rejected, {} wait; {answers}",
        pipe.sent, pipe.wanted, pipe.acknowledged, pipe.rejected, pipe.pending
    );
    if pipe.stalled {
        text.push_str("; it takes nothing");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::assert_screens;
    use crate::control::api::peer::PeerError;

    #[test]
    fn nothing_known_of_exabgp_is_not_good() {
        let of = |announcer: &str, stalled: Option<bool>| PeersShown {
            announcer: announcer.to_owned(),
            pipe: stalled.map(|stalled| PipeShown { stalled, ..PipeShown::default() }),
            ..PeersShown::default()
        };
        assert!(!is_good(&of("exabgp", None)));
        assert!(!is_good(&of("exabgp", Some(true))));
        assert!(is_good(&of("exabgp", Some(false))));
        assert!(is_good(&of("test", None)));
        assert!(is_good(&of("speaker", None)));
    }

    #[test]
    fn each_session_is_a_line() {
        let bfd = |peer: &str, state: &str| BfdShown {
            peer: peer.to_owned(),
            state: state.to_owned(),
            for_seconds: 4.2,
            ..BfdShown::default()
        };
        let because = "nothing was heard for the detection time";
        let dead = BfdShown {
            error: Some(PeerError { text: because.to_owned(), ..PeerError::default() }),
            ..bfd("fe80::1%eth0", "down")
        };
        let alone = BfdShown { multihop: true, ..bfd("10.9.9.9", "up") };
        let up = PeerShown {
            peer: "10.0.0.1".to_owned(),
            remote_as: "65001".to_owned(),
            state: Some("Established".to_owned()),
            for_seconds: Some(7300.0),
            families: vec!["ipv4".to_owned(), "ipv6".to_owned()],
            wanted: 12,
            told: 12,
            established: 1,
            bfd: Some(bfd("10.0.0.1", "up")),
            ..PeerShown::default()
        };
        let error = |text: &str| {
            Some(PeerError { text: text.to_owned(), at: String::new(), age_seconds: 4.2 })
        };
        let lost = PeerShown {
            peer: "10.0.0.4".to_owned(),
            description: Some("router four".to_owned()),
            bfd: None,
            dropped: 1,
            error: error("the hold timer has run out"),
            ..up.clone()
        };
        let down = PeerShown {
            peer: "fe80::1%eth0".to_owned(),
            remote_as: "4200000001".to_owned(),
            state: Some("Active".to_owned()),
            for_seconds: Some(4.2),
            families: Vec::new(),
            told: 0,
            dropped: 3,
            error: error("Connection refused (os error 111)\x1b[31m"),
            next_attempt_seconds: Some(3.0),
            bfd: Some(dead.clone()),
            ..up.clone()
        };
        let new = PeerShown {
            peer: "10.0.0.3".to_owned(),
            remote_as: "1".to_owned(),
            ..PeerShown::default()
        };
        let peers = PeersShown {
            announcer: "speaker".to_owned(),
            peers: vec![up, lost, down, new],
            bfd: vec![bfd("10.0.0.1", "up"), dead, alone],
            pipe: None,
        };
        assert_screens("peers", |screen| show(&peers, screen));
        let pipe = PipeShown { wanted: 12, sent: 11, acknowledged: 10, ..PipeShown::default() };
        let peers = PeersShown {
            announcer: "exabgp".to_owned(),
            peers: Vec::new(),
            bfd: Vec::new(),
            pipe: Some(PipeShown { answers: Some(true), stalled: true, ..pipe }),
        };
        assert_screens("peers-exabgp", |screen| show(&peers, screen));
    }
}
