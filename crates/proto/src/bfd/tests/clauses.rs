//! Sentences of RFC 5880 about packets, one test each.

use super::*;

/// 6.8.6: "If the Your Discriminator field is nonzero, it MUST be used to select the session."
#[test]
fn another_discriminator_is_another_session() {
    let mut talk = Talk::in_state(State::Up);
    let other = Packet { your_discriminator: Some(number(99)), ..packet(State::Down) };
    assert_eq!(talk.session.handle(&bytes(other), talk.now), Err(Discard::UnknownSession));
    assert_eq!(talk.session.state(), State::Up);
    let counters = talk.session.status().counters;
    assert_eq!(counters.discarded(Discard::UnknownSession), 1);
    assert_eq!(counters.discarded_total(), 1);
}

/// 6.8.6: a peer that has restarted knows no discriminator of ours, says Down, and is believed.
#[test]
fn a_restarted_peer_takes_an_up_session_down() {
    let mut talk = Talk::in_state(State::Up);
    let fresh =
        Packet { your_discriminator: None, my_discriminator: number(0x99), ..packet(State::Down) };
    talk.take(fresh);
    assert_eq!(talk.session.state(), State::Down);
    assert_eq!(talk.sent()[0].your_discriminator, Some(number(0x99)));
}

/// 6.3: "it is permissible for a system to change its discriminator during a session".
#[test]
fn the_peer_may_change_its_discriminator() {
    let mut talk = Talk::in_state(State::Up);
    talk.take(Packet { my_discriminator: number(0x77), ..packet(State::Up) });
    assert_eq!(talk.session.state(), State::Up);
    let sent = talk.run(ms(100));
    assert!(!sent.is_empty());
    assert!(sent.iter().all(|(_, it)| it.your_discriminator == Some(number(0x77))));
}

/// 6.8.6: "If the A bit is set and no authentication is in use, the packet MUST be discarded."
#[test]
fn authentication_that_nobody_asked_for_is_refused() {
    let mut talk = Talk::in_state(State::Up);
    let mut datagram = Packet { authenticated: true, ..packet(State::Down) }.encode(4).to_vec();
    datagram.extend([1, 4, 9, b'x']);
    assert_eq!(talk.session.handle(&datagram, talk.now), Err(Discard::UnexpectedAuth));
    assert_eq!(talk.session.state(), State::Up);
}

/// 6.8.4: only what was not discarded was received.
#[test]
fn discarded_packets_do_not_keep_a_session_up() {
    let mut talk = Talk::in_state(State::Up);
    for _ in 0..10 {
        talk.run(ms(50));
        let other = Packet { your_discriminator: Some(number(99)), ..packet(State::Up) };
        assert!(talk.session.handle(&bytes(other), talk.now).is_err());
    }
    assert_eq!(talk.session.state(), State::Down);
}

/// 6.8.1: "If a period of a Detection Time passes without the receipt of a valid, authenticated BFD
/// packet from the remote system, this variable MUST be set to zero." 6.8.18: and the remote
/// minimum is its initial value again.
#[test]
fn the_peer_is_forgotten_after_a_detection_time_in_every_state() {
    for state in [State::AdminDown, State::Down, State::Init, State::Up] {
        let mut talk = Talk::in_state(state);
        let said = Packet { required_min_rx: 3_000_000, ..packet(State::AdminDown) };
        let _ = talk.session.handle(&bytes(said), talk.now);
        assert_eq!(talk.session.status().transmit_interval, Some(Duration::from_secs(3)));
        talk.sent();
        talk.run(ms(299));
        assert!(talk.session.remote().is_some());
        let told = talk.run(ms(1));
        assert!(told.len() <= 1, "at most the one that tells of it");
        assert_eq!(talk.session.remote(), None);
        assert_eq!(talk.session.status().detection_time, None);
        assert_eq!(talk.session.status().transmit_interval, Some(Duration::from_secs(1)));
        let sent = talk.run(Duration::from_secs(2));
        assert!(sent.iter().all(|(_, it)| it.your_discriminator.is_none()));
        assert!(!sent.is_empty());
    }
}

/// Against the letter of 6.8.1, once: FRR believes Down from a peer that it has seen up only where its
/// discriminator is named.
#[test]
fn the_packet_that_tells_of_silence_names_the_peer() {
    let mut talk = Talk::up();
    let sent = talk.run(ms(299));
    assert!(sent.iter().all(|(_, it)| it.state == State::Up));
    let sent = talk.run(Duration::from_secs(3));
    let told: Vec<_> = sent.iter().map(|(_, it)| (it.state, it.your_discriminator)).collect();
    assert_eq!(told[0], (State::Down, Some(number(THEIRS))));
    assert!(told.len() >= 3 && told[1..].iter().all(|it| *it == (State::Down, None)), "{told:?}");
}

