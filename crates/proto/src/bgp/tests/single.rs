//! One session, one peer made by hand.

use super::raw::{Raw, bytes_of, keepalive, message, peer_open};
use super::*;
use crate::bgp::fsm::State;
use crate::bgp::wire::{Refresh, encode_refresh};

const EOR4: [u8; 4] = [0; 4];

fn updates(raw: &mut Raw) -> Vec<Vec<u8>> {
    let messages = raw.messages();
    messages.into_iter().filter(|(kind, _)| *kind == Kind::Update).map(|(_, it)| it).collect()
}

fn set(raw: &mut Raw, routes: &RouteSet) {
    let now = raw.now;
    raw.session.set_routes(routes, now);
}

#[test]
fn the_first_attempt_is_made_at_once_and_leads_to_a_session() {
    let mut raw = Raw::new(external());
    assert_eq!(raw.connects, 1);
    assert_eq!(raw.session.state(), State::Connect);
    set(&mut raw, &routes(&["100.64.0.1/32", "192.0.2.0/24"]));
    raw.connect();
    assert_eq!(raw.kinds(), [Kind::Open]);
    raw.send(&bytes_of(&peer_open()));
    assert_eq!(raw.kinds(), [Kind::Keepalive]);
    assert_eq!(raw.session.state(), State::OpenConfirm);
    raw.send(&keepalive());
    let sent = updates(&mut raw);
    // One route (the other is not allowed), then End-of-RIB.
    assert_eq!(sent.len(), 2);
    assert!(sent[0].ends_with(&[32, 100, 64, 0, 1]));
    assert_eq!(sent[1], EOR4);
    assert!(raw.session.is_settled());
    let snapshot = raw.session.snapshot();
    assert_eq!((snapshot.wanted, snapshot.told, snapshot.pending), (1, 1, 0));
    let agreed = snapshot.negotiated.unwrap();
    assert_eq!(agreed.hold_time, Duration::from_secs(9));
    assert_eq!(agreed.families, Families::IPV4);
    assert!(!agreed.enhanced_route_refresh && agreed.route_refresh && agreed.four_octet_as);
}

#[test]
fn only_the_newest_state_is_sent_and_withdrawals_go_first() {
    let mut raw = Raw::up(external(), &peer_open());
    set(&mut raw, &routes(&["100.64.0.1/32", "100.64.0.2/32"]));
    updates(&mut raw);
    // Flapping between two writes leaves nothing to say.
    for _ in 0..1000 {
        set(&mut raw, &routes(&["100.64.0.1/32"]));
        set(&mut raw, &routes(&["100.64.0.1/32", "100.64.0.2/32"]));
    }
    assert!(updates(&mut raw).is_empty());
    // Announced and gone before it was written: never mentioned.
    set(&mut raw, &routes(&["100.64.0.1/32", "100.64.0.2/32", "100.64.0.3/32"]));
    set(&mut raw, &routes(&["100.64.0.4/32", "100.64.0.2/32"]));
    let sent = updates(&mut raw);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], [0, 5, 32, 100, 64, 0, 1, 0, 0]);
    assert!(sent[1].ends_with(&[32, 100, 64, 0, 4]));
    assert_eq!(raw.session.snapshot().told, 2);
}

#[test]
fn end_of_rib_waits_for_its_release() {
    let mut config = external();
    config.hold_end_of_rib = true;
    config.graceful_restart =
        Some(GracefulRestart { restarting: true, ..GracefulRestart::default() });
    let mut raw = Raw::new(config);
    raw.connect();
    let (_, open) = raw.messages().remove(0);
    let restarts = |open: &[u8]| {
        let (open, _) = Open::decode(open).unwrap();
        open.capabilities.iter().any(|it| {
            matches!(it, Capability::GracefulRestart { restarting, families, .. }
                if *restarting && families.as_slice() == [(1, 1, true)])
        })
    };
    assert!(restarts(&open));
    raw.send(&bytes_of(&peer_open()));
    raw.send(&keepalive());
    set(&mut raw, &routes(&["100.64.0.1/32"]));
    assert_eq!(updates(&mut raw).len(), 1);
    let now = raw.now;
    raw.session.release_end_of_rib(Family::Ipv4, now);
    assert!(raw.session.wants_write(raw.connection));
    assert_eq!(updates(&mut raw), [EOR4]);
    assert!(raw.events.contains(&Event::EndOfRibSent { family: Family::Ipv4 }));
    // Recovered: the next session is no restart of ours, and End-of-RIB is not kept back.
    let connection = raw.connection;
    raw.handle(Input::TcpClosed { connection });
    raw.pass(Duration::from_secs(2));
    raw.connect();
    let (_, open) = raw.messages().remove(0);
    assert!(!restarts(&open));
    raw.send(&bytes_of(&peer_open()));
    raw.send(&keepalive());
    assert_eq!(updates(&mut raw).len(), 2);
}

