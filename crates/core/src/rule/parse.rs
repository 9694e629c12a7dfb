//! The rule language: `all(listen, address, any(web*2, page))`.
//!
//! Words are separated by spaces and newlines, or not; `listen, address` without a function around
//! them is not a rule: write `all(…)`.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::ops::Range;

use super::{CHECKS_MAX, DEPTH_MAX, Rule};

/// The longest rule, in octets.
const LENGTH_MAX: usize = 8192;
/// The functions of the language.
const FUNCTIONS: [&str; 4] = ["all", "any", "at-least", "not"];

/// The name of a check in the text of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Name {
    /// As it was written.
    pub text: String,
    /// Its octets in the text.
    pub span: Range<usize>,
}

/// What is wrong with the text of a rule.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct RuleError {
    /// The octets that are wrong; empty at the end of the text.
    pub span: Range<usize>,
    /// The word, the rule and the fix.
    pub message: String,
}

/// Reads the text of a rule.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(text: &str) -> Result<Rule<Name>, RuleError> {
    if text.len() > LENGTH_MAX {
        let message = format!("the rule is longer than {LENGTH_MAX} octets: make it shorter");
        return Err(RuleError { span: 0..0, message });
    }
    let mut parser = Parser { text, at: 0, checks: 0 };
    let rule = parser.rule(0)?;
    match parser.next() {
        Token { kind: Kind::End, .. } => Ok(rule),
        Token { kind: Kind::Comma | Kind::Word, span } => Err(fail(
            span,
            "one rule ends here: to ask for several checks write all(…) or any(…) around them, with \
             commas between them",
        )),
        token => Err(fail(token.span.clone(), &format!("{} is too much here", token.show(text)))),
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Word,
    Open,
    Close,
    Comma,
    Times,
    Strange,
    End,
}

#[derive(Clone, Debug)]
struct Token {
    kind: Kind,
    span: Range<usize>,
}

impl Token {
    fn show(&self, text: &str) -> String {
        match (self.kind, text.get(self.span.clone())) {
            (Kind::End, _) | (_, None) => "the end of the rule".to_string(),
            (_, Some(word)) => format!("\"{word}\""),
        }
    }
}

