//! The state machine as a table: each state of ours, each thing that can happen (RFC 5880
//! sections 6.2, 6.8.4, 6.8.6, 6.8.16).

use super::*;
use crate::bfd::{Cause, Event};

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Packet(State),
    Silence,
    AdminDown,
    AdminUp,
}

use Happens::{AdminDown as Stop, AdminUp as Start, Packet as Said, Silence};
use State::{AdminDown, Down, Init, Up};

/// From, what happens, to.
const TABLE: [(State, Happens, State); 28] = [
    (AdminDown, Said(AdminDown), AdminDown),
    (AdminDown, Said(Down), AdminDown),
    (AdminDown, Said(Init), AdminDown),
    (AdminDown, Said(Up), AdminDown),
    (AdminDown, Silence, AdminDown),
    (AdminDown, Stop, AdminDown),
    (AdminDown, Start, Down),
    (Down, Said(AdminDown), Down),
    (Down, Said(Down), Init),
    (Down, Said(Init), Up),
    (Down, Said(Up), Down),
    (Down, Silence, Down),
    (Down, Stop, AdminDown),
    (Down, Start, Down),
    (Init, Said(AdminDown), Down),
    (Init, Said(Down), Init),
    (Init, Said(Init), Up),
    (Init, Said(Up), Up),
    (Init, Silence, Down),
    (Init, Stop, AdminDown),
    (Init, Start, Init),
    (Up, Said(AdminDown), Down),
    (Up, Said(Down), Down),
    (Up, Said(Init), Up),
    (Up, Said(Up), Up),
    (Up, Silence, Down),
    (Up, Stop, AdminDown),
    (Up, Start, Up),
];

fn happen(talk: &mut Talk, what: Happens) -> Option<Cause> {
    let said = Diagnostic::PathDown;
    match what {
        Said(state) => {
            let packet = Packet { diagnostic: said, ..packet(state) };
            let result = talk.session.handle(&bytes(packet), talk.now);
            let is_held = talk.session.state() == AdminDown;
            assert_eq!(result, if is_held { Err(Discard::AdminDown) } else { Ok(()) });
        }
        Silence => {
            talk.run(Duration::from_secs(10));
        }
        Stop => talk.session.admin_down(Diagnostic::AdministrativelyDown, talk.now),
        Start => talk.session.admin_up(talk.now),
    }
    let events = talk.events();
    let mut changes = events.into_iter().filter_map(|event| match event {
        Event::StateChanged { from, to, cause } => Some((from, to, cause)),
        Event::RemoteChanged { .. } => None,
    });
    let change = changes.next();
    assert_eq!(changes.next(), None, "one step at a time");
    change.map(|it| it.2)
}

#[test]
fn every_state_takes_everything_as_the_rfc_says() {
    for (from, what, to) in TABLE {
        let mut talk = Talk::in_state(from);
        let before = talk.session.status().counters;
        let cause = happen(&mut talk, what);
        let status = talk.session.status();
        assert_eq!(status.state, to, "{from} and {what:?}");
        let expected = match (what, from == to) {
            (_, true) => None,
            (Said(AdminDown), _) => Some(Cause::NeighborAdminDown(Diagnostic::PathDown)),
            (Said(Down), _) if to == Down => Some(Cause::NeighborDown(Diagnostic::PathDown)),
            (Said(_), _) => Some(Cause::Handshake),
            (Silence, _) => Some(Cause::DetectionTimeExpired),
            (Stop, _) => Some(Cause::AdminDown(Diagnostic::AdministrativelyDown)),
            (Start, _) => Some(Cause::AdminUp),
        };
        assert_eq!(cause, expected, "{from} and {what:?}");
        let counters = status.counters;
        assert_eq!(counters.ups - before.ups, u64::from(from != Up && to == Up));
        assert_eq!(counters.downs - before.downs, u64::from(from == Up && to != Up));
        let failed = from == Up && cause.is_some_and(Cause::is_failure);
        assert_eq!(counters.failures - before.failures, u64::from(failed));
    }
}

#[test]
fn a_change_of_state_is_told_at_once_and_once() {
    for (from, what, to) in TABLE {
        if matches!(what, Silence) {
            continue;
        }
        let mut talk = Talk::in_state(from);
        talk.now = talk.now + ms(1);
        happen(&mut talk, what);
        let sent = talk.sent();
        assert_eq!(sent.len(), usize::from(from != to), "{from} and {what:?}");
        for packet in sent {
            assert_eq!(packet.state, to);
            assert_eq!(packet.diagnostic, talk.session.status().diagnostic);
        }
    }
}

#[test]
fn diagnostics_say_what_ended_the_last_time_up_until_the_next_one() {
    let mut talk = Talk::in_state(Up);
    let diagnostic = |talk: &Talk| talk.session.status().diagnostic;
    assert_eq!(diagnostic(&talk), Diagnostic::None);
    happen(&mut talk, Silence);
    assert_eq!(diagnostic(&talk), Diagnostic::DetectionTimeExpired);
    talk.take(packet(Down));
    assert_eq!((talk.session.state(), diagnostic(&talk)), (Init, Diagnostic::DetectionTimeExpired));
    talk.take(packet(Up));
    assert_eq!((talk.session.state(), diagnostic(&talk)), (Up, Diagnostic::None));
    talk.take(packet(Down));
    assert_eq!(diagnostic(&talk), Diagnostic::NeighborDown);
    talk.events();
    happen(&mut talk, Stop);
    assert_eq!(diagnostic(&talk), Diagnostic::AdministrativelyDown);
    talk.session.admin_down(Diagnostic::PathDown, talk.now);
    assert_eq!(diagnostic(&talk), Diagnostic::PathDown);
    assert_eq!(talk.sent().last().map(|it| it.diagnostic), Some(Diagnostic::PathDown));
    talk.session.admin_up(talk.now);
    assert_eq!((talk.session.state(), diagnostic(&talk)), (Down, Diagnostic::PathDown));
}

#[test]
fn admin_down_of_the_peer_is_no_failure_and_keeps_us_down() {
    let mut talk = Talk::in_state(Up);
    talk.take(packet(AdminDown));
    let causes: Vec<Event> = talk.events();
    assert_eq!(
        causes,
        [
            Event::RemoteChanged { remote: Some((AdminDown, Diagnostic::None)) },
            Event::StateChanged {
                from: Up,
                to: Down,
                cause: Cause::NeighborAdminDown(Diagnostic::None)
            }
        ]
    );
    for _ in 0..20 {
        talk.run(ms(90));
        talk.take(packet(AdminDown));
        assert_eq!(talk.session.state(), Down);
        assert_eq!(talk.session.remote().map(|it| it.state), Some(AdminDown));
    }
    assert_eq!(talk.session.status().counters.failures, 0);
    talk.take(packet(Down));
    talk.take(packet(Init));
    assert_eq!(talk.session.state(), Up);
}

#[test]
fn events_that_nobody_fetches_are_bounded_and_counted() {
    let mut talk = Talk::new(options());
    for _ in 0..Session::EVENTS_MAX {
        talk.take(packet(Init));
        talk.take(packet(Down));
        talk.sent();
    }
    let lost = talk.session.status().counters.lost_events;
    let kept = talk.events();
    assert_eq!(kept.len(), Session::EVENTS_MAX);
    assert!(lost > 0, "{lost}");
    assert!(matches!(kept.last(), Some(Event::StateChanged { to: Init | Down, .. })));
}
