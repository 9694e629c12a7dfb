//! Routes that are the last choice, octet by octet.

use alloc::format;
use alloc::string::String;

use super::raw::{Raw, peer_open};
use super::*;

const ORIGIN: &str = "40010100 ";
const HOP: &str = "4003040a000002 ";
const MED: &str = "800404ffffffff ";
const PREF: &str = "400504";
const LEAVING: &str = "c00804ffff0000 ";
/// 65000 once, and four times.
const PATH: &str = "4002060201 0000fde8 ";
const LONG: &str = "4002120204 0000fde8 0000fde8 0000fde8 0000fde8 ";
const NO_PATH: &str = "400200 ";

fn internal() -> PeerConfig {
    PeerConfig { peer_as: Asn(65000), ..external() }
}

fn up(config: PeerConfig) -> Raw {
    let asn = config.peer_as;
    let mut open = peer_open();
    open.my_as = u16::try_from(asn.0).unwrap();
    for capability in &mut open.capabilities {
        if let Capability::FourOctetAs(their) = capability {
            *their = asn;
        }
    }
    let mut raw = Raw::up(config, &open);
    raw.messages();
    raw
}

/// Sets one route; what is said of it: attributes in hex, or nothing.
fn said(raw: &mut Raw, last_choice: bool) -> Vec<String> {
    let route = Route { last_choice, ..route() };
    let routes = ["100.64.0.1/32"].map(|it| (it.parse().unwrap(), route)).into_iter().collect();
    let now = raw.now;
    raw.session.set_routes(&routes, now);
    updates(raw)
}

fn updates(raw: &mut Raw) -> Vec<String> {
    let updates = raw.messages().into_iter().filter(|(kind, _)| *kind == Kind::Update);
    let attributes = updates.map(|(_, body)| {
        assert_eq!(body[..2], [0, 0]);
        let (attributes, route) = body[4..].split_at(usize::from(body[3]));
        assert_eq!(route, [32, 100, 64, 0, 1]);
        attributes.iter().map(|octet| format!("{octet:02x}")).collect()
    });
    attributes.collect()
}

fn hex(parts: &[&str]) -> Vec<String> {
    [parts.concat().replace(' ', "")].to_vec()
}

#[test]
fn to_another_as_the_path_is_longer() {
    let mut raw = up(external());
    assert_eq!(said(&mut raw, true), hex(&[ORIGIN, LONG, HOP, MED, LEAVING]));
    assert_eq!(said(&mut raw, true), Vec::<String>::new());
    assert_eq!(said(&mut raw, false), hex(&[ORIGIN, PATH, HOP]));
    assert_eq!(said(&mut raw, true), hex(&[ORIGIN, LONG, HOP, MED, LEAVING]));
    assert_eq!(raw.session.snapshot().told, 1);
}

#[test]
fn within_the_as_the_preference_is_less() {
    let mut raw = up(internal());
    let pref = |value: &str| format!("{PREF}{value}");
    let last = hex(&[ORIGIN, NO_PATH, HOP, MED, &pref("00000000"), LEAVING]);
    assert_eq!(said(&mut raw, false), hex(&[ORIGIN, NO_PATH, HOP, &pref("00000064")]));
    assert_eq!(said(&mut raw, true), last);
    assert_eq!(said(&mut raw, false), hex(&[ORIGIN, NO_PATH, HOP, &pref("00000064")]));
}

#[test]
fn a_warning_that_came_and_went_is_never_told() {
    let mut raw = up(external());
    said(&mut raw, false);
    let route = Route { last_choice: true, ..route() };
    let worse = ["100.64.0.1/32"].map(|it| (it.parse().unwrap(), route)).into_iter().collect();
    let now = raw.now;
    for _ in 0..100 {
        raw.session.set_routes(&worse, now);
        raw.session.set_routes(&routes(&["100.64.0.1/32"]), now);
    }
    assert_eq!(updates(&mut raw), Vec::<String>::new());
}

#[test]
fn the_policy_says_how() {
    let mut config = external();
    config.policy.med = Some(7);
    config.policy.prepend = 1;
    config.policy.communities = [1].to_vec();
    config.policy.last_choice =
        LastChoice { med: None, local_pref: None, prepend: Some(2), communities: [2, 1].to_vec() };
    assert_eq!(config.validate(), []);
    let mut raw = up(config);
    let (med, one, both) = ("80040400000007", "c00804 00000001", "c00808 00000001 00000002");
    assert_eq!(said(&mut raw, true), hex(&[ORIGIN, LONG, HOP, med, both]));
    let twice = "40020a0202 0000fde8 0000fde8";
    assert_eq!(said(&mut raw, false), hex(&[ORIGIN, twice, HOP, med, one]));
    let mut config = internal();
    config.policy.last_choice.local_pref = Some(99);
    let mut raw = up(config);
    let pref = format!("{PREF}00000063");
    assert_eq!(said(&mut raw, true), hex(&[ORIGIN, NO_PATH, HOP, MED, &pref, LEAVING]));
}

