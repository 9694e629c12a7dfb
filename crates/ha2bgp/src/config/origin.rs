//! Where a value was written, and how that place is shown: a flag, a variable, or a line of a file
//! with a caret under the value.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::cli::flags::FLAGS;

/// What a line is replaced by in errors when a secret may stand in it.
const HIDDEN: &str = "(not shown: a secret may stand here)";
/// A longer line is not shown: it would bury the message.
const LINE_MAX: usize = 200;

/// Where a value was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// On the command line: `--network`.
    Flag(&'static str),
    /// In the environment: `HA2BGP_NETWORK_FILTER`.
    Variable(&'static str),
    /// In a configuration file.
    File(Place),
    /// Nowhere: the default of this flag.
    Default(&'static str),
}

impl Origin {
    /// How the flag `name` with this value is written where this stands: as a flag, or as a key.
    /// Without a value: what it is called there.
    pub fn spell(&self, name: &str, value: &str) -> String {
        match (self, FLAGS.iter().find(|flag| flag.long == name)) {
            (Self::File(_), Some(flag)) => {
                let key = flag.key.trim_start_matches("peer.");
                if value.is_empty() { key.to_owned() } else { format!("{key} = {value}") }
            }
            _ if matches!(value, "" | "true") => format!("--{name}"),
            _ => format!("--{name} {}", value.trim_matches('"')),
        }
    }

    /// The line in its file, from 1 on; 0 outside of files.
    pub(super) fn line(&self) -> usize {
        self.line_and_column().0
    }

    /// Line and column in its file, from 1 on; zeros outside of files.
    pub fn line_and_column(&self) -> (usize, usize) {
        match self {
            Self::File(place) => place.line_and_column(),
            Self::Flag(_) | Self::Variable(_) | Self::Default(_) => (0, 0),
        }
    }

    /// False when it is in a file that is not TOML throughout: what seems to be missing there may
    /// have been written.
    pub(super) fn is_whole(&self) -> bool {
        !matches!(self, Self::File(place) if place.source.broken_at.is_some())
    }

    /// False behind a place that is not TOML, where everything was guessed.
    pub(super) fn is_sure(&self) -> bool {
        let Self::File(Place { source, span, .. }) = self else { return true };
        source.broken_at.is_none_or(|broken_at| {
            let before = source.text.get(..broken_at).unwrap_or_default();
            span.start < before.rfind('\n').map_or(0, |at| at + 1)
        })
    }

    /// The octets of its file; none outside of files.
    pub(super) fn span(&self) -> Range<usize> {
        match self {
            Self::File(place) => place.span.clone(),
            Self::Flag(_) | Self::Variable(_) | Self::Default(_) => 0..0,
        }
    }

    /// The place of some octets of a text value: where the text stands in the file as it is, that
    /// part of it, else all of it.
    pub fn part(&self, text: &str, part: &Range<usize>) -> Self {
        let Self::File(place) = self else { return self.clone() };
        let whole = place.source.text.get(place.span.clone()).unwrap_or_default();
        let Some(begin) = whole.find(text).filter(|_| !text.is_empty()) else {
            return self.clone();
        };
        let start = place.span.start + begin + part.start;
        // The end of the text is shown at its last octet, which the quote follows.
        let end = (place.span.start + begin + part.end).max(start + 1);
        Self::File(Place { span: start..end, ..place.clone() })
    }

    /// Where this is, for somebody who looks at `other`: `, first in line 3`, or in which file.
    /// Nothing outside of files.
    pub(super) fn first_for(&self, other: &Self) -> String {
        match (self, other) {
            (Self::File(first), Self::File(place))
                if first.source.number == place.source.number =>
            {
                format!(", first in line {}", first.line())
            }
            (Self::File(first), _) => {
                let (line, column) = first.line_and_column();
                format!(", first in {}:{line}:{column}", first.source.name)
            }
            _ => String::new(),
        }
    }

    /// For sorting: files behind the rest, by position.
    pub(super) fn position(&self) -> (usize, usize) {
        match self {
            Self::File(place) => (place.source.number, place.span.start),
            _ => (0, 0),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Variable(name) => f.write_str(name),
            Self::Default(name) => write!(f, "--{name} (default)"),
            Self::File(place) => place.fmt(f),
        }
    }
}

/// A value as text, and where it was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// Where.
    pub origin: Origin,
    /// What.
    pub text: String,
}

/// A file and what it holds.
#[derive(Debug, Eq, PartialEq)]
pub struct Source {
    /// Which one it is of several, from 1 on.
    pub number: usize,
    /// Its path as it was given.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Where it is first not TOML, if it is not.
    pub broken_at: Option<usize>,
    /// The octets at which its lines begin, but for the first: line numbers are asked for once an
    /// error, and a file may be long.
    lines: Vec<usize>,
}

impl Source {
    /// The `number`th file, of this name and text.
    pub fn new(number: usize, name: &str, text: &str, broken_at: Option<usize>) -> Self {
        let lines = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { number, name: name.to_owned(), text: text.to_owned(), broken_at, lines }
    }

    /// Line and column of an octet, both from 1 on; columns count characters.
    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let line = self.line(at);
        let start = line.checked_sub(2).and_then(|index| self.lines.get(index)).copied();
        let before = self.text.get(start.unwrap_or(0)..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The line of an octet, from 1 on.
    fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at) + 1
    }
}