#[test]
fn hold_timer_and_keepalives() {
    let mut raw = Raw::up(external(), &peer_open());
    raw.messages();
    raw.pass(Duration::from_millis(3001));
    assert_eq!(raw.kinds(), [Kind::Keepalive]);
    // Half a message is no sign of life.
    raw.send(&keepalive()[..18]);
    raw.pass(Duration::from_millis(5990));
    assert_eq!(raw.session.state(), State::Established);
    raw.pass(Duration::from_millis(10));
    assert_eq!(raw.session.state(), State::Idle);
    assert_eq!(raw.notification(), Some(Notification::new(4, 0)));
    assert_eq!(raw.closed, Some(false));
    raw.pass(Duration::from_secs(1));
    assert_eq!(raw.connects, 2);
}

#[test]
fn a_peer_that_never_sends_open_is_left_after_four_minutes() {
    let mut raw = Raw::new(external());
    raw.connect();
    raw.pass(Duration::from_secs(239));
    assert_eq!(raw.session.state(), State::OpenSent);
    raw.pass(Duration::from_secs(1));
    assert_eq!(raw.notification(), Some(Notification::new(4, 0)));
}

#[test]
fn a_peer_that_does_not_read_is_cut_off() {
    let mut config = external();
    config.send_hold = Duration::from_secs(480);
    let mut raw = Raw::up(config, &peer_open());
    raw.messages();
    set(&mut raw, &hosts(100_000));
    let connection = raw.connection;
    let first = raw.session.poll_write(connection, raw.now).unwrap().len();
    assert!(first <= Session::WRITE_MAX + 4096 && first > Session::WRITE_MAX / 2, "{first}");
    raw.handle(Input::Written { connection, bytes: 100 });
    // It does send, though, and what waits for it does not grow.
    for _ in 0..160 {
        raw.pass(Duration::from_millis(2999));
        assert_eq!(raw.closed, None);
        raw.send(&keepalive());
    }
    assert!(raw.session.snapshot().unwritten <= first + 19);
    raw.pass(Duration::from_secs(1));
    assert_eq!(raw.closed, Some(true));
    assert!(raw.events.iter().any(|event| matches!(
        event,
        Event::Down { cause: DownCause::SendHoldExpired, state: State::Established, .. }
    )));
}

#[test]
fn last_words_end_the_message_that_was_begun() {
    let mut raw = Raw::up(external(), &peer_open());
    raw.messages();
    set(&mut raw, &hosts(5000));
    let connection = raw.connection;
    let bytes = raw.session.poll_write(connection, raw.now).unwrap()[..5000].to_vec();
    raw.written.extend(bytes);
    raw.handle(Input::Written { connection, bytes: 5000 });
    raw.handle(Input::Stop { reason: StopReason::Shutdown, communication: "bye".to_string() });
    assert_eq!(raw.kinds(), [Kind::Update, Kind::Update, Kind::Notification]);
    assert_eq!(raw.session.state(), State::Idle);
    assert_eq!(raw.session.poll_timeout(), None);
}

#[test]
fn a_restart_says_nothing() {
    let mut raw = Raw::up(external(), &peer_open());
    raw.messages();
    raw.handle(Input::Restart);
    assert_eq!(raw.closed, Some(false));
    assert!(raw.messages().is_empty());
    assert_eq!(raw.session.state(), State::Idle);
}

#[test]
fn the_cause_of_an_end_is_what_happened() {
    // Nobody was there: nothing was sent.
    let goodbye = || Input::Stop { reason: StopReason::Shutdown, communication: "bye".to_string() };
    for (input, want) in [
        (goodbye(), DownCause::Stopped),
        (Input::Restart, DownCause::Restart),
        (Input::AddressGone, DownCause::AddressGone),
    ] {
        let mut raw = Raw::new(external());
        raw.handle(input);
        let causes: Vec<_> = raw.events.iter().filter_map(cause).collect();
        assert_eq!(causes, [&want]);
        assert!(raw.written.is_empty());
    }
    let mut raw = Raw::up(external(), &peer_open());
    raw.handle(goodbye());
    assert!(matches!(raw.events.iter().filter_map(cause).next_back(), Some(DownCause::Sent(_))));
    let mut raw = Raw::up(external(), &peer_open());
    raw.handle(Input::AddressGone);
    assert_eq!(raw.events.iter().filter_map(cause).next_back(), Some(&DownCause::AddressGone));
    assert!(raw.notification().is_none());
    assert_eq!(raw.session.poll_timeout(), None);
    // It is back: no back-off.
    raw.handle(Input::Start);
    assert_eq!(raw.session.state(), State::Connect);
}

