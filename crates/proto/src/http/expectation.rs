//! What makes a response good, and the judgement of one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use ha2bgp_core::check::{Outcome, ProbeResult};

use crate::pattern::Pattern;
use crate::quote::quote;

use super::{HeaderRule, StatusSet};

/// How much quicker a text is found than the nastiest expression, at the least.
const TEXT_QUICKER: usize = 64;

/// What the body must hold, or must not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BodyRule {
    /// What is looked for.
    pub pattern: Pattern,
    /// True if it must not be there.
    pub absent: bool,
}

impl BodyRule {
    /// The body must hold this.
    pub const fn contains(pattern: Pattern) -> Self {
        Self { pattern, absent: false }
    }

    fn complaint(&self, body: &[u8], truncated: bool) -> Option<String> {
        if self.pattern.is_in(body) != self.absent {
            return None;
        }
        let pattern = &self.pattern;
        if self.absent {
            return Some(format!("body contains {pattern}, expected not to"));
        }
        let word = if pattern.is_regex() { "match" } else { "contain" };
        let limit = if truncated {
            format!(" in its first {} octets, the most that are read", body.len())
        } else {
            String::new()
        };
        Some(if body.is_empty() {
            format!("body does not {word} {pattern}{limit}; it is empty")
        } else {
            format!("body does not {word} {pattern}{limit}; it begins {}", quote(body, 60))
        })
    }
}

/// All that a response must be. The default is a status from 200 to 299.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Expectation {
    /// Which statuses are good.
    pub status: StatusSet,
    /// Every one of these must hold; the configuration limits how many there are.
    pub headers: Vec<HeaderRule>,
    /// Every one of these must hold; the configuration limits how many there are.
    pub body: Vec<BodyRule>,
}

impl Expectation {
    /// True if the body is needed: otherwise the client need not read it.
    pub const fn needs_body(&self) -> bool {
        !self.body.is_empty()
    }

    /// How many octets a judgement looks at, roughly: each expression looks at all of them, and a
    /// text is found many times quicker. `headers` and `body` are octets too.
    pub fn work(&self, headers: usize, body: usize) -> usize {
        let expressions = self.body.iter().filter(|rule| rule.pattern.is_regex()).count();
        let texts = self.body.len() - expressions;
        let in_headers = self.headers.iter().filter(|rule| rule.is_regex()).count();
        let in_body = body.saturating_mul(expressions);
        let in_texts = (body / TEXT_QUICKER).saturating_mul(texts);
        headers.saturating_mul(in_headers).saturating_add(in_body).saturating_add(in_texts)
    }

    /// Pass, or fail with the first thing that is wrong: status, then headers, then body.
    /// `headers` are the fields as received, `body` is what was read of the body, and `truncated`
    /// says that there was more of it than the check reads.
    pub fn judge<'a>(
        &self,
        status: u16,
        headers: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
        body: &[u8],
        truncated: bool,
    ) -> ProbeResult {
        let fail = |text: &str| ProbeResult::new(Outcome::Fail, text);
        if !self.status.contains(status) {
            return fail(&format!("status {status}, expected {}", self.status));
        }
        if let Some(text) = self.headers.iter().find_map(|rule| rule.complaint(headers.clone())) {
            return fail(&text);
        }
        if let Some(text) = self.body.iter().find_map(|rule| rule.complaint(body, truncated)) {
            return fail(&text);
        }
        ProbeResult::new(Outcome::Pass, &format!("status {status}"))
    }
}
