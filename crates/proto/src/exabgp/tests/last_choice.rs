//! Routes that are the last choice: their attributes, and nothing else of the conversation changes.

use alloc::borrow::ToOwned as _;

use super::*;

const LAST: &str = " med 4294967295 local-preference 0 community [ 65535:0 ]";

#[test]
fn each_version_is_told_the_attributes() {
    for (version, selector) in [
        (ApiVersion::V3, ""),
        (ApiVersion::V4, ""),
        (ApiVersion::V5, ""),
        (ApiVersion::Auto, ""),
        (ApiVersion::V6, "peer * "),
    ] {
        let mut lab = Lab::version(version);
        let line = |verb: &str, last: &str| {
            format!("{selector}{verb} route 192.0.2.1 next-hop self{last}")
        };
        assert_eq!(lab.want(&["192.0.2.1 last"]), [line("announce", LAST)], "{version}");
        lab.say("done\n");
        // Better, worse, and away: a route is said again when it changes, and not before.
        assert_eq!(lab.want(&["192.0.2.1"]), [line("announce", "")], "{version}");
        lab.say("done\n");
        assert_eq!(lab.want(&["192.0.2.1"]), Vec::<String>::new(), "{version}");
        assert_eq!(lab.want(&["192.0.2.1 last"]), [line("announce", LAST)], "{version}");
        lab.say("done\n");
        assert_eq!(lab.want(&[]), [line("withdraw", "")], "{version}");
        lab.say("done\n");
        assert!(lab.session.is_settled(), "{version}");
    }
}

#[test]
fn it_is_said_again_as_it_was_said() {
    let mut lab = Lab::version(ApiVersion::V4);
    let line = format!("announce route 192.0.2.1 next-hop self{LAST}");
    assert_eq!(lab.want(&["192.0.2.1 last"]), [line.as_str()]);
    lab.say("error\n");
    assert_eq!(
        lab.take_events(),
        [Event::Rejected { prefix: prefix_of("192.0.2.1"), line: line.clone(), reason: None }]
    );
    assert_eq!(lab.pass(SEC), [(1_000, line.clone())]);
    lab.say("done\n");
    lab.take_events();
    assert_eq!(lab.pass(300 * SEC), [(301_000, line)]);
}

#[test]
fn a_line_holds_routes_of_one_kind() {
    let options = Options { version: ApiVersion::V4, group_from: Some(2), ..Options::default() };
    let mut lab = Lab::new(options);
    let wanted = ["192.0.2.1", "192.0.2.2", "192.0.2.3 last", "192.0.2.4 last", "192.0.2.5"];
    assert_eq!(
        lab.want(&wanted),
        [
            "announce attributes next-hop self nlri 192.0.2.1 192.0.2.2".to_string(),
            format!("announce attributes next-hop self{LAST} nlri 192.0.2.3 192.0.2.4"),
            "announce route 192.0.2.5 next-hop self".to_string(),
        ]
    );
    lab.say("done\ndone\ndone\n");
    // Withdrawals have no attributes: whatever they were announced with, they share a line.
    assert_eq!(
        lab.want(&[]),
        ["withdraw attributes next-hop self nlri 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 \
             192.0.2.5"]
    );
}

#[test]
fn the_longest_lines_keep_their_limits() {
    let last_choice = LastChoice {
        med: Some(u32::MAX),
        local_pref: Some(u32::MAX),
        communities: [u32::MAX].repeat(LastChoice::COMMUNITIES_MAX),
    };
    for version in [ApiVersion::V4, ApiVersion::V6] {
        let options = Options {
            version,
            group_from: Some(2),
            answers: false,
            last_choice: last_choice.clone(),
            ..Options::default()
        };
        let hop = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap();
        let route = Route { last_choice: true, ..Route::new(NextHop::Address(hop)) };
        let routes: RouteSet = (0..300u16)
            .map(|n| {
                let text = format!("2001:db8:ffff:ffff:ffff:ffff:ffff:{:x}", 0xf000 + n);
                (prefix_of(&text), route)
            })
            .collect();
        let mut lab = Lab::new(options);
        lab.session.set_routes(&routes, lab.now);
        // `flush` sees to it that no write is too long.
        let lines = lab.flush();
        let limit = if version == ApiVersion::V4 { LINE_MAX } else { SINGLE_MAX };
        assert!(lines.iter().all(|line| line.len() < limit), "{lines:?}");
        let said: usize = lines.iter().map(|line| line.matches("2001:db8:ffff").count() - 1).sum();
        assert_eq!(said, 300);
    }
}

/// Options without attributes: such a route is like any other, and a change is none.
#[test]
fn without_attributes_nothing_is_said() {
    let nothing = LastChoice { med: None, local_pref: None, communities: Vec::new() };
    let options = Options { version: ApiVersion::V4, last_choice: nothing, ..Options::default() };
    let mut lab = Lab::new(options);
    let line = "announce route 192.0.2.1 next-hop self";
    assert_eq!(lab.want(&["192.0.2.1 last"]), [line]);
    lab.say("done\n");
    assert_eq!(lab.want(&["192.0.2.1"]), Vec::<String>::new());
}

/// While a pipe is blocked a route may warn and recover: nothing of it is said.
#[test]
fn a_warning_that_came_and_went_is_never_told() {
    let mut lab = Lab::version(ApiVersion::V4);
    lab.want(&["192.0.2.1"]);
    lab.say("done\n");
    for _ in 0..100 {
        lab.session.set_routes(&routes(&["192.0.2.1 last"]), lab.now);
        lab.session.set_routes(&routes(&["192.0.2.1"]), lab.now);
    }
    assert_eq!(lab.flush(), Vec::<String>::new());
    assert!(lab.session.is_settled());
}

#[test]
fn what_is_drained_goes_out_in_its_own_way() {
    let gshut = LastChoice { med: None, local_pref: Some(0), communities: [0xffff_0000].into() };
    let with = Drain::With(gshut.clone());
    let plain = LastChoice { med: None, local_pref: None, communities: Vec::new() };
    let usual = "announce route 192.0.2.1 next-hop self".to_owned();
    let told = |attributes: &LastChoice| [format!("{usual}{attributes}")].to_vec();
    let last = LastChoice::default();
    for (drain, want) in [
        (Drain::LastChoice, told(&last)),
        (with.clone(), told(&gshut)),
        (Drain::Withdraw, ["withdraw route 192.0.2.1 next-hop self".to_owned()].to_vec()),
        // Nothing tells it from others: nothing is said.
        (Drain::With(plain), Vec::new()),
    ] {
        let options =
            Options { version: ApiVersion::V4, drain: drain.clone(), ..Options::default() };
        let mut lab = Lab::new(options);
        assert_eq!(lab.want(&["192.0.2.1"]), [usual.as_str()], "{drain:?}");
        lab.say("done\n");
        assert_eq!(lab.want(&["192.0.2.1 drained"]), want, "{drain:?}");
        lab.say("done\n");
        assert!(lab.session.is_settled(), "{drain:?}");
        // What warns too is told as drained; what only warns as the last choice.
        assert_eq!(lab.want(&["192.0.2.1 last drained"]), Vec::<String>::new(), "{drain:?}");
        let warns = if want == told(&last) { Vec::new() } else { told(&last) };
        assert_eq!(lab.want(&["192.0.2.1 last"]), warns, "{drain:?}");
        lab.say("done\n");
        assert_eq!(lab.want(&["192.0.2.1"]), [usual.as_str()], "{drain:?}");
    }
}
