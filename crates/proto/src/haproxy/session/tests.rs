//! Conversations as they were seen with 2.6, and what else may come.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const INFO: &str = include_str!("../testdata/info-2.6.txt");
const STAT: &str = include_str!("../testdata/stat-2.6.csv");

/// Takes and "writes" what there is to write.
fn write(session: &mut Session) -> String {
    let Some(bytes) = session.poll_write() else { return String::new() };
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    session.written(text.len());
    text
}

/// A conversation: each answer comes in pieces after the command it belongs to.
fn talk(answers: &[&str], size: usize) -> (Vec<String>, Vec<Event>, Session) {
    let mut session = Session::new();
    let (mut said, mut events) = (Vec::new(), Vec::new());
    assert!(session.start_poll());
    for answer in answers {
        said.push(write(&mut session));
        for piece in answer.as_bytes().chunks(size) {
            session.handle_bytes(piece);
        }
        events.extend(core::iter::from_fn(|| session.poll_event()));
        if !session.is_polling() && !session.is_over() {
            assert!(session.start_poll());
        }
    }
    (said, events, session)
}

fn stats_answers() -> [String; 3] {
    ["\n> ".into(), [INFO, "\n> "].concat(), [STAT, "\n> "].concat()]
}

fn failed(answers: &[&str]) -> SessionError {
    let (_, mut events, mut session) = talk(answers, 7);
    if events.is_empty() {
        session.handle_close();
        events.extend(session.poll_event());
    }
    assert!(session.is_over() && !session.start_poll());
    match events.pop() {
        Some(Event::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stats_socket() {
    let [greeting, info, stat] = stats_answers();
    let (said, events, session) = talk(&[&greeting, &info, &stat, &info, &stat], 1000);
    assert_eq!(said, ["prompt\n", "show info\n", "show stat\n", "show info\n", "show stat\n"]);
    assert_eq!(session.socket(), Some(Socket::Stats));
    assert_eq!(events.len(), 2);
    for event in events {
        let Event::Picture { info, table } = event else { panic!("{event:?}") };
        assert_eq!((info.version.as_deref(), table.rows()), (Some("2.6.12-1+deb12u3"), 31));
    }
}

#[test]
fn the_master_socket() {
    let info = [INFO, "\nmaster> "].concat();
    let stat = [STAT, "\nmaster[ReloadFailed](xed)> "].concat();
    let (said, events, session) = talk(&["master> ", &info, &stat], 1000);
    assert_eq!(said, ["prompt\n", "@1 show info\n", "@1 show stat\n"]);
    assert_eq!(session.socket(), Some(Socket::Master));
    assert!(matches!(events.as_slice(), [Event::Picture { .. }]));
}

#[test]
fn a_stopping_process_ends_the_session() {
    let [greeting, info, stat] = stats_answers();
    let info = info.replace("Stopping: 0", "Stopping: 1");
    let (_, events, mut session) = talk(&[&greeting, &info, &stat], 1000);
    assert!(matches!(events.as_slice(), [Event::Picture { info, .. }] if info.stopping));
    assert!(session.is_over() && !session.start_poll());
    session.handle_close();
    assert_eq!(session.poll_event(), None);
}

/// A check may have seen a line break and what looks like a prompt.
#[test]
fn a_prompt_inside_of_quotes_is_none() {
    let [greeting, info, _] = stats_answers();
    let stat = "# pxname,svname,status,type,last_chk\nw,s,DOWN,2,\"it said\n\n> and\n\n> \"\n\n> ";
    for size in [1, 2, 3, 1000] {
        let (_, events, _) = talk(&[&greeting, &info, stat], size);
        assert!(matches!(events.as_slice(), [Event::Picture { .. }]), "{events:?}");
    }
}

#[test]
fn failures_are_typed() {
    let [greeting, info, stat] = stats_answers();
    let denied = "Permission denied\n\n> ";
    let error = failed(&[&greeting, denied]);
    assert!(error.to_string().contains("refused `show info`: \"Permission denied\""), "{error}");
    let unknown = "Unknown command, but maybe one of these:\n  help\n\n> ";
    let error = failed(&[&greeting, &info, unknown]);
    assert!(matches!(error, SessionError::Refused { command: "show stat", .. }), "{error}");
    // Seen on the master socket when no worker is there; then it closes.
    let lost = "Can't find the target PID matching the prefix '@1'\n";
    let error = failed(&["master> ", lost]);
    assert!(error.to_string().contains("prefix '@1'"), "{error}");
    assert!(matches!(error, SessionError::Closed { command: "show info", .. }));
    let half = stat.get(..4000).unwrap();
    let error = failed(&[&greeting, &info, half]);
    assert!(matches!(error, SessionError::Closed { command: "show stat", .. }));
    assert!(matches!(failed(&[""]), SessionError::Closed { command: "prompt", .. }));
    assert_eq!(failed(&[&"HTTP/1.0 400 Bad\n".repeat(999)]), SessionError::NoPrompt);
    assert_eq!(failed(&[&"x".repeat(9999)]), SessionError::NoPrompt);
    assert!(matches!(failed(&[&greeting, "\n> "]), SessionError::Info(_)));
    assert!(matches!(failed(&[&greeting, &info, "\n> "]), SessionError::Stat(_)));
    let endless = "k: v\n".repeat(info::LINES_MAX + 1);
    assert_eq!(failed(&[&greeting, &endless]), InfoError::TooMuch.into());
    let wide = "x".repeat(stat::LINE_MAX + 1);
    assert!(matches!(failed(&[&greeting, &info, &wide]), SessionError::Stat(_)));
}

#[test]
fn between_polls() {
    let mut session = Session::new();
    session.handle_bytes(b"hello");
    let said = "hello".into();
    assert_eq!(session.poll_event(), Some(Event::Failed(SessionError::Unasked { said })));
    session.handle_bytes(b"more");
    assert_eq!(session.poll_event(), None);
    let mut session = Session::new();
    session.handle_close();
    assert_eq!(session.poll_event(), Some(Event::Failed(SessionError::ClosedIdle)));
    let [greeting, info, stat] = stats_answers();
    let more = [stat.as_str(), "\n> "].concat();
    let (_, events, _) = talk(&[&greeting, &info, &more], 50);
    assert!(matches!(
        events.as_slice(),
        [Event::Picture { .. }, Event::Failed(SessionError::Unasked { .. })]
    ));
}

/// All events of one stream of octets, cut so.
fn listen(stream: &[u8], size: usize) -> Vec<Event> {
    let mut session = Session::new();
    session.start_poll();
    stream.chunks(size).for_each(|piece| session.handle_bytes(piece));
    session.handle_close();
    let mut events: Vec<_> = core::iter::from_fn(|| session.poll_event()).collect();
    // The excerpt of what nobody asked for is of the piece it came in.
    for event in &mut events {
        if let Event::Failed(SessionError::Unasked { said }) = event {
            *said = Box::default();
        }
    }
    events
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(
        pieces in prop::collection::vec(prop_oneof![
            Just("\n> "), Just("> "), Just("\n"), Just("master> "), Just("master(x)> "),
            Just("Version: 2.6\nPid: 1\n"), Just("# pxname,svname,status,type\n"),
            Just("w,s,UP,2\n"), Just("\""), Just("mast"), Just("Permission denied\n"),
            Just("\r\n"), Just("é"),
        ], 0..24),
        size in 1_usize..30,
    ) {
        let stream = pieces.concat();
        prop_assert_eq!(listen(stream.as_bytes(), size), listen(stream.as_bytes(), 4096));
    }

    #[test]
    fn a_real_conversation_may_be_cut_anywhere(size in 1_usize..9000) {
        let [greeting, info, stat] = stats_answers();
        let (_, events, _) = talk(&[&greeting, &info, &stat], size);
        let good = matches!(events.as_slice(), [Event::Picture { .. }]);
        prop_assert!(good, "{events:?}");
    }
}
