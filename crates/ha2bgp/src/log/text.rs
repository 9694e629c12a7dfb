//! How a line of text looks.

use std::fmt::Write as _;

use super::line::Line;
use crate::events::Level;

/// The head of each line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// `2026-11-22T10:27:00+01:00 [N] …`
    Stamped {
        /// Bold time, levels coloured by meaning.
        color: bool,
    },
    /// `[ha2bgp] [N] …`
    Helper,
}

/// The original's letters: E an operator must act, W unexpected, N (notice) what a network
/// operator wants to read, D every step.
const fn letter(level: Level) -> (char, &'static str) {
    match level {
        Level::Error => ('E', "\x1b[31m"),
        Level::Warn => ('W', "\x1b[33m"),
        Level::Info => ('N', "\x1b[32m"),
        Level::Debug => ('D', "\x1b[36m"),
    }
}

impl Style {
    /// The whole line.
    pub(super) fn line(self, line: &Line) -> Vec<u8> {
        let (letter, color) = letter(line.level);
        let mut text = match self {
            Self::Helper => format!("[ha2bgp] [{letter}] "),
            Self::Stamped { color: false } => format!("{} [{letter}] ", stamp()),
            Self::Stamped { color: true } => {
                format!("\x1b[1m{}\x1b[0m {color}[{letter}]\x1b[0m ", stamp())
            }
        };
        text.push_str(&body(line));
        text.push('\n');
        text.into_bytes()
    }
}

fn stamp() -> impl std::fmt::Display {
    jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z")
}

/// `message key=value …`; control characters are escaped, so that a line stays a line.
pub(super) fn body(line: &Line) -> String {
    let mut text = clean(&line.text);
    for (name, value) in &line.fields {
        let value = clean(value);
        let gap = if text.is_empty() { "" } else { " " };
        // Writing into a string cannot fail.
        let _ = if value.is_empty() || value.contains([' ', '"']) {
            write!(text, "{gap}{name}={value:?}")
        } else {
            write!(text, "{gap}{name}={value}")
        };
    }
    text
}

/// Escapes control characters: texts may come from other programs.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(clean("one\ntwo\x1b[31m"), "one\\ntwo\\u{1b}[31m");
        assert_eq!(clean("größer"), "größer");
        let fields = [("a", "1"), ("b", ""), ("c", "two words"), ("d", "\n")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let line = Line { level: Level::Warn, text: "said\r".to_owned(), fields, record: None };
        let want = "[ha2bgp] [W] said\\r a=1 b=\"\" c=\"two words\" d=\\n\n";
        assert_eq!(String::from_utf8(Style::Helper.line(&line)).unwrap(), want);
    }
}