/// A place in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// The key there, such as `peer.hold-time`; empty where no key is meant.
    pub key: String,
    /// The octets of the value. Empty: the file as a whole.
    pub span: Range<usize>,
}

impl Place {
    /// The line, from 1 on.
    pub(super) fn line(&self) -> usize {
        self.source.line(self.span.start)
    }

    /// Line and column, both from 1 on; columns count characters.
    fn line_and_column(&self) -> (usize, usize) {
        self.source.line_and_column(self.span.start)
    }

    /// True when it is the file, and no place in it.
    pub fn is_whole_file(&self) -> bool {
        self.span.is_empty() && self.span.start == 0
    }

    /// What stands there; nothing for the file as a whole, and where a secret may stand in the line.
    pub fn value(&self) -> Option<&str> {
        let line = self.source.text.lines().nth(self.line_and_column().0 - 1).unwrap_or_default();
        let hidden = self.is_whole_file() || may_hold_secret(line);
        self.source.text.get(self.span.clone()).filter(|_| !hidden)
    }

    /// The line with carets under the value; nothing for a file as a whole.
    pub fn snippet(&self) -> Option<String> {
        if self.is_whole_file() {
            return None;
        }
        let (number, column) = self.line_and_column();
        let line = self.source.text.lines().nth(number - 1).unwrap_or_default();
        let edge = " ".repeat(number.to_string().len());
        if may_hold_secret(line) {
            return Some(format!("{edge} |\n{number} | {HIDDEN}"));
        }
        if line.chars().count() > LINE_MAX {
            return None;
        }
        // Control characters, tabs among them, would shift the carets or do worse to a terminal.
        let shown: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let rest = shown.chars().count().saturating_sub(column - 1).max(1);
        let shown = shown.trim_end();
        let marked = self.source.text.get(self.span.clone()).unwrap_or_default();
        let carets = marked.lines().next().unwrap_or_default().chars().count().clamp(1, rest);
        Some(format!(
            "{edge} |\n{number} | {shown}\n{edge} | {}{}",
            " ".repeat(column - 1),
            "^".repeat(carets)
        ))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source.name)?;
        if !self.is_whole_file() {
            let (line, column) = self.line_and_column();
            write!(f, ":{line}:{column}")?;
        }
        if self.key.is_empty() { Ok(()) } else { write!(f, ": {}", self.key) }
    }
}

/// True for a line that may show a secret, such as a mistaken `password = "…"`.
pub(super) fn may_hold_secret(line: &str) -> bool {
    let line = line.to_ascii_lowercase().replace("password-file", "");
    let words = ["password", "passwd", "secret", "md5", "authorization", "bearer", "token"];
    let line = line.replace("tokens-file", "");
    // A URL with a user in it.
    let user = line.split("://").skip(1).any(|it| it.split('/').next().unwrap_or("").contains('@'));
    user || words.iter().any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns() {
        let text = "a\n\ncä = é\r\n";
        let source = Source::new(1, "a.toml", text, None);
        let found: Vec<_> = ["a", "\n\n", "c", "é", "\r"]
            .iter()
            .map(|part| source.line_and_column(text.find(part).unwrap()))
            .collect();
        assert_eq!(found, [(1, 1), (1, 2), (3, 1), (3, 6), (3, 7)]);
        assert_eq!(source.line_and_column(text.len()), (4, 1), "the end of the file");
        assert_eq!(Source::new(1, "", "", None).line_and_column(0), (1, 1));
    }
}
