//! What happened and what happens, as clients of the socket get it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use ha2bgp::events::{Draft, Kind, Level};
use serde_json::{Value, json};

use crate::stage::Stage;

fn tell(stage: &Stage, text: &str) {
    let draft = Draft::new(Kind::Released, Level::Info, text).service("web");
    stage.teller.tell(draft.prefix("100.64.0.10/32".parse().unwrap()));
}

/// What the history holds of these; waits until `count` of them are there.
fn history(stage: &Stage, query: &str, count: usize) -> Vec<Value> {
    let start = std::time::Instant::now();
    loop {
        let (status, body) = stage.ask("GET", &format!("/v1/history?{query}"), "");
        assert_eq!(status, 200, "{body}");
        let events = body["events"].as_array().unwrap();
        if events.len() >= count {
            return events.clone();
        }
        assert!(start.elapsed() < crate::stage::SOON, "{body}");
    }
}

/// Events of a stream, one after the other.
struct Stream(BufReader<UnixStream>);

impl Stream {
    fn open(stage: &Stage, query: &str, last: Option<&str>) -> Self {
        let mut stream = stage.connect();
        let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        write!(stream, "GET /v1/events{query} HTTP/1.0\r\n{last}\r\n").unwrap();
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        lines.read_line(&mut head).unwrap();
        assert!(head.contains(" 200 "), "{head}");
        while head.trim_end() != "" {
            head.clear();
            lines.read_line(&mut head).unwrap();
        }
        Self(lines)
    }

    /// The next event: its id, kind and data.
    fn next(&mut self) -> (Option<String>, String, Value) {
        let (mut id, mut kind, mut data) = (None, String::new(), None);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some(("id", value)) => id = Some(value.to_owned()),
                Some(("event", value)) => value.clone_into(&mut kind),
                Some(("data", value)) => data = Some(serde_json::from_str(value).unwrap()),
                _ if line == "\n" && data.is_some() => return (id, kind, data.unwrap()),
                _ => assert!(line.ends_with('\n'), "the stream has ended"),
            }
        }
    }
}

