//! Sessions over virtual time: scripted cases here, a random model of ExaBGP in `model`.

mod last_choice;
mod model;
mod silence;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_core::time::Instant;

use super::command::{LINE_MAX, SINGLE_MAX};
use super::rib::TOMBSTONES_MAX;
use super::session::{WINDOW, WINDOW_BYTES};
use super::*;

/// A session, its clock, and everything it wrote.
struct Lab {
    session: Session,
    now: Instant,
    lines: Vec<String>,
    events: Vec<Event>,
}

impl Lab {
    fn new(options: Options) -> Self {
        Self {
            session: Session::new(options),
            now: Instant::START,
            lines: Vec::new(),
            events: Vec::new(),
        }
    }

    fn version(version: ApiVersion) -> Self {
        Self::new(Options { version, ..Options::default() })
    }

    /// Sets the routes and writes what there is to write.
    fn want(&mut self, prefixes: &[&str]) -> Vec<String> {
        self.session.set_routes(&routes(prefixes), self.now);
        self.flush()
    }

    fn flush(&mut self) -> Vec<String> {
        let mut fresh = Vec::new();
        while self.session.wants_write() {
            let Some(bytes) = self.session.poll_write(self.now) else {
                break;
            };
            assert!(bytes.len() <= MAX_WRITE);
            let text = core::str::from_utf8(bytes).unwrap();
            assert!(text.ends_with('\n') && text.chars().all(|c| c == '\n' || !c.is_control()));
            fresh.extend(text.lines().map(str::to_string));
            let count = bytes.len();
            self.session.written(count, self.now);
        }
        self.lines.extend(fresh.iter().cloned());
        while let Some(event) = self.session.poll_event() {
            self.events.push(event);
        }
        fresh
    }

    /// Feeds answers, returns what is written then.
    fn say(&mut self, answers: &str) -> Vec<String> {
        self.session.handle_bytes(answers.as_bytes(), self.now);
        self.flush()
    }

    /// Lets time pass, waking the session when it asks for it. Returns what was written and when.
    fn pass(&mut self, duration: Duration) -> Vec<(u64, String)> {
        let end = self.now + duration;
        let mut written = Vec::new();
        while let Some(at) = self.session.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            let at = self.now.as_micros() / 1_000;
            written.extend(self.flush().into_iter().map(|line| (at, line)));
        }
        self.now = end;
        written
    }

    fn take_events(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.events)
            .into_iter()
            .filter(|event| !matches!(event, Event::Sent { .. } | Event::Acknowledged { .. }))
            .collect()
    }
}

/// `192.0.2.1` for a host route, `10.0.0.0/8` for a network, `A via B` for a next hop, `last` behind
/// it for the last choice.
fn routes(texts: &[&str]) -> RouteSet {
    texts
        .iter()
        .map(|text| {
            let (text, draining) = match text.strip_suffix(" drained") {
                Some(text) => (text, true),
                None => (*text, false),
            };
            let (text, last_choice) = match text.strip_suffix(" last") {
                Some(text) => (text, true),
                None => (text, draining),
            };
            let (prefix, next_hop) = match text.split_once(" via ") {
                Some((prefix, hop)) => (prefix, NextHop::Address(hop.parse().unwrap())),
                None => (text, NextHop::SelfAddress),
            };
            (prefix_of(prefix), Route { next_hop, last_choice, draining })
        })
        .collect()
}

fn prefix_of(text: &str) -> Prefix {
    match text.parse() {
        Ok(address) => Prefix::host(address),
        Err(_) => text.parse().unwrap(),
    }
}

fn many(count: u32) -> RouteSet {
    (0..count)
        .map(|i| {
            let address = core::net::Ipv4Addr::from_bits(0x0a00_0000 + i);
            let route = Route::new(NextHop::SelfAddress);
            (Prefix::host(address.into()), route)
        })
        .collect()
}

const SEC: Duration = Duration::from_secs(1);

