//! Timers: negotiation, jitter, detection, poll sequences (RFC 5880 sections 6.5, 6.8.2 to 6.8.4, 6.8.7).

use super::*;

/// Keeps the session up with the peer's packets, `each` apart, for `time`.
fn keep(talk: &mut Talk, said: Packet, each: Duration, time: Duration) -> Vec<(Instant, Packet)> {
    let end = talk.now + time;
    let mut sent = Vec::new();
    while talk.now < end {
        sent.extend(talk.run(each));
        talk.take(said);
    }
    sent
}

fn gaps(sent: &[(Instant, Packet)]) -> Vec<Duration> {
    sent.windows(2).map(|it| it[1].0 - it[0].0).collect()
}

#[test]
fn a_session_that_is_not_up_sends_about_once_a_second() {
    for state in [State::Down, State::Init, State::AdminDown] {
        let mut talk = Talk::in_state(state);
        talk.session.set_timers(timers(10, 10, 3), talk.now);
        let sent = talk.run(Duration::from_secs(60));
        for gap in gaps(&sent) {
            assert!((ms(750)..=ms(1000)).contains(&gap), "{state}: {gap:?}");
        }
        assert!(sent.len() >= 60);
        assert!(sent.iter().all(|(_, it)| it.desired_min_tx == 1_000_000));
    }
    let mut slower = options();
    slower.timers = timers(5000, 60, 3);
    let mut talk = Talk::new(slower);
    assert!(talk.sent().iter().all(|it| it.desired_min_tx == 5_000_000));
    assert!(gaps(&talk.run(Duration::from_secs(60))).iter().all(|it| *it >= ms(3750)));
}

#[test]
fn the_slower_of_both_decides_and_jitter_takes_up_to_a_quarter() {
    for (theirs, agreed) in [(10_000, 50), (50_000, 50), (200_000, 200)] {
        let mut talk = Talk::up();
        let said = Packet { required_min_rx: theirs, ..packet(State::Up) };
        talk.take(said);
        talk.run(ms(200));
        talk.take(said);
        let sent = keep(&mut talk, said, ms(90), Duration::from_secs(100));
        let (mut least, mut most) = (Duration::MAX, Duration::ZERO);
        for gap in gaps(&sent) {
            least = least.min(gap);
            most = most.max(gap);
        }
        let percent = |share: u64| ms(agreed) * u32::try_from(share).unwrap() / 100;
        assert!(least >= percent(75) && least < percent(77), "{agreed}: {least:?}");
        assert!(most <= percent(100) && most > percent(98), "{agreed}: {most:?}");
        assert_eq!(talk.session.status().transmit_interval, Some(ms(agreed)));
    }
}

#[test]
fn with_a_multiplier_of_one_no_packet_is_late() {
    let mut talk = Talk::up();
    talk.session.set_timers(timers(50, 60, 1), talk.now);
    let said = packet(State::Up);
    keep(&mut talk, said, ms(90), ms(500));
    let sent = keep(&mut talk, said, ms(90), Duration::from_secs(100));
    assert!(sent.iter().all(|(_, it)| it.multiplier.get() == 1));
    for gap in gaps(&sent) {
        assert!((ms(75)..=ms(90)).contains(&gap), "{gap:?}");
    }
}

#[test]
fn detection_is_the_peers_multiplier_times_the_slower_interval() {
    for (tx, multiplier, expected) in
        [(100_000, 3, 300), (10_000, 3, 180), (100_000, 255, 25_500), (0, 1, 60)]
    {
        let mut talk = Talk::up();
        talk.take(Packet {
            desired_min_tx: tx,
            multiplier: NonZeroU8::new(multiplier).unwrap(),
            ..packet(State::Up)
        });
        assert_eq!(talk.session.status().detection_time, Some(ms(expected)));
        let heard = talk.now;
        talk.run(ms(expected) - Duration::from_micros(1));
        assert_eq!(talk.session.state(), State::Up);
        talk.run(Duration::from_micros(1));
        assert_eq!(talk.session.state(), State::Down);
        assert_eq!(talk.session.status().since, heard + ms(expected));
    }
}

