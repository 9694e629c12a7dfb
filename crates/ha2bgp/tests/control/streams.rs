//! Streams of events: counted, in nobody's way, and over when the interface is.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use ha2bgp::control::places::SOURCE_STREAMS_MAX;

use crate::stage::{Stage, json, rest, status, until};

const ASK: &str = "GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n";

/// A stream that has begun.
fn begin(stage: &Stage) -> UnixStream {
    let mut stream = stage.connect();
    stream.write_all(ASK.as_bytes()).unwrap();
    let mut head = String::new();
    let mut chunk = [0; 4096];
    while !head.contains("retry: ") {
        let size = stream.read(&mut chunk).unwrap();
        assert!(size > 0, "{head}");
        head.push_str(&String::from_utf8_lossy(&chunk[..size]));
    }
    assert_eq!(status(&head), 200);
    assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
    stream
}

#[test]
fn streams_are_counted_and_end_with_the_interface() {
    let stage = Stage::new();
    let mut streams: Vec<UnixStream> = (0..SOURCE_STREAMS_MAX).map(|_| begin(&stage)).collect();
    let refused = stage.raw(ASK.replace("host: x", "host: x\r\nconnection: close").as_bytes());
    assert_eq!((status(&refused), json(&refused)["error"]["code"].as_str()), (503, Some("busy")));
    stage.works();
    // A place is free when the server has noticed: at the latest with the next heartbeat.
    drop(streams.pop());
    until("there is a place again", || {
        let mut stream = stage.connect();
        stream.write_all(ASK.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        let begun = answer == *b"HTTP/1.1 200";
        if begun {
            streams.push(stream);
        }
        begun
    });
    // None of them gives way to connections that want a place.
    let idle: Vec<UnixStream> = (0..100).map(|_| stage.connect()).collect();
    stage.works();
    drop(idle);
    stage.end();
    for stream in streams {
        let answer = rest(stream);
        assert!(answer.ends_with("0\r\n\r\n"), "it ends as it should: {answer:?}");
    }
}