#[test]
fn what_a_process_before_left_is_withdrawn_unless_it_is_wanted() {
    let mut lab = Lab::version(ApiVersion::V4);
    lab.want(&["10.0.0.1"]);
    lab.session.withdraw_leftovers(&routes(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
    assert_eq!(lab.session.snapshot().sent, 3);
    let lines = ["withdraw route 10.0.0.2 next-hop self", "withdraw route 10.0.0.3 next-hop self"];
    assert_eq!(lab.flush(), lines);
    assert_eq!(lab.session.snapshot().sent, 1);
    // What this process has said itself is known better.
    lab.want(&["10.0.0.1", "10.0.0.2"]);
    lab.session.withdraw_leftovers(&routes(&["10.0.0.2"]));
    assert!(lab.flush().is_empty());
}

#[test]
fn each_version_has_its_text() {
    let cases = [
        (ApiVersion::V4, "", "", ""),
        (ApiVersion::V5, "", "", ""),
        (ApiVersion::Auto, "", "", ""),
        (ApiVersion::V3, "", "", "/128"),
        (ApiVersion::V6, "peer * ", "", ""),
    ];
    for (version, selector, v4, v6) in cases {
        let mut lab = Lab::version(version);
        let wanted = [
            "192.0.2.1",
            "198.51.100.0/24 via 192.0.2.99",
            "2001:db8::1",
            "2001:db8:1::/48 via 2001:db8::9",
        ];
        let tails = [
            format!("route 192.0.2.1{v4} next-hop self"),
            "route 198.51.100.0/24 next-hop 192.0.2.99".to_string(),
            format!("route 2001:db8::1{v6} next-hop self"),
            "route 2001:db8:1::/48 next-hop 2001:db8::9".to_string(),
        ];
        let expect = |verb: &str| -> Vec<String> {
            tails.iter().map(|tail| format!("{selector}{verb} {tail}")).collect()
        };
        assert_eq!(lab.want(&wanted), expect("announce"), "{version}");
        lab.say("done\ndone\ndone\ndone\n");
        assert_eq!(lab.want(&[]), expect("withdraw"), "{version}");
    }
}

#[test]
fn only_the_newest_state_is_sent_and_withdrawals_go_first() {
    let mut lab = Lab::version(ApiVersion::V4);
    lab.want(&["192.0.2.1", "192.0.2.2"]);
    lab.say("done\ndone\n");
    // The pipe is blocked: nothing is flushed.
    for round in 0..1000 {
        let set = if round % 2 == 0 {
            routes(&["192.0.2.2", "192.0.2.3"])
        } else {
            routes(&["192.0.2.1", "192.0.2.3", "192.0.2.4"])
        };
        lab.session.set_routes(&set, lab.now);
    }
    assert_eq!(lab.session.snapshot().pending, 3);
    assert_eq!(
        lab.flush(),
        [
            "withdraw route 192.0.2.2 next-hop self",
            "announce route 192.0.2.3 next-hop self",
            "announce route 192.0.2.4 next-hop self",
        ]
    );
    // Back and forth to where it was: nothing to say.
    lab.say("done\ndone\ndone\n");
    lab.session.set_routes(&routes(&[]), lab.now);
    lab.session.set_routes(&routes(&["192.0.2.1", "192.0.2.3", "192.0.2.4"]), lab.now);
    assert_eq!(lab.flush(), Vec::<String>::new());
    assert!(lab.session.is_settled());
    // Another next hop is another announcement, without a withdrawal.
    assert_eq!(
        lab.want(&["192.0.2.1 via 192.0.2.9", "192.0.2.3", "192.0.2.4"]),
        ["announce route 192.0.2.1 next-hop 192.0.2.9"]
    );
}

#[test]
fn the_window_bounds_commands_and_bytes() {
    let mut lab = Lab::version(ApiVersion::V4);
    lab.session.set_routes(&many(1000), lab.now);
    assert_eq!(lab.flush().len(), WINDOW);
    assert_eq!(lab.say("done\n").len(), 1);
    assert_eq!(lab.say(&"done\n".repeat(10)).len(), 10);
    let mut grouped =
        Lab::new(Options { version: ApiVersion::V4, group_from: Some(2), ..Options::default() });
    grouped.session.set_routes(&many(10_000), grouped.now);
    let bytes: usize = grouped.flush().iter().map(|line| line.len() + 1).sum();
    assert!(bytes <= WINDOW_BYTES, "{bytes}");
}

#[test]
fn a_prefix_waits_for_its_own_answer() {
    let mut lab = Lab::version(ApiVersion::V4);
    lab.want(&["192.0.2.1"]);
    lab.say("done\n");
    assert_eq!(lab.want(&["192.0.2.1", "192.0.2.2"]).len(), 1);
    assert_eq!(lab.want(&["192.0.2.1"]), Vec::<String>::new());
    assert_eq!(lab.want(&[]), ["withdraw route 192.0.2.1 next-hop self"]);
    assert_eq!(lab.say("done\n"), ["withdraw route 192.0.2.2 next-hop self"]);
    assert!(!lab.session.is_settled());
    lab.say("done\ndone\n");
    assert!(lab.session.is_settled());
}

#[test]
fn an_error_is_reported_once_and_tried_again() {
    let mut lab = Lab::version(ApiVersion::V5);
    lab.want(&["2001:db8::1", "192.0.2.1"]);
    lab.say("done\nerror: no next hop for this family\nerror\n");
    assert_eq!(
        lab.take_events(),
        [Event::Rejected {
            prefix: prefix_of("2001:db8::1"),
            line: "announce route 2001:db8::1 next-hop self".to_string(),
            reason: Some("no next hop for this family".to_string()),
        }]
    );
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        let before = lab.now.as_micros() / 1_000;
        let again = lab.pass(Duration::from_secs(pause));
        let line = "announce route 2001:db8::1 next-hop self".to_string();
        assert_eq!(again, [(before + pause * 1000, line)]);
        assert_eq!(lab.session.snapshot().rejected, 1);
        lab.say("error\n");
    }
    assert_eq!(lab.take_events(), []);
    lab.pass(Duration::from_secs(30));
    lab.say("done\n");
    let prefix = prefix_of("2001:db8::1");
    assert_eq!(lab.take_events(), [Event::Accepted { prefix }]);
    assert!(lab.session.is_settled());
    assert_eq!(lab.session.snapshot().rejected, 0);
}

#[test]
fn a_rejected_route_that_is_not_wanted_any_more_ends_quietly() {
    let mut lab = Lab::version(ApiVersion::V4);
    lab.want(&["192.0.2.1"]);
    lab.say("error\n");
    assert_eq!(lab.want(&[]), ["withdraw route 192.0.2.1 next-hop self"]);
    // ExaBGP never took it, so its `error` for the withdrawal is as good as `done`.
    lab.say("error\n");
    assert!(lab.session.is_settled());
    assert_eq!(lab.pass(Duration::from_secs(100)), []);
    // Flipping back before the withdrawal was written keeps the attempts going.
    lab.want(&["192.0.2.2"]);
    lab.say("error\n");
    lab.session.set_routes(&routes(&[]), lab.now);
    assert_eq!(lab.want(&["192.0.2.2"]), Vec::<String>::new());
    assert_eq!(lab.pass(SEC).len(), 1);
    // A withdrawal of a route that ExaBGP has is insisted on.
    lab.say("done\n");
    assert_eq!(lab.want(&[]).len(), 1);
    lab.say("error\n");
    assert_eq!(lab.pass(3 * SEC).len(), 1);
}

#[test]
fn the_dialect_is_learned_from_answers() {
    let mut lab = Lab::version(ApiVersion::Auto);
    let bare = "announce route 192.0.2.1 next-hop self";
    let peer = "peer * announce route 192.0.2.1 next-hop self";
    assert_eq!(lab.want(&["192.0.2.1"]), [bare]);
    assert_eq!(lab.say("{\"error\": \"unknown\"}\n{ \"answer\": \"error\" }\n"), [peer]);
    assert_eq!(lab.take_events(), []);
    lab.say("error\n{ \"answer\": \"done\", \"message\": \"command completed\" }\n");
    let dialect = Dialect::V6;
    assert_eq!(lab.take_events(), [Event::DialectLearned { dialect }]);
    assert_eq!(lab.want(&[]), ["peer * withdraw route 192.0.2.1 next-hop self"]);

    // Nothing is ever accepted: both in turn, more and more slowly; then one report.
    let mut lab = Lab::version(ApiVersion::Auto);
    assert_eq!(lab.want(&["192.0.2.1"]), [bare]);
    assert_eq!(lab.say("error\n"), [peer]);
    assert_eq!(lab.say("error\n"), Vec::<String>::new());
    assert_eq!(lab.take_events().len(), 1);
    assert_eq!(lab.pass(SEC), [(1000, bare.to_string())]);
    lab.say("error\n");
    assert_eq!(lab.pass(2 * SEC), [(3000, peer.to_string())]);
    lab.say("error\n");
    assert_eq!(lab.take_events(), []);
    assert_eq!(lab.pass(4 * SEC), [(7000, bare.to_string())]);
    lab.say("done\n");
    assert_eq!(lab.take_events().len(), 2);

    // A mixed first round is not a wrong grammar.
    let mut lab = Lab::version(ApiVersion::Auto);
    lab.want(&["192.0.2.1", "192.0.2.2"]);
    assert_eq!(lab.say("error\ndone\n"), [bare]);
    assert_eq!(lab.session.snapshot().dialect, Dialect::V4);
}

#[test]
fn groups_share_a_line() {
    let options = Options { version: ApiVersion::V4, group_from: Some(3), ..Options::default() };
    let mut lab = Lab::new(options.clone());
    assert_eq!(lab.want(&["192.0.2.1", "192.0.2.2"]).len(), 2);
    let mut lab = Lab::new(options.clone());
    let wanted = [
        "192.0.2.1",
        "198.51.100.0/24",
        "198.51.101.1 via 192.0.2.9",
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8::3",
        "2001:db8::4",
    ];
    assert_eq!(
        lab.want(&wanted),
        [
            "announce attributes next-hop self nlri 192.0.2.1 198.51.100.0/24",
            "announce route 198.51.101.1 next-hop 192.0.2.9",
            "announce attributes next-hop self nlri 2001:db8::1 2001:db8::2 2001:db8::3 2001:db8::4",
        ]
    );
    // What a group was refused for is tried one by one.
    lab.say("done\ndone\nerror\n");
    assert_eq!(lab.take_events().len(), 4);
    assert_eq!(lab.pass(SEC).len(), 4);
    lab.say("done\ndone\ndone\ndone\n");
    assert_eq!(lab.want(&["192.0.2.1"])[1], "withdraw route 198.51.101.1 next-hop 192.0.2.9");

    // A line has 100 prefixes and 4 000 bytes at most.
    let mut lab = Lab::new(options);
    lab.session.set_routes(&many(301), lab.now);
    let lines = lab.flush();
    let counts: Vec<usize> = lines.iter().map(|it| it.split(' ').count()).collect();
    assert_eq!(counts, [105, 105, 105, 5], "{lines:?}");
    assert!(lines.iter().all(|line| line.len() < 4000));
}

#[test]
fn a_guess_is_never_grouped() {
    let mut lab = Lab::new(Options { group_from: Some(2), ..Options::default() });
    let wanted = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    assert_eq!(lab.want(&wanted).len(), 3);
    lab.say("done\ndone\ndone\n");
    assert_eq!(lab.want(&[]).len(), 1);
}

#[test]
fn everything_is_said_again_now_and_then() {
    let mut lab = Lab::version(ApiVersion::V4);
    lab.want(&["192.0.2.1", "192.0.2.2"]);
    lab.say("done\ndone\n");
    lab.now = Instant::from_secs(100);
    lab.want(&["192.0.2.1"]);
    lab.say("done\n");
    let mut said = Vec::new();
    for _ in 0..1000 {
        for (at, line) in lab.pass(SEC) {
            said.push(format!("{} {line}", at / 1000));
            lab.say("done\n");
        }
    }
    let one = "announce route 192.0.2.1 next-hop self";
    let two = "withdraw route 192.0.2.2 next-hop self";
    assert_eq!(
        said,
        [format!("300 {one}"), format!("600 {one}"), format!("900 {one}"), format!("1000 {two}"),]
    );
    let off = Options { reassert: None, ..Options::default() };
    let mut lab = Lab::new(off);
    lab.want(&["192.0.2.1"]);
    lab.say("done\n");
    assert_eq!(lab.session.poll_timeout(), None);
}

#[test]
fn reassertions_do_not_burst() {
    for count in [10u32, 1_000, 4_000] {
        let mut lab = Lab::new(Options { answers: false, ..Options::default() });
        lab.session.set_routes(&many(count), lab.now);
        assert_eq!(lab.flush().len(), count as usize);
        let mut per_second = [0usize; 1000];
        for (at, _) in lab.pass(Duration::from_secs(899)) {
            per_second[usize::try_from(at / 1000).unwrap()] += 1;
        }
        let most = per_second.iter().copied().max().unwrap();
        let pace = (count as usize).div_ceil(150).max(11);
        assert!(most <= pace + pace / 4, "{count} routes: {most} in one second");
        let first: usize = per_second[..600].iter().sum();
        assert!(first >= count as usize, "{count} routes: {first} said again");
    }
}

#[test]
fn withdrawn_prefixes_are_remembered_up_to_a_limit() {
    let mut lab = Lab::new(Options { answers: false, ..Options::default() });
    let count = 5_000;
    lab.session.set_routes(&many(count), lab.now);
    lab.flush();
    lab.events.clear();
    lab.session.set_routes(&RouteSet::new(), lab.now);
    lab.flush();
    let snapshot = lab.session.snapshot();
    assert_eq!((snapshot.withdrawn, snapshot.sent), (TOMBSTONES_MAX, 0));
    assert!(snapshot.lost_events > 0);
    // The forgotten ones can come back like new ones.
    assert_eq!(lab.want(&["10.0.0.0"]).len(), 1);
}
