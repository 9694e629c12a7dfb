//! What an error of HTTP says, in words of ours.

use std::error::Error;
use std::io;

use ha2bgp_core::check::{Outcome, ProbeResult};

use super::super::{net, tls};
use super::exchange::{FIELDS_MAX, HEAD_MAX};

/// What went wrong before the head of the answer was there.
pub(super) fn failure(what: &str, error: &hyper::Error) -> ProbeResult {
    let fail = |text: &str| ProbeResult::new(Outcome::Fail, text);
    if let Some(io) = io_error(error) {
        return match tls::words(io) {
            Some(words) => fail(&words),
            None if io.kind() == io::ErrorKind::UnexpectedEof => fail(CLOSED),
            None => net::failure(what, io),
        };
    }
    // hyper has a question for this only where it is a server.
    if error.is_parse() && error.to_string().starts_with("message head is too large") {
        return fail(&format!(
            "the head of the answer has more than {HEAD_MAX} octets or {FIELDS_MAX} fields"
        ));
    }
    if error.is_parse_version_h2() {
        return fail("the answer is HTTP/2, not HTTP/1.1");
    }
    if error.is_parse() {
        return fail(&format!("the answer is not HTTP: {error}"));
    }
    // There is no question for this one either.
    if deepest(error).contains("unexpected message") {
        return fail("the answer is not HTTP: the server speaks before it is asked");
    }
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return fail(CLOSED);
    }
    fail(&format!("{what}: {}", deepest(error)))
}

/// What went wrong after so many octets of the body.
pub(super) fn body_failure(octets: usize, error: &hyper::Error) -> ProbeResult {
    let after = format!("after {octets} octets of the body");
    if let Some(io) = io_error(error) {
        return match io.kind() {
            io::ErrorKind::UnexpectedEof => {
                ProbeResult::new(Outcome::Fail, &format!("closed {after}, before its end"))
            }
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                ProbeResult::new(Outcome::Fail, &format!("{after} it is not HTTP: {}", deepest(io)))
            }
            _ => net::failure(&format!("reading, {after}"), io),
        };
    }
    let what = if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        format!("closed {after}, before its end")
    } else {
        format!("{after} it is not HTTP: {}", deepest(error))
    };
    ProbeResult::new(Outcome::Fail, &what)
}

const CLOSED: &str = "closed by the server before there was an answer";

/// The error of the connection below.
fn io_error(error: &hyper::Error) -> Option<&io::Error> {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref() {
            return Some(io);
        }
        next = error.source();
    }
    None
}

/// The innermost cause.
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}
