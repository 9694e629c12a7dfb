//! What each ExaBGP makes of the lines that ha2bgp may print. Pins the facts that the program
//! leans on; a new version that differs shows here first.

use ha2bgp_lab::exabgp::Version;
use ha2bgp_lab::readme::{self, Readme};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::stand_in::StandIn;
use ha2bgp_lab::{Result, require, wait};
use std::collections::BTreeSet;
use std::time::Duration;

/// An answer comes within milliseconds; this long without one is none.
const ANSWER: Duration = Duration::from_secs(2);

/// A command and its answer: Debian's 4.2.21, 4.2.25, 5.0.15.
const ANSWERS: [(&str, [Option<&str>; 3]); 16] = [
    ("announce route 100.64.0.1 next-hop self", [Some("done"); 3]),
    ("announce route 100.64.0.2/32 next-hop self", [Some("done"); 3]),
    ("withdraw route 100.64.0.2 next-hop self", [Some("done"); 3]),
    ("withdraw route 100.64.0.9 next-hop self", [Some("done"); 3]),
    ("announce attributes next-hop self nlri 100.64.0.3 100.64.0.4/32", [Some("done"); 3]),
    // With attributes. A withdrawal without them finds the route.
    (
        "announce route 100.64.0.20 next-hop self med 4294967295 local-preference 0 community [ 65535:0 ]",
        [Some("done"); 3],
    ),
    (
        "announce route 100.64.0.21 next-hop self med 4294967295 local-preference 0 community [ 65535:0 ]",
        [Some("done"); 3],
    ),
    ("withdraw route 100.64.0.21 next-hop self", [Some("done"); 3]),
    (
        "announce attributes next-hop self med 4294967295 local-preference 0 community [ 65535:0 ] nlri \
         100.64.0.22 100.64.0.23",
        [Some("done"); 3],
    ),
    ("withdraw attributes next-hop self nlri 100.64.0.23", [Some("done"); 3]),
    ("neighbor 127.0.1.1 announce route 100.64.0.5 next-hop self", [Some("done"); 3]),
    (
        "neighbor * announce route 100.64.0.6 next-hop self",
        [Some("error"), Some("done"), Some("done")],
    ),
    ("peer * announce route 100.64.0.7 next-hop self", [Some("error"); 3]),
    ("bogus command", [Some("error"); 3]),
    // 4.2 says nothing at all to an address that it cannot read: answers and commands cannot be
    // paired by counting alone.
    ("announce route 1.2.3 next-hop self", [None, None, Some("error")]),
    // There is no IPv6 "self" on a session over IPv4. 4.2.21 says `done`, and sends nothing.
    ("announce route 2001:db8::1 next-hop self", [Some("done"), None, Some("error")]),
];

fn answers(version: Version, column: usize) -> Result<()> {
    let dir = readme::workdir()?;
    let stand_in = StandIn::prepare(dir.path())?;
    let lab = Readme::start_with(version, &stand_in.run, "root", dir)?;
    let mut wrong = Vec::new();
    for (command, expected) in ANSWERS {
        let answer = stand_in.ask(command, ANSWER)?;
        let expected = expected.get(column).copied().flatten();
        if answer.as_deref() != expected {
            wrong.push(format!("{command}: {answer:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), lab.exabgp.log());

    let mut expected = BTreeSet::from(["100.64.0.1/32", "100.64.0.3/32", "100.64.0.4/32"]);
    expected.extend(["100.64.0.5/32", "100.64.0.20/32", "100.64.0.22/32"]);
    if version != Version::Debian {
        expected.insert("100.64.0.6/32");
    }
    wait::until(Duration::from_secs(10), "BIRD has the routes", || {
        let routes = lab.bird1.routes_from("exabgp").map_err(|error| error.to_string())?;
        let routes: BTreeSet<&str> = routes.iter().map(String::as_str).collect();
        if routes == expected { Ok(()) } else { Err(format!("{routes:?}")) }
    })?;
    for route in ["100.64.0.20/32", "100.64.0.22/32"] {
        let text = lab.bird1.ask(&format!("show route {route} all"))?.join("\n");
        for part in ["med: 4294967295", "local_pref: 0", "community: (65535,0)"] {
            assert!(text.contains(part), "{part:?} is missing:\n{text}");
        }
    }
    Ok(())
}

#[test]
fn answers_debian() -> Result<()> {
    require!(Need::Root, Need::Tool("bird"), Need::ExaBgp(Version::Debian));
    answers(Version::Debian, 0)
}

#[test]
fn answers_4_2_25() -> Result<()> {
    require!(Need::Root, Need::Tool("bird"), Need::ExaBgp(Version::V4_2_25));
    answers(Version::V4_2_25, 1)
}

#[test]
fn answers_5_0_15() -> Result<()> {
    require!(Need::Root, Need::Tool("bird"), Need::ExaBgp(Version::V5_0_15));
    answers(Version::V5_0_15, 2)
}
