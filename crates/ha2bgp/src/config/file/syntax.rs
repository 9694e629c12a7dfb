//! What is not TOML, in words that say what to write. The parser knows what it expected; what was meant
//! is seen in the text around it.

use std::ops::Range;

/// What word processors make of quotes.
const TYPOGRAPHIC: [char; 8] = ['“', '”', '„', '‘', '’', '‚', '«', '»'];
/// How the lines begin that version control leaves in a file.
const CONFLICTS: [&str; 3] = ["<<<<<<<", "=======", ">>>>>>>"];

/// What `message`, which the parser says of these octets of `text`, asks to do. No part of the text is
/// repeated: it may be a secret.
pub(super) fn explain(message: &str, text: &str, span: &Range<usize>) -> String {
    let fix = fix(message, &Around::new(text, span));
    format!("this is not TOML: {}", fix.as_deref().unwrap_or(message))
}

/// The text around a place.
struct Around<'a> {
    /// The whole text before its line.
    before: &'a str,
    /// The line.
    line: &'a str,
    /// The octets themselves.
    word: &'a str,
    /// What comes behind them, to the end of the line.
    rest: &'a str,
}

impl<'a> Around<'a> {
    fn new(text: &'a str, span: &Range<usize>) -> Self {
        let start =
            text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let line = text.get(start..).and_then(|from| from.lines().next()).unwrap_or_default();
        Self {
            before: text.get(..start).unwrap_or_default(),
            line: line.trim(),
            word: text.get(span.clone()).unwrap_or_default(),
            rest: text.get(span.start..).and_then(|from| from.lines().next()).unwrap_or_default(),
        }
    }

    fn is_conflict(&self) -> bool {
        CONFLICTS.iter().any(|mark| self.line.starts_with(mark))
    }

    /// Where the same section, or the same key of the same section, was written first.
    fn first(&self) -> Option<usize> {
        let is_section = self.line.starts_with('[');
        let mut found = None;
        for (line, number) in self.before.lines().zip(1..) {
            let line = line.trim();
            let key = || line.strip_prefix(self.word)?.trim_start().strip_prefix('=');
            if line.starts_with('[') {
                let same = is_section && line.trim_matches(['[', ']', ' ']) == self.word;
                found = if same { Some(number) } else { found.filter(|_| is_section) };
            } else if !is_section && found.is_none() && key().is_some() {
                found = Some(number);
            }
        }
        found
    }
}

/// What to do, where that can be told.
fn fix(message: &str, around: &Around<'_>) -> Option<String> {
    let is = |start: &str| message.starts_with(start);
    let text = if around.is_conflict() {
        "version control left a conflict here: keep one side of it, and none of its marks"
    } else if is("string values must be quoted") {
        match around.word {
            "" => "a value is missing: write it, or leave the key out",
            word if word.starts_with(TYPOGRAPHIC) => {
                "these are typographic quotes: write plain ones, \"…\""
            }
            word if word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false") => {
                "write true and false in small letters"
            }
            _ => "this is neither a number nor true nor false: write a text in quotes, \"…\"",
        }
    } else if is("invalid basic string") || is("invalid literal string") {
        match around.rest.chars().next() {
            None => "the text is never closed: write the same quote behind it",
            Some(_) => "a control character stands here: write \\t, \\n or \\u001b for it",
        }
    } else if is("missing escaped value") {
        "this escape means nothing: write \\\\ for a backslash, or the text in single quotes"
    } else if is("missing comma between array elements") || is("unclosed array,") {
        "the list is not closed, or a comma is missing: write , between its entries and ] behind them"
    } else if is("unclosed inline table") || is("missing comma between key-value pairs") {
        "the table is not closed, or a comma is missing: write , between its entries and } behind them"
    } else if is("unclosed array table") {
        "the section is not closed: write ]] behind its name"
    } else if is("unclosed table") {
        "the section is not closed: write ] behind its name"
    } else if is("unexpected key or value") {
        "something stands behind the value: write it in a line of its own, or # before a comment"
    } else if is("unexpected leading zero") {
        "a number does not begin with 0: leave the 0 out"
    } else if is("key with no value") || is("invalid unquoted key") {
        match () {
            () if around.line.starts_with(';') || around.line.starts_with("//") => {
                "comments begin with #"
            }
            () if around.line.contains(':') && !around.line.contains('=') => {
                "this looks like YAML: write KEY = VALUE, and [section] for what is indented"
            }
            () if is("key with no value") => "a key stands alone: write KEY = VALUE",
            () => "keys have letters, digits, - and _ only: write KEY = VALUE",
        }
    } else if is("carriage return must be followed by newline") {
        "a line ends with a carriage return alone: let lines end with a line feed"
    } else if is("cannot recurse further") || is("recursion limit") {
        "lists and tables stand in each other too deep: nothing here needs more than two"
    } else if is("duplicate key") {
        let first =
            around.first().map(|line| format!(", first in line {line}")).unwrap_or_default();
        let fix = if around.line.starts_with('[') { "join the sections" } else { "leave one out" };
        return Some(format!("it is given twice{first}: {fix}"));
    } else {
        return None;
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_first_is_found() {
        let text = "[a]\nx = 1\n[[b]]\nx = 2\n[[b]]\nx = 3\ny = 1\nx = 4\n[a]\n";
        let told = |word: &str, at: usize| {
            let span = at..at + word.len();
            assert_eq!(text.get(span.clone()), Some(word));
            explain("duplicate key", text, &span)
        };
        let want = "this is not TOML: it is given twice, first in line 6: leave one out";
        assert_eq!(told("x", text.rfind("x = 4").unwrap()), want);
        let want = "this is not TOML: it is given twice, first in line 1: join the sections";
        assert_eq!(told("a", text.rfind("a]").unwrap()), want);
    }

    #[test]
    fn what_is_not_known_is_told_as_it_is() {
        let told = explain("something new", "a = 1", &(4..5));
        assert_eq!(told, "this is not TOML: something new");
        assert_eq!(explain("something new", "", &(7..9)), told, "no place is no panic");
    }
}
