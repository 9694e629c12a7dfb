//! What a peer has of each prefix, and when it was told.

use super::raw::{Raw, peer_open};
use super::*;
use crate::told::{Moment, When};

const VIP: &str = "100.64.0.1/32";

fn route_of(raw: &Raw, prefix: &str) -> PeerRoute {
    raw.session.route(prefix.parse().unwrap())
}

/// Why, whether it should be and is there.
fn gist(raw: &Raw, prefix: &str) -> (Option<Withheld>, bool, bool) {
    let route = route_of(raw, prefix);
    assert_eq!(route.sent.is_some(), route.is_there);
    (route.withheld, route.intended.is_some(), route.is_there)
}

fn set(raw: &mut Raw, routes: &RouteSet) {
    let now = raw.now;
    raw.session.set_routes(routes, now);
}

#[test]
fn each_reason_has_its_time() {
    let mut raw = Raw::new(external());
    let mut desired = routes(&[VIP, "192.0.2.1/32", "2001:db8::1/128"]);
    let hop = |text: &str| Route::new(NextHop::Address(ip(text)));
    desired.insert("100.64.0.2/32".parse().unwrap(), hop("2001:db8::9"));
    desired.insert("100.64.0.3/32".parse().unwrap(), hop(PEER_ADDRESS));
    set(&mut raw, &desired);
    assert_eq!(gist(&raw, VIP), (Some(Withheld::NotEstablished), false, false));
    assert_eq!(gist(&raw, "192.0.2.1/32"), (Some(Withheld::OutsideNetworks), false, false));
    assert_eq!(gist(&raw, "192.0.2.9/32"), (None, false, false));
    let mut raw = Raw::up(external(), &peer_open());
    set(&mut raw, &desired);
    assert_eq!(gist(&raw, VIP), (Some(Withheld::Waiting), true, false));
    raw.messages();
    assert_eq!(gist(&raw, VIP), (None, true, true));
    for (prefix, why) in [
        ("192.0.2.1/32", Withheld::OutsideNetworks),
        ("2001:db8::1/128", Withheld::Unsendable(Unsendable::FamilyNotNegotiated)),
        ("100.64.0.2/32", Withheld::Unsendable(Unsendable::NoIpv4NextHop)),
        ("100.64.0.3/32", Withheld::Unsendable(Unsendable::MartianNextHop)),
    ] {
        assert_eq!(gist(&raw, prefix), (Some(why), false, false));
        assert!(!why.code().is_empty() && !why.to_string().is_empty());
    }
    let (routes, more) = raw.session.routes(None, 4);
    assert_eq!(routes.len(), 4);
    let (rest, end) = raw.session.routes(more, 4);
    assert_eq!((rest.len(), end), (1, None));
}

#[test]
fn what_was_told_is_shown_until_it_is_told_otherwise() {
    let mut raw = Raw::up(external(), &peer_open());
    set(&mut raw, &routes(&[VIP]));
    raw.messages();
    let now = raw.now;
    let policy = Policy { med: Some(7), ..raw.session.config().policy.clone() };
    raw.session.set_policy(policy.clone(), now);
    let route = route_of(&raw, VIP);
    let med = |route: &Option<Announced>| route.as_ref().map(|it| it.attributes.med);
    assert_eq!(med(&route.intended), Some(Some(7)));
    assert_eq!((med(&route.sent), route.withheld), (Some(None), Some(Withheld::Waiting)));
    // A second change before the first one was told.
    raw.session.set_policy(Policy { med: Some(8), ..policy }, now);
    let route = route_of(&raw, VIP);
    assert_eq!((med(&route.intended), med(&route.sent)), (Some(Some(8)), Some(None)));
    raw.messages();
    let route = route_of(&raw, VIP);
    assert_eq!((med(&route.sent), route.withheld), (Some(Some(8)), None));
    assert_eq!(route.sent, route.intended);
    // Withdrawn: there until that is told.
    set(&mut raw, &RouteSet::new());
    assert_eq!(gist(&raw, VIP), (Some(Withheld::Waiting), false, true));
    assert_eq!(raw.session.routes(None, 9).0.len(), 1);
    raw.messages();
    assert_eq!(gist(&raw, VIP), (None, false, false));
    assert_eq!(raw.session.routes(None, 9), (Vec::new(), None));
}

#[test]
fn it_is_known_when_it_was_told_and_acknowledged() {
    let mut raw = Raw::up(external(), &peer_open());
    raw.messages();
    let mut latencies = Vec::new();
    let mut acknowledged = |raw: &mut Raw, unacknowledged| {
        let now = raw.now;
        raw.session.acknowledged(unacknowledged, now, &mut |it| latencies.push(it));
        latencies.len()
    };
    assert!(!raw.session.awaits_acknowledgement());
    raw.pass(Duration::from_secs(1));
    set(&mut raw, &routes(&[VIP]));
    assert_eq!(route_of(&raw, VIP).when, When::default());
    let connection = raw.connection;
    let length = raw.session.poll_write(connection, raw.now).unwrap().len();
    raw.handle(Input::Written { connection, bytes: length - 1 });
    assert_eq!(route_of(&raw, VIP).when, When::default(), "a part of it waits");
    raw.pass(Duration::from_millis(10));
    raw.handle(Input::Written { connection, bytes: 1 });
    let written = Moment::At(raw.now);
    assert_eq!(route_of(&raw, VIP).when, When { written: Some(written), acknowledged: None });
    raw.pass(Duration::from_millis(20));
    assert_eq!(acknowledged(&mut raw, 1), 0);
    assert!(raw.session.awaits_acknowledgement());
    assert_eq!(acknowledged(&mut raw, 0), 1);
    assert!(!raw.session.awaits_acknowledgement());
    let when = When { written: Some(written), acknowledged: Some(Moment::At(raw.now)) };
    assert_eq!(route_of(&raw, VIP).when, when);
    // The withdrawal has times as well.
    raw.pass(Duration::from_millis(30));
    set(&mut raw, &RouteSet::new());
    raw.messages();
    assert_eq!(route_of(&raw, VIP).when.written, Some(Moment::At(raw.now)));
    assert_eq!(route_of(&raw, VIP).when.acknowledged, None);
    // With the session go the times.
    raw.handle(Input::TcpClosed { connection });
    assert_eq!(route_of(&raw, VIP).when, When::default());
    assert_eq!(acknowledged(&mut raw, 0), 1);
    assert_eq!(latencies, [Duration::from_millis(20)]);
}

/// What was told longer ago than is remembered.
#[test]
fn of_many_routes_the_newest_have_their_time() {
    let mut raw = Raw::up(external(), &peer_open());
    raw.session.remember(10);
    set(&mut raw, &hosts(100));
    raw.messages();
    let first = Moment::Before(raw.now);
    let when = |raw: &Raw, index: usize| raw.session.routes(None, 100).0[index].when.written;
    assert_eq!(when(&raw, 0), Some(first));
    assert_eq!(when(&raw, 99), Some(Moment::At(raw.now)));
    assert_eq!(raw.session.routes(None, 100).0.len(), 100);
}
