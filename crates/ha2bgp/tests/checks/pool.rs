//! What starts and ends, and who shares what.

use std::time::Duration;

use ha2bgp_core::check::Outcome;
use tokio::net::TcpListener;

use crate::stand::{SOON, Stand, checks};

/// Checks that ask for the same get the results of the same probe.
#[tokio::test]
async fn identical_probes_are_made_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let probe = format!("type = \"tcp\"\nport = {port}\ninterval = \"10s\"\nsplay = \"0s\"\n");
    let specs = checks(&format!(
        "[service.checks.a]\n{probe}rise = 1\n[service.checks.b]\n{probe}shadow = true\n"
    ));
    assert_eq!(specs.specs.len(), 1);
    let mut stand = Stand::idle(specs);
    stand.want(&["127.0.0.1"]);
    for _ in 0..2 {
        assert_eq!(stand.next().await.outcome, Outcome::Pass);
    }
    listener.accept().await.unwrap();
    let another = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(another.is_err(), "a second connection");
    stand.end().await;
}

/// What is wanted no more is made no more, and what is wanted again begins again.
#[tokio::test]
async fn checks_come_and_go() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let specs = checks(&format!(
        "[service.checks.tcp]\nport = {port}\ninterval = \"10s\"\nsplay = \"0s\"\n"
    ));
    let mut stand = Stand::idle(specs);
    for _ in 0..3 {
        stand.want(&["127.0.0.1"]);
        assert_eq!(stand.next().await.outcome, Outcome::Pass);
        stand.want(&[]);
        let accepted = tokio::time::timeout(SOON, listener.accept()).await.unwrap();
        drop(accepted);
        // The task is gone when another one begins at once, not after ten seconds.
        stand.want(&["127.0.0.2"]);
        stand.next_of(Some("127.0.0.2")).await;
    }
    stand.end().await;
}

/// A check that begins to share a probe is told its newest result, and need not wait.
#[tokio::test]
async fn who_comes_later_is_told_the_newest_result() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let probe = format!("type = \"tcp\"\nport = {port}\ninterval = \"1h\"\nsplay = \"0s\"\n");
    let specs = checks(&format!(
        "[service.checks.a]\n{probe}rise = 1\n[service.checks.b]\n{probe}shadow = true\n"
    ));
    let later = *specs.of.keys().last().unwrap();
    let mut stand = Stand::idle(specs);
    stand.want_only(&["127.0.0.1"], |check| check != later);
    assert_eq!(stand.next().await.outcome, Outcome::Pass);
    stand.want(&["127.0.0.1"]);
    assert_eq!(stand.next().await.outcome, Outcome::Pass);
    stand.end().await;
}
