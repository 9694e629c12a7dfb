//! Peers that mean harm, or are broken.

use proptest::prelude::*;

use super::raw::{Raw, bytes_of, keepalive, message, peer_open};
use super::*;
use crate::bgp::fsm::State;

#[test]
fn opens_are_checked_in_order() {
    let good = peer_open();
    for (open, want) in [
        (Open { my_as: 65002, capabilities: Vec::new(), ..good.clone() }, (2, 2)),
        (Open { my_as: 0, ..good.clone() }, (2, 2)),
        (Open { capabilities: [Capability::FourOctetAs(Asn(0))].to_vec(), ..good.clone() }, (2, 2)),
        (Open { capabilities: [Capability::FourOctetAs(Asn(7))].to_vec(), ..good.clone() }, (2, 2)),
        (Open { hold_time: 1, ..good.clone() }, (2, 6)),
        (Open { hold_time: 2, ..good.clone() }, (2, 6)),
        (Open { id: Ipv4Addr::UNSPECIFIED, ..good.clone() }, (2, 3)),
        // AS before hold time before identifier.
        (
            Open { my_as: 9, hold_time: 1, id: Ipv4Addr::UNSPECIFIED, capabilities: Vec::new() },
            (2, 2),
        ),
        (Open { hold_time: 1, id: Ipv4Addr::UNSPECIFIED, ..good.clone() }, (2, 6)),
    ] {
        let mut raw = Raw::in_state(State::OpenSent);
        raw.send(&bytes_of(&open));
        let notification = raw.notification().unwrap();
        assert_eq!((notification.code, notification.subcode), want, "{open:?}");
        assert_eq!(raw.session.state(), State::Idle);
    }
    // The same identifier: an error inside an AS only (RFC 6286).
    let open = Open { id: Ipv4Addr::new(10, 0, 0, 2), ..good };
    let mut raw = Raw::in_state(State::OpenSent);
    raw.send(&bytes_of(&open));
    assert_eq!(raw.session.state(), State::OpenConfirm);
}

#[test]
fn messages_out_of_place_get_the_right_subcode() {
    let open = bytes_of(&peer_open());
    let update = message(2, &[0; 4]);
    let refresh = message(5, &[0, 1, 0, 1]);
    for (state, bytes, want) in [
        (State::OpenSent, &keepalive(), (5, 1)),
        (State::OpenSent, &update, (5, 1)),
        (State::OpenSent, &refresh, (5, 1)),
        (State::OpenConfirm, &open, (5, 2)),
        (State::OpenConfirm, &update, (5, 2)),
        (State::OpenConfirm, &refresh, (5, 2)),
        (State::Established, &open, (5, 3)),
    ] {
        let mut raw = Raw::in_state(state);
        raw.send(bytes);
        let notification = raw.notification().unwrap();
        assert_eq!((notification.code, notification.subcode), want, "{state}");
        assert_eq!(notification.data, bytes[18..19], "the type of the message");
        assert_eq!(raw.session.state(), State::Idle);
    }
}

#[test]
fn bad_headers_end_every_state_with_the_right_notification() {
    let mut bad_marker = keepalive();
    bad_marker[3] = 0;
    for state in [State::OpenSent, State::OpenConfirm, State::Established] {
        for (bytes, want) in [
            (bad_marker.clone(), Notification::new(1, 1)),
            (message(0, &[]), Notification::with_data(1, 3, &[0])),
            (message(6, &[]), Notification::with_data(1, 3, &[6])),
            (message(4, &[0]), Notification::with_data(1, 2, &[0, 20])),
            (message(2, &[0; 3]), Notification::with_data(1, 2, &[0, 22])),
        ] {
            let mut raw = Raw::in_state(state);
            raw.send(&bytes);
            assert_eq!(raw.notification(), Some(want), "{state}");
            assert_eq!(raw.closed, Some(false));
        }
    }
}

#[test]
fn notifications_are_never_answered_and_their_text_is_harmless() {
    for state in [State::OpenSent, State::OpenConfirm, State::Established] {
        let mut raw = Raw::in_state(state);
        raw.send(&message(3, b"\x06\x02\x09\x1b[31mroot"));
        assert!(raw.messages().is_empty());
        assert_eq!(raw.session.state(), State::Idle);
        let (_, cause) = raw.session.snapshot().last_error.unwrap();
        assert_eq!(cause.to_string(), "received 6/2 administrative shutdown: \"?[31mroot\"");
        raw.pass(Duration::from_secs(1));
        assert_eq!(raw.connects, 2);
    }
}

