//! `ha2bgp push` as cron and scripts use it.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::stage::Stage;

fn push(args: &[&str], socket: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ha2bgp"));
    command.env_clear().env("HA2BGP_CONTROL", socket).arg("push").args(args);
    command.output().unwrap()
}

fn ends(output: &Output, code: i32, words: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(words), "{words:?} in {errors:?}");
    assert!(output.stdout.is_empty());
}

#[test]
fn results_are_sent() {
    let stage = Stage::new();
    let done = push(&["web/x", "warn", "--detail", "-3 °C", "--ttl", "30s"], &stage.path);
    ends(&done, 0, "");
    let (_, list) = stage.ask("GET", "/v1/checks/web/x", "");
    let entry = list["checks"].as_array().unwrap().iter().find(|it| it["vip"].is_null()).unwrap();
    let last = &entry["last"];
    assert_eq!((&last["outcome"], &last["detail"]), (&json!("warn"), &json!("-3 °C")));
    assert_eq!(last["ttl_seconds"], json!(30.0));
    ends(&push(&["up", "pass"], &stage.path), 0, "");
    ends(&push(&["web/each", "fail", "--vip", "127.0.0.1"], &stage.path), 0, "");
    let socket = stage.path.to_str().unwrap();
    ends(&push(&["up", "unknown", "--socket", socket], Path::new("/nowhere")), 0, "");
    stage.end();
}

#[test]
fn refusals_are_told_in_the_daemon_s_words() {
    let stage = Stage::new();
    let error = push(&["web/y", "pass"], &stage.path);
    ends(&error, 1, "ha2bgp: error: there is no check \"web/y\" to push to: did you mean web/x?");
    ends(&push(&["web/x", "pass", "--ttl", "2m"], &stage.path), 1, "from 100ms to 1m");
    ends(&push(&["web/each", "pass"], &stage.path), 1, "vip is missing");
    stage.end();
}

#[test]
fn bad_usage_is_told() {
    let nowhere = Path::new("/nowhere/x.sock");
    for (args, words) in [
        (&["web/x"][..], "OUTCOME"),
        (&["web/x", "up"], "possible values: pass, warn, fail, unknown"),
        (&["web/x/y", "pass"], "write SERVICE/CHECK"),
        (&["web x", "pass"], "write SERVICE/CHECK"),
        (&["web/x", "pass", "--ttl", "30"], "write 30s for seconds"),
        (&["web/x", "pass", "--vip", "web"], "web"),
        (&["web/x", "pass", "--deatil", "x"], "--detail"),
    ] {
        ends(&push(args, nowhere), 2, words);
    }
}

#[test]
fn a_daemon_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.sock");
    ends(&push(&["web/x", "pass"], &path), 3, "is ha2bgp running");
    drop(UnixListener::bind(&path).unwrap());
    ends(&push(&["web/x", "pass"], &path), 3, "is gone: start it");
    // Somebody else, who speaks another language, and who says nothing.
    for said in [&b"SSH-2.0-x\r\n\r\n"[..], b""] {
        std::fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        let talk = std::thread::spawn(move || {
            let (mut stream, _) = other.accept().unwrap();
            std::io::Write::write_all(&mut stream, said).unwrap();
        });
        ends(&push(&["web/x", "pass"], &path), 3, "the answer cannot be read");
        talk.join().unwrap();
    }
}
