//! Any octets as what a client sends: whole requests, pipelined or torn, through everything but a
//! network. The body of the fuzz target `request`.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::sync::{mpsc, watch};

use super::access::{Rights, Who};
use super::calls::Api;
use super::connection;
use super::metrics::Metrics;
use super::push::Pushes;
use super::questions::Questions;
use super::request::Context;
use super::server::Shared;
use super::tokens::{Tokens, bearer};
use crate::announce;
use crate::clock::Clock;
use crate::events;
use crate::observe::check::CheckSpecs;

/// The longest input. All of it is sent, and all answers to it are kept.
const INPUT_MAX: usize = 64 * 1024;
/// Answers to an input; one request of four octets is answered with hundreds.
const ANSWERS_MAX: usize = 256 * 1024 * 1024;
/// Nothing that was sent takes longer, since nobody is asked who would not answer.
const TIME: Duration = Duration::from_secs(20);

/// Answers what a client sends, and looks at the answers.
#[doc(hidden)]
pub fn fuzz_request(input: &[u8]) {
    let input = input.get(..INPUT_MAX).unwrap_or(input);
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else {
        return;
    };
    let answers = runtime.block_on(async { tokio::time::timeout(TIME, answers(input)).await });
    let answers = answers.unwrap_or_else(|_| b"nothing within the time".to_vec());
    assert!(is_answers(&answers), "{}", String::from_utf8_lossy(&answers));
    tokens(input);
}

async fn answers(input: &[u8]) -> Vec<u8> {
    // Nobody is there behind the interface: whatever is asked of others is refused at once.
    let (hub, (asking, _)) = (mpsc::channel(1).0, mpsc::channel(1));
    let (specs, ways) = (Arc::new(CheckSpecs::default()), Vec::new());
    let api = Api {
        pushes: Pushes { specs: watch::channel(specs).1, hub },
        engine: Questions(asking.clone()),
        routes: announce::questions::Questions::channel().0,
        metrics: Metrics::new(Questions(asking), announce::questions::Questions::channel().0),
        ways: watch::channel(ways).1,
        events: events::start(None, Clock::start()).1,
    };
    let shared = Rc::new(Shared::new(api, watch::channel(Vec::new()).0));
    let who = Who::User(0, Vec::new());
    let way = shared.way(&who);
    let Some(place) = way.places.borrow_mut().enter(who.source()) else { return Vec::new() };
    let (mut client, server) = duplex(ANSWERS_MAX);
    let (goes_on, ending) = watch::channel(());
    let context = Context { shared: &shared, way, place: &place, who: &who, ending: &ending };
    let answer = |request, in_rate| context.answer(request, in_rate);
    // Both fit: neither waits for the other.
    let _ = client.write_all(input).await;
    let _ = client.shutdown().await;
    connection::serve(server, &place, ending.clone(), answer).await;
    drop(goes_on);
    let mut answers = Vec::new();
    let _ = client.read_to_end(&mut answers).await;
    answers
}

/// Whether the first of these is an answer that there is; of one alone the body too.
fn is_answers(answers: &[u8]) -> bool {
    if answers.is_empty() {
        return true;
    }
    let Some(end) = answers.windows(4).position(|part| part == b"\r\n\r\n") else { return false };
    let (head, body) = answers.split_at(end);
    let head = String::from_utf8_lossy(head).to_lowercase();
    let status = head.get(9..12).and_then(|status| status.parse::<u16>().ok());
    let known = [200, 204, 400, 403, 404, 405, 408, 409, 413, 414, 422, 429, 431, 501, 503, 505];
    if !head.starts_with("http/1.") || !status.is_some_and(|status| known.contains(&status)) {
        return false;
    }
    let body = body.get(4..).unwrap_or_default();
    // One to HEAD has none, and what comes after it begins like the first.
    let alone = !body.is_empty() && !body.windows(7).any(|part| part == b"HTTP/1.");
    !alone || !head.contains("application/json") || serde_json::from_slice::<Value>(body).is_ok()
}

/// The same octets as a field with a token, and as a file of tokens.
fn tokens(input: &[u8]) {
    if let Ok(read) = Tokens::read(input) {
        let read_again = Tokens::read(input);
        assert!(read_again.as_ref() == Ok(&read) && read.find(b"").is_none());
    }
    let _ = bearer(input);
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value);
    let known = b"known write 0123456789abcdef";
    let mut rights = Rights::new(None);
    rights.set_tokens(Tokens::read(known).ok());
    let host = Who::Host([192, 0, 2, 1].into());
    let allowed = rights.identify(&host, &headers).is_ok();
    let meant = bearer(input) == Some(b"0123456789abcdef");
    assert_eq!(allowed, meant);
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        #[test]
        fn any_octets(input in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            fuzz_request(&input);
        }

        #[test]
        fn anything_like_a_request(
            method in "(GET|POST|DELETE|HEAD|OPTIONS|[A-Z]{1,9})",
            path in "/(v1/)?(checks|why|overrides|plan|reload|control|metrics|%[0-9a-f]{2})(/[!-~]{0,9}){0,3}",
            query in "(\\?[!-~]{0,20})?",
            field in "([a-z-]{1,20}: [ -~]{0,40}\r\n){0,3}",
            length in "(content-length: [0-9]{1,3}\r\n|transfer-encoding: chunked\r\n)?",
            body in "[\\x00-\\x7f]{0,60}",
        ) {
            let one = format!("{method} {path}{query} HTTP/1.1\r\n{field}{length}\r\n{body}");
            fuzz_request(one.as_bytes());
            fuzz_request(one.repeat(3).as_bytes());
        }
    }
}