/// Draining keeps what was there before, and a route may become the last choice meanwhile.
#[test]
fn both_kinds_are_drained() {
    let mut config = internal();
    config.policy.last_choice.local_pref = Some(50);
    for (config, usual, last) in [
        (
            external(),
            [ORIGIN, PATH, HOP, LEAVING].concat(),
            [ORIGIN, LONG, HOP, MED, LEAVING].concat(),
        ),
        (
            config,
            [ORIGIN, NO_PATH, HOP, PREF, "00000000", LEAVING].concat(),
            [ORIGIN, NO_PATH, HOP, MED, PREF, "00000000", LEAVING].concat(),
        ),
    ] {
        for first in [false, true] {
            let mut raw = up(config.clone());
            said(&mut raw, first);
            let policy = Policy { graceful_shutdown: true, ..config.policy.clone() };
            let now = raw.now;
            raw.session.set_policy(policy, now);
            let [one, other] = if first { [&last, &usual] } else { [&usual, &last] };
            // To another AS the last choice goes out as before.
            let same = first && !config.is_internal();
            let said_again = if same { Vec::new() } else { hex(&[one.as_str()]) };
            assert_eq!(updates(&mut raw), said_again);
            assert_eq!(said(&mut raw, !first), hex(&[other.as_str()]));
        }
    }
}

/// Drains one route; what is said of it.
fn drained(raw: &mut Raw) -> Vec<String> {
    let route = Route { last_choice: true, draining: true, ..route() };
    let routes = ["100.64.0.1/32"].map(|it| (it.parse().unwrap(), route)).into_iter().collect();
    let now = raw.now;
    raw.session.set_routes(&routes, now);
    updates(raw)
}

#[test]
fn a_peer_has_its_own_way_of_draining() {
    let short = |med: &str, leaving: &str| hex(&[ORIGIN, PATH, HOP, med, leaving]);
    for (drain, want) in [
        (Drain::LastChoice, hex(&[ORIGIN, LONG, HOP, MED, LEAVING])),
        (Drain::GracefulShutdown, short("", LEAVING)),
        (Drain::Med, short(MED, "")),
        (Drain::Prepend, hex(&[ORIGIN, LONG, HOP])),
    ] {
        let mut config = external();
        config.policy.drain = drain;
        let mut raw = up(config);
        let usual = said(&mut raw, false);
        assert_eq!(drained(&mut raw), want, "{drain:?}");
        assert_eq!(said(&mut raw, false), usual, "{drain:?}");
        // What warns goes out as before.
        assert_eq!(said(&mut raw, true), hex(&[ORIGIN, LONG, HOP, MED, LEAVING]), "{drain:?}");
    }
    let pref = |med: &str, value: &str, leaving: &str| {
        hex(&[ORIGIN, NO_PATH, HOP, med, &format!("{PREF}{value}"), leaving])
    };
    for (drain, want) in [
        (Drain::LastChoice, pref(MED, "00000000", LEAVING)),
        (Drain::GracefulShutdown, pref("", "00000000", LEAVING)),
        (Drain::Med, pref(MED, "00000064", "")),
    ] {
        let mut config = internal();
        config.policy.drain = drain;
        let mut raw = up(config);
        assert_eq!(drained(&mut raw), want, "{drain:?}");
    }
}

#[test]
fn a_peer_that_is_to_have_nothing_while_it_drains_has_nothing() {
    let mut config = external();
    config.policy.drain = Drain::Withdraw;
    let mut raw = up(config);
    let usual = said(&mut raw, false);
    let withdrawals = |raw: &mut Raw| {
        let updates = raw.messages().into_iter().filter(|(kind, _)| *kind == Kind::Update);
        updates.map(|(_, body)| body).collect::<Vec<_>>()
    };
    let now = raw.now;
    let route = Route { last_choice: true, draining: true, ..route() };
    let routes = ["100.64.0.1/32"].map(|it| (it.parse().unwrap(), route)).into_iter().collect();
    raw.session.set_routes(&routes, now);
    assert_eq!(withdrawals(&mut raw), [[0, 5, 32, 100, 64, 0, 1, 0, 0].to_vec()]);
    assert_eq!(raw.session.snapshot().told, 0);
    // The guard keeps what it holds here too.
    assert_eq!(said(&mut raw, true), hex(&[ORIGIN, LONG, HOP, MED, LEAVING]));
    let policy = raw.session.config().policy.clone();
    // The program drains as a whole.
    raw.session.set_policy(Policy { graceful_shutdown: true, ..policy }, now);
    assert_eq!(withdrawals(&mut raw), [[0, 5, 32, 100, 64, 0, 1, 0, 0].to_vec()]);
    assert_eq!(usual.len(), 1);
}
