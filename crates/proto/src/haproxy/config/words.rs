//! One line cut into words (configuration.txt sections 2.2 and 2.3; `parse_line()` in HAProxy's
//! src/tools.c).

use alloc::string::String;
use alloc::vec::Vec;
use core::iter::Peekable;
use core::str::Chars;

use thiserror::Error;

use super::environment::Environment;
use super::{LINE_MAX, WORDS_MAX};

/// Why a line cannot be cut; HAProxy refuses these lines too, and perhaps shorter ones.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(super) enum WordsError {
    #[error("a quote is not closed")]
    Quote,
    #[error("\\x must be followed by two hexadecimal digits")]
    Hexadecimal,
    #[error("a variable name must start with a letter, _ or a dot")]
    Variable,
    #[error("the brace of a variable is not closed")]
    Brace,
    #[error("the line has more than {LINE_MAX} octets, also after variables are put in")]
    TooLong,
    #[error("the line has more than {WORDS_MAX} words")]
    TooMany,
}

/// The words of a line. Empty words count when they were quoted.
pub(super) fn words(line: &str, environment: &Environment<'_>) -> Result<Vec<String>, WordsError> {
    let mut cutter = Cutter {
        rest: line.chars().peekable(),
        environment,
        words: Vec::new(),
        word: None,
        size: 0,
    };
    if line.len() > LINE_MAX {
        return Err(WordsError::TooLong);
    }
    cutter.run()?;
    cutter.end()?;
    Ok(cutter.words)
}

struct Cutter<'a> {
    rest: Peekable<Chars<'a>>,
    environment: &'a Environment<'a>,
    words: Vec<String>,
    word: Option<String>,
    /// Octets of all words.
    size: usize,
}

impl Cutter<'_> {
    fn run(&mut self) -> Result<(), WordsError> {
        let mut quoted = false;
        while let Some(c) = self.rest.next() {
            match c {
                '"' => {
                    quoted = !quoted;
                    self.open();
                }
                '\'' if !quoted => self.strong()?,
                '\\' => self.escape(quoted)?,
                '$' if quoted => self.variable()?,
                '#' if !quoted => break,
                ' ' | '\t' | '\r' if !quoted => self.end()?,
                _ => self.push(c)?,
            }
        }
        if quoted { Err(WordsError::Quote) } else { Ok(()) }
    }

    fn open(&mut self) -> &mut String {
        self.word.get_or_insert_default()
    }

    fn push(&mut self, c: char) -> Result<(), WordsError> {
        self.size += c.len_utf8();
        if self.size > LINE_MAX {
            return Err(WordsError::TooLong);
        }
        self.open().push(c);
        Ok(())
    }

    fn end(&mut self) -> Result<(), WordsError> {
        if let Some(word) = self.word.take() {
            if self.words.len() >= WORDS_MAX {
                return Err(WordsError::TooMany);
            }
            self.words.push(word);
        }
        Ok(())
    }

    /// Between single quotes nothing is special.
    fn strong(&mut self) -> Result<(), WordsError> {
        self.open();
        loop {
            match self.rest.next() {
                Some('\'') => return Ok(()),
                Some(c) => self.push(c)?,
                None => return Err(WordsError::Quote),
            }
        }
    }

    /// A backslash before a character that it does not protect stands for itself.
    fn escape(&mut self, quoted: bool) -> Result<(), WordsError> {
        let meant = match self.rest.peek() {
            Some(c @ (' ' | '\\' | '"' | '#' | '\t')) => *c,
            Some('\'') if !quoted => '\'',
            Some('\'') => '\'',
            Some('$') => '$',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('x') => {
                self.rest.next();
                let mut digit = || self.rest.next().and_then(|c| c.to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(WordsError::Hexadecimal);
                };
                // An octet above 0x7f is one octet for HAProxy and a character here; no name or
                // address has one.
                return self.push(char::from_u32(high * 16 + low).unwrap_or('?'));
            }
            _ => return self.push('\\'),
        };
        self.rest.next();
        self.push(meant)
    }

    /// `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME[*]}`.
    fn variable(&mut self) -> Result<(), WordsError> {
        let braces = self.rest.next_if_eq(&'{').is_some();
        let mut name = String::new();
        if let Some(dot) = self.rest.next_if_eq(&'.') {
            name.push(dot);
        } else if !self.rest.peek().is_some_and(|c| c.is_ascii_alphabetic() || *c == '_') {
            return Err(WordsError::Variable);
        }
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        let mut value = self.environment.get(&name);
        let mut split = false;
        if braces {
            let mut fallback = None;
            loop {
                match self.rest.next() {
                    Some('}') => break,
                    Some('[') if !split && fallback.is_none() => {
                        let star = self.rest.next() == Some('*') && self.rest.next() == Some(']');
                        if !star {
                            return Err(WordsError::Variable);
                        }
                        split = true;
                    }
                    Some('-') if fallback.is_none() => fallback = Some(String::new()),
                    Some(c) => match &mut fallback {
                        Some(text) => text.push(c),
                        None => return Err(WordsError::Brace),
                    },
                    None => return Err(WordsError::Brace),
                }
            }
            value = value.or(fallback);
        }
        for c in value.unwrap_or_default().chars() {
            if split && c.is_ascii_whitespace() { self.end()? } else { self.push(c)? }
        }
        Ok(())
    }
}
