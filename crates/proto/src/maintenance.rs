//! The file check: whether a file that is there or not says that the service works.
//!
//! A maintenance file (`exabgp healthcheck --disable` uses one) is a rule that it is absent; a
//! heartbeat file is a rule over its age. Only the judgement is here: opening, watching and reading
//! the file, and the clock, belong to the observer. A file that cannot be looked at (no permission,
//! an IO error) is not absent; the observer makes it [`Outcome::Unknown`].

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};

use crate::pattern::Pattern;
use crate::quote::quote;

mod fuzz;
#[cfg(test)]
mod tests;

pub use fuzz::fuzz_file_rule;

/// What the observer reads of a file at most, in octets.
pub const MAX_CONTENT: usize = 64 * 1024;

/// What a file must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FileRule {
    /// It must not be there.
    Absent,
    /// It must be there, and be like this.
    Exists(FileLimits),
}

/// What a file that is there must be like. The default asks for nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FileLimits {
    /// What its first [`MAX_CONTENT`] octets must hold.
    pub contains: Option<Pattern>,
    /// The longest time since it was last written. A file from the future has the age zero.
    pub max_age: Option<Duration>,
    /// Its least size, in octets.
    pub min_size: Option<u64>,
}

/// What was found of a file that is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileFacts<'a> {
    /// Its size, in octets.
    pub size: u64,
    /// The time since it was last written.
    pub age: Duration,
    /// Its beginning, at most [`MAX_CONTENT`] octets; empty if the rule does not need it.
    pub content: &'a [u8],
    /// True if the file is longer than `content` because of that limit.
    pub truncated: bool,
}

impl FileRule {
    /// True if the content must be read.
    pub const fn needs_content(&self) -> bool {
        matches!(self, Self::Exists(FileLimits { contains: Some(_), .. }))
    }

    /// After which time since the last change the verdict may become another, without any change.
    pub const fn max_age(&self) -> Option<Duration> {
        match self {
            Self::Absent => None,
            Self::Exists(limits) => limits.max_age,
        }
    }

    /// Pass, or fail with the first thing that is wrong: presence, size, age, content. `None` is a
    /// file that is not there.
    pub fn judge(&self, facts: Option<FileFacts<'_>>) -> ProbeResult {
        let pass = |text: &str| ProbeResult::new(Outcome::Pass, text);
        let fail = |text: &str| ProbeResult::new(Outcome::Fail, text);
        match (self, facts) {
            (Self::Absent, None) => pass("the file is not there"),
            (Self::Absent, Some(facts)) => fail(&present(&facts)),
            (Self::Exists(_), None) => fail("the file is not there, expected one"),
            (Self::Exists(limits), Some(facts)) => match limits.complaint(&facts) {
                Some(text) => fail(&text),
                None => pass(&format!("the file is there, {} octets", facts.size)),
            },
        }
    }
}

/// A maintenance file often says why it is there.
fn present(facts: &FileFacts<'_>) -> String {
    let first = facts.content.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let first = first.trim_ascii();
    if first.is_empty() {
        return "the file is there, expected none".into();
    }
    format!("the file is there, expected none; it says {}", quote(first, 120))
}

impl FileLimits {
    fn complaint(&self, facts: &FileFacts<'_>) -> Option<String> {
        if let Some(least) = self.min_size.filter(|least| facts.size < *least) {
            return Some(format!("the file has {} octets, expected at least {least}", facts.size));
        }
        if let Some(most) = self.max_age.filter(|most| facts.age > *most) {
            // Whole seconds, rounded so that the age never looks allowed.
            let age = Duration::from_secs(facts.age.as_secs());
            let age = if age > most { age } else { facts.age };
            return Some(format!("the file was written {age:?} ago, expected at most {most:?}"));
        }
        let pattern = self.contains.as_ref().filter(|pattern| !pattern.is_in(facts.content))?;
        let word = if pattern.is_regex() { "match" } else { "contain" };
        let limit = if facts.truncated {
            format!(" in its first {} octets, the most that are read", facts.content.len())
        } else {
            String::new()
        };
        Some(if facts.content.is_empty() {
            format!("the file does not {word} {pattern}{limit}; it is empty")
        } else {
            let begins = quote(facts.content, 60);
            format!("the file does not {word} {pattern}{limit}; it begins {begins}")
        })
    }
}
