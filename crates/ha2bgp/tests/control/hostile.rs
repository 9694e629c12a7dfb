//! Clients that are slow, hostile or broken: each ends in its time, and others do not notice.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use ha2bgp::control::connection::{CONNECTION_RATE, HEAD_MAX, HEAD_TIME};
use ha2bgp::control::route::BODY_MAX;

use crate::stage::{SOON, Stage, json, request, rest, status};

const PASS: &str = r#"{"outcome":"pass"}"#;

/// A read that has a time may also be interrupted, by a stop for instance (signal(7)).
fn is_nothing_yet(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted)
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn garbage_is_refused() {
    let stage = Stage::new();
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"\r\n\r\n\r\n garbage\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /v1/checks HTTP/9.9\r\n\r\n",
        b"GET /v1/checks\xff HTTP/1.1\r\n: \r\n\r\n",
        b"POST /v1/checks/web/x HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/checks/web/x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /v1/checks/web/x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = stage.connect();
        let _ = stream.write_all(garbage);
        let _ = stream.shutdown(Shutdown::Write);
        let answer = rest(stream);
        let shown = String::from_utf8_lossy(garbage);
        assert!(matches!(status(&answer), 0 | 400 | 404 | 405 | 505), "{shown:?}: {answer}");
    }
    // Without an end.
    let mut stream = stage.connect();
    let block = vec![b'x'; 64 * 1024];
    let sent = (0..160).take_while(|_| stream.write_all(&block).is_ok()).count();
    assert!(sent < 160, "10 MiB of garbage were taken");
    stage.works();
    stage.end();
}

#[test]
fn what_is_too_long_is_refused() {
    let stage = Stage::new();
    // With a length, and without one.
    let (got, answer) = stage.ask("POST", "/v1/checks/web/x", &"x".repeat(BODY_MAX + 1));
    assert_eq!((got, answer["error"]["code"].as_str()), (413, Some("too-large")));
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let chunked = format!(
        "POST /v1/checks/web/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{}",
        chunk.repeat(20)
    );
    assert!(matches!(status(&stage.raw(chunked.as_bytes())), 413 | 0));
    let just = format!("{PASS}{}", " ".repeat(BODY_MAX - PASS.len()));
    assert_eq!(stage.ask("POST", "/v1/checks/web/x", &just).0, 200);
    let long = format!("GET /v1/checks HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(2 * HEAD_MAX));
    assert!(matches!(status(&stage.raw(long.as_bytes())), 431 | 0));
    let many = format!("GET /v1/checks HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1000));
    assert!(matches!(status(&stage.raw(many.as_bytes())), 431 | 0));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(2 * HEAD_MAX));
    assert!(matches!(status(&stage.raw(long.as_bytes())), 414 | 431 | 0));
    stage.works();
    stage.end();
}

/// A head that comes an octet at a time, one that never ends, a body that never comes: all over
/// in a few seconds, and a client beside them is served at once.
#[test]
fn the_slow_ones_are_given_up() {
    let stage = Stage::new();
    let start = Instant::now();
    let silent = stage.connect();
    let mut half = stage.connect();
    half.write_all(b"POST /v1/checks/web/x HTTP/1.1\r\nhost: ").unwrap();
    let mut body = stage.connect();
    let whole = request("POST", "/v1/checks/web/x", PASS, "close");
    body.write_all(&whole.as_bytes()[..whole.len() - 3]).unwrap();
    let mut idle = stage.connect();
    idle.write_all(request("GET", "/v1/checks", "", "keep-alive").as_bytes()).unwrap();
    let mut drip = stage.connect();
    drip.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let endless = "x".repeat(1000);
    let mut dripped = String::new();
    let mut ended = None;
    for octet in whole.replace("host: x", &format!("host: {endless}")).bytes() {
        let mut chunk = [0; 512];
        let gone = drip.write_all(&[octet]).is_err();
        match drip.read(&mut chunk) {
            Ok(0) => break,
            Ok(size) => dripped.push_str(&String::from_utf8_lossy(&chunk[..size])),
            Err(error) if is_nothing_yet(&error) && !gone => {}
            Err(error) => {
                ended = Some((error, gone));
                break;
            }
        }
        assert!(start.elapsed() < SOON, "the drip is not given up");
        stage.works();
    }
    assert!(start.elapsed() >= HEAD_TIME, "{:?} {ended:?} {dripped}", start.elapsed());
    assert!(matches!(status(&dripped), 0 | 408), "{dripped}");
    assert!(matches!(status(&rest(silent)), 0 | 408));
    assert!(matches!(status(&rest(half)), 0 | 408));
    let answer = rest(body);
    assert_eq!((status(&answer), json(&answer)["error"]["code"].as_str()), (408, Some("too-slow")));
    assert_eq!(status(&rest(idle)), 200);
    stage.works();
    stage.end();
}

/// Who says at once that nothing more will come is answered all the same.
#[test]
fn half_closed_and_pipelined_requests_are_answered() {
    let stage = Stage::new();
    let mut stream = stage.connect();
    stream.write_all(request("POST", "/v1/checks/web/x", PASS, "keep-alive").as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(status(&rest(stream)), 200);
    let one = request("POST", "/v1/checks/web/x", PASS, "keep-alive");
    let last = request("POST", "/v1/checks/web/y", PASS, "close");
    let answer = stage.raw(format!("{}{last}", one.repeat(50)).as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 50, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 404").count(), 1, "{answer}");
    // One that does not read its answers, and one that goes in the middle.
    let mut deaf = stage.connect();
    deaf.set_nonblocking(true).unwrap();
    let _ = deaf.write(one.repeat(150).as_bytes());
    let mut gone = stage.connect();
    gone.write_all(&one.as_bytes()[..one.len() - 2]).unwrap();
    drop(gone);
    stage.works();
    stage.end();
}

#[test]
fn too_many_requests_are_refused() {
    let stage = Stage::new();
    let count = 4 * usize::try_from(CONNECTION_RATE.1).unwrap();
    let one = request("GET", "/v1/checks/up", "", "keep-alive");
    let mut stream = stage.connect();
    let mut reader = stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        let _ = stream.write_all(one.repeat(count).as_bytes());
        stream
    });
    let mut answers = String::new();
    let mut chunk = [0; 65_536];
    let start = Instant::now();
    while !answers.contains("HTTP/1.1 429") && start.elapsed() < SOON {
        let size = reader.read(&mut chunk).unwrap();
        answers.push_str(&String::from_utf8_lossy(&chunk[..size]));
    }
    assert!(answers.contains("HTTP/1.1 200") && answers.contains("HTTP/1.1 429"));
    // Another connection has a rate of its own.
    stage.works();
    drop(reader);
    drop(writer.join());
    stage.end();
}

/// A thousand clients that say nothing keep nobody out, and leave nothing behind.
#[test]
fn a_thousand_idle_connections() {
    let stage = Stage::new();
    stage.works();
    let before = descriptors();
    let idle: Vec<UnixStream> = (0..1000)
        .map(|round| {
            if round % 100 == 0 {
                stage.works();
            }
            stage.connect()
        })
        .collect();
    stage.works();
    // Both ends are in this process: those of the clients, and a few of the server.
    let start = Instant::now();
    while descriptors() > before + 1000 + 64 {
        assert!(start.elapsed() < SOON, "{} descriptors", descriptors());
    }
    drop(idle);
    let start = Instant::now();
    // Other tests of this process have some too.
    while descriptors() > before + 200 {
        assert!(start.elapsed() < SOON, "{} descriptors, {before} before", descriptors());
        stage.works();
    }
    stage.works();
    stage.end();
}
