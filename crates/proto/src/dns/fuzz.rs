//! What must hold whatever comes from the network: the body of a fuzz target in `fuzz/`, replayed
//! by `cargo test`. A broken rule panics; nothing else calls this.

use alloc::string::ToString;
use alloc::vec::Vec;

use ha2bgp_core::check::{DETAIL_MAX, Outcome};

use super::{
    AnswerRule, Class, DnsExpectation, DnsName, Query, RcodeSet, RecordType, Reply, Transport,
    Unframed, frame, unframe,
};

/// Four lines: a name, a type, a response code set and a rule for answers; then the message. The
/// message is judged as it is, and again as the answer to this very query: with its identifier, its
/// flags and its question before the octets.
#[doc(hidden)]
pub fn fuzz_dns_answer(input: &[u8]) {
    let mut lines = input.splitn(5, |octet| *octet == b'\n');
    let mut text = || core::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let (name, record_type, rcodes, rule) = (text(), text(), text(), text());
    let message = lines.next().unwrap_or_default();
    framing(message);

    let name = match name.parse::<DnsName>() {
        Ok(name) => name,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "an error says why");
            return;
        }
    };
    let record_type = record_type.parse().unwrap_or(RecordType::A);
    let query = Query { name, record_type, class: Class::In, recursion: true, edns: Some(1232) };
    let mut expectation = DnsExpectation::default();
    if let Ok(set) = rcodes.parse::<RcodeSet>() {
        assert_eq!(set.to_string().parse(), Ok(set.clone()), "shown and read again");
        expectation.rcodes = set;
    }
    match AnswerRule::parse(record_type, rule) {
        Ok(rule) => expectation.answers.push(rule),
        Err(error) => assert!(!error.to_string().is_empty(), "an error says why"),
    }

    let id = 0x1234;
    let judge = |message: &[u8]| {
        let udp = expectation.judge(&query, id, Transport::Udp, message);
        let tcp = expectation.judge(&query, id, Transport::Tcp, message);
        match &tcp {
            Reply::Truncated => panic!("over TCP there is nothing to ask again"),
            Reply::NotOurs(_) => assert_eq!(udp, tcp, "the way does not matter"),
            Reply::Judged(result) => {
                assert!(matches!(result.outcome, Outcome::Pass | Outcome::Fail), "a verdict");
                assert!(!result.detail.is_empty() && result.detail.len() <= DETAIL_MAX, "a text");
                assert!(udp == tcp || udp == Reply::Truncated, "the way does not matter");
            }
        }
        udp
    };
    judge(message);

    // Flags, counts and records of the input behind the header and question of our query.
    let Some((header, records)) = message.split_first_chunk::<8>() else { return };
    let [flags, code, answers @ .., _, _] = *header;
    let [a, b, c, d] = answers;
    let mut ours: Vec<u8> = id.to_be_bytes().to_vec();
    ours.extend([flags & 0x07 | 0x80, code, 0, 1, a, b, 0, c, 0, d]);
    let mut question = query.message(id);
    // Without its OPT record of eleven octets.
    question.truncate(question.len() - 11);
    ours.extend(question.get(12..).unwrap_or_default());
    ours.extend_from_slice(records);
    let reply = judge(&ours);
    assert!(!matches!(reply, Reply::NotOurs(_)), "it repeats the question: {reply:?}");
}

fn framing(message: &[u8]) {
    if let Some(framed) = frame(message) {
        assert_eq!(unframe(&framed), Unframed::Message { message, rest: &[] }, "there and back");
        let short = framed.get(..framed.len() - 1).unwrap_or_default();
        assert_eq!(unframe(short), Unframed::More(1), "one octet is missing");
    }
    match unframe(message) {
        Unframed::More(more) => assert!((1..=65_537).contains(&more), "bounded"),
        Unframed::Message { message: first, rest } => {
            assert_eq!(first.len() + rest.len() + 2, message.len(), "nothing is lost");
        }
    }
}