/// 6.8.6 and 6.8.7: a poll is answered at once, in every state but AdminDown, where the packet is
/// discarded before that.
#[test]
fn a_poll_is_answered_at_once() {
    for state in [State::Down, State::Init, State::Up] {
        let mut talk = Talk::in_state(state);
        talk.now = talk.now + ms(1);
        talk.take(Packet { poll: true, ..packet(State::Up) });
        let sent = talk.sent();
        assert_eq!(sent.len(), 1, "{state}");
        assert!(sent[0].is_final && !sent[0].poll, "{state}");
        assert_eq!(sent[0].state, talk.session.state());
    }
    let mut talk = Talk::in_state(State::AdminDown);
    talk.now = talk.now + ms(1);
    let poll = Packet { poll: true, ..packet(State::Up) };
    assert_eq!(talk.session.handle(&bytes(poll), talk.now), Err(Discard::AdminDown));
    assert_eq!(talk.sent(), []);
}

/// 6.8.7: an answer to a poll goes out "without respect to any other transmission limitations".
#[test]
fn a_poll_of_a_peer_that_wants_silence_is_answered() {
    let mut talk = Talk::in_state(State::Up);
    talk.take(Packet { required_min_rx: 0, poll: true, ..packet(State::Up) });
    assert!(talk.sent()[0].is_final);
}

/// 6.8.7: "MUST NOT periodically transmit BFD Control packets if bfd.RemoteMinRxInterval is zero."
#[test]
fn zero_means_silence_until_the_peer_wants_packets_again() {
    let mut talk = Talk::in_state(State::Up);
    let silent = Packet { required_min_rx: 0, ..packet(State::Up) };
    talk.take(silent);
    for _ in 0..20 {
        assert_eq!(talk.run(ms(90)), []);
        talk.take(silent);
    }
    assert_eq!(talk.session.state(), State::Up);
    assert_eq!(talk.session.status().transmit_interval, None);
    talk.take(packet(State::Up));
    assert_eq!(talk.sent().len(), 1, "the interval is long over: now");
}

/// 6.8.7: demand mode of the peer: silence, but for polls and their answers.
#[test]
fn demand_mode_of_the_peer_is_obeyed() {
    let mut talk = Talk::up();
    let demand = Packet { demand: true, ..packet(State::Up) };
    talk.take(demand);
    for _ in 0..20 {
        assert_eq!(talk.run(ms(90)), []);
        talk.take(demand);
    }
    talk.take(Packet { poll: true, ..demand });
    let sent = talk.sent();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].is_final && !sent[0].demand);
    // 6.6: what we say differs, even by the multiplier alone: a poll sequence.
    let mut changed = options().timers;
    changed.multiplier = NonZeroU8::new(5).unwrap();
    talk.session.set_timers(changed, talk.now);
    let sent = talk.run(ms(250));
    assert!(sent.len() >= 2, "polls go on until they are answered: {sent:?}");
    assert!(sent.iter().all(|(_, it)| it.poll && it.multiplier.get() == 5));
    talk.take(Packet { is_final: true, ..demand });
    assert_eq!(talk.run(ms(250)), []);
    // 6.8.6: no demand mode unless both are up.
    talk.take(Packet { demand: true, ..packet(State::Init) });
    assert!(!talk.run(ms(250)).is_empty());
}

/// 6.8.14: "If Demand mode is no longer active on the remote system, the local system MUST begin
/// transmitting periodic BFD Control packets."
#[test]
fn the_end_of_demand_mode_ends_the_silence() {
    let mut talk = Talk::up();
    let demand = Packet { demand: true, ..packet(State::Up) };
    talk.take(demand);
    assert_eq!(talk.run(ms(290)), []);
    talk.take(packet(State::Up));
    assert!(talk.run(ms(290)).len() >= 3);
}

/// 6.8.9, 6.8.13: we return no echo packets, and say so.
#[test]
fn echo_is_refused_in_every_packet() {
    for state in State::ALL {
        let mut talk = Talk::in_state(state);
        let echoing = Packet { required_min_echo_rx: 10_000, ..packet(State::Up) };
        let _ = talk.session.handle(&bytes(echoing), talk.now);
        let sent = talk.run(Duration::from_secs(2));
        assert!(!sent.is_empty());
        for (_, packet) in sent {
            assert_eq!(packet.required_min_echo_rx, 0);
            assert!(!packet.demand && !packet.control_plane_independent);
        }
    }
}

/// 6.8.16: "BFD Control packets SHOULD be transmitted for at least a Detection Time after
/// transitioning to AdminDown", and we ask whether they were heard.
#[test]
fn a_planned_end_is_told_and_confirmed() {
    let mut talk = Talk::up();
    talk.session.admin_down(Diagnostic::AdministrativelyDown, talk.now);
    assert!(!talk.session.is_confirmed());
    let sent = talk.sent();
    assert_eq!((sent[0].state, sent[0].poll), (State::AdminDown, true));
    let later = talk.run(ms(3000));
    assert!(later.iter().all(|(_, it)| it.state == State::AdminDown && it.poll), "{later:?}");
    assert!((2..=4).contains(&later.len()), "{later:?}");
    let answer = Packet { is_final: true, ..packet(State::Down) };
    assert_eq!(talk.session.handle(&bytes(answer), talk.now), Err(Discard::AdminDown));
    assert!(talk.session.is_confirmed());
}