fn cause(event: &Event) -> Option<&DownCause> {
    match event {
        Event::Down { cause, .. } => Some(cause),
        _ => None,
    }
}

#[test]
fn a_stop_for_good_is_a_hard_reset_where_routes_would_be_kept() {
    let mut config = external();
    config.graceful_restart =
        Some(GracefulRestart { notification: true, ..GracefulRestart::default() });
    let mut peer = peer_open();
    peer.capabilities.push(Capability::GracefulRestart {
        restarting: false,
        notification: true,
        restart_time: 120,
        families: [(1, 1, true)].to_vec(),
    });
    for (reason, want) in [(StopReason::Shutdown, 9), (StopReason::Reset, 4)] {
        let mut raw = Raw::up(config.clone(), &peer);
        raw.handle(Input::Stop { reason, communication: "x".to_string() });
        let notification = raw.notification().unwrap();
        assert_eq!((notification.code, notification.subcode), (6, want));
        assert_eq!(notification.communication().unwrap(), "x");
    }
}

#[test]
fn refreshes_are_answered_and_coalesced() {
    let mut peer = peer_open();
    for enhanced in [false, true] {
        if enhanced {
            peer.capabilities.push(Capability::EnhancedRouteRefresh);
        }
        let mut raw = Raw::up(external(), &peer);
        set(&mut raw, &hosts(2000));
        raw.messages();
        let mut request = Vec::new();
        for _ in 0..1000 {
            encode_refresh(&mut request, Family::Ipv4, Refresh::Request);
        }
        raw.send(&request);
        let kinds = raw.kinds();
        let updates = kinds.iter().filter(|kind| **kind == Kind::Update).count();
        assert_eq!(updates, 3, "one pass of 2000 routes");
        let around = [kinds[0], kinds[kinds.len() - 1]];
        let want = if enhanced { Kind::RouteRefresh } else { Kind::Update };
        assert_eq!(around, [want; 2]);
        let asked = |event: &&Event| matches!(event, Event::RefreshRequested { .. });
        assert_eq!(raw.events.iter().filter(asked).count(), 1);
        assert!(raw.session.is_settled());
    }
}

#[test]
fn draining_changes_attributes_without_a_new_session() {
    let mut raw = Raw::up(external(), &peer_open());
    set(&mut raw, &hosts(3));
    raw.messages();
    let mut policy = raw.session.config().policy.clone();
    policy.graceful_shutdown = true;
    let now = raw.now;
    raw.session.set_policy(policy.clone(), now);
    let sent = updates(&mut raw);
    assert_eq!(sent.len(), 1);
    assert!(sent[0].windows(7).any(|it| it == [0xc0, 8, 4, 0xff, 0xff, 0, 0]));
    // What is no longer allowed is withdrawn.
    policy.networks = Networks::new(["100.64.0.0/31".parse().unwrap()].to_vec());
    raw.session.set_policy(policy, now);
    let sent = updates(&mut raw);
    assert_eq!(sent[0], [0, 5, 32, 100, 64, 0, 2, 0, 0]);
    assert_eq!(raw.session.snapshot().told, 2);
}

#[test]
fn too_many_prefixes_end_the_session() {
    let mut config = external();
    config.max_prefixes = Some(2);
    let mut raw = Raw::up(config, &peer_open());
    raw.messages();
    let announce = |last: u8| {
        let head = [0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0x40, 3, 4];
        let tail = [10, 0, 0, 1, 32, 192, 0, 2, last];
        message(2, &[&head[..], &tail[..]].concat())
    };
    for last in [1, 2, 1, 2] {
        raw.send(&announce(last));
    }
    assert_eq!(raw.session.state(), State::Established);
    raw.send(&message(2, &[0, 5, 32, 192, 0, 2, 1, 0, 0]));
    raw.send(&announce(3));
    assert_eq!(raw.session.state(), State::Established);
    raw.send(&announce(4));
    assert_eq!(raw.notification(), Some(Notification::new(6, 1)));
}

#[test]
fn capabilities_that_are_refused_are_left_out() {
    for (answer, left) in [
        (Notification::new(2, 4), 0),
        (Notification::new(2, 7), 0),
        // Graceful restart and role, as lists of capabilities.
        (Notification::with_data(2, 7, &[64, 2, 0, 0, 6, 0]), 5),
    ] {
        let mut raw = Raw::new(external());
        raw.connect();
        raw.messages();
        let mut bytes = Vec::new();
        answer.encode(&mut bytes);
        raw.send(&bytes);
        assert_eq!(raw.closed, Some(false));
        assert!(raw.messages().is_empty(), "never an answer to a NOTIFICATION");
        assert!(raw.events.iter().any(|it| matches!(it, Event::CapabilitiesDropped { .. })));
        raw.pass(Duration::from_secs(1));
        raw.connect();
        let (_, open) = raw.messages().remove(0);
        let (open, _) = Open::decode(&open).unwrap();
        assert_eq!(open.capabilities.len(), left, "{:?}", open.capabilities);
    }
}