#[test]
fn malformed_updates_are_counted_and_reported_now_and_then() {
    let mut raw = Raw::in_state(State::Established);
    raw.events.clear();
    // ORIGIN with value 9, then a route.
    let bad = message(2, &[0, 0, 0, 4, 0x40, 1, 1, 9, 24, 192, 0, 2]);
    for _ in 0..1000 {
        raw.send(&bad);
    }
    assert_eq!(raw.session.snapshot().counters.treat_as_withdraw, 1000);
    assert_eq!(raw.session.state(), State::Established);
    assert_eq!(raw.events.len(), 1);
    assert!(matches!(&raw.events[0], Event::Malformed { message, .. } if message.len() == 12));
}

#[test]
fn nobody_else_gets_in() {
    let mut config = external();
    config.mode = Mode::Both;
    let mut raw = Raw::new(config);
    let connection = Connection::incoming(1);
    let (local, remote) = (ip(OUR_ADDRESS), ip("10.0.0.99"));
    raw.handle(Input::TcpConnected { connection, local, remote });
    assert_eq!(raw.events.last(), Some(&Event::Refused { connection }));
    // And in active mode not even the peer.
    let mut raw = Raw::new(external());
    let remote = ip(PEER_ADDRESS);
    raw.handle(Input::TcpConnected { connection, local, remote });
    assert_eq!(raw.events.last(), Some(&Event::Refused { connection }));
}

/// Pieces of a stream: good messages, damaged ones, noise.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let damaged =
        (0usize..6, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(which, at, by)| {
            let mut bytes = [
                bytes_of(&peer_open()),
                keepalive(),
                message(2, &[0, 0, 0, 4, 0x40, 1, 1, 0, 24, 192, 0, 2]),
                message(2, &[0, 0, 0, 9, 0x80, 14, 6, 0, 2, 1, 0, 0, 0]),
                message(3, &[6, 2, 3, 65, 66, 67]),
                message(5, &[0, 1, 0, 1]),
            ][which]
                .clone();
            let at = at.index(bytes.len());
            bytes[at] = by;
            bytes
        });
    let body = (1u8..6, prop::collection::vec(any::<u8>(), 0..200))
        .prop_map(|(kind, body)| message(kind, &body));
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..64),
        3 => damaged,
        2 => body,
        3 => Just(keepalive()),
        2 => Just(bytes_of(&peer_open())),
    ]
}

proptest! {
    /// Whatever comes, cut anywhere, in any state: no panic, one NOTIFICATION at most for each
    /// connection, bounded output, and always something that wakes the session again.
    #[test]
    fn any_bytes_at_all(
        pieces in prop::collection::vec(piece(), 1..30),
        chunk in 1usize..50,
        step in 0u64..4000,
        enhanced in any::<bool>(),
    ) {
        let mut config = external();
        config.max_prefixes = Some(10);
        config.families = Families::BOTH;
        config.capabilities.enhanced_route_refresh = enhanced;
        let mut raw = Raw::new(config);
        raw.session.set_routes(&hosts(50), raw.now);
        raw.connect();
        for piece in pieces {
            for bytes in piece.chunks(chunk) {
                raw.send(bytes);
                let for_ever = raw.session.negotiated().is_some_and(|it| it.hold_time.is_zero());
                prop_assert!(for_ever || raw.session.poll_timeout().is_some());
                prop_assert!(raw.session.snapshot().unwritten < 100_000);
                if raw.closed.is_some() {
                    raw.notification();
                    raw.pass(Duration::from_secs(120));
                    raw.connect();
                    break;
                }
            }
            raw.messages();
            raw.pass(Duration::from_millis(step));
        }
    }

    /// The decoders alone.
    #[test]
    fn decoders_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), four in any::<bool>()) {
        let _ = Open::decode(&bytes);
        let _ = Notification::decode(&bytes).to_string();
        let _ = wire::decode_refresh(&bytes, four);
        let context = wire::Context {
            local_as: Asn(65000),
            internal: four,
            four_octet_as: four,
            families: Families::BOTH,
            extended_next_hop: four,
            add_path: if bytes.len() % 2 == 0 { Families::BOTH } else { Families::NONE },
        };
        let _ = wire::inspect_update(&bytes, &context, &mut |_| {});
        let length = u16::try_from(bytes.len()).unwrap();
        let attributes = [&[0, 0], &length.to_be_bytes()[..], &bytes, &[24, 192, 0, 2]].concat();
        let _ = wire::inspect_update(&attributes, &context, &mut |_| {});
    }
}
