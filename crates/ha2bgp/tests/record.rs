//! The flight recorder and its replay: what is recorded is repeated, by the library and by the command.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant as Wall};

use ha2bgp::clock::Clock;
use ha2bgp::record::file::{Head, before};
use ha2bgp::record::replay::{Found, Replay, Summary};
use ha2bgp::record::{RecordSettings, Recorder};
use ha2bgp_core::check::{CheckIndex, CheckKey, Counting, Outcome, ProbeResult};
use ha2bgp_core::config::{CheckConfig, CheckKind, EngineConfig, LISTEN, Powers};
use ha2bgp_core::engine::{Engine, Input, Output};
use ha2bgp_core::fact::{ListenAddress, Listener, Observation, Protocol, SocketId, Source};
use ha2bgp_core::net::Networks;
use ha2bgp_core::record::{Decision, Entry, HEAD, write};
use ha2bgp_core::rule::Rule;
use ha2bgp_core::time::Instant;

/// Time enough for anything that should happen soon, on a machine with other work.
const SOON: Duration = Duration::from_secs(20);

fn config() -> EngineConfig {
    let mut config = EngineConfig {
        networks: Networks::new(vec!["100.64.0.0/24".parse().unwrap()]),
        ..EngineConfig::default()
    };
    let counting = Counting { rise: 1, fall: 2, initial: Outcome::Unknown };
    let page = config.add_check(CheckConfig {
        name: "page".into(),
        kind: CheckKind::Probe { per_vip: false, counting },
        powers: Powers::default(),
        shadow: false,
    });
    config.defaults.rule = Rule::All(vec![Rule::Check(LISTEN), Rule::Check(page)]);
    config
}

fn at(millis: u64) -> Instant {
    Instant::START + Duration::from_millis(millis)
}

/// A service that comes, fails, and comes again, every ten seconds.
fn inputs(rounds: u64) -> Vec<(Instant, Input)> {
    let page = CheckKey { check: CheckIndex(2), vip: None };
    let probe = |outcome| Observation::Probed {
        check: page,
        result: ProbeResult::new(outcome, "status 503, or so"),
    };
    let id = SocketId { protocol: Protocol::Tcp, cookie: 1 };
    let address = ListenAddress::Address([100, 64, 0, 10].into());
    let mut inputs = vec![
        (0, Observation::ListenerOpened(Listener { id, address, port: 80 })),
        (0, Observation::Complete(Source::Listen)),
        (0, Observation::Complete(Source::Address)),
    ];
    for round in 0..rounds {
        let begin = round * 60_000;
        inputs.push((begin + 1, probe(Outcome::Pass)));
        inputs.push((begin + 20_000, probe(Outcome::Fail)));
        inputs.push((begin + 21_000, probe(Outcome::Fail)));
        inputs.push((begin + 26_000, probe(Outcome::Pass)));
    }
    inputs.into_iter().map(|(time, it)| (at(time), Input::Observation(it))).collect()
}

/// Runs an engine as the program does: with its timers, and with somebody who takes notes.
fn run(
    engine: &mut Engine,
    inputs: Vec<(Instant, Input)>,
    note: &mut dyn FnMut(&Engine, Instant, Note),
) {
    let mut step = |engine: &mut Engine, now, input: Input| {
        note(engine, now, Note::Input(input.clone()));
        engine.handle(input, now);
        while let Some(output) = engine.poll_output() {
            if let Output::Event(event) = output {
                note(engine, now, Note::Event(event));
            }
        }
    };
    for (now, input) in inputs {
        while let Some(due) = engine.poll_timeout().filter(|due| *due <= now) {
            // A little late, as timers are.
            step(engine, due.max(due + Duration::from_micros(700)).min(now), Input::Timeout);
        }
        step(engine, now, input);
    }
}

enum Note {
    Input(Input),
    Event(ha2bgp_core::event::Event),
}

/// A record of that, as text.
fn record(config: EngineConfig, rounds: u64) -> String {
    let mut text = format!(
        "{HEAD}\n# clock 0 2026-01-31T12:00:00Z\n# listen-filter sport = :80\n{}# checkpoint ends\n",
        write(Instant::START, &Entry::Start(Box::new(config.clone())))
    );
    let mut engine = Engine::new(config, Instant::START);
    run(&mut engine, inputs(rounds), &mut |_, now, note| match note {
        Note::Input(input) => text += &write(now, &Entry::Input(input)),
        Note::Event(event) => {
            let decision = Decision::of(&event).map(Entry::Decision);
            text.extend(decision.map(|decision| write(now, &decision)));
        }
    });
    text
}

