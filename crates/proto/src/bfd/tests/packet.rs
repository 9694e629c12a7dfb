//! Bytes: the format, and the checks of RFC 5880 section 6.8.6 in their order.

use alloc::string::ToString;

use super::*;

/// Written by hand from RFC 5880 section 4.1.
const UP: [u8; 24] = [
    0x23, 0xf0, 5, 24, // Version 1, diagnostic 3; Up, P, F; multiplier; length.
    0x0a, 0x0b, 0x0c, 0x0d, // My Discriminator.
    0x01, 0x02, 0x03, 0x04, // Your Discriminator.
    0x00, 0x00, 0xc3, 0x50, // 50 ms.
    0x00, 0x01, 0x86, 0xa0, // 100 ms.
    0x00, 0x00, 0x00, 0x07, // Echo.
];

#[test]
fn a_packet_is_read_and_written_as_the_rfc_draws_it() {
    let expected = Packet {
        diagnostic: Diagnostic::NeighborDown,
        poll: true,
        is_final: true,
        multiplier: NonZeroU8::new(5).unwrap(),
        desired_min_tx: 50_000,
        required_min_echo_rx: 7,
        ..packet(State::Up)
    };
    assert_eq!(Packet::decode(&UP), Ok((expected, &[][..])));
    assert_eq!(expected.encode(0), UP);
    let looked = peek(&UP).unwrap();
    assert_eq!(looked.your_discriminator, Some(number(OURS)));
    assert_eq!((looked.my_discriminator, looked.state), (number(THEIRS), State::Up));
}

#[test]
fn each_flag_has_its_bit() {
    type Set = fn(&mut Packet);
    let flags: [(u8, Set); 5] = [
        (0x20, |it| it.poll = true),
        (0x10, |it| it.is_final = true),
        (0x08, |it| it.control_plane_independent = true),
        (0x04, |it| it.authenticated = true),
        (0x02, |it| it.demand = true),
    ];
    for (bit, set) in flags {
        let mut packet = packet(State::Init);
        set(&mut packet);
        assert_eq!(packet.encode(4)[1], 0x80 | bit);
        let mut datagram = packet.encode(4).to_vec();
        datagram.extend([1, 4, 9, b'x']);
        assert_eq!(Packet::decode(&datagram).unwrap(), (packet, &[1, 4, 9, b'x'][..]));
    }
}

#[test]
fn states_and_diagnostics_have_the_numbers_of_the_rfc() {
    for (bits, state) in State::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(packet(state).encode(0)[1] >> 6), bits);
    }
    for number in 0..32 {
        let diagnostic = Diagnostic::from_number(number);
        assert_eq!(diagnostic.number(), number);
        assert_eq!(matches!(diagnostic, Diagnostic::Reserved(_)), number > 8, "{diagnostic}");
    }
}

/// Each change alone, and what it comes to; with all later changes too the answer is the same,
/// because the checks have an order.
#[test]
fn what_is_wrong_is_found_in_the_order_of_the_rfc() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(Discard, Change); 7] = [
        (Discard::Version, |it| it[0] = 0x40),
        (Discard::Length, |it| it[3] = 23),
        (Discard::Truncated, |it| it[3] = if it[3] < 24 { it[3] } else { 25 }),
        (Discard::Multiplier, |it| it[2] = 0),
        (Discard::Multipoint, |it| it[1] |= 1),
        (Discard::MyDiscriminator, |it| it[4..8].fill(0)),
        (Discard::YourDiscriminator, |it| it[8..12].fill(0)),
    ];
    for first in 0..changes.len() {
        for last in first + 1..=changes.len() {
            let mut datagram = UP.to_vec();
            for (_, change) in &changes[first..last] {
                change(&mut datagram);
            }
            let expected = changes[first].0;
            assert_eq!(Packet::decode(&datagram).unwrap_err(), expected, "{first} to {last}");
            assert_eq!(peek(&datagram), Err(expected));
        }
    }
}

#[test]
fn an_authenticated_packet_has_two_octets_more_at_least() {
    let mut datagram = UP.to_vec();
    datagram[1] |= 4;
    for length in [24, 25] {
        datagram.resize(usize::from(length), 0);
        datagram[3] = length;
        assert_eq!(peek(&datagram), Err(Discard::Length));
    }
    datagram.push(0);
    datagram[3] = 26;
    assert!(peek(&datagram).is_ok());
}

#[test]
fn a_datagram_may_be_longer_than_its_packet_and_never_shorter() {
    let mut padded = UP.to_vec();
    padded.extend([0xff; 40]);
    assert_eq!(Packet::decode(&padded).unwrap().1, &[] as &[u8]);
    for length in 0..24 {
        let expected = match length {
            0..=3 => Discard::Short,
            _ => Discard::Truncated,
        };
        assert_eq!(peek(&UP[..length]), Err(expected), "{length}");
    }
    assert_eq!(peek(&[0x40]), Err(Discard::Version));
    assert_eq!(peek(&[0x20, 0, 3, 4, 5]), Err(Discard::Length));
}

#[test]
fn who_does_not_know_us_can_only_be_down() {
    for (state, expected) in State::ALL.into_iter().zip([true, true, false, false]) {
        let mut packet = packet(state);
        packet.your_discriminator = None;
        assert_eq!(peek(&bytes(packet)).is_ok(), expected, "{state}");
    }
}

#[test]
fn every_reason_has_a_name_and_a_text() {
    let mut codes: Vec<&str> = Discard::ALL.map(Discard::code).to_vec();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Discard::ALL.len());
    for (place, reason) in Discard::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, place, "the counters go by this order");
        assert!(reason.to_string().starts_with("it") || !reason.to_string().is_empty());
    }
}

#[test]
fn intervals_are_what_packets_can_carry() {
    assert_eq!(Interval::try_from(ms(50)).unwrap().as_micros(), 50_000);
    assert_eq!(Interval::from_millis(300).unwrap().as_duration(), ms(300));
    let longest = Duration::from_micros(u64::from(u32::MAX));
    assert_eq!(Interval::try_from(longest).unwrap().as_duration(), longest);
    for bad in [Duration::ZERO, Duration::from_nanos(999), longest + Duration::from_micros(1)] {
        let error = Interval::try_from(bad).unwrap_err().to_string();
        assert!(error.contains("4294.967295 s"), "{error}");
    }
}
