//! Verdicts and their texts, as tables.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::haproxy::stat;

/// A table of one backend `web` whose servers are `name status weight bck check`.
fn table(servers: &[&str]) -> Table {
    let mut text = String::from(
        "# pxname,svname,status,type,uweight,act,bck,check_status,scur,slim\n\
         web,FRONTEND,OPEN,0,,,,,3,100\n\
         full,FRONTEND,FULL,0,,,,,100,100\n\
         off,FRONTEND,PAUSED,0,,,,,,\n\
         new,FRONTEND,CURIOUS,0,,,,,,\n\
         empty,BACKEND,UP,1,0,0,0,,,\n\
         gone,BACKEND,DOWN,1,0,0,0,,,\n\
         good,BACKEND,UP,1,1,1,0,,,\n\
         good,g1,UP,2,1,1,0,L7OK,,\n\
         bad,BACKEND,DOWN,1,1,0,0,,,\n\
         bad,b1,DOWN,2,1,1,0,L4TOUT,,\n\
         web,BACKEND,UP,1,1,0,0,,,\n",
    );
    for server in servers {
        let mut words = server.split('|');
        let mut next = || words.next().unwrap_or_default();
        let (name, status, weight, backup, check) = (next(), next(), next(), next(), next());
        let backup = if backup.is_empty() { "0" } else { backup };
        text.push_str(&format!("web,{name},{status},2,{weight},1,{backup},{check},,\n"));
    }
    stat::parse(text.as_bytes()).unwrap()
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// Needs frontend `web` and backend `web`.
fn web(min_servers: Amount) -> Requirement {
    let backends = Backends::OfFrontend(names(&["web"]));
    Requirement { min_servers, ..Requirement::new(names(&["web"]), backends) }
}

fn text(table: &Table, requirement: &Requirement) -> String {
    match judge(&Info::default(), table, requirement) {
        Judgement::Result(result) => format!("{}: {}", result.outcome, result.detail),
        Judgement::Missing { what } => format!("missing: {what}"),
        Judgement::Stopping { pid } => format!("stopping: {pid:?}"),
    }
}

use Amount::{Count, Percent};

const FOUR: &[&str] =
    &["web1|UP|10", "web2|DOWN|10||L4CON", "web3|MAINT|10", "web4|DRAIN|10||L7OK"];

#[test]
fn counts_and_percentages() {
    for (servers, amount, expected) in [
        (
            FOUR,
            Count(2),
            "fail: backend web: 1 of 4 servers up, 2 needed \
             (web2 DOWN L4CON, web3 MAINT, web4 DRAIN)",
        ),
        (FOUR, Count(1), "pass: frontend web OPEN; backend web: 1 of 4 servers up, 1 needed"),
        (
            FOUR,
            Percent(34),
            "fail: backend web: 1 of 3 servers not in maintenance up, 34 % needed \
             (web2 DOWN L4CON, web3 MAINT, web4 DRAIN)",
        ),
        (
            FOUR,
            Percent(33),
            "pass: frontend web OPEN; backend web: 1 of 3 servers not in maintenance up, \
             33 % needed",
        ),
        (
            &["a|MAINT|1"],
            Percent(1),
            "fail: backend web: 0 of 0 servers not in maintenance up, 1 % needed (a MAINT)",
        ),
        (
            &["a|no check|1"],
            Percent(100),
            "pass: frontend web OPEN; backend web: 1 of 1 server up, 100 % needed",
        ),
        (
            &["a|DOWN 1/2|1||* L7OK", "b|DOWN (agent)|1"],
            Count(1),
            "fail: backend web: 0 of 2 servers up, 1 needed (a DOWN 1/2 L7OK, b DOWN (agent))",
        ),
        (
            &["a|ODD|1", "b|DOWN|1"],
            Count(1),
            "unknown: backend web: 0 of 2 servers up, 1 needed (a ODD, b DOWN)",
        ),
        (&["a|ODD|1"], Count(2), "fail: backend web: 0 of 1 server up, 2 needed (a ODD)"),
        (
            &["a|DOWN|1"],
            Count(0),
            "pass: frontend web OPEN; backend web: 0 of 1 server up, 0 needed",
        ),
        (
            &["a|DOWN|1"],
            Percent(0),
            "pass: frontend web OPEN; backend web: 0 of 1 server up, 0 % needed",
        ),
    ] {
        assert_eq!(text(&table(servers), &web(amount)), expected);
    }
}

#[test]
fn many_servers_are_not_all_named() {
    let many: Vec<String> = (0..1000).map(|n| format!("server{n}|DOWN|1||L4CON")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let text = text(&table(&many), &web(Count(1)));
    assert!(text.ends_with("server5 DOWN L4CON and 994 more)"), "{text}");
}

#[test]
fn choices() {
    let four = table(FOUR);
    let drained = Requirement { drain_is_up: true, ..web(Count(2)) };
    assert!(text(&four, &drained).starts_with("pass"));
    let strict = Requirement { maintenance: Maintenance::Down, ..web(Percent(33)) };
    assert!(text(&four, &strict).starts_with("fail: backend web: 1 of 4 servers up, 33 %"));
    let warn = Requirement { warn_servers: Some(Percent(50)), ..web(Count(1)) };
    assert!(text(&four, &warn).starts_with("warn: backend web: 1 of 4 servers up, 50 % wanted"));
    let heavy = table(&["a|UP|90", "b|DOWN|10", "c|DOWN|"]);
    let weighted = Requirement { weighted: true, ..web(Percent(89)) };
    let expected = "pass: frontend web OPEN; backend web: weight 90 of 101 up, 89 % needed";
    assert_eq!(text(&heavy, &weighted), expected);
    assert!(text(&heavy, &web(Percent(89))).starts_with("fail"));
}

#[test]
fn backups() {
    let spare = |backups, min_servers| Requirement { backups, ..web(min_servers) };
    let (count, ignore, when) = (Backups::Count, Backups::Ignore, Backups::WhenActiveDown);
    let all_down = &["a|DOWN|1", "b|DOWN|1", "s|UP|1|1"];
    let one_up = &["a|UP|1", "b|DOWN|1", "s|UP|1|1", "t|UP|1|1"];
    let only_backups = &["s|UP|1|1"];
    let in_maintenance = &["a|MAINT|1", "s|UP|1|1"];
    let good = "pass: frontend web OPEN; backend web: ";
    for (servers, requirement, expected) in [
        (&all_down[..], spare(when, Count(1)), "1 of 2 servers up by backups, 1 needed"),
        (all_down, spare(count, Count(1)), "1 of 3 servers up, 1 needed"),
        (all_down, spare(when, Percent(50)), "1 of 2 servers up by backups, 50 % needed"),
        (one_up, spare(when, Percent(50)), "1 of 2 servers up, 50 % needed"),
        (one_up, spare(count, Count(3)), "3 of 4 servers up, 3 needed"),
        (only_backups, spare(when, Count(1)), "1 of 1 server up, 1 needed"),
        (in_maintenance, spare(when, Percent(100)), "1 of 1 server up by backups, 100 % needed"),
    ] {
        assert_eq!(text(&table(servers), &requirement), [good, expected].concat());
    }
    let seen = text(&table(one_up), &spare(when, Count(2)));
    assert!(seen.starts_with("fail: backend web: 1 of 2 servers up, 2 needed"), "{seen}");
    let seen = text(&table(all_down), &spare(ignore, Count(1)));
    assert_eq!(seen, "fail: backend web: 0 of 2 servers up, 1 needed (a DOWN, b DOWN)");
    let seen = text(&table(&["a|DOWN|1", "s|DOWN|1|1"]), &spare(when, Count(1)));
    assert_eq!(seen, "fail: backend web: 0 of 1 server up, 1 needed (a DOWN, backup s DOWN)");
    let seen = text(&table(only_backups), &spare(ignore, Count(1)));
    assert!(seen.ends_with("(it has no servers that count)"), "{seen}");
}

#[test]
fn frontends_and_what_is_not_there() {
    let table = table(&["a|UP|1"]);
    let front = |list: &[&str]| {
        text(&table, &Requirement::new(names(list), Backends::OfFrontend(Vec::new())))
    };
    assert_eq!(front(&["web"]), "pass: frontend web OPEN");
    assert_eq!(front(&["web", "full"]), "warn: frontend full FULL (100 of 100 sessions)");
    assert_eq!(front(&["full", "off"]), "fail: frontend off PAUSED");
    assert_eq!(front(&["new"]), "unknown: frontend new CURIOUS");
    assert_eq!(front(&["nope"]), "missing: HAProxy has no frontend nope, or it is disabled");
    assert!(front(&["empty"]).starts_with("missing"), "a backend is no frontend");
    assert!(front(&["nope", "off"]).starts_with("fail"), "what surely fails decides");
    assert_eq!(front(&[]), "pass: nothing is required of HAProxy");
    let stopping = Info { stopping: true, pid: Some(7), ..Info::default() };
    let seen = judge(&stopping, &table, &web(Count(1)));
    assert_eq!(seen, Judgement::Stopping { pid: Some(7) });
}

#[test]
fn backends_without_servers_and_several_backends() {
    let table = table(&["a|UP|1"]);
    let each = |backends| text(&table, &Requirement::new(Vec::new(), backends));
    let derived = |list: &[&str]| Backends::OfFrontend(names(list));
    assert_eq!(each(derived(&["empty"])), "pass: backend empty needs no servers");
    assert_eq!(each(derived(&["gone"])), "fail: backend gone DOWN");
    assert_eq!(
        each(Backends::Named(names(&["empty"]))),
        "fail: backend empty: 0 of 0 servers up, 1 needed (it has no servers that count)"
    );
    assert!(each(derived(&["good", "bad"])).starts_with("fail: backend bad"));
    assert!(each(derived(&["nope", "good"])).starts_with("missing"));
    assert!(each(derived(&["nope", "bad"])).starts_with("fail"));
    let any = |list: &[&str]| {
        let new = Requirement::new(Vec::new(), derived(list));
        text(&table, &Requirement { quantifier: Quantifier::Any, ..new })
    };
    assert!(any(&["bad", "good"]).starts_with("pass: backend good"));
    assert!(any(&["nope", "good"]).starts_with("pass"));
    assert!(any(&["nope", "bad"]).starts_with("missing"));
    assert!(any(&["bad"]).starts_with("fail"));
}

fn servers() -> impl Strategy<Value = Vec<String>> {
    let status = prop::sample::select(&["UP", "DOWN", "MAINT", "DRAIN", "no check", "ODD"][..]);
    let server = (status, 0_u32..50, 0_u32..2).prop_map(|(s, w, b)| format!("s|{s}|{w}|{b}"));
    prop::collection::vec(server, 0..8)
}

proptest! {
    /// One more server up never makes it worse, and asking for less neither.
    #[test]
    fn better_is_never_worse(
        servers in servers(), percent in 0_u8..=100, count in 0_u32..9, weighted: bool,
        backups in prop::sample::select(&[Backups::Count, Backups::Ignore][..]),
    ) {
        let badness = |table: &Table, min_servers| {
            let requirement = Requirement { weighted, backups, ..web(min_servers) };
            match judge(&Info::default(), table, &requirement) {
                Judgement::Result(result) => match result.outcome {
                    Outcome::Pass | Outcome::Warn => 0,
                    Outcome::Unknown => 1,
                    Outcome::Fail => 2,
                },
                other => panic!("{other:?}"),
            }
        };
        let borrowed: Vec<&str> = servers.iter().map(String::as_str).collect();
        let now = table(&borrowed);
        let better: Vec<String> =
            servers.iter().map(|it| it.replacen("DOWN", "UP", 1)).collect();
        let borrowed: Vec<&str> = better.iter().map(String::as_str).collect();
        let better = table(&borrowed);
        for amount in [Percent(percent), Count(count)] {
            if !servers.is_empty() {
                prop_assert!(badness(&better, amount) <= badness(&now, amount));
            }
        }
        if !servers.is_empty() {
            prop_assert!(badness(&now, Count(count.saturating_sub(1))) <= badness(&now, Count(count)));
            prop_assert!(badness(&now, Percent(percent / 2)) <= badness(&now, Percent(percent)));
        }
    }
}
