//! The TCP check's own words: what is sent after the connection is there, and what must come back.
//!
//! * [`SendText`]: a text with escapes, as octets; [`SendTemplate`]: with placeholders too.
//! * [`ExpectRule`]: a text with escapes, or `/regex/`.
//! * [`Expect`]: takes what is received, piece by piece, and says matched, more, or never.
//!
//! Connecting, TLS, waiting and closing belong to the prober.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use ha2bgp_core::check::{Outcome, ProbeResult};

use crate::pattern::{Pattern, PatternError, contains};
use crate::quote::quote;

mod escape;
mod fuzz;
mod send;
#[cfg(test)]
mod tests;

pub use escape::EscapeError;
pub use fuzz::fuzz_tcp_expect;
pub use send::{SendTemplate, SendTemplateError};

/// The longest text to send, in octets after escapes are read.
pub const MAX_SEND: usize = 4096;

/// How much of an answer is looked at unless the configuration says otherwise, in octets.
pub const DEFAULT_WINDOW: usize = 4096;

/// The most of an answer that can be looked at, in octets.
pub const MAX_WINDOW: usize = 64 * 1024;

/// Octets to send: a text in which `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH` stand for one octet.
/// It may hold a password, so [`Debug`](fmt::Debug) does not show it.
#[derive(Clone, Eq, PartialEq)]
pub struct SendText {
    octets: Vec<u8>,
}

impl fmt::Debug for SendText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendText({} octets)", self.octets.len())
    }
}

impl SendText {
    /// What goes out.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }
}

impl FromStr for SendText {
    type Err = ExpectError;

    fn from_str(text: &str) -> Result<Self, ExpectError> {
        let octets = escape::read(text)?;
        match octets.len() {
            0 => Err(ExpectError::Empty),
            length if length > MAX_SEND => Err(ExpectError::TooLong { length }),
            _ => Ok(Self { octets }),
        }
    }
}

/// What an answer must hold in its first octets: a text with the escapes of [`SendText`], or a regular
/// expression between slashes, which has escapes of its own (`\0` is not one of them: write
/// `\x00`). A text that shall begin and end with a slash begins with `\x2f`.
///
/// An expression is tried each time something arrives: `$` is the end of what has arrived so far.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExpectRule {
    wanted: Wanted,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Wanted {
    Octets(Vec<u8>),
    Regex(Pattern),
}

/// Why a text cannot be sent or expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ExpectError {
    /// There is nothing.
    #[error("an empty text cannot be sent or expected: write some, or leave the key out")]
    Empty,
    /// More than [`MAX_SEND`].
    #[error("the text has {length} octets and may have {MAX_SEND}: make it shorter")]
    TooLong {
        /// Its length, in octets after escapes are read.
        length: usize,
    },
    /// A backslash before something else.
    #[error(transparent)]
    Escape(#[from] EscapeError),
    /// Not a regular expression.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl FromStr for ExpectRule {
    type Err = ExpectError;

    fn from_str(text: &str) -> Result<Self, ExpectError> {
        if text.len() > 1 && text.starts_with('/') && text.ends_with('/') {
            return Ok(Self { wanted: Wanted::Regex(text.parse()?) });
        }
        let SendText { octets } = text.parse()?;
        Ok(Self { wanted: Wanted::Octets(octets) })
    }
}

/// A text in quotation marks, a regular expression between its slashes.
impl fmt::Display for ExpectRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wanted {
            Wanted::Octets(octets) => f.write_str(&quote(octets, 60)),
            Wanted::Regex(pattern) => write!(f, "{pattern}"),
        }
    }
}

/// What is known after a piece of the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Feed {
    /// It is there. It stays so, whatever else is fed.
    Matched,
    /// Not yet.
    More,
    /// The window is full without it.
    Cannot,
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The window is full: [`Feed::Cannot`].
    Full,
    /// The other side closed the connection.
    Closed,
    /// The time is over.
    TimedOut,
}

impl ExpectRule {
    /// The most of an answer that can be looked at with this rule, in octets: [`MAX_WINDOW`] for a
    /// text, [`DEFAULT_WINDOW`] for an expression, which is tried from the start with every piece.
    pub const fn max_window(&self) -> usize {
        match self.wanted {
            Wanted::Octets(_) => MAX_WINDOW,
            Wanted::Regex(_) => DEFAULT_WINDOW,
        }
    }
}

/// One answer that is waited for.
#[derive(Clone, Debug)]
pub struct Expect<'a> {
    rule: &'a ExpectRule,
    window: usize,
    received: Vec<u8>,
    matched: bool,
}

impl<'a> Expect<'a> {
    /// Looks at the first `window` octets of an answer, at least 1 and at most
    /// [`ExpectRule::max_window`].
    pub fn new(rule: &'a ExpectRule, window: usize) -> Self {
        Self {
            rule,
            window: window.clamp(1, rule.max_window()),
            received: Vec::new(),
            matched: false,
        }
    }

    /// Takes what was received. Octets behind the window are not kept.
    pub fn feed(&mut self, octets: &[u8]) -> Feed {
        if self.matched {
            return Feed::Matched;
        }
        let room = self.window - self.received.len();
        let before = self.received.len();
        self.received.extend_from_slice(octets.get(..room).unwrap_or(octets));
        self.matched = match &self.rule.wanted {
            // What was there before is not searched again, but for the beginning of a match.
            Wanted::Octets(wanted) => {
                let from = before.saturating_sub(wanted.len());
                contains(self.received.get(from..).unwrap_or_default(), wanted)
            }
            Wanted::Regex(pattern) => before < self.received.len() && pattern.is_in(&self.received),
        };
        if self.matched {
            Feed::Matched
        } else if self.received.len() >= self.window {
            Feed::Cannot
        } else {
            Feed::More
        }
    }

    /// What has been received so far, at most the window.
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// The verdict: pass if it matched, else fail with what came instead.
    pub fn judge(&self, end: End) -> ProbeResult {
        let begins = quote(&self.received, 60);
        if self.matched {
            return ProbeResult::new(Outcome::Pass, &format!("answered {begins}"));
        }
        let count = self.received.len();
        let came = match (end, count) {
            (End::Full, _) => format!("not in the first {count} octets"),
            (End::Closed, 0) => "closed without an answer".to_owned(),
            (End::Closed, _) => format!("closed after {count} octets"),
            (End::TimedOut, 0) => "no answer in time".to_owned(),
            (End::TimedOut, _) => format!("no more than {count} octets in time"),
        };
        let said = if count == 0 { String::new() } else { format!("; it begins {begins}") };
        let rule = self.rule;
        ProbeResult::new(Outcome::Fail, &format!("{came}, expected {rule}{said}"))
    }
}
