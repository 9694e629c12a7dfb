//! What must hold whatever rules say and servers answer: the body of a fuzz target in `fuzz/`,
//! replayed by `cargo test`. A broken rule panics; nothing else calls this.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use ha2bgp_core::check::{DETAIL_MAX, Outcome};

use crate::template::Values;

use super::{BodyRule, Expectation, HeaderRule, StatusSet, UrlTemplate};

/// Lines: a URL, a status set, a header rule, a body pattern, a status, then header lines up to an
/// empty line, then the body. What parses is used; every result has a short text, and rules are
/// read again as they are shown.
#[doc(hidden)]
pub fn fuzz_http_expectation(input: &[u8]) {
    let mut lines = input.splitn(6, |octet| *octet == b'\n');
    let mut text = || core::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let (url, status, header, body, answer) = (text(), text(), text(), text(), text());
    let response = lines.next().unwrap_or_default();

    match url.parse::<UrlTemplate>() {
        Ok(template) => fill(&template),
        Err(error) => assert!(!error.to_string().is_empty(), "an error says why"),
    }
    let mut expectation = Expectation::default();
    if let Ok(set) = status.parse::<StatusSet>() {
        assert_eq!(set.to_string().parse(), Ok(set.clone()), "shown and read again");
        expectation.status = set;
    }
    if let Ok(rule) = header.parse::<HeaderRule>() {
        assert_eq!(rule.to_string().parse(), Ok(rule.clone()), "shown and read again");
        expectation.headers.push(rule);
    }
    if let Ok(pattern) = body.parse() {
        expectation.body.push(BodyRule { pattern, absent: response.len() % 2 == 1 });
    }
    let mut fields = Vec::new();
    let mut rest = response;
    while let Some(at) = rest.iter().position(|octet| *octet == b'\n') {
        let (line, after) = rest.split_at(at);
        rest = after.get(1..).unwrap_or_default();
        let mut halves = line.splitn(2, |octet| *octet == b':');
        let name = core::str::from_utf8(halves.next().unwrap_or_default()).unwrap_or_default();
        match halves.next() {
            Some(value) => fields.push((name, value)),
            None => break,
        }
    }
    let status = answer.parse().unwrap_or(200);
    let result = expectation.judge(status, fields.iter().copied(), rest, rest.len() > 64);
    assert!(matches!(result.outcome, Outcome::Pass | Outcome::Fail), "a verdict");
    assert!(!result.detail.is_empty() && result.detail.len() <= DETAIL_MAX, "a short text");
    if result.outcome == Outcome::Pass {
        assert!(expectation.status.contains(status), "a good status");
    }
}

fn fill(template: &UrlTemplate) {
    let address = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let values = Values { vip: Some(address), port: Some(81), service: "a b/?#é" };
    let url = template.fill(&values);
    assert!(url.is_ok(), "a URL with all its values");
    let Ok(url) = url else { return };
    let harmless = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}#".contains(c);
    assert!(url.to_string().chars().all(harmless), "only what a URL may hold");
    assert!(url.target.starts_with('/') && url.port > 0 && !url.host.is_empty(), "a whole URL");
    let again = url.to_string().parse::<UrlTemplate>().map(|again| again.fill(&values));
    assert_eq!(again, Ok(Ok(url)), "a filled URL is a URL");
}