#[test]
fn capabilities_that_the_peer_misses_change_nothing() {
    // Add-path, and a list that lies about its length.
    for data in [&[69, 4, 0, 1, 1, 1][..], &[69, 255, 0]] {
        let mut raw = Raw::new(external());
        for _ in 0..3 {
            raw.connect();
            let (_, open) = raw.messages().remove(0);
            assert_eq!(Open::decode(&open).unwrap().0.capabilities.len(), 7);
            raw.send(&message(3, &[&[2, 7], data].concat()));
            raw.pass(Duration::from_secs(8));
        }
    }
}

#[test]
fn old_peers_get_what_they_understand() {
    let mut config = external();
    config.local_as = Asn(4_200_000_000);
    config.families = Families::BOTH;
    let peer = Open { capabilities: Vec::new(), ..peer_open() };
    let mut raw = Raw::up(config, &peer);
    set(&mut raw, &routes(&["100.64.0.1/32", "2001:db8::1/128"]));
    let sent = updates(&mut raw);
    // AS_TRANS and AS4_PATH; nothing about IPv6, not even End-of-RIB.
    assert_eq!(sent.len(), 2);
    assert!(sent[0].windows(7).any(|it| it == [0x40, 2, 4, 2, 1, 0x5b, 0xa0]));
    assert!(sent[0].windows(9).any(|it| it == [0xc0, 17, 6, 2, 1, 0xfa, 0x56, 0xea, 0]));
    assert!(raw.events.contains(&Event::Unsendable {
        family: Family::Ipv6,
        reason: Unsendable::FamilyNotNegotiated
    }));
}

#[test]
fn ipv4_routes_over_an_ipv6_session() {
    let mut config = external();
    config.peer = ip("2001:db8:ffff::1").into();
    config.families = Families::IPV4;
    let mut peer = peer_open();
    for extended in [false, true] {
        if extended {
            peer.capabilities.push(Capability::ExtendedNextHop([(1, 1, 2)].to_vec()));
        }
        let mut raw = Raw::new(config.clone());
        let connection = raw.connection;
        let (local, remote) = (ip("2001:db8:ffff::2"), config.peer.ip());
        raw.handle(Input::TcpConnected { connection, local, remote });
        raw.send(&bytes_of(&peer));
        raw.send(&keepalive());
        set(&mut raw, &routes(&["100.64.0.1/32"]));
        raw.drain();
        let sent = updates(&mut raw);
        assert_eq!(sent.len(), 1 + usize::from(extended));
        let missing = Event::Unsendable { family: Family::Ipv4, reason: Unsendable::NoIpv4NextHop };
        assert_eq!(raw.events.contains(&missing), !extended);
        // And back: nothing is withdrawn that was never announced.
        set(&mut raw, &RouteSet::new());
        assert_eq!(updates(&mut raw).len(), usize::from(extended));
    }
}

#[test]
fn roles_must_match() {
    let role = |value| Capability::Role(value);
    for (strict, theirs, fits) in [
        (false, [].to_vec(), true),
        (true, [].to_vec(), false),
        (true, [role(0)].to_vec(), true),
        (false, [role(0), role(0)].to_vec(), true),
        (false, [role(0), role(4)].to_vec(), false),
        (false, [role(3)].to_vec(), false),
    ] {
        let mut config = external();
        config.capabilities.role = Some(Role::Customer);
        config.capabilities.strict_role = strict;
        let mut raw = Raw::new(config);
        raw.connect();
        raw.messages();
        let mut peer = peer_open();
        peer.capabilities.extend(theirs);
        raw.send(&bytes_of(&peer));
        let want = (!fits).then(|| Notification::new(2, 11));
        assert_eq!(raw.notification(), want, "{strict} {:?}", peer.capabilities);
    }
}

/// RFC 4724 section 3.
#[test]
fn of_several_graceful_restart_capabilities_the_last_one_counts() {
    let mut open = peer_open();
    for restart_time in [7, 8] {
        open.capabilities.push(Capability::GracefulRestart {
            restarting: false,
            notification: false,
            restart_time,
            families: Vec::new(),
        });
    }
    let mut raw = Raw::in_state(State::OpenSent);
    raw.send(&bytes_of(&open));
    raw.send(&keepalive());
    let agreed = raw.session.negotiated().unwrap();
    let restart = agreed.peer_graceful_restart.unwrap();
    assert_eq!(restart.restart_time, Duration::from_secs(8));
}
