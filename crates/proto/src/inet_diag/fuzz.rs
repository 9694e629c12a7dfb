//! What must hold for any netlink datagram: the body of a fuzz target in `fuzz/`, replayed by
//! `cargo test`. A broken rule panics; nothing else calls this.

use super::DiagSocket;
use crate::netlink::{Body, Messages};
use crate::rtnetlink::RouteMessage;

/// Any bytes as a datagram of sock_diag or rtnetlink: read or refused, and the reading ends.
#[doc(hidden)]
pub fn fuzz_datagram(input: &[u8]) {
    let mut messages = 0;
    for message in Messages::new(input) {
        messages += 1;
        let Ok(message) = message else { continue };
        if let Body::Data { kind, payload } = message.body {
            let _ = DiagSocket::parse(payload);
            let _ = RouteMessage::parse(kind, payload);
        }
    }
    assert!(messages <= input.len() / 16 + 1, "more messages than headers fit");
}
