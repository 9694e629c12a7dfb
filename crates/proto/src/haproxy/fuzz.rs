//! What must hold whatever HAProxy or its files say: bodies of fuzz targets in `fuzz/`, replayed
//! by `cargo test`. A broken rule panics; nothing else calls these.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use ha2bgp_core::check::DETAIL_MAX;

use super::config::{BINDS_MAX, Config, Context, File, NOTES_MAX};
use super::info::Info;
use super::judge::{Amount, Backends, Judgement, Quantifier, Requirement, judge};
use super::session::{Event, Session, SessionError};
use super::stat::{self, StatReader, Table};

/// Judges a table in several ways; texts stay short whatever names the table has.
fn judge_all(info: &Info, table: &Table) {
    let names = |wanted: fn(&stat::Proxy) -> bool| -> Vec<String> {
        let found = table.proxies().filter(|(_, it)| wanted(it)).map(|(name, _)| name.to_string());
        found.take(8).collect()
    };
    let frontends = names(|it| it.frontend.is_some());
    let backends = names(|it| it.backend.is_some());
    for amount in [Amount::Count(1), Amount::Percent(50), Amount::Percent(255)] {
        for quantifier in [Quantifier::Each, Quantifier::Any] {
            let requirement = Requirement {
                min_servers: amount,
                warn_servers: Some(Amount::Count(u32::MAX)),
                quantifier,
                weighted: quantifier == Quantifier::Any,
                ..Requirement::new(frontends.clone(), Backends::Named(backends.clone()))
            };
            match judge(info, table, &requirement) {
                Judgement::Result(result) => assert!(result.detail.len() <= DETAIL_MAX),
                Judgement::Missing { what } => panic!("{what}, which is in the table"),
                Judgement::Stopping { .. } => assert!(info.stopping),
            }
        }
    }
}

/// Any octets as an answer to `show stat`, cut at their first octet: the cut does not matter, and
/// what was read can be judged.
#[doc(hidden)]
pub fn fuzz_csv(input: &[u8]) {
    let Some((cut, answer)) = input.split_first() else { return };
    let mut reader = StatReader::default();
    let pieces = answer.chunks(usize::from(*cut).max(1));
    let fed = pieces.map(|piece| reader.feed(piece)).find(Result::is_err);
    let in_pieces = fed.unwrap_or(Ok(())).and_then(|()| reader.finish());
    let whole = stat::parse(answer);
    assert_eq!(in_pieces, whole, "the cut matters");
    let Ok(table) = whole else { return };
    let rows: usize = table
        .proxies()
        .map(|(_, it)| {
            it.listeners.len()
                + it.servers.len()
                + usize::from(it.frontend.is_some())
                + usize::from(it.backend.is_some())
        })
        .sum();
    assert_eq!(rows, table.rows(), "a row is lost");
    judge_all(&Info::default(), &table);
}

/// Any text as two files, cut at a form feed: notes and binds stay within their limits, and a
/// frontend serves what its binds serve.
#[doc(hidden)]
pub fn fuzz_config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let files: Vec<File<'_>> =
        text.splitn(2, '\u{c}').map(|text| File { name: "fuzz.cfg", text }).collect();
    let variable = |name: &str| match name {
        "LIST" => Some("10.0.0.1:80 v6only name x".to_string()),
        "VIP" => Some("192.0.2.1".to_string()),
        _ => None,
    };
    let context = Context { variable: &variable, version: Some("2.6.12-1+deb12u3") };
    let config = Config::parse(&files, &context);
    let binds = config.frontends.iter().map(|it| it.binds.len()).sum::<usize>();
    assert!(config.notes.len() <= NOTES_MAX && binds <= BINDS_MAX);
    for vip in ["192.0.2.1", "2001:db8::1"].map(|it| it.parse()) {
        let Ok(vip) = vip else { return };
        let all: BTreeSet<_> = config.frontends_of(vip, None).into_iter().collect();
        let some = config.frontends_of(vip, Some(80));
        assert!(some.iter().all(|it| all.contains(it)), "port 80 is one of all ports");
    }
    for frontend in &config.frontends {
        assert!(!frontend.name.is_empty());
        let used: BTreeSet<_> = frontend.backends().into_iter().collect();
        assert!(frontend.static_backends.iter().all(|it| used.contains(&it.as_str())));
    }
}

/// Everything a session says when a stream comes in pieces of that size and it is always written
/// to and polled.
fn converse(stream: &[u8], size: usize) -> Vec<Event> {
    let mut session = Session::new();
    session.start_poll();
    for piece in stream.chunks(size) {
        session.handle_bytes(piece);
        while let Some(count) = session.poll_write().map(<[u8]>::len) {
            assert!(count < 64, "a command of {count} octets");
            session.written(count);
        }
    }
    session.handle_close();
    assert!(session.is_over() && !session.is_polling() && !session.start_poll());
    let mut events: Vec<_> = core::iter::from_fn(|| session.poll_event()).collect();
    // How much is told of what nobody asked for depends on the piece it came in.
    if let Some(Event::Failed(SessionError::Unasked { said })) = events.last_mut() {
        *said = Box::default();
    }
    events
}

/// Any octets as what a stats socket says, cut at their first octet: the cut does not matter,
/// there is one picture at most, and the session ends with its connection.
#[doc(hidden)]
pub fn fuzz_session(input: &[u8]) {
    let Some((cut, stream)) = input.split_first() else { return };
    let events = converse(stream, usize::from(*cut).max(1));
    assert_eq!(events, converse(stream, usize::MAX), "the cut matters");
    for (place, event) in events.iter().enumerate() {
        match event {
            Event::Picture { info, table } => {
                assert_eq!(place, 0);
                judge_all(info, table);
            }
            Event::Failed(error) => {
                assert_eq!(place + 1, events.len(), "it ends with a failure");
                assert!(error.to_string().len() < 1000);
            }
        }
    }
}
