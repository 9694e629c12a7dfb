//! Sets of HTTP status codes: `200`, `2xx`, `200-299,301`.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// The most words in a set.
const MAX_WORDS: usize = 64;

/// Which status codes are good: some of 100 to 599 (RFC 9110 section 15), at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusSet {
    /// First and last of each range: sorted, neither overlapping nor adjacent.
    ranges: Vec<(u16, u16)>,
}

/// 200 to 299: the request was understood and done (RFC 9110 section 15.3). A redirection is no
/// answer of a healthy service unless the configuration says so.
impl Default for StatusSet {
    fn default() -> Self {
        Self { ranges: vec![(200, 299)] }
    }
}

/// Why a text is not a [`StatusSet`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StatusError {
    /// A word that is no status.
    #[error(
        "\"{word}\" at character {} is not a status: write a code from 100 to 599 (200), a class \
         (2xx) or a range (200-299), with commas between them",
        .at + 1
    )]
    Word {
        /// The word, perhaps empty.
        word: String,
        /// Where it begins, in characters from 0.
        at: usize,
    },
    /// `299-200`.
    #[error("\"{word}\" at character {} runs backwards: write the smaller code first", .at + 1)]
    Backwards {
        /// The word.
        word: String,
        /// Where it begins, in characters from 0.
        at: usize,
    },
    /// More than 64 words.
    #[error("{count} words are more than {MAX_WORDS}: use ranges and classes")]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

impl FromStr for StatusSet {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, StatusError> {
        let count = text.split(',').count();
        if count > MAX_WORDS {
            return Err(StatusError::TooMany { count });
        }
        let mut ranges = Vec::with_capacity(count);
        let mut begin = 0;
        for part in text.split(',') {
            let word = part.trim();
            let blanks = part.chars().take_while(|c| c.is_whitespace()).count();
            let at = if word.is_empty() { begin } else { begin + blanks };
            begin += part.chars().count() + 1;
            let word_error = || StatusError::Word { word: shorten(word), at };
            let (first, last) = range(word).ok_or_else(word_error)?;
            if last < first {
                return Err(StatusError::Backwards { word: shorten(word), at });
            }
            ranges.push((first, last));
        }
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= *end + 1 => *end = last.max(*end),
                Some(_) | None => merged.push((first, last)),
            }
        }
        Ok(Self { ranges: merged })
    }
}

fn range(word: &str) -> Option<(u16, u16)> {
    if let Some((first, last)) = word.split_once('-') {
        return Some((code(first.trim())?, code(last.trim())?));
    }
    if let [class @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] = word.as_bytes() {
        let first = u16::from(class - b'0') * 100;
        return Some((first, first + 99));
    }
    let code = code(word)?;
    Some((code, code))
}

fn code(word: &str) -> Option<u16> {
    let digits = word.len() == 3 && word.bytes().all(|octet| octet.is_ascii_digit());
    word.parse().ok().filter(|code| digits && (100..=599).contains(code))
}

/// Enough of a word to find it again.
fn shorten(word: &str) -> String {
    match word.char_indices().nth(40) {
        Some((end, _)) => alloc::format!("{}…", word.get(..end).unwrap_or_default()),
        None => word.to_owned(),
    }
}

impl StatusSet {
    /// True if a response with this status is good.
    pub fn contains(&self, status: u16) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

/// In the shortest way: `200-299,301`.
impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}
