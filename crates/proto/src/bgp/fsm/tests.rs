//! Every state and every event: what is done, and where it leads.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use std::println;

use ha2bgp_core::time::Instant;

use super::*;

const NOW: Instant = Instant::from_secs(100);

fn settings(passive: bool) -> Settings {
    Settings {
        passive,
        connect_retry: Backoff { first: Duration::from_secs(5), max: Duration::from_secs(60) },
        idle_hold: Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60) },
        stable_after: Duration::from_secs(30),
    }
}

fn machine(state: State) -> Fsm {
    let mut fsm = Fsm::new(settings(false), 1);
    fsm.agree(Duration::from_secs(9), Duration::from_secs(3));
    let path: &[Event] = &match state {
        State::Idle => [].to_vec(),
        State::Connect => [Event::Start].to_vec(),
        State::Active => [Event::Start, Event::TcpFailed].to_vec(),
        State::OpenSent => [Event::Start, Event::TcpConnected].to_vec(),
        State::OpenConfirm => [Event::Start, Event::TcpConnected, Event::Open].to_vec(),
        State::Established => {
            [Event::Start, Event::TcpConnected, Event::Open, Event::Keepalive].to_vec()
        }
    };
    for event in path {
        fsm.handle(event.clone(), NOW);
    }
    assert_eq!(fsm.state(), state);
    fsm
}

fn events() -> Vec<(&'static str, Event)> {
    let note = |code, subcode| Notification::new(code, subcode);
    Vec::from([
        ("Start", Event::Start),
        ("Stop", Event::Stop(note(6, 2))),
        ("Vanish", Event::Vanish),
        ("AutomaticStop", Event::AutomaticStop(note(6, 1))),
        ("ConnectRetry", Event::Timer(TimerKind::ConnectRetry)),
        ("Hold", Event::Timer(TimerKind::Hold)),
        ("KeepaliveTimer", Event::Timer(TimerKind::Keepalive)),
        ("IdleHold", Event::Timer(TimerKind::IdleHold)),
        ("SendHold", Event::Timer(TimerKind::SendHold)),
        ("TcpConnected", Event::TcpConnected),
        ("TcpFailed", Event::TcpFailed),
        ("Open", Event::Open),
        ("HeaderError", Event::HeaderError(note(1, 1))),
        ("OpenError", Event::OpenError(note(2, 6))),
        ("CollisionDump", Event::CollisionDump),
        ("Replaced", Event::Replaced),
        ("Notification", Event::Notification(note(6, 4))),
        ("Keepalive", Event::Keepalive),
        ("Update", Event::Update),
        ("UpdateError", Event::UpdateError(note(3, 1))),
        ("RouteRefresh", Event::RouteRefresh),
    ])
}

fn shown(fsm: &Fsm, actions: &[Action]) -> String {
    let state = match fsm.state() {
        State::Idle => "I",
        State::Connect => "C",
        State::Active => "A",
        State::OpenSent => "S",
        State::OpenConfirm => "O",
        State::Established => "E",
    };
    let mut cell = state.to_string();
    for action in actions {
        cell += &match action {
            Action::Connect => "+connect".to_string(),
            Action::SendOpen => "+open".to_string(),
            Action::SendKeepalive => "+ka".to_string(),
            Action::Up => "+up".to_string(),
            Action::Close(it) => format!("!{}/{}", it.code, it.subcode),
            Action::Drop => "-drop".to_string(),
            Action::Abort => "-abort".to_string(),
            Action::Report(_) => String::new(),
        };
    }
    cell
}

#[test]
fn print_table() {
    for (name, event) in events() {
        let mut row = format!("    {name:<15}");
        for state in State::ALL {
            let mut fsm = machine(state);
            let actions = fsm.handle(event.clone(), NOW);
            row += &format!(" {:<10}", shown(&fsm, &actions));
        }
        println!("{}", row.trim_end());
    }
}
