use super::*;
use crate::cli::screen::assert_screens;

fn route(
    prefix: &str,
    change: &str,
    (before, after): (Option<&str>, Option<&str>),
    in_seconds: Option<f64>,
    reason: &str,
) -> PlannedRoute {
    let (before, after) = (before.map(str::to_owned), after.map(str::to_owned));
    let (prefix, change, reason) = (prefix.to_owned(), change.to_owned(), reason.to_owned());
    PlannedRoute { prefix, change, before, after, in_seconds, reason }
}

fn part(name: &str, change: &str, detail: &str) -> PlannedPart {
    let (name, change, detail) = (name.to_owned(), change.to_owned(), detail.to_owned());
    PlannedPart { name, change, detail }
}

/// Something of everything.
fn much() -> Planned {
    let (up, last) = (Some("announced"), Some("last-choice"));
    Planned {
        announce: 2,
        withdraw: 2,
        change: 2,
        routes: vec![
            route("100.64.0.30/32", "withdraw", (up, None), None, "outside-networks"),
            route(
                "2001:db8:100:200:300:400:500:600/128",
                "withdraw",
                (up, None),
                Some(3.0),
                "down-delay",
            ),
            route("100.64.0.20/32", "change", (up, last), None, "guard"),
            route("100.64.0.21/32", "change", (last, up), None, "healthy"),
            route("100.64.0.10/32", "announce", (None, up), Some(6.0), "up-delay"),
            route("100.64.0.11/32", "announce", (None, last), None, "check-warns"),
        ],
        services: vec![
            part("dns", "add", ""),
            part("old", "remove", ""),
            part("web", "change", "vips, networks, rule, up-delay, down-delay, damping, on-warn"),
        ],
        checks: vec![
            part("web/page", "restart", "it starts anew"),
            part("web/queue", "change", "what its verdict is worth"),
        ],
        peers: vec![
            part("10.0.0.1", "restart", "hold-time, med: the session restarts for hold-time"),
            part("10.0.0.2", "change", "password-file: a new key, the session stays"),
            part("fe80::1%eth0", "remove", ""),
        ],
        other: vec!["networks".to_owned(), "guard".to_owned()],
        restart: vec!["bgp-backend".to_owned(), "state-file".to_owned()],
        beyond_guard: 1,
        ..Planned::default()
    }
}

#[test]
fn everything_at_once() {
    assert_screens("plan", |screen| show(&much(), Tense::Would, screen));
    let trial = Planned { confirm_seconds: Some(60.0), ..much() };
    assert_screens("reload", |screen| show(&trial, Tense::Is, screen));
}

#[test]
fn little_is_said_of_little() {
    let line =
        |planned: &Planned, tense| show(planned, tense, Screen { width: Some(80), color: false });
    let nothing = Planned::default();
    assert_eq!(line(&nothing, Tense::Would), "the configuration would change nothing");
    assert_eq!(line(&nothing, Tense::Is), "reloaded: nothing has changed");
    let one = Planned { peers: vec![part("10.0.0.2", "add", "")], ..Planned::default() };
    let text =
        "the configuration would change no route\n\n               WHAT  OF IT\npeer 10.0.0.2  add";
    assert_eq!(line(&one, Tense::Would), text);
    assert_eq!(line(&one, Tense::Is).lines().next(), Some("reloaded: no route changes"));
}

#[test]
fn a_long_list_is_cut_and_says_so() {
    let routes: Vec<_> = (0..60)
        .map(|n| {
            let prefix = format!("100.64.0.{n}/32");
            route(&prefix, "withdraw", (Some("announced"), None), None, "check-failed")
        })
        .collect();
    let planned = Planned { withdraw: 1060, routes, left_out: 1000, ..Planned::default() };
    let shown = show(&planned, Tense::Would, Screen { width: Some(80), color: false });
    assert!(shown.starts_with("the configuration would withdraw 1060 routes\n"), "{shown}");
    assert!(shown.ends_with("\n… and 1010 more: see --json"), "{shown}");
    assert_eq!(shown.matches("WITHDRAW").count(), 50);
}

#[test]
fn a_terminal_obeys_no_name() {
    let planned =
        Planned { services: vec![part("a\x1b[2J", "add\x07", "\x1b")], ..Planned::default() };
    let shown = show(&planned, Tense::Would, Screen { width: Some(80), color: false });
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
}
