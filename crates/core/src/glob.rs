//! Patterns for names of interfaces and address labels: `eth*`, `lo:web?`, `eth[0-3]`.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// A pattern: `*` is any run of characters, `?` any one, `[abc]`, `[a-z]` and `[!a]` one of a set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Glob {
    text: Box<str>,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Literal(char),
    AnyOne,
    AnyRun,
    Set { negated: bool, ranges: Vec<(char, char)> },
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GlobError {
    /// Nothing matches an empty name.
    #[error("an empty name matches nothing: write a name such as lo, or a pattern such as eth*")]
    Empty,
    /// A `[` without its `]`.
    #[error("\"{text}\" has a [ without a ]: write [abc] or [a-z]")]
    OpenSet {
        /// What was given.
        text: String,
    },
}

impl Glob {
    /// True when the pattern matches the whole `name`.
    ///
    /// Takes at most `pattern × name` steps: only the last `*` is ever tried again.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut part) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while at < name.len() {
            match self.parts.get(part) {
                Some(Part::AnyRun) => {
                    retry = Some((part + 1, at));
                    part += 1;
                }
                Some(single) if name.get(at).is_some_and(|c| single.matches_one(*c)) => {
                    part += 1;
                    at += 1;
                }
                _ => {
                    let Some((after_run, from)) = retry else {
                        return false;
                    };
                    retry = Some((after_run, from + 1));
                    part = after_run;
                    at = from + 1;
                }
            }
        }
        self.parts.iter().skip(part).all(|rest| *rest == Part::AnyRun)
    }

    /// True when it has no pattern characters: then it names exactly one thing.
    pub fn is_exact(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Part {
    fn matches_one(&self, c: char) -> bool {
        match self {
            Self::Literal(own) => *own == c,
            Self::AnyOne => true,
            Self::AnyRun => false,
            Self::Set { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        let mut parts = Vec::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            parts.push(match c {
                '*' => Part::AnyRun,
                '?' => Part::AnyOne,
                '[' => {
                    let (set, after) = rest
                        .as_str()
                        .split_once(']')
                        .ok_or_else(|| GlobError::OpenSet { text: text.to_string() })?;
                    rest = after.chars();
                    parse_set(set)
                }
                literal => Part::Literal(literal),
            });
        }
        Ok(Self { text: text.into(), parts })
    }
}

fn parse_set(set: &str) -> Part {
    let (negated, set) = match set.strip_prefix(['!', '^']) {
        Some(rest) => (true, rest),
        None => (false, set),
    };
    let chars: Vec<char> = set.chars().collect();
    let mut ranges = Vec::new();
    let mut rest = chars.as_slice();
    loop {
        rest = match rest {
            [low, '-', high, tail @ ..] => {
                ranges.push((*low, *high));
                tail
            }
            [one, tail @ ..] => {
                ranges.push((*one, *one));
                tail
            }
            [] => return Part::Set { negated, ranges },
        };
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, want) in [
            ("lo", "lo", true),
            ("lo", "lo0", false),
            ("lo*", "lo", true),
            ("lo:*", "lo:web", true),
            ("lo:*", "lo", false),
            ("*", "anything", true),
            ("eth?", "eth1", true),
            ("eth?", "eth10", false),
            ("eth[0-3]", "eth2", true),
            ("eth[0-3]", "eth4", false),
            ("eth[!0]", "eth0", false),
            ("eth[!0]", "eth1", true),
            ("*a*b", "xaybzb", true),
            ("*a*b", "xaybz", false),
            ("a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(pattern.parse::<Glob>().unwrap().matches(name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn bad_patterns_say_what_to_write() {
        assert_eq!("".parse::<Glob>(), Err(GlobError::Empty));
        assert_eq!(
            "eth[0".parse::<Glob>().unwrap_err().to_string(),
            "\"eth[0\" has a [ without a ]: write [abc] or [a-z]"
        );
    }
}
