//! The usual scripts of a hostile stream server. Those with an argument `answer` first take a
//! request and then do something wrong with a right answer.

use super::Step;
use std::time::Duration;

/// An answer of HTTP/1.1 with this status, this body, its length, and a close after it.
#[must_use]
pub fn http(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} As-Asked\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Octets that mean nothing in any protocol, the same each time.
#[must_use]
pub fn noise(count: usize) -> Vec<u8> {
    // A linear congruential generator (Knuth's MMIX constants).
    let mut state = 0x6c61_6278_u64;
    let next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// A right answer, then a close.
#[must_use]
pub fn answer(answer: &[u8]) -> Vec<Step> {
    vec![Step::Request, Step::Send(answer.to_vec())]
}

/// A right answer to each request, for as long as the client likes.
#[must_use]
pub fn answer_each(answer: &[u8]) -> Vec<Step> {
    vec![Step::Request, Step::Send(answer.to_vec()), Step::Again]
}

/// 64 KiB of noise, at once, then silence.
#[must_use]
pub fn garbage() -> Vec<Step> {
    vec![Step::Send(noise(65_536)), Step::Hold]
}

/// `head`, then `again` without end: `endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x")`.
#[must_use]
pub fn endless(head: &[u8], again: &[u8]) -> Vec<Step> {
    // Large writes, so that the client is the slow side.
    let times = (16_384 / again.len().max(1)).max(1);
    vec![Step::Request, Step::Send(head.to_vec()), Step::Endless(again.repeat(times))]
}

/// A right answer, octet by octet.
#[must_use]
pub fn drip(answer: &[u8], every: Duration) -> Vec<Step> {
    vec![Step::Request, Step::Drip(answer.to_vec(), every), Step::Hold]
}

/// A right answer, late.
#[must_use]
pub fn late(answer: &[u8], after: Duration) -> Vec<Step> {
    vec![Step::Request, Step::Wait(after), Step::Send(answer.to_vec())]
}

/// Closes as soon as it has accepted.
#[must_use]
pub fn close_early() -> Vec<Step> {
    vec![Step::Close]
}

/// Closes after so many octets of a right answer: 0 closes after the request.
#[must_use]
pub fn close_after(answer: &[u8], octets: usize) -> Vec<Step> {
    let part = answer.get(..octets).unwrap_or(answer);
    vec![Step::Request, Step::Send(part.to_vec())]
}

/// So many octets of a right answer, then silence.
#[must_use]
pub fn stop_after(answer: &[u8], octets: usize) -> Vec<Step> {
    let part = answer.get(..octets).unwrap_or(answer);
    vec![Step::Request, Step::Send(part.to_vec()), Step::Hold]
}

/// Accepts, takes everything, says nothing.
#[must_use]
pub fn never_answer() -> Vec<Step> {
    vec![Step::Hold]
}

/// `head`, then one line of so many octets: `long_line(b"", 10 << 20)`.
#[must_use]
pub fn long_line(head: &[u8], length: usize) -> Vec<Step> {
    let mut line = head.to_vec();
    line.resize(head.len().saturating_add(length), b'x');
    line.push(b'\n');
    vec![Step::Request, Step::Send(line)]
}

/// `head`, then octets that are no UTF-8, then a right line end.
#[must_use]
pub fn invalid_utf8(head: &[u8]) -> Vec<Step> {
    let mut text = head.to_vec();
    // A lone continuation, an overlong form, a surrogate, a sequence that breaks off.
    text.extend(b"\x80 \xc0\xaf \xed\xa0\x80 \xff\xfe \xe2\x82\r\n");
    vec![Step::Request, Step::Send(text)]
}

/// RST instead of an answer.
#[must_use]
pub fn reset() -> Vec<Step> {
    vec![Step::Request, Step::Reset]
}