/// Packets that wait go in before time passes, and are worth as much as if they were new.
#[test]
fn a_process_that_slept_does_not_blame_the_peer() {
    let mut talk = Talk::up();
    talk.now = talk.now + ms(5000);
    talk.take(packet(State::Up));
    talk.session.handle_timeout(talk.now);
    assert_eq!(talk.session.state(), State::Up);
    assert_eq!(talk.sent().len(), 1);
}

#[test]
fn coming_up_and_going_down_change_the_interval_and_are_polled() {
    let mut talk = Talk::in_state(State::Init);
    assert!(talk.session.is_confirmed());
    talk.now = talk.now + ms(10);
    talk.take(packet(State::Up));
    let sent = talk.sent();
    assert_eq!((sent[0].poll, sent[0].desired_min_tx), (true, 50_000));
    talk.take(Packet { is_final: true, ..packet(State::Up) });
    assert!(talk.run(ms(90)).iter().all(|(_, it)| !it.poll));
    talk.take(packet(State::Down));
    let sent = talk.sent();
    assert_eq!((sent[0].poll, sent[0].desired_min_tx), (true, 1_000_000));
}

/// 6.8.3: a longer transmit interval counts when the peer has confirmed it.
#[test]
fn a_longer_transmit_interval_waits_for_the_final() {
    let mut talk = Talk::up();
    talk.session.set_timers(timers(400, 60, 3), talk.now);
    let said = packet(State::Up);
    let sent = keep(&mut talk, said, ms(90), ms(2000));
    assert!(gaps(&sent).iter().all(|gap| *gap <= ms(100)), "{:?}", gaps(&sent));
    assert!(sent.iter().all(|(_, it)| it.poll && it.desired_min_tx == 400_000));
    talk.take(Packet { is_final: true, ..said });
    assert_eq!(talk.session.status().transmit_interval, Some(ms(400)));
    let sent = keep(&mut talk, said, ms(90), ms(4000));
    assert!(gaps(&sent).iter().all(|gap| *gap >= ms(300)), "{:?}", gaps(&sent));
    assert!(sent.iter().all(|(_, it)| !it.poll));
}

/// 6.8.3: a shorter one counts at once.
#[test]
fn a_shorter_transmit_interval_counts_at_once() {
    let mut talk = Talk::up();
    let said = Packet { required_min_rx: 10_000, ..packet(State::Up) };
    keep(&mut talk, said, ms(45), ms(500));
    talk.session.set_timers(timers(20, 60, 3), talk.now);
    let start = talk.now;
    let sent = keep(&mut talk, said, ms(90), ms(180));
    assert!(sent[0].0 - start <= ms(20), "{:?}", sent[0].0 - start);
    assert!(gaps(&sent).iter().all(|gap| *gap <= ms(20)));
    assert!(sent.iter().all(|(_, it)| it.poll && it.desired_min_tx == 20_000));
}

/// 6.8.3: a shorter receive interval counts when the peer has confirmed it.
#[test]
fn a_shorter_receive_interval_waits_for_the_final() {
    let mut talk = Talk::new(Options { timers: timers(50, 500, 3), ..options() });
    talk.take(packet(State::Init));
    talk.sent();
    talk.take(Packet { is_final: true, ..packet(State::Up) });
    assert_eq!(talk.session.status().detection_time, Some(ms(1500)));
    talk.session.set_timers(timers(50, 60, 3), talk.now);
    assert_eq!(talk.session.status().detection_time, Some(ms(1500)));
    let sent = talk.run(ms(90));
    assert!(!sent.is_empty());
    assert!(sent.iter().all(|(_, it)| it.poll && it.required_min_rx == 60_000));
    talk.take(Packet { is_final: true, ..packet(State::Up) });
    assert_eq!(talk.session.status().detection_time, Some(ms(300)));
}

/// 6.8.3: a longer one counts at once.
#[test]
fn a_longer_receive_interval_counts_at_once() {
    let mut talk = Talk::up();
    talk.session.set_timers(timers(50, 500, 3), talk.now);
    assert_eq!(talk.session.status().detection_time, Some(ms(1500)));
    assert!(!talk.session.is_confirmed());
}