fn replay(text: &str, other: Option<EngineConfig>) -> (Summary, Vec<(Instant, Found)>) {
    let mut replay = Replay::new(other);
    let mut found = Vec::new();
    for line in text.lines() {
        replay.line(line, &mut |at, what| found.push((at, what))).unwrap();
    }
    let summary = replay.end(&mut |at, what| found.push((at, what)));
    (summary, found)
}

#[test]
fn what_was_decided_is_decided_again() {
    let (summary, found) = replay(&record(config(), 3), None);
    assert_eq!((summary.otherwise, summary.decisions), (0, 6), "{found:?}");
    // The same, byte by byte, every time.
    assert_eq!(record(config(), 3), record(config(), 3));
    // What was not decided so is told.
    let text = record(config(), 1).replace("> withdrawn", "> last-choice");
    let (summary, found) = replay(&text, None);
    assert_eq!(summary.otherwise, 2, "{found:?}");
    assert!(found.iter().any(|(_, it)| matches!(it, Found::NotRepeated(_))));
    assert!(found.iter().any(|(_, it)| matches!(it, Found::NotRecorded(_))));
}

#[test]
fn another_configuration_is_compared() {
    let mut patient = config();
    patient.defaults.down_delay = Duration::from_secs(30);
    let (summary, found) = replay(&record(config(), 3), Some(patient));
    assert_eq!((summary.otherwise, summary.differs), (0, 3), "{found:?}");
    let (same, _) = replay(&record(config(), 3), Some(config()));
    assert_eq!(same.differs, 0);
    // Its check has another name: no result is for it.
    let mut other = config();
    other.checks.get_mut(&CheckIndex(2)).unwrap().name = "other".into();
    assert_eq!(replay(&record(config(), 3), Some(other)).0.strangers, 12);
}

/// Every file begins with all that a replay must know, however often files are begun anew.
#[tokio::test]
async fn every_file_can_be_repeated_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("record");
    let settings = RecordSettings { path: path.to_str().unwrap().to_owned(), size: 8 * 1024 };
    let head = Head { clock: Clock::start(), listen_filter: "sport =\n :80".to_owned() };
    let mut recorder = Recorder::start(&settings, head);
    let mut engine = Engine::new(config(), Instant::START);
    // As many as have their place in the queue: none may be missing here.
    run(&mut engine, inputs(200), &mut |engine, now, note| match note {
        Note::Input(input) => recorder.input(engine, now, &input),
        Note::Event(event) => recorder.event(now, &event),
    });
    drop(recorder);
    let last = write(at(199 * 60_000 + 26_000), &Entry::Missing(0));
    let last = last.split(' ').next().unwrap().to_owned();
    let start = Wall::now();
    while !fs::read_to_string(&path).unwrap_or_default().contains(&last) {
        assert!(start.elapsed() < SOON, "the record has no end");
        tokio::task::yield_now().await;
    }
    for file in [&path, &before(&path)] {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.len() < 16 * 1024, "{} octets", text.len());
        let (summary, found) = replay(&text, None);
        assert!(summary.decisions > 0);
        assert_eq!(summary.missing, 0);
        // What ran when the file began is not known; later all is as it was.
        let late = found
            .iter()
            .filter(|(_, it)| matches!(it, Found::NotRepeated(_) | Found::NotRecorded(_)));
        assert!(late.count() <= 4, "{found:?}");
    }
}