#[test]
fn the_past_is_chosen_from() {
    let stage = Stage::new();
    for number in 0..5 {
        tell(&stage, &number.to_string());
    }
    let all = history(&stage, "", 6);
    assert_eq!(all[0]["kind"], "started");
    let texts = |events: &[Value]| {
        events.iter().map(|it| it["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&history(&stage, "limit=2", 2)), ["3", "4"]);
    let after = all[1]["id"].as_str().unwrap();
    assert_eq!(texts(&history(&stage, &format!("after={after}&limit=2"), 2)), ["1", "2"]);
    let one = history(&stage, "prefix=100.64.0.10&service=web&kind=released&since=1h&limit=1", 1);
    assert_eq!(one[0]["text"], "4");
    assert_eq!(history(&stage, "service=dns", 0), [] as [Value; 0]);
    for (query, field, words) in [
        ("after=x", "after", "is no id of an event: write one such as"),
        ("prefix=x", "prefix", "is no prefix: ask for example for 192.0.2.1"),
        ("kind=relaesed", "kind", "did you mean released?"),
        ("limit=0", "limit", "from 1 to 5000"),
        ("since=1", "since", "1s"),
    ] {
        let (status, body) = stage.ask("GET", &format!("/v1/history?{query}"), "");
        assert_eq!((status, &body["error"]["field"]), (400, &json!(field)), "{body}");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
    }
    stage.end();
}

#[test]
fn a_stream_is_resumed_without_a_gap_and_nothing_is_doubled() {
    let stage = Stage::new();
    let mut stream = Stream::open(&stage, "", None);
    let (begin, kind, _) = stream.next();
    assert_eq!(kind, "begin");
    for number in 0..3 {
        tell(&stage, &number.to_string());
    }
    let (_, kind, first) = stream.next();
    let (id, _, second) = stream.next();
    assert_eq!(
        (kind.as_str(), &first["text"], &second["text"]),
        ("released", &json!("0"), &json!("1"))
    );
    assert_eq!(id.as_deref(), second["id"].as_str());
    // It comes again: by what it had last, which counts more than where it began.
    drop(stream);
    let query = format!("?after={}", begin.as_deref().unwrap());
    let mut stream = Stream::open(&stage, &query, id.as_deref());
    assert_eq!(stream.next().1, "begin");
    assert_eq!(stream.next().2["text"], "2");
    tell(&stage, "3");
    assert_eq!(stream.next().2["text"], "3");
    let mut again = Stream::open(&stage, &query, None);
    let texts: Vec<Value> = (0..5).map(|_| again.next().2["text"].take()).collect();
    assert_eq!(texts[1..], ["0", "1", "2", "3"].map(Value::from));
    // What never was, or is too old, is a gap.
    let mut old = Stream::open(&stage, "?after=1-1", None);
    assert_eq!(old.next().1, "begin");
    let (id, kind, gap) = old.next();
    assert_eq!((id, kind.as_str(), &gap["after"]), (None, "gap", &json!("1-1")));
    assert_eq!((&gap["lost"], &gap["kind"]), (&Value::Null, &json!("gap")));
    assert_eq!(old.next().1, "started");
    let (status, _) = stage.ask("GET", "/v1/events?after=x", "");
    assert_eq!(status, 400);
    stage.end();
}

fn command(socket: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ha2bgp"));
    command.env_clear().env("HA2BGP_CONTROL", socket).env("TZ", "UTC").args(args);
    command
}

fn run(socket: &Path, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command(socket, args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn the_history_is_shown() {
    let stage = Stage::new();
    tell(&stage, "calm again");
    history(&stage, "", 2);
    let (code, shown, _) = run(&stage.path, &["history", "--service", "web"]);
    assert_eq!(code, 0);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].ends_with(" UTC") && lines.len() == 2, "{shown}");
    assert!(lines[1].ends_with(" N web 100.64.0.10    calm again"), "{shown}");
    let (code, shown, _) = run(&stage.path, &["history", "--json", "--since", "1h"]);
    let last: Value = serde_json::from_str(shown.lines().last().unwrap()).unwrap();
    assert_eq!((code, &last["text"]), (0, &json!("calm again")));
    let (code, shown, errors) = run(&stage.path, &["history", "--service", "no/such one"]);
    assert_eq!((code, shown.as_str()), (0, ""));
    assert!(errors.contains("nothing of that is known"));
    let (code, _, errors) = run(&stage.path, &["history", "--kind", "x"]);
    assert_eq!(code, 1);
    assert!(errors.contains("is no kind of event"), "{errors}");
    for bad in [&["history", "--since", "1"][..], &["history", "--limit", "0"], &["watch", "x"]] {
        assert_eq!(run(&stage.path, bad).0, 2);
    }
    for command in ["history", "watch"] {
        let (code, _, errors) = run(Path::new("/nowhere/x.sock"), &[command]);
        assert_eq!(code, 3);
        assert!(errors.contains("is ha2bgp running"), "{errors}");
    }
    stage.end();
}

fn watching(socket: &Path, args: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = command(socket, args).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

#[test]
fn events_are_watched() {
    let stage = Stage::new();
    let first = history(&stage, "", 1)[0]["id"].as_str().unwrap().to_owned();
    let args = ["watch", "--json", "--after", &first, "--count", "2"];
    let (mut child, lines) = watching(&stage.path, &args);
    tell(&stage, "one");
    tell(&stage, "two");
    let seen: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    let texts: Vec<&str> = seen.iter().map(|it| it["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["one", "two"]);
    assert!(child.wait().unwrap().success());
    let (code, _, errors) = run(&stage.path, &["watch", "--after", "x y"]);
    assert_eq!(code, 1);
    assert!(errors.contains("\"x y\" is no id of an event"), "{errors}");
    stage.end();
}
