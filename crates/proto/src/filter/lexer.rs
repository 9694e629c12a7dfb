//! Words: a filter split at blanks, backslashes resolved, keywords recognised.
//!
//! Only space and tab separate words. Parentheses and operators are words like any other, so
//! `(sport` and `sport=80` are single words that mean nothing to `ss`.

use alloc::string::String;

/// A piece of the filter text as the user wrote it, in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Span {
    /// Where it begins.
    pub offset: usize,
    /// How long it is; 0 for a place between words.
    pub length: usize,
}

/// What a word is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Token {
    Not,
    And,
    Or,
    Open,
    Close,
    Comparison(Comparison),
    Predicate(Predicate),
    Operand,
}

/// A comparison between a property of a socket and an operand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    More,
    Less,
}

/// What a condition asks about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Predicate {
    Source,
    Destination,
    SourcePort,
    DestinationPort,
    Device,
    Mark,
    Cgroup,
    Autobound,
}

/// One word of a filter.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// The text with the backslashes resolved.
    pub(super) text: String,
    /// Where it stands.
    pub(super) span: Span,
    /// What it is.
    pub(super) token: Token,
    /// A backslash at the end of the filter escapes what `ss` finds behind it.
    pub(super) dangling: bool,
}

/// The words of a filter, one after the other.
pub(super) struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Skips blanks; what is left of the text.
    fn rest(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let trimmed = rest.trim_start_matches(is_blank);
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    /// The next word if it is a comparison; another word is left where it is.
    pub(super) fn next_comparison(&mut self) -> Option<(Comparison, Word)> {
        let before = self.at;
        let word = self.next()?;
        match word.token {
            Token::Comparison(comparison) => Some((comparison, word)),
            _ => {
                self.at = before;
                None
            }
        }
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let mut text = String::new();
        let mut length = rest.len();
        let mut escaped = false;
        for (at, character) in rest.char_indices() {
            if escaped {
                text.push(character);
                escaped = false;
            } else if character == '\\' {
                escaped = true;
            } else if is_blank(character) {
                length = at;
                break;
            } else {
                text.push(character);
            }
        }
        let span = Span { offset: self.at, length };
        self.at += length;
        Some(Word { token: token(&text), text, span, dangling: escaped })
    }
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// Recognises keywords: exact and case-sensitive, after the backslashes are gone.
pub(super) fn token(text: &str) -> Token {
    use Comparison::{AtLeast, AtMost, Equal, Less, More, NotEqual};
    match text {
        "!" | "not" => Token::Not,
        "&" | "&&" | "and" => Token::And,
        "|" | "||" | "or" => Token::Or,
        "(" => Token::Open,
        ")" => Token::Close,
        "=" | "==" | "eq" => Token::Comparison(Equal),
        "!=" | "ne" | "neq" => Token::Comparison(NotEqual),
        ">=" | "ge" | "geq" => Token::Comparison(AtLeast),
        "<=" | "le" | "leq" => Token::Comparison(AtMost),
        ">" | "gt" => Token::Comparison(More),
        "<" | "lt" => Token::Comparison(Less),
        "src" => Token::Predicate(Predicate::Source),
        "dst" => Token::Predicate(Predicate::Destination),
        "sport" => Token::Predicate(Predicate::SourcePort),
        "dport" => Token::Predicate(Predicate::DestinationPort),
        "dev" => Token::Predicate(Predicate::Device),
        "fwmark" => Token::Predicate(Predicate::Mark),
        "cgroup" => Token::Predicate(Predicate::Cgroup),
        "autobound" => Token::Predicate(Predicate::Autobound),
        _ => Token::Operand,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn words_end_at_blanks_and_keep_what_is_escaped() {
        for (text, want) in [
            ("", &[][..]),
            (" \t ", &[]),
            ("sport = :80", &[("sport", 0, 5), ("=", 6, 1), (":80", 8, 3)]),
            ("\tsport\t=:80 ", &[("sport", 1, 5), ("=:80", 7, 4)]),
            (r"s\port \=", &[("sport", 0, 6), ("=", 7, 2)]),
            (r"dev a\ b \\", &[("dev", 0, 3), ("a b", 4, 4), (r"\", 9, 2)]),
            ("(sport=80)\nx", &[("(sport=80)\nx", 0, 12)]),
            (r"\ü ü", &[("ü", 0, 3), ("ü", 4, 2)]),
            (r"80\", &[("80", 0, 3)]),
        ] {
            let got: Vec<Word> = Words::new(text).collect();
            let got: Vec<_> = got
                .iter()
                .map(|word| (word.text.as_str(), word.span.offset, word.span.length))
                .collect();
            assert_eq!(got, want, "{text:?}");
        }
        assert!(Words::new(r"80\").all(|word| word.dangling));
        assert!(!Words::new(r"80\\").any(|word| word.dangling));
    }

    #[test]
    fn keywords_are_case_sensitive() {
        assert_eq!(token("and"), Token::And);
        assert_eq!(token("AND"), Token::Operand);
        assert_eq!(token("geq"), Token::Comparison(Comparison::AtLeast));
        assert_eq!(token("Sport"), Token::Operand);
    }
}
