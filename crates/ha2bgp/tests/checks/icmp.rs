//! `type = "icmp"`, where the group of the tests may have ping sockets; the lab has the rest.

use ha2bgp_core::check::Outcome;

use crate::stand::{Stand, errors};

/// Whether `net.ipv4.ping_group_range` has a group of this process.
fn allowed() -> bool {
    let protocol = Some(socket2::Protocol::ICMPV4);
    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, protocol).is_ok()
}

async fn finds(keys: &str, outcome: Outcome, words: &str) {
    let mut stand = Stand::start(&format!(
        "[service.checks.icmp]\ninterval = \"20ms\"\ntimeout = \"300ms\"\n{keys}\n"
    ));
    if allowed() {
        stand.finds(outcome, words).await;
    } else {
        stand.finds(Outcome::Unknown, "the sysctl net.ipv4.ping_group_range must contain").await;
    }
    stand.end().await;
}

#[tokio::test]
async fn loopback_answers() {
    finds("", Outcome::Pass, "1 of 1 answered, rtt 0.").await;
    finds("count = 3\nleast = 3\nsize = 1000", Outcome::Pass, "3 of 3 answered").await;
    finds("max-rtt-warn = \"1us\"", Outcome::Warn, "more than 0.00 ms").await;
}

#[tokio::test]
async fn what_cannot_be_tried_is_unknown() {
    finds("source-address = \"192.0.2.77\"", Outcome::Unknown, "on this host").await;
}

/// What is wrong is told when the configuration is read.
#[test]
fn wrong_keys() {
    for (keys, words) in [
        ("least = 2", "2 of 1 requests cannot be answered"),
        ("count = 0", "is not a count from 1 to 100"),
        ("size = 15", "is not a size from 16 to 65507"),
        ("size = 65508", "is not a size from 16 to 65507"),
        ("max-rtt-warn = \"0s\"", "no time at all"),
    ] {
        let errors = errors(&format!("[service.checks.icmp]\n{keys}\n"));
        assert!(errors.contains(words), "{keys}\n{errors}");
    }
}
