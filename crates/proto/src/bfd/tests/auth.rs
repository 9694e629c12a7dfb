//! Authentication (RFC 5880 section 6.7). The digests were made by another program.

use alloc::format;
use alloc::string::ToString;
use alloc::vec;

use super::*;

fn key(id: u8, secret: &str) -> Key {
    Key { id, secret: secret.as_bytes().to_vec() }
}

fn auth(kind: AuthKind) -> Auth {
    Auth::new(kind, key(7, "secret"), vec![key(8, "other")]).unwrap()
}

fn session(kind: AuthKind) -> Talk {
    Talk::new(Options { auth: Some(auth(kind)), ..options() })
}

/// A peer with the same keys, as a session of its own.
fn peer(auth: Auth, seed: u64) -> Session {
    let options =
        Options { local_discriminator: number(THEIRS), auth: Some(auth), seed, ..options() };
    Session::new(options, at(1000))
}

fn hex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

/// State Up, multiplier 3, discriminators 0x11223344 and 0x55667788, 50 ms, 60 ms, key 7,
/// sequence 0x01020304, with the digests of Python's hashlib.
fn vector(kind: u8, digest: &str) -> Vec<u8> {
    let length = u8::try_from(8 + digest.len() / 2).unwrap();
    let mut packet = hex("20c403001122334455667788");
    packet[3] = 24 + length;
    packet.extend(hex("0000c3500000ea6000000000"));
    packet.extend([kind, length, 7, 0, 1, 2, 3, 4]);
    packet.extend(hex(digest));
    packet
}

#[test]
fn digests_are_those_of_another_program() {
    for (kind, wire) in [
        (AuthKind::KeyedMd5, vector(2, "eb0cc7b451bb546a4c5c8db6adbaebad")),
        (AuthKind::MeticulousKeyedSha1, vector(5, "e4a2cbccf4723331503cdb9aab2c415a3a9a0621")),
    ] {
        let options = Options {
            local_discriminator: number(0x5566_7788),
            auth: Some(auth(kind)),
            ..options()
        };
        let mut session = Session::new(options, at(1000));
        assert_eq!(session.handle(&wire, at(1000)), Ok(()), "{kind}");
        for place in 0..wire.len() {
            // Not the reserved octet: that one is part of the digest, and so it counts too.
            let mut forged = wire.clone();
            forged[place] ^= 0x40;
            assert!(session.handle(&forged, at(1000)).is_err(), "{kind}: octet {place}");
        }
    }
}

#[test]
fn two_sessions_with_the_same_keys_come_up() {
    for kind in AuthKind::ALL {
        let mut talk = session(kind);
        let mut other = peer(auth(kind), 99);
        for _ in 0..4 {
            while let Some(datagram) = talk.session.poll_transmit(talk.now) {
                assert_eq!(usize::from(datagram.as_bytes()[3]), datagram.as_bytes().len());
                other.handle(datagram.as_bytes(), talk.now).unwrap();
            }
            while let Some(datagram) = other.poll_transmit(talk.now) {
                talk.session.handle(datagram.as_bytes(), talk.now).unwrap();
            }
        }
        assert_eq!((talk.session.state(), other.state()), (State::Up, State::Up), "{kind}");
        assert!(talk.session.status().authenticated);
    }
}

#[test]
fn what_is_not_authentic_is_refused_and_says_why() {
    for kind in AuthKind::ALL {
        let mut talk = session(kind);
        assert_eq!(
            talk.session.handle(&bytes(packet(State::Down)), talk.now),
            Err(Discard::MissingAuth)
        );
        let mut say = |auth: Auth| {
            let datagram = peer(auth, 1).poll_transmit(at(1000)).unwrap();
            talk.session.handle(datagram.as_bytes(), talk.now)
        };
        for other in AuthKind::ALL {
            let expected = if other == kind { Ok(()) } else { Err(Discard::AuthType) };
            assert_eq!(say(auth(other)), expected, "{kind} and {other}");
        }
        let with = |key| Auth::new(kind, key, vec![]).unwrap();
        assert_eq!(say(with(key(9, "secret"))), Err(Discard::AuthKey), "{kind}");
        // The number that came last counts up to three times the multiplier: the same seed.
        assert_eq!(
            say(with(key(7, "secreT"))),
            Err(match kind {
                AuthKind::MeticulousKeyedMd5 | AuthKind::MeticulousKeyedSha1 =>
                    Discard::AuthSequence,
                _ => Discard::AuthDigest,
            }),
            "{kind}"
        );
        let expected = match kind {
            AuthKind::SimplePassword | AuthKind::KeyedMd5 | AuthKind::KeyedSha1 => Ok(()),
            _ => Err(Discard::AuthSequence),
        };
        assert_eq!(say(with(key(8, "other"))), expected, "{kind}: any of our keys is good");
    }
}

#[test]
fn a_section_that_is_cut_or_long_is_refused() {
    for kind in AuthKind::ALL {
        let mut talk = session(kind);
        let datagram = peer(auth(kind), 1).poll_transmit(at(1000)).unwrap();
        let whole = datagram.as_bytes();
        for length in 26..whole.len() {
            let mut cut = whole[..length].to_vec();
            cut[3] = u8::try_from(length).unwrap();
            assert_eq!(talk.session.handle(&cut, talk.now), Err(Discard::AuthType), "{kind}");
            cut[25] = u8::try_from(length - 24).unwrap();
            assert_eq!(talk.session.handle(&cut, talk.now), Err(Discard::AuthType), "{kind}");
        }
        let mut long = whole.to_vec();
        long.push(0);
        long[3] += 1;
        long[25] += 1;
        assert_eq!(talk.session.handle(&long, talk.now), Err(Discard::AuthType), "{kind}");
    }
}

