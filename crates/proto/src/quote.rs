//! Foreign octets as a short, harmless piece of a text for people.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write as _;

/// `octets` in quotation marks: at most `max` characters, then `…`. What is not UTF-8 and control
/// characters are shown as escapes, so that two different octets never look the same.
pub(crate) fn quote(octets: &[u8], max: usize) -> String {
    let mut text = String::from("\"");
    let mut left = max;
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            if left == 0 {
                break;
            }
            left -= 1;
            match character {
                '"' | '\\' => text.extend(['\\', character]),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                _ if character.is_control() => text.extend(character.escape_unicode()),
                _ => text.push(character),
            }
        }
        for octet in chunk.invalid() {
            if left == 0 {
                break;
            }
            left -= 1;
            let _ = write!(text, "\\x{octet:02x}");
        }
        if left == 0 {
            break;
        }
    }
    // One character more than was shown is enough to know that there are more.
    let shown = max - left;
    let all = octets
        .utf8_chunks()
        .flat_map(|chunk| {
            chunk.valid().chars().map(|_| ()).chain(chunk.invalid().iter().map(|_| ()))
        })
        .take(shown + 1)
        .count();
    if all > shown {
        text.push('…');
    }
    text.push('"');
    text
}

/// The words of `known` in one line: `a, b or c`.
pub(crate) fn one_of(known: &[&str]) -> String {
    let mut text = String::new();
    for (at, word) in known.iter().enumerate() {
        if at > 0 {
            text.push_str(if at + 1 == known.len() { " or " } else { ", " });
        }
        text.push_str(word);
    }
    text
}

/// The one of `known` that `word` was probably meant to be: at most two letters away (one for
/// words of up to three letters), case aside.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    if word.len() > 32 {
        return None;
    }
    let allowed = |name: &str| if name.len() <= 3 { 1 } else { 2 };
    known
        .iter()
        .map(|name| (distance(word.as_bytes(), name.to_ascii_lowercase().as_bytes()), *name))
        .filter(|(far, name)| *far <= allowed(name))
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be added, removed, changed or swapped with their neighbour.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut earlier: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
    for (at, a) in left.iter().enumerate() {
        let mut next = vec![at + 1];
        for (place, b) in right.iter().enumerate() {
            let changed = cell(&row, place) + usize::from(a != b);
            let best = changed.min(cell(&row, place + 1) + 1).min(cell(&next, place) + 1);
            let before = |octets: &[u8], at: usize| octets.get(at.wrapping_sub(1)).copied();
            let swapped = before(left, at) == Some(*b) && before(right, place) == Some(*a);
            let swap = if swapped { cell(&earlier, place - 1) + 1 } else { best };
            next.push(best.min(swap));
        }
        earlier = core::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn octets_become_text() {
        assert_eq!(quote(b"a\r\n\"\xff\x1b", 80), r#""a\r\n\"\xff\u{1b}""#);
        assert_eq!(quote(b"", 3), r#""""#);
        assert_eq!(quote(b"abc", 3), r#""abc""#);
        assert_eq!(quote("äbcd".as_bytes(), 3), r#""äbc…""#);
    }

    #[test]
    fn words_are_guessed() {
        assert_eq!(nearest("prot", &["vip", "port", "service"]), Some("port"));
        assert_eq!(nearest("VIP", &["vip", "port", "service"]), Some("vip"));
        assert_eq!(nearest("address", &["vip", "port", "service"]), None);
        assert_eq!(one_of(&["a", "b", "c"]), "a, b or c");
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"vpi", b"vip"), 1);
        assert_eq!(distance(b"", b"ab"), 2);
    }

    proptest! {
        #[test]
        fn quotes_are_short_and_harmless(octets: Vec<u8>, max in 0_usize..40) {
            let text = quote(&octets, max);
            prop_assert!(text.chars().all(|c| !c.is_control()));
            prop_assert!(text.len() <= max * 10 + 5);
        }
    }
}