/// 6.8.3: "the local system MUST honor the new interval immediately".
#[test]
fn a_peer_that_wants_more_gets_it_at_once() {
    let mut talk = Talk::up();
    let slow = Packet { required_min_rx: 5_000_000, ..packet(State::Up) };
    talk.take(slow);
    talk.run(ms(290));
    assert_eq!(talk.session.state(), State::Up);
    talk.take(packet(State::Up));
    assert_eq!(talk.sent().len(), 1, "the new interval is over already");
}

/// 6.8.3: two changes are not polled at once: a final would be read for both.
#[test]
fn a_change_during_a_poll_sequence_waits_for_its_end() {
    let mut talk = Talk::up();
    let said = packet(State::Up);
    talk.session.set_timers(timers(400, 60, 3), talk.now);
    keep(&mut talk, said, ms(90), ms(180));
    talk.session.set_timers(timers(900, 70, 4), talk.now);
    let sent = keep(&mut talk, said, ms(90), ms(180));
    assert!(sent.iter().all(|(_, it)| it.desired_min_tx == 400_000), "{sent:?}");
    // The final is for 400 ms. The first poll is about 300 ms old: so long may
    // answers to others be on their way.
    talk.take(Packet { is_final: true, ..said });
    assert_eq!(talk.session.status().transmit_interval, Some(ms(400)));
    assert!(!talk.session.is_confirmed());
    for _ in 0..2 {
        assert!(talk.run(ms(90)).iter().all(|(_, it)| !it.poll && it.desired_min_tx == 400_000));
        // Second answers to the same polls say nothing of what comes.
        talk.take(Packet { is_final: true, ..said });
    }
    keep(&mut talk, said, ms(90), ms(540));
    let sent = keep(&mut talk, said, ms(90), ms(1800));
    let seen: Vec<(bool, u32, u8)> =
        sent.iter().map(|(_, it)| (it.poll, it.desired_min_tx, it.multiplier.get())).collect();
    assert!(seen.iter().all(|it| *it == (true, 900_000, 4)), "{seen:?}");
    assert!(gaps(&sent).iter().all(|gap| *gap <= ms(400)), "900 ms are not confirmed");
    talk.take(Packet { is_final: true, ..said });
    assert_eq!(talk.session.status().transmit_interval, Some(ms(900)));
    assert!(talk.session.is_confirmed());
    assert_eq!(talk.session.status().timers, timers(900, 70, 4));
}

/// 6.8.3: a round trip after the last poll another one may begin, also where the peer is silent.
#[test]
fn the_rest_after_a_poll_sequence_ends_by_time() {
    let mut talk = Talk::up();
    let said = Packet { demand: true, ..packet(State::Up) };
    talk.take(said);
    talk.session.set_timers(timers(400, 60, 3), talk.now);
    talk.run(ms(250));
    talk.session.set_timers(timers(500, 60, 3), talk.now);
    talk.take(Packet { is_final: true, ..said });
    assert!(!talk.session.is_confirmed());
    let sent = talk.run(ms(145));
    assert!(sent.is_empty(), "the peer wants silence, and it is too early: {sent:?}");
    talk.take(Packet { is_final: true, ..said });
    let sent = talk.run(ms(295));
    assert!(sent.iter().any(|(_, it)| it.poll && it.desired_min_tx == 500_000), "{sent:?}");
}

/// 6.8.3: what waits for a final does so only while the session is up.
#[test]
fn going_down_makes_everything_count() {
    let mut talk = Talk::up();
    talk.session.set_timers(timers(400, 30, 3), talk.now);
    talk.run(ms(90));
    talk.session.set_timers(timers(2000, 20, 9), talk.now);
    talk.take(packet(State::Down));
    let sent = talk.sent();
    assert_eq!(sent[0].desired_min_tx, 2_000_000);
    assert_eq!((sent[0].required_min_rx, sent[0].multiplier.get()), (20_000, 9));
    assert_eq!(talk.session.status().transmit_interval, Some(ms(2000)));
}

/// 6.8.12: the multiplier needs no poll sequence.
#[test]
fn a_multiplier_changes_without_a_poll_sequence() {
    let mut talk = Talk::up();
    talk.session.set_timers(timers(50, 60, 7), talk.now);
    assert!(talk.session.is_confirmed());
    assert!(talk.run(ms(110)).iter().all(|(_, it)| !it.poll && it.multiplier.get() == 7));
}
