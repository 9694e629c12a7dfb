//! Ways in that open and close while the rest goes on, and those that cannot be opened.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};

use serde_json::json;

use crate::stage::{Stage, request, status, until};
use crate::tcp::{TOKENS, ask, files, free_port};

const UNIX: &str = "unix = \"DIR/x.sock\"\n";

/// Sends a request over a connection that stays, and reads its answer.
fn again(stream: &mut UnixStream) -> u16 {
    stream.write_all(request("GET", "/v1/checks", "", "keep-alive").as_bytes()).unwrap();
    let mut answer = String::new();
    let mut chunk = [0; 65_536];
    // The list is one line.
    while !answer.ends_with("\n") || answer.ends_with("\r\n") {
        let size = stream.read(&mut chunk).unwrap();
        assert!(size > 0, "it was closed: {answer}");
        answer.push_str(&String::from_utf8_lossy(&chunk[..size]));
    }
    status(&answer)
}

#[test]
fn what_stays_is_not_touched() {
    let files = files();
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut stage = Stage::with("", &files);
    let mut stays = stage.connect();
    assert_eq!(again(&mut stays), 200);
    let (one, other) = (free_port(), free_port());
    stage.configure(&format!("{UNIX}http = [\"{one}\", \"{other}\"]\n{TOKENS}"));
    until("the port is open", || TcpStream::connect(one).is_ok());
    let read = "0123456789abcdef";
    assert_eq!(ask(one, read, "GET", "/v1/checks").0, 200);
    assert_eq!(again(&mut stays), 200);
    // Another file of tokens: the old ones count no more, over old connections either.
    let mut old = TcpStream::connect(one).unwrap();
    std::fs::write(stage.file("tokens"), "mon read aaaaaaaaaaaaaaaa\n").unwrap();
    stage.configure(&format!("{UNIX}http = \"{one}\"\n{TOKENS}"));
    until("the old token counts no more", || ask(one, read, "GET", "/v1/checks").0 == 401);
    assert_eq!(ask(one, "aaaaaaaaaaaaaaaa", "GET", "/v1/checks").0, 200);
    assert_eq!(old.read(&mut [0; 9]).unwrap(), 0);
    until("the other port is closed", || TcpStream::connect(other).is_err());
    stage.configure(&format!("{UNIX}mode = \"0600\""));
    until("the port is closed", || TcpStream::connect(one).is_err());
    // Another mode is another file.
    until("the socket is a new one", || stage.ask_at("x.sock").is_some());
    let mode = std::fs::metadata(&stage.path).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    stage.configure("unix = \"DIR/y.sock\"");
    until("the new socket is there", || stage.ask_at("y.sock").is_some());
    assert!(!stage.path.exists());
    stage.close();
    until("nothing is left", || !stage.file("y.sock").exists());
    stage.configure(UNIX);
    until("it is there again", || stage.ask_at("x.sock").is_some());
    stage.works();
    stage.end();
}

#[test]
fn what_cannot_be_opened_is_tried_again() {
    let mut stage = Stage::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap();
    let other = UnixListener::bind(stage.file("y.sock")).unwrap();
    let section = format!("http = [\"{port}\"]\n");
    stage.configure(&format!("{UNIX}{section}"));
    let mut ways = json!(null);
    until("both are tried", || {
        ways = stage.ask("GET", "/v1/control", "").1["ways"].clone();
        ways.as_array().is_some_and(|ways| ways.len() == 2)
    });
    let way = |ways: &serde_json::Value| {
        let ways = ways.as_array().unwrap().iter();
        let mut found = ways.filter(|way| way["name"] == json!(port.to_string()));
        found.next().cloned().unwrap()
    };
    assert_eq!(way(&ways)["open"], json!(false));
    let error = way(&ways)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("stop the process that listens there"), "{error}");
    drop(taken);
    until("the port is open", || TcpStream::connect(port).is_ok());
    let ways = stage.ask("GET", "/v1/control", "").1["ways"].clone();
    assert_eq!(way(&ways), json!({"name": port.to_string(), "open": true, "error": null}));
    // A socket that somebody else has; the port goes on.
    stage.configure(&format!("unix = \"DIR/y.sock\"\n{section}"));
    until("the old one is gone", || !stage.path.exists());
    assert_eq!(ask(port, "", "GET", "/v1/checks").0, 200);
    drop(other);
    until("the socket is there", || stage.ask_at("y.sock").is_some());
}
