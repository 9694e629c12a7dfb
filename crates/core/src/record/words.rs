//! Words of a line: escaping, and reading them one by one with their places.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::ops::Range;
use core::str::FromStr;
use core::time::Duration;

use super::RecordError;
use crate::time::Instant;

/// A text as one word.
pub(super) fn escape(text: &str) -> String {
    let mut word = String::new();
    for octet in text.bytes() {
        if octet.is_ascii_graphic() && !matches!(octet, b'%' | b',' | b'=') {
            word.push(char::from(octet));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(word, "%{octet:02x}");
        }
    }
    // No word at all would be a space.
    if word.is_empty() { "%".to_owned() } else { word }
}

/// The text in a word.
pub(super) fn unescape(word: &str) -> Option<String> {
    if word == "%" {
        return Some(String::new());
    }
    let mut octets = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            octets.push(*first);
            continue;
        }
        let digits = core::str::from_utf8(rest.get(..2)?).ok()?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        rest = rest.get(2..)?;
    }
    String::from_utf8(octets).ok()
}

/// The words of a line, one after the other.
#[derive(Debug)]
pub(super) struct Words<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) const fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    /// The next word and its octets.
    pub(super) fn next(&mut self) -> Option<(&'a str, Range<usize>)> {
        let rest = self.line.get(self.at..)?;
        let begin = self.at + (rest.len() - rest.trim_start_matches(' ').len());
        let rest = self.line.get(begin..)?;
        let length = rest.find(' ').unwrap_or(rest.len());
        self.at = begin + length;
        (length > 0).then(|| (&rest[..length], begin..begin + length))
    }

    /// The next word, which must be there.
    pub(super) fn word(
        &mut self,
        what: &'static str,
    ) -> Result<(&'a str, Range<usize>), RecordError> {
        let end = self.line.len();
        self.next().ok_or(RecordError { span: end..end, what })
    }

    /// The next word, read as something.
    pub(super) fn read<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, RecordError> {
        let (word, span) = self.word(what)?;
        read(word).ok_or(RecordError { span, what })
    }

    /// The next word, parsed.
    pub(super) fn parse<T: FromStr>(&mut self, what: &'static str) -> Result<T, RecordError> {
        self.read(what, |word| word.parse().ok())
    }

    /// The next word as the text that it holds.
    pub(super) fn text(&mut self, what: &'static str) -> Result<String, RecordError> {
        self.read(what, unescape)
    }

    /// Nothing may be left.
    pub(super) fn end(mut self) -> Result<(), RecordError> {
        match self.next() {
            None => Ok(()),
            Some((_, span)) => Err(RecordError { span, what: "the end of the line" }),
        }
    }
}

/// Microseconds.
pub(super) fn moment(word: &str) -> Option<Instant> {
    Some(Instant::START + duration(word)?)
}

/// Microseconds.
pub(super) fn duration(word: &str) -> Option<Duration> {
    word.parse().ok().map(Duration::from_micros)
}

/// A list with commas; `-` is the empty one.
pub(super) fn list<T>(word: &str, mut read: impl FnMut(&str) -> Option<T>) -> Option<Vec<T>> {
    if word == "-" {
        return Some(Vec::new());
    }
    word.split(',').map(&mut read).collect()
}