/// 6.7.3, 6.7.4: the window of sequence numbers.
#[test]
fn the_sequence_number_must_lie_in_the_window() {
    for (kind, least) in [
        (AuthKind::KeyedMd5, 0_u32),
        (AuthKind::MeticulousKeyedMd5, 1),
        (AuthKind::KeyedSha1, 0),
        (AuthKind::MeticulousKeyedSha1, 1),
    ] {
        for start in [5, u32::MAX - 1] {
            let signed = |sequence: u32| {
                let packet = Packet { authenticated: true, ..packet(State::Down) };
                let auth = auth(kind);
                let header = packet.encode(auth.section_len());
                let section = auth.section(&header, sequence);
                [&header[..], section.as_bytes()].concat()
            };
            let verdict = |sequence: u32| {
                let mut talk = session(kind);
                talk.session.handle(&signed(start), talk.now).unwrap();
                talk.session.handle(&signed(sequence), talk.now)
            };
            for step in [least, 1, 8, 9] {
                assert_eq!(verdict(start.wrapping_add(step)), Ok(()), "{kind}: {step}");
            }
            for step in [least.wrapping_sub(1), 10, 1 << 31, u32::MAX - 1] {
                let sequence = start.wrapping_add(step);
                assert_eq!(verdict(sequence), Err(Discard::AuthSequence), "{kind}: {step}");
            }
        }
    }
}

/// A forged packet must not move the window, or anybody could shut the session up.
#[test]
fn a_forged_number_is_not_remembered() {
    let kind = AuthKind::MeticulousKeyedSha1;
    let mut talk = session(kind);
    let wrong = Auth::new(kind, key(7, "guessed"), vec![]).unwrap();
    let forged = peer(wrong, 1).poll_transmit(at(1000)).unwrap();
    assert_eq!(talk.session.handle(forged.as_bytes(), talk.now), Err(Discard::AuthDigest));
    let right = peer(auth(kind), 2).poll_transmit(at(1000)).unwrap();
    assert_eq!(talk.session.handle(right.as_bytes(), talk.now), Ok(()));
}

/// 6.8.1, bfd.AuthSeqKnown: a peer that restarts is believed after twice the detection time.
#[test]
fn a_restarted_peer_is_believed_after_two_detection_times() {
    let kind = AuthKind::MeticulousKeyedSha1;
    let mut talk = session(kind);
    let first = peer(auth(kind), 1).poll_transmit(at(1000)).unwrap();
    talk.session.handle(first.as_bytes(), talk.now).unwrap();
    // 3 times 1 s: the peer is not up.
    let time = talk.session.status().detection_time.unwrap();
    assert_eq!(time, ms(3000));
    let again = peer(auth(kind), 2).poll_transmit(at(1000)).unwrap();
    talk.run(time * 2 - ms(1));
    assert_eq!(talk.session.state(), State::Down);
    let refused = talk.session.handle(again.as_bytes(), talk.now);
    assert_eq!(refused, Err(Discard::AuthSequence));
    talk.run(ms(1));
    assert_eq!(talk.session.handle(again.as_bytes(), talk.now), Ok(()));
}

/// 6.7.3: meticulous counts every packet, else what says something new.
#[test]
fn numbers_go_up_with_packets_or_with_what_they_say() {
    let sequences = |kind: AuthKind| {
        let mut talk = session(kind);
        let mut found = Vec::new();
        let mut collect = |talk: &mut Talk| {
            while let Some(datagram) = talk.session.poll_transmit(talk.now) {
                let bytes = datagram.as_bytes();
                found.push(u32::from_be_bytes(bytes[28..32].try_into().unwrap()));
            }
        };
        for _ in 0..3 {
            collect(&mut talk);
            talk.now = talk.now + ms(1000);
        }
        talk.session.admin_down(Diagnostic::AdministrativelyDown, talk.now);
        collect(&mut talk);
        found.windows(2).map(|it| it[1].wrapping_sub(it[0])).collect::<Vec<_>>()
    };
    assert_eq!(sequences(AuthKind::KeyedMd5), [0, 0, 1]);
    assert_eq!(sequences(AuthKind::MeticulousKeyedMd5), [1, 1, 1]);
}

#[test]
fn keys_that_cannot_be_used_are_refused() {
    for kind in AuthKind::ALL {
        let long = "x".repeat(kind.secret_max());
        assert!(Auth::new(kind, key(1, &long), vec![]).is_ok());
        let error = Auth::new(kind, key(1, &(long + "y")), vec![]).unwrap_err();
        let most = format!("1 to {}", kind.secret_max());
        assert!(error.to_string().contains(&most), "{error}");
        assert!(Auth::new(kind, key(1, "a"), vec![key(2, "")]).is_err());
        let twice = Auth::new(kind, key(1, "a"), vec![key(1, "b")]);
        assert_eq!(twice, Err(AuthError::Twice { id: 1 }));
    }
    let shown = format!("{:?}", auth(AuthKind::KeyedSha1));
    assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
}