fn fail(span: Range<usize>, message: &str) -> RuleError {
    RuleError { span, message: message.to_string() }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    checks: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Token {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let start = self.at + (rest.len() - rest.trim_start().len());
        let rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            return Token { kind: Kind::End, span: self.text.len()..self.text.len() };
        };
        let (kind, length) = match first {
            '(' => (Kind::Open, 1),
            ')' => (Kind::Close, 1),
            ',' => (Kind::Comma, 1),
            '*' => (Kind::Times, 1),
            c if is_word(c) => (Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
            c => (Kind::Strange, c.len_utf8()),
        };
        Token { kind, span: start..start + length }
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.at = token.span.end;
        token
    }

    fn word(&self, token: &Token) -> &str {
        self.text.get(token.span.clone()).unwrap_or_default()
    }

    fn expect(&mut self, kind: Kind, wanted: &str) -> Result<Token, RuleError> {
        let token = self.next();
        if token.kind == kind {
            return Ok(token);
        }
        let found = token.show(self.text);
        Err(fail(token.span, &format!("{found} stands where {wanted} is needed")))
    }

    fn rule(&mut self, depth: usize) -> Result<Rule<Name>, RuleError> {
        let word =
            self.expect(Kind::Word, "the name of a check, or all(, any(, at-least(, not(")?;
        if depth > DEPTH_MAX {
            let message = format!("parentheses stand more than {DEPTH_MAX} deep here: write less");
            return Err(fail(word.span, &message));
        }
        let name = self.word(&word).to_string();
        if self.peek().kind != Kind::Open {
            return self.check(word, name);
        }
        let open = self.next().span;
        match name.as_str() {
            "all" => Ok(Rule::All(self.list(depth, &open)?)),
            "any" => Ok(Rule::Any(self.list(depth, &open)?)),
            "not" => {
                let inner = self.rule(depth + 1)?;
                self.expect(Kind::Close, "\")\" (not takes one rule)")?;
                Ok(Rule::Not(Box::new(inner)))
            }
            "at-least" => self.at_least(depth, &word),
            other => {
                let known = FUNCTIONS.join(", ");
                let message = format!("\"{other}\" is no function of rules: there are {known}");
                Err(fail(word.span, &message))
            }
        }
    }

    fn check(&mut self, word: Token, name: String) -> Result<Rule<Name>, RuleError> {
        if FUNCTIONS.contains(&name.as_str()) {
            let message = format!("\"{name}\" needs parentheses behind it: write {name}(…)");
            return Err(fail(word.span, &message));
        }
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            let message = format!(
                "\"{name}\" is a number where a check is needed: numbers stand first in \
                         at-least(2, …) and behind * for a weight"
            );
            return Err(fail(word.span, &message));
        }
        self.checks += 1;
        if self.checks > CHECKS_MAX {
            let message = format!("the rule names more than {CHECKS_MAX} checks: write less");
            return Err(fail(word.span, &message));
        }
        Ok(Rule::Check(Name { text: name, span: word.span }))
    }

    /// What stands between the parentheses of `all` and `any`.
    fn list(&mut self, depth: usize, open: &Range<usize>) -> Result<Vec<Rule<Name>>, RuleError> {
        if self.peek().kind == Kind::Close {
            return Err(fail(
                open.start..self.peek().span.end,
                "nothing stands in the parentheses: name a check",
            ));
        }
        let mut rules = Vec::new();
        loop {
            rules.push(self.rule(depth + 1)?);
            let token = self.next();
            match token.kind {
                Kind::Close => return Ok(rules),
                Kind::Comma => {}
                Kind::Times => {
                    return Err(fail(
                        token.span,
                        "a weight counts only in at-least(…): leave it out",
                    ));
                }
                Kind::Word | Kind::Open | Kind::Strange | Kind::End => {
                    let found = token.show(self.text);
                    return Err(fail(
                        token.span,
                        &format!("{found} stands where \",\" or \")\" is needed"),
                    ));
                }
            }
        }
    }

    fn at_least(&mut self, depth: usize, word: &Token) -> Result<Rule<Name>, RuleError> {
        let needed = self.number("how much is needed: at-least(2, a, b, c)")?;
        let mut of = Vec::new();
        let mut total = 0_u32;
        loop {
            let token = self.next();
            match token.kind {
                Kind::Close => break,
                Kind::Comma => {}
                Kind::Word | Kind::Open | Kind::Times | Kind::Strange | Kind::End => {
                    let found = token.show(self.text);
                    return Err(fail(
                        token.span,
                        &format!("{found} stands where \",\" or \")\" is needed"),
                    ));
                }
            }
            let rule = self.rule(depth + 1)?;
            let mut weight = 1;
            if self.peek().kind == Kind::Times {
                self.next();
                weight = self.number("a weight")?;
            }
            total = total.saturating_add(weight);
            of.push((weight, rule));
        }
        if total < needed {
            let message = format!(
                "at-least({needed}, …) can never be true: what stands in it weighs {total} together; ask for less"
            );
            return Err(fail(word.span.start..self.at, &message));
        }
        Ok(Rule::AtLeast { needed, of })
    }

    fn number(&mut self, what: &str) -> Result<u32, RuleError> {
        let token = self.next();
        match self.word(&token).parse() {
            Ok(number @ 1..=1_000_000) => Ok(number),
            _ => {
                let found = token.show(self.text);
                let message = format!(
                    "{found} stands where a whole number from 1 to 1000000 is needed, {what}"
                );
                Err(fail(token.span, &message))
            }
        }
    }
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}