/// What has no place is told, and what follows can be repeated.
#[test]
fn a_gap_is_told() {
    let (chunks, mut waiting) = tokio::sync::mpsc::channel(40);
    let head = Head { clock: Clock::start(), listen_filter: String::new() };
    let mut recorder = Recorder::into(chunks, 1 << 30, head);
    let mut engine = Engine::new(config(), Instant::START);
    let (mut text, mut files, mut events) = (String::new(), 0, 0);
    run(&mut engine, inputs(100), &mut |engine, now, note| {
        match note {
            Note::Input(input) => recorder.input(engine, now, &input),
            Note::Event(event) => recorder.event(now, &event),
        }
        events += 1;
        // The disk is slow: it takes the queue when it has been full for long.
        if events % 100 == 0 {
            while let Ok(chunk) = waiting.try_recv() {
                files += i32::from(chunk.new);
                text += &chunk.text;
            }
        }
    });
    assert_eq!(files, 1);
    let (summary, found) = replay(&text, None);
    assert!(summary.missing > 100, "{summary:?}");
    let gaps = found.iter().filter(|(_, it)| matches!(it, Found::Gap(_))).count();
    let begins = found.iter().filter(|(_, it)| *it == Found::Begins).count();
    assert_eq!(begins, gaps + 1);
    assert!(gaps > 3 && summary.decisions > 10, "{summary:?}");
}

fn ha2bgp(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ha2bgp"))
        .args(args)
        .current_dir(dir)
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_shows_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("rec"), record(config(), 1)).unwrap();
    let (code, out, _) = ha2bgp(dir.path(), &["replay", "rec"]);
    let want = "\
2026-01-31 12:00:00.000 the record begins here
2026-01-31 12:00:06.001 100.64.0.10/32 announced (healthy)
2026-01-31 12:00:24.000 100.64.0.10/32 withdrawn (check-failed)
rec: 9 inputs and 2 decisions repeated, all as recorded
";
    assert_eq!((code, out.as_str()), (0, want));
    let other = "networks = [\"100.64.0.0/24\"]\n[defaults]\ndown-delay = \"30s\"\n[discover]\n\
                 listen-filter = \"sport = :443\"\n[checks.page]\ntype = \"tcp\"\nport = 80\n\
                 [[service]]\nname = \"web\"\nnetworks = [\"100.64.0.0/24\"]\nrule = \"listen\"\n\
                 [[service]]\nname = \"x\"\nvips = [\"100.64.0.99\"]\nrule = \"page\"\n";
    fs::write(dir.path().join("other.toml"), other).unwrap();
    let (code, out, error) = ha2bgp(dir.path(), &["replay", "rec", "--config", "other.toml"]);
    let want = "\
note: the record has only what the listen filter \"sport = :80\" matches; that of the other configuration is \"sport = :443\"
2026-01-31 12:00:00.000 the record begins here
2026-01-31 12:00:24.000 100.64.0.10/32 recorded: not announced (check-failed); other: announced (healthy)
rec: 9 inputs and 2 decisions repeated, all as recorded; the other configuration would differ 1 times; it has no check for 4 results
";
    assert_eq!((code, out.as_str()), (1, want), "{error}");
    let (_, out, _) = ha2bgp(dir.path(), &["replay", "rec", "--json"]);
    for line in out.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(object.is_object());
    }
    let (_, out, _) = ha2bgp(dir.path(), &["replay", "rec", "--until", "2026-01-31T12:00:10Z"]);
    assert_eq!(out.lines().count(), 3, "{out}");
}

#[test]
fn what_is_no_record_is_refused_at_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let good = record(config(), 1);
    let half = &good[..good.len() - 5];
    for (name, text, code, words) in [
        ("old", "ha2bgp-record 0\n", 2, "old:1:1: expected \"ha2bgp-record 1\""),
        ("none", "", 0, "0 inputs and 0 decisions repeated"),
        ("half", half, 0, "is not whole: the record ends before it"),
        (
            "odd",
            &good.replace(" probe 2", " probe x"),
            2,
            ": expected the number of a check\n  | 1000 probe x - pass",
        ),
        (
            "back",
            &(good.clone() + "5 timeout\n"),
            2,
            ":1: expected a moment in microseconds, not before",
        ),
        (
            "open",
            &good.replacen("+ end\n", "", 1),
            2,
            "expected \"+\": the configuration above has no end",
        ),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
        let (got, out, error) = ha2bgp(dir.path(), &["replay", name]);
        assert_eq!(got, code, "{name}: {out}{error}");
        assert!((out.clone() + &error).contains(words), "{name}: {out}{error}");
    }
    let (code, _, error) = ha2bgp(dir.path(), &["replay", "nowhere"]);
    assert_eq!(code, 2);
    assert!(error.contains("nowhere: No such file"), "{error}");
}
