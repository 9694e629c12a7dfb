//! Sets of response codes: `NOERROR`, `NOERROR,NXDOMAIN`, `3`.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use crate::quote::nearest;

/// The names of the IANA registry, for those that answers to queries have.
const NAMES: [(u16, &str); 13] = [
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (7, "YXRRSET"),
    (8, "NXRRSET"),
    (9, "NOTAUTH"),
    (10, "NOTZONE"),
    (16, "BADVERS"),
    (23, "BADCOOKIE"),
];

/// The largest code: twelve bits with EDNS (RFC 6891 section 6.1.3).
const MAX: u16 = 4095;

/// Which response codes are good: at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RcodeSet {
    codes: BTreeSet<u16>,
}

/// `NOERROR` alone.
impl Default for RcodeSet {
    fn default() -> Self {
        Self { codes: BTreeSet::from([0]) }
    }
}

/// A word that is no response code.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "\"{word}\" is not a response code: {}write names such as NOERROR, NXDOMAIN or REFUSED, or \
     numbers from 0 to 4095, with commas between them",
    guess(.word)
)]
pub struct RcodeError {
    /// The word, perhaps empty, at most forty characters.
    pub word: String,
}

fn guess(word: &str) -> String {
    let near = nearest(word, &NAMES.map(|(_, name)| name));
    near.map(|name| format!("did you mean {name}? ")).unwrap_or_default()
}

impl FromStr for RcodeSet {
    type Err = RcodeError;

    fn from_str(text: &str) -> Result<Self, RcodeError> {
        let code = |word: &str| {
            let named = NAMES.iter().find(|(_, name)| word.eq_ignore_ascii_case(name));
            let digits = !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_digit());
            let number = || word.parse().ok().filter(|number| digits && *number <= MAX);
            named.map(|(code, _)| *code).or_else(number)
        };
        let words = text.split(',').map(str::trim);
        let read = |word: &str| {
            code(word).ok_or_else(|| RcodeError { word: word.chars().take(40).collect() })
        };
        Ok(Self { codes: words.map(read).collect::<Result<_, _>>()? })
    }
}

impl RcodeSet {
    /// True if an answer with this code is good.
    pub fn contains(&self, code: u16) -> bool {
        self.codes.contains(&code)
    }
}

/// Names where there are some: `NOERROR,NXDOMAIN`.
impl fmt::Display for RcodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, code) in self.codes.iter().enumerate() {
            write!(f, "{}{}", if at > 0 { "," } else { "" }, name(*code))?;
        }
        Ok(())
    }
}

/// The name of a code, or its number.
pub(super) fn name(code: u16) -> String {
    let known = NAMES.iter().find(|(number, _)| *number == code);
    known.map_or_else(|| code.to_string(), |(_, name)| String::from(*name))
}
