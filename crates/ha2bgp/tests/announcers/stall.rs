//! The speaker on a host that stands still for a while.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use ha2bgp::announce::Announcer;
use ha2bgp::clock::Clock;
use tokio::sync::{mpsc, oneshot, watch};

use crate::bench::{PATIENCE, desire, in_time, set, speaker};
use crate::receiver::{ASN, KEEPALIVE, NOTIFICATION, OPEN, message, send};

/// Longer than the first pause between two attempts to connect, which is a second.
const LATE_FOR_CONNECTING: Duration = Duration::from_millis(1300);
/// Longer than the shortest hold time, which is three.
const LATE_FOR_HOLDING: Duration = Duration::from_millis(3400);

/// Nothing else runs on this thread meanwhile.
fn stand_still(time: Duration) {
    let (_open, never) = std::sync::mpsc::channel::<()>();
    assert_eq!(never.recv_timeout(time), Err(RecvTimeoutError::Timeout));
}

/// A connection that has come about meanwhile counts, not that its time is up: routers remember those who
/// hang up before they have said anything.
#[tokio::test]
async fn a_connection_is_not_given_up_because_we_were_held_up() {
    for busy in [false, true] {
        let router = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = router.local_addr().unwrap();
        let (desired, watched) = watch::channel(desire(set(0..1)));
        let (reports, _reports) = mpsc::channel(100);
        let speaks = tokio::spawn(Box::new(speaker(address, Clock::start())).run(watched, reports));
        // Runs as soon as the speaker waits for its connection.
        let stalls = tokio::spawn(async move {
            if busy {
                desired.send_replace(desire(set(0..2)));
            }
            stand_still(LATE_FOR_CONNECTING);
            desired
        });
        let first = tokio::task::spawn_blocking(move || {
            let (mut stream, _) = router.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            message(&mut stream).map(|(kind, _)| kind)
        });
        assert_eq!(in_time(first).await.unwrap().unwrap(), OPEN, "busy: {busy}");
        drop(in_time(stalls).await.unwrap());
        in_time(speaks).await.unwrap();
    }
}

/// What the peer has said meanwhile counts, not that the hold time is over.
#[tokio::test]
async fn a_session_is_not_ended_because_we_were_held_up() {
    let router = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = router.local_addr().unwrap();
    let (desired, watched) = watch::channel(desire(set(0..1)));
    let (reports, _reports) = mpsc::channel(100);
    let speaks = tokio::spawn(Box::new(speaker(address, Clock::start())).run(watched, reports));
    let (established, is_established) = oneshot::channel();
    let peer = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = router.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let [high, low] = ASN.to_be_bytes();
        send(&mut stream, OPEN, &[4, high, low, 0, 3, 9, 9, 9, 9, 0]).unwrap();
        send(&mut stream, KEEPALIVE, &[]).unwrap();
        while message(&mut stream).unwrap().0 != KEEPALIVE {}
        established.send(()).unwrap();
        let begin = Instant::now();
        while begin.elapsed() < LATE_FOR_HOLDING {
            stand_still(Duration::from_millis(300));
            send(&mut stream, KEEPALIVE, &[]).unwrap();
        }
        // What was on its way before, then what comes after.
        for _ in 0..4 {
            let (kind, body) = message(&mut stream).unwrap();
            assert_ne!(kind, NOTIFICATION, "{body:?}");
            send(&mut stream, KEEPALIVE, &[]).unwrap();
        }
        stream
    });
    in_time(is_established).await.unwrap();
    stand_still(LATE_FOR_HOLDING);
    let stream = in_time(peer).await.unwrap();
    drop(desired);
    drop(stream);
    in_time(speaks).await.unwrap();
}
