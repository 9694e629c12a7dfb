//! What must hold whatever is expected and answered: the body of a fuzz target in `fuzz/`, replayed
//! by `cargo test`. A broken rule panics; nothing else calls this.

use alloc::string::ToString;

use ha2bgp_core::check::{DETAIL_MAX, Outcome};

use super::{End, Expect, ExpectRule, Feed, MAX_SEND, SendTemplate, Wanted};
use crate::template::Values;

/// A line with a rule, an octet for the window, an octet for the size of the pieces, then the
/// answer: a text is found in pieces exactly when it is found in the whole window.
#[doc(hidden)]
pub fn fuzz_tcp_expect(input: &[u8]) {
    let mut parts = input.splitn(2, |octet| *octet == b'\n');
    let text = core::str::from_utf8(parts.next().unwrap_or_default()).unwrap_or_default();
    match text.parse::<SendTemplate>() {
        Ok(template) => {
            let values = Values { vip: None, port: Some(80), service: r"\q" };
            match template.fill(&values) {
                Ok(send) => assert!(send.octets().len() <= MAX_SEND, "bounded"),
                Err(error) => assert!(!error.to_string().is_empty(), "an error says why"),
            }
        }
        Err(error) => assert!(!error.to_string().is_empty(), "an error says why"),
    }
    let rule = match text.parse::<ExpectRule>() {
        Ok(rule) => rule,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "an error says why");
            return;
        }
    };
    let Some(([window, size], answer)) = parts.next().and_then(<[u8]>::split_first_chunk) else {
        return;
    };
    let window = usize::from(*window).max(1);
    let mut expect = Expect::new(&rule, window);
    let mut last = Feed::More;
    for piece in answer.chunks(usize::from(*size).max(1)) {
        let next = expect.feed(piece);
        assert!(last != Feed::Matched || next == Feed::Matched, "a match stays");
        assert!(last != Feed::Cannot || next == Feed::Cannot, "never stays never");
        last = next;
    }
    assert!(expect.received().len() <= window, "a bounded answer");
    let seen = answer.get(..window).unwrap_or(answer);
    if let Wanted::Octets(octets) = &rule.wanted {
        let there = seen.windows(octets.len()).any(|part| part == octets);
        assert_eq!(last == Feed::Matched, there, "pieces do not matter");
    }
    if last == Feed::Cannot {
        assert_eq!(expect.received(), seen, "a full window");
    }
    for end in [End::Full, End::Closed, End::TimedOut] {
        let result = expect.judge(end);
        assert_eq!(result.outcome == Outcome::Pass, last == Feed::Matched, "a match passes");
        assert!(!result.detail.is_empty() && result.detail.len() <= DETAIL_MAX, "a short text");
    }
}
