//! Every state and every event: what is done, and where it leads.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use ha2bgp_core::time::Instant;

use super::*;

const NOW: Instant = Instant::from_secs(100);

/// A row for each event, a column for each state from Idle to Established: the letter of the next
/// state, then what is done.
const TABLE: &str = "
    Start           C+connect  C          A          S          O          E
    Stop            I          I-drop     I-drop     I!6/2      I!6/2      I!6/2
    Vanish          I          I-drop     I-drop     I-drop     I-drop     I-drop
    AutomaticStop   I          I-drop     I-drop     I!6/1      I!6/1      I!6/1
    ConnectRetry    I          C-drop+connect C+connect I!5/1   I!5/2      I!5/3
    Hold            I          I-drop     I-drop     I!4/0      I!4/0      I!4/0
    KeepaliveTimer  I          I-drop     I-drop     I!5/1      O+ka       E+ka
    IdleHold        I          I-drop     I-drop     I!5/1      I!5/2      I!5/3
    SendHold        I          I-drop     I-drop     I-abort    I-abort    I-abort
    TcpConnected    I          S+open     S+open     S          O          E
    TcpFailed       I          A          I-drop     A-drop     I-drop     I-drop
    Open            I          I-drop     I-drop     O+ka       I!5/2      I!5/3
    HeaderError     I          I-drop     I-drop     I!1/1      I!1/1      I!1/1
    OpenError       I          I-drop     I-drop     I!2/6      I!2/6      I!2/6
    CollisionDump   I          I-drop     I-drop     I!6/7      I!6/7      I!6/7
    Replaced        I          I-drop     I-drop     I-drop     I-drop     I-drop
    Notification    I          I-drop     I-drop     I-drop     I-drop     I-drop
    Keepalive       I          I-drop     I-drop     I!5/1      E+up       E
    Update          I          I-drop     I-drop     I!5/1      I!5/2      E
    UpdateError     I          I-drop     I-drop     I!5/1      I!5/2      I!3/1
    RouteRefresh    I          I-drop     I-drop     I!5/1      I!5/2      E
";

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

/// The name in the table; a new event does not compile without one.
fn name(event: &Event) -> &'static str {
    match event {
        Event::Start => "Start",
        Event::Stop(_) => "Stop",
        Event::Vanish(_) => "Vanish",
        Event::AutomaticStop(_) => "AutomaticStop",
        Event::Timer(TimerKind::ConnectRetry) => "ConnectRetry",
        Event::Timer(TimerKind::Hold) => "Hold",
        Event::Timer(TimerKind::Keepalive) => "KeepaliveTimer",
        Event::Timer(TimerKind::IdleHold) => "IdleHold",
        Event::Timer(TimerKind::SendHold) => "SendHold",
        Event::TcpConnected => "TcpConnected",
        Event::TcpFailed => "TcpFailed",
        Event::Open => "Open",
        Event::HeaderError(_) => "HeaderError",
        Event::OpenError(_) => "OpenError",
        Event::CollisionDump => "CollisionDump",
        Event::Replaced => "Replaced",
        Event::Notification(_) => "Notification",
        Event::Keepalive => "Keepalive",
        Event::Update => "Update",
        Event::UpdateError(_) => "UpdateError",
        Event::RouteRefresh => "RouteRefresh",
    }
}

