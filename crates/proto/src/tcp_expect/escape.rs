//! Texts with escapes for octets.

use alloc::string::String;
use alloc::vec::Vec;

/// A backslash before something that has no meaning.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "\"{word}\" at character {} is no escape: write \\r, \\n, \\t, \\0, \\xHH with two hexadecimal \
     digits, or \\\\ for a backslash",
    .at + 1
)]
pub struct EscapeError {
    /// The backslash and what follows.
    pub word: String,
    /// Where it stands, in characters from 0.
    pub at: usize,
}

/// The octets a text stands for.
pub(super) fn read(text: &str) -> Result<Vec<u8>, EscapeError> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        octets.extend_from_slice(plain.as_bytes());
        let (octet, length) = one(escape).ok_or_else(|| {
            let place = text.len() - escape.len();
            let long = if escape.starts_with("\\x") { 4 } else { 2 };
            EscapeError {
                word: escape.chars().take(long).collect(),
                at: text.char_indices().take_while(|(octet, _)| *octet < place).count(),
            }
        })?;
        octets.push(octet);
        rest = escape.get(length..).unwrap_or_default();
    }
    octets.extend_from_slice(rest.as_bytes());
    Ok(octets)
}

/// The octet of an escape and the length of its text.
fn one(escape: &str) -> Option<(u8, usize)> {
    let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    match *escape.as_bytes() {
        [b'\\', b'r', ..] => Some((b'\r', 2)),
        [b'\\', b'n', ..] => Some((b'\n', 2)),
        [b'\\', b't', ..] => Some((b'\t', 2)),
        [b'\\', b'0', ..] => Some((0, 2)),
        [b'\\', b'\\', ..] => Some((b'\\', 2)),
        [b'\\', b'x', high, low, ..] => Some((hex(high)? * 16 + hex(low)?, 4)),
        _ => None,
    }
}
