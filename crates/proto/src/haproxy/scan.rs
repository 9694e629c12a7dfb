//! Finding octets in text eight at a time, and logical lines in octets that come in pieces.
//!
//! A table of 10 000 servers has a million fields of which we want a few thousand: the others are
//! only counted. This is all that makes the difference; the rest is written to be read.

use alloc::vec::Vec;
use core::mem;
use core::ops::ControlFlow;

const LOW: u64 = u64::from_ne_bytes([0x7f; 8]);
const ONES: u64 = u64::from_ne_bytes([1; 8]);

/// The high bit of each octet of `word` that equals `octet`, and no other bit. The lowest bits are
/// the first octets.
fn matches(word: u64, octet: u8) -> u64 {
    let x = word ^ (ONES * u64::from(octet));
    !(((x & LOW) + LOW) | x | LOW)
}

fn word_at(text: &[u8], at: usize) -> Option<u64> {
    text.get(at..)?.first_chunk().map(|octets| u64::from_le_bytes(*octets))
}

/// The place in octets of the lowest match.
fn first(matches: u64) -> usize {
    // At most 7, so it fits.
    (matches.trailing_zeros() / 8) as usize
}

/// How many matches there are. A multiplication adds up the octets, at most 8 in the highest one;
/// without an instruction for it, counting bits takes longer.
const fn number(matches: u64) -> usize {
    ((matches >> 7).wrapping_mul(ONES) >> 56) as usize
}

/// Where the first `a` or `b` is, from `from` on.
pub(super) fn find_either(text: &[u8], from: usize, a: u8, b: u8) -> Option<usize> {
    let mut at = from;
    while let Some(word) = word_at(text, at) {
        let found = matches(word, a) | matches(word, b);
        if found != 0 {
            return Some(at + first(found));
        }
        at += 8;
    }
    let rest = text.get(at..)?;
    rest.iter().position(|octet| *octet == a || *octet == b).map(|place| at + place)
}

/// Finds the same octet again and again, each word of the text looked at once.
#[derive(Debug)]
pub(super) struct Finder<'a> {
    text: &'a [u8],
    octet: u8,
    /// Where the word at hand starts.
    at: usize,
    /// Its matches that were not passed yet.
    found: u64,
}

impl<'a> Finder<'a> {
    /// From the start of `text` on. The octet is not 0, which stands for what is after the end.
    pub(super) fn new(text: &'a [u8], octet: u8) -> Self {
        let mut finder = Self { text, octet, at: 0, found: 0 };
        finder.look();
        finder
    }

    fn look(&mut self) {
        let word = word_at(self.text, self.at).unwrap_or_else(|| {
            let mut word = [0; 8];
            let rest = self.text.get(self.at..).unwrap_or_default();
            word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            u64::from_le_bytes(word)
        });
        self.found = matches(word, self.octet);
    }

    /// Passes `count` matches; the place of the last one, or none when there are fewer. The count
    /// is not 0.
    pub(super) fn pass(&mut self, count: usize) -> Option<usize> {
        let mut left = count;
        loop {
            let here = number(self.found);
            if here >= left {
                break;
            }
            left -= here;
            self.at += 8;
            if self.at >= self.text.len() {
                self.found = 0;
                return None;
            }
            self.look();
        }
        for _ in 1..left {
            self.found &= self.found.wrapping_sub(1);
        }
        let place = self.at + first(self.found);
        self.found &= self.found.wrapping_sub(1);
        Some(place)
    }
}

/// A line is longer than allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooLong;

/// Cuts octets that come in pieces into logical lines. With `quotes`, a line feed between double
/// quotes does not end a line (RFC 4180 section 2).
#[derive(Debug)]
pub(super) struct Lines {
    partial: Vec<u8>,
    in_quotes: bool,
    /// The line at hand has a quote.
    quoted: bool,
    quotes: bool,
    max: usize,
}

impl Lines {
    /// Lines of at most `max` octets without the line feed; no more than that is ever kept.
    pub(super) const fn new(max: usize, quotes: bool) -> Self {
        Self { partial: Vec::new(), in_quotes: false, quoted: false, quotes, max }
    }

    /// Hands each line that ends in `piece` to `take`, without its line feed and with whether it
    /// has quotes, until `take` breaks: then what is left of the piece is the answer.
    pub(super) fn feed<'a>(
        &mut self,
        piece: &'a [u8],
        take: &mut dyn FnMut(&[u8], bool) -> ControlFlow<()>,
    ) -> Result<&'a [u8], TooLong> {
        let quote = if self.quotes { b'"' } else { b'\n' };
        let (mut start, mut at) = (0, 0);
        while let Some(place) = find_either(piece, at, b'\n', quote) {
            at = place + 1;
            if piece.get(place) == Some(&b'"') {
                self.in_quotes = !self.in_quotes;
                self.quoted = true;
                continue;
            }
            if self.in_quotes {
                continue;
            }
            let line = piece.get(start..place).unwrap_or_default();
            start = at;
            let quoted = mem::take(&mut self.quoted);
            if self.partial.len() + line.len() > self.max {
                return Err(TooLong);
            }
            let flow = if self.partial.is_empty() {
                take(line, quoted)
            } else {
                let mut whole = mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                let flow = take(&whole, quoted);
                whole.clear();
                self.partial = whole;
                flow
            };
            if flow.is_break() {
                return Ok(piece.get(start..).unwrap_or_default());
            }
        }
        let rest = piece.get(start..).unwrap_or_default();
        if self.partial.len() + rest.len() > self.max {
            return Err(TooLong);
        }
        self.partial.extend_from_slice(rest);
        Ok(&[])
    }

    /// What stands after the last line feed.
    pub(super) fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// True when the partial line is inside of quotes.
    pub(super) const fn in_quotes(&self) -> bool {
        self.in_quotes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_and_octets_find_the_same(text in "[,\"\n\u{80}a]{0,60}", from in 0_usize..70) {
            let bytes = text.as_bytes();
            let slow = |octets: &[u8]| {
                bytes.get(from..)?.iter().position(|it| octets.contains(it)).map(|it| it + from)
            };
            prop_assert_eq!(find_either(bytes, from, b'\n', b'"'), slow(b"\n\""));
        }

        #[test]
        fn a_finder_passes_them_one_by_one(text in "[,a]{0,60}", counts in prop::collection::vec(1_usize..20, 0..9)) {
            let mut finder = Finder::new(text.as_bytes(), b',');
            let mut places = text.match_indices(',').map(|(place, _)| place);
            for count in counts {
                prop_assert_eq!(finder.pass(count), places.nth(count - 1));
            }
        }

        #[test]
        fn the_cut_does_not_matter(text in "[ab\"\n]{0,60}", cut in 1_usize..9, max in 1_usize..30) {
            let all = |size: usize| {
                let mut lines = Lines::new(max, true);
                let mut seen = Vec::new();
                for piece in text.as_bytes().chunks(size) {
                    let fed = lines.feed(piece, &mut |line, quoted| {
                        seen.push((line.to_vec(), quoted));
                        ControlFlow::Continue(())
                    });
                    if fed.is_err() {
                        return (seen, None);
                    }
                }
                (seen, Some(lines.partial().to_vec()))
            };
            prop_assert_eq!(all(cut), all(64));
        }
    }
}