/// One of each, in the order of the table.
fn events() -> Vec<Event> {
    let note = |code, subcode| Notification::new(code, subcode);
    Vec::from([
        Event::Start,
        Event::Stop(note(6, 2)),
        Event::Vanish(DownCause::Restart),
        Event::AutomaticStop(note(6, 1)),
        Event::Timer(TimerKind::ConnectRetry),
        Event::Timer(TimerKind::Hold),
        Event::Timer(TimerKind::Keepalive),
        Event::Timer(TimerKind::IdleHold),
        Event::Timer(TimerKind::SendHold),
        Event::TcpConnected,
        Event::TcpFailed,
        Event::Open,
        Event::HeaderError(note(1, 1)),
        Event::OpenError(note(2, 6)),
        Event::CollisionDump,
        Event::Replaced,
        Event::Notification(note(6, 4)),
        Event::Keepalive,
        Event::Update,
        Event::UpdateError(note(3, 1)),
        Event::RouteRefresh,
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
fn every_event_in_every_state_is_in_the_table() {
    let rows: Vec<Vec<&str>> = TABLE
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len(), events().len());
    for (event, row) in events().into_iter().zip(rows) {
        let name = name(&event);
        assert_eq!(row[0], name);
        for (state, want) in State::ALL.into_iter().zip(&row[1..]) {
            let mut fsm = machine(state);
            let actions = fsm.handle(event.clone(), NOW);
            assert_eq!(shown(&fsm, &actions), **want, "{name} in {state}");
            is_alive(&fsm);
        }
    }
}

/// A machine that is wanted has something that will wake it.
fn is_alive(fsm: &Fsm) {
    let needs: &[TimerKind] = match fsm.state() {
        State::Idle if fsm.is_wanted() => &[TimerKind::IdleHold],
        State::Idle => &[],
        State::Connect => &[TimerKind::ConnectRetry],
        State::Active if fsm.settings.passive => &[],
        State::Active => &[TimerKind::ConnectRetry],
        State::OpenSent => &[TimerKind::Hold],
        State::OpenConfirm | State::Established => &[TimerKind::Hold, TimerKind::Keepalive],
    };
    for kind in TimerKind::ALL {
        let runs = fsm.timers().get(kind).is_some();
        // KEEPALIVE or UPDATE restart only what they are about, so equality is not asked of the
        // SendHoldTimer, which the session runs.
        if kind != TimerKind::SendHold {
            assert_eq!(runs, needs.contains(&kind), "{kind:?} in {}", fsm.state());
        }
    }
}

#[test]
fn a_passive_machine_never_connects() {
    let mut fsm = Fsm::new(settings(true), 1);
    assert!(fsm.handle(Event::Start, NOW).is_empty());
    assert_eq!(fsm.state(), State::Active);
    is_alive(&fsm);
    fsm.handle(Event::TcpConnected, NOW);
    fsm.handle(Event::TcpFailed, NOW);
    assert_eq!(fsm.state(), State::Active);
    is_alive(&fsm);
}

#[test]
fn pauses_double_up_to_a_limit_and_end_with_a_stable_session() {
    let mut fsm = Fsm::new(settings(false), 7);
    fsm.agree(Duration::from_secs(9), Duration::from_secs(3));
    let mut now = NOW;
    fsm.handle(Event::Start, now);
    for want in [5, 10, 20, 40, 60, 60, 60] {
        fsm.handle(Event::TcpFailed, now);
        let at = fsm.timers().get(TimerKind::ConnectRetry).unwrap();
        let pause = at - now;
        let most = Duration::from_secs(want);
        assert!(pause <= most && pause >= most * 3 / 4, "{pause:?} of {most:?}");
        now = at;
        assert_eq!(fsm.take_due(now), Some(TimerKind::ConnectRetry));
        let actions = fsm.handle(Event::Timer(TimerKind::ConnectRetry), now);
        assert_eq!(actions, [Action::Connect]);
    }
    for event in [Event::TcpConnected, Event::Open, Event::Keepalive] {
        fsm.handle(event, now);
    }
    let later = now + Duration::from_secs(31);
    fsm.handle(Event::TcpFailed, later);
    let pause = fsm.timers().get(TimerKind::IdleHold).unwrap() - later;
    assert!(pause <= Duration::from_secs(1), "{pause:?}");
    assert_eq!(fsm.failures(), 1);
}

/// RFC 4271 section 4.4.
#[test]
fn keepalives_are_a_second_apart_at_least() {
    for seed in 0..100 {
        let mut fsm = Fsm::new(settings(false), seed);
        fsm.agree(Duration::from_secs(3), Duration::from_secs(1));
        for event in [Event::Start, Event::TcpConnected, Event::Open] {
            fsm.handle(event, NOW);
        }
        let at = fsm.timers().get(TimerKind::Keepalive).unwrap();
        assert_eq!(at - NOW, Duration::from_secs(1));
    }
}

#[test]
fn hold_time_zero_runs_neither_timer() {
    let mut fsm = Fsm::new(settings(false), 1);
    fsm.handle(Event::Start, NOW);
    fsm.handle(Event::TcpConnected, NOW);
    assert_eq!(fsm.timers().get(TimerKind::Hold), Some(NOW + LARGE_HOLD));
    fsm.agree(Duration::ZERO, Duration::ZERO);
    fsm.handle(Event::Open, NOW);
    // The peer has not said anything yet that would let us wait for ever.
    assert_eq!(fsm.timers().next(), Some(NOW + LARGE_HOLD));
    fsm.handle(Event::Keepalive, NOW);
    assert_eq!(fsm.state(), State::Established);
    assert_eq!(fsm.timers().next(), None);
}

#[test]
fn keepalives_are_early_by_up_to_a_quarter() {
    let mut pauses = Vec::new();
    for seed in 0..200 {
        let mut fsm = Fsm::new(settings(false), seed);
        fsm.agree(Duration::from_secs(9), Duration::from_secs(3));
        for event in [Event::Start, Event::TcpConnected, Event::Open] {
            fsm.handle(event, NOW);
        }
        pauses.push(fsm.timers().get(TimerKind::Keepalive).unwrap() - NOW);
    }
    let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
    assert!(*least >= Duration::from_millis(2250) && *least < Duration::from_millis(2300));
    assert!(*most <= Duration::from_secs(3) && *most > Duration::from_millis(2950));
}
