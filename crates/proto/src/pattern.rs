//! What a foreign answer must hold: a text, or a regular expression between slashes.
//!
//! Used for bodies, header values, banners, TXT records and files. Octets in, yes or no out. The
//! engine runs in time linear in the length of the octets; there is no backtracking.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use regex::bytes::{Regex, RegexBuilder};

use crate::quote::quote;

/// The longest pattern, in octets as written.
pub const MAX_PATTERN: usize = 1024;

/// The largest compiled regular expression, in octets. Whoever matches waits for it: 64 KiB of answer
/// take 0.15 ms, but up to 0.5 s with an expression at this limit whose lazy automaton outgrows
/// `MAX_AUTOMATON` (`[01]*1[01]{60}x` over zeroes and ones).
pub const MAX_COMPILED: usize = 8 * 1024;

/// The most memory for the lazy automaton of one expression, in octets; ordinary ones need less than
/// 10 KiB. There is one expression for each check.
const MAX_AUTOMATON: usize = 256 * 1024;

/// A text, or `/regex/`.
///
/// Everything that begins and ends with a slash is a regular expression in the syntax of the crate
/// `regex`, over octets: `.`, `\w`, `\d`, `\b` and `(?i)` know ASCII only, `(?s)` lets `.` match a
/// line feed. Everything else is a text, compared octet by octet, with upper and lower case apart.
#[derive(Clone, Debug)]
pub struct Pattern {
    written: String,
    regex: Option<Regex>,
}

/// Two patterns are equal when they are written alike.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Pattern {}

/// Why a text is not a [`Pattern`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PatternError {
    /// There is nothing to look for.
    #[error("an empty pattern is found everywhere: write a text, or /regex/")]
    Empty,
    /// More than [`MAX_PATTERN`].
    #[error("the pattern has {length} octets and may have {MAX_PATTERN}: look for less")]
    TooLong {
        /// Its length, in octets.
        length: usize,
    },
    /// Not a regular expression.
    #[error("{word} is not a regular expression: {reason}")]
    Regex {
        /// The pattern as written.
        word: String,
        /// What the engine says, in one line.
        reason: String,
    },
    /// More than [`MAX_COMPILED`] when compiled.
    #[error(
        "{word} needs more than {MAX_COMPILED} octets when compiled: use smaller counts in braces"
    )]
    TooLarge {
        /// The pattern as written.
        word: String,
    },
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() || text == "//" {
            return Err(PatternError::Empty);
        }
        if text.len() > MAX_PATTERN {
            return Err(PatternError::TooLong { length: text.len() });
        }
        let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let regex = inner.map(|inner| compile(inner, text)).transpose()?;
        Ok(Self { written: text.to_owned(), regex })
    }
}

fn compile(inner: &str, written: &str) -> Result<Regex, PatternError> {
    let mut builder = RegexBuilder::new(inner);
    builder.unicode(false).nest_limit(64);
    let built = builder.size_limit(MAX_COMPILED).dfa_size_limit(MAX_AUTOMATON).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => PatternError::TooLarge { word: written.to_owned() },
        other => {
            // The text has several lines: the pattern, carets, and what is wrong at the end.
            let text = other.to_string();
            let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            let reason = last.trim().strip_prefix("error: ").unwrap_or(last.trim()).to_owned();
            PatternError::Regex { word: written.to_owned(), reason }
        }
    })
}

impl Pattern {
    /// True if it is found anywhere in `octets`.
    pub fn is_in(&self, octets: &[u8]) -> bool {
        match &self.regex {
            Some(regex) => regex.is_match(octets),
            None => contains(octets, self.written.as_bytes()),
        }
    }

    /// True if `octets` are exactly this text, or the regular expression is found in them.
    pub fn is(&self, octets: &[u8]) -> bool {
        match &self.regex {
            Some(regex) => regex.is_match(octets),
            None => octets == self.written.as_bytes(),
        }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// True for `/regex/`.
    pub const fn is_regex(&self) -> bool {
        self.regex.is_some()
    }
}

/// A text in quotation marks, a regular expression between its slashes.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.regex {
            Some(_) => f.write_str(&self.written),
            None => f.write_str(&quote(self.written.as_bytes(), 60)),
        }
    }
}

/// True if `needle`, which is not empty, is in `octets`. The time is at most the product of both
/// lengths, and needles have at most [`MAX_PATTERN`] octets; nearly always each octet is seen once.
pub(crate) fn contains(octets: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return true };
    let mut rest = octets;
    while let Some(at) = rest.iter().position(|octet| octet == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(needle) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn texts_and_expressions() {
        assert!(pattern("OK").is_in(b"all OK here"));
        assert!(!pattern("OK").is(b"all OK here"));
        assert!(!pattern("OK").is_in(b"ok"));
        assert!(pattern("/(?i)ok/").is_in(b"\xff ok"));
        assert!(pattern(r"/^\d{3} /").is(b"220 mail"));
        assert!(pattern("/é+/").is_in("caféé".as_bytes()));
        assert!(pattern("/a.b/").is_in(b"a\xffb"));
        assert!(pattern("/healthz").is("/healthz".as_bytes()));
    }

    #[test]
    fn errors_say_what_to_do() {
        let error = |text: &str| text.parse::<Pattern>().unwrap_err().to_string();
        assert_eq!(error("/a(/"), "/a(/ is not a regular expression: unclosed group");
        assert!(error("").contains("write a text"));
        assert!(
            error("/[a-z]{1000}{1000}/").contains("smaller counts"),
            "{}",
            error("/[a-z]{1000}{1000}/")
        );
        assert!(error(&"a".repeat(1025)).contains("1025"));
    }

    proptest! {
        #[test]
        fn texts_are_found_where_they_are(before: Vec<u8>, needle in "[ab]{1,4}", after in "[ab]{0,9}") {
            let mut octets = before.clone();
            octets.extend_from_slice(needle.as_bytes());
            octets.extend_from_slice(after.as_bytes());
            prop_assert!(pattern(&needle).is_in(&octets));
            let naive = before.windows(needle.len()).any(|window| window == needle.as_bytes());
            prop_assert_eq!(contains(&before, needle.as_bytes()), naive);
        }

        #[test]
        fn nothing_panics(text in ".{0,40}", octets: Vec<u8>) {
            if let Ok(pattern) = text.parse::<Pattern>() {
                let _ = pattern.is_in(&octets);
            }
        }
    }
}
