//! The grammar: conditions, parentheses, and/or/not exactly as `ss` joins them.
//!
//! `ss` has **no precedence** between and, or and juxtaposition (which is and): all are read from
//! left to right (misc/ssfilter.y: the right side of a join is one condition, not a list). `not`
//! binds to the one condition or group behind it. The reading that most people expect, where and
//! binds tighter than or, is made alongside, to warn where the two differ.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::error::{FilterError, Hint, Problem};
use super::expression::{Address, Condition, Expression, Ordering, Port, Side, Step};
use super::lexer::{Comparison, Predicate, Span, Token, Word, Words, token};
use super::operand::Operands;
use super::warning::{Surprise, Warning};
use super::{Context, MAX_BYTECODE, MAX_TEXT, bytecode};
use crate::family::Family;

/// What came out of a text.
pub(super) struct Parsed {
    pub(super) expression: Expression,
    pub(super) family: Option<Family>,
    pub(super) warnings: Vec<Warning>,
}

/// How an expression is joined to the list before it.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Join {
    And,
    Or,
}

/// One expression in both readings.
#[derive(Default)]
struct Item {
    /// As `ss` reads it.
    steps: Vec<Step>,
    /// With and before or.
    conventional: Vec<Step>,
}

/// A list between parentheses while it is read.
#[derive(Default)]
struct List {
    steps: Vec<Step>,
    /// Conventional reading: the or-list so far, and the and-list that is its last element.
    ors: Vec<Step>,
    ands: Vec<Step>,
    has_or: bool,
    /// The join before the next expression, when there is one, and its word.
    join: Option<(Join, Span)>,
    /// How many `not` stand before the next expression.
    negations: usize,
    /// The parenthesis that opened it.
    open: Span,
}

struct Parser<'a> {
    operands: Operands<'a>,
    /// The innermost open list.
    list: List,
    /// The open lists around it, outermost first.
    outer: Vec<List>,
    /// The last word, for messages at the end of the text.
    last: Option<Word>,
    /// The user's parenthesis that closed the one which `ss` is given around the filter.
    escaped: Span,
    /// Where and follows or in one list.
    mixed: Option<Span>,
    /// Bytes of bytecode so far.
    length: usize,
}

/// Reads a filter that is not blank.
pub(super) fn parse(text: &str, context: &Context<'_>) -> Result<Parsed, FilterError> {
    let whole = Span { offset: 0, length: text.len() };
    if text.len() > MAX_TEXT {
        let (length, max) = (text.len(), MAX_TEXT);
        return fail(whole, Problem::TextTooLong { length, max });
    }
    if let Some(offset) = text.find('\0') {
        return fail(Span { offset, length: 1 }, Problem::Nul);
    }
    let parser = Parser {
        operands: Operands { context, family: None, warnings: Vec::new() },
        list: List::default(),
        // What stands outside of the parentheses that ss is given around the filter.
        outer: Vec::from([List::default()]),
        last: None,
        escaped: whole,
        mixed: None,
        length: 0,
    };
    parser.run(text)
}

fn fail<T>(span: Span, problem: Problem) -> Result<T, FilterError> {
    Err(FilterError { problem, span })
}

impl Parser<'_> {
    fn run(mut self, text: &str) -> Result<Parsed, FilterError> {
        let mut words = Words::new(text);
        while let Some(word) = words.next() {
            self.word(&word, &mut words)?;
            self.last = Some(word);
        }
        self.finish(text)
    }

    fn word(&mut self, word: &Word, words: &mut Words<'_>) -> Result<(), FilterError> {
        if word.dangling {
            return fail(word.span, Problem::TrailingBackslash);
        }
        match word.token {
            Token::Not => self.list.negations += 1,
            Token::And | Token::Or if !self.list.is_complete() => {
                return unexpected(word, Hint::Condition);
            }
            Token::And => self.list.join = Some((Join::And, word.span)),
            Token::Or => self.list.join = Some((Join::Or, word.span)),
            Token::Open => {
                let open = word.span;
                let list = List { open, ..List::default() };
                self.outer.push(core::mem::replace(&mut self.list, list));
            }
            Token::Close => self.close(word)?,
            Token::Predicate(predicate) => self.condition(predicate, word, words)?,
            Token::Comparison(_) => return unexpected(word, Hint::Condition),
            Token::Operand => {
                let hint = hint(word, self.list.is_complete());
                return if matches!(word.text.as_str(), "state" | "exclude" | "excl") {
                    let word_text = word.text.clone();
                    fail(word.span, Problem::State { word: word_text })
                } else {
                    unexpected(word, hint)
                };
            }
        }
        Ok(())
    }

    fn close(&mut self, word: &Word) -> Result<(), FilterError> {
        if !self.list.is_complete() {
            let text = word.text.clone();
            let problem = if self.list.steps.is_empty() && self.list.negations == 0 {
                Problem::EmptyParentheses { word: text }
            } else {
                let hint = Hint::Condition;
                Problem::UnexpectedWord { word: text, hint }
            };
            return fail(word.span, problem);
        }
        let Some(outer) = self.outer.pop() else {
            return fail(word.span, Problem::ExtraParenthesis);
        };
        if self.outer.is_empty() {
            self.escaped = word.span;
        }
        let list = core::mem::replace(&mut self.list, outer);
        let open = list.open;
        self.push(list.finish(), open)
    }

    /// Puts an expression into the innermost open list, under its `not`s and behind its join.
    fn push(&mut self, mut item: Item, span: Span) -> Result<(), FilterError> {
        let list = &mut self.list;
        let mut length = 4 * list.negations;
        for _ in 0..core::mem::take(&mut list.negations) {
            item.steps.push(Step::Not);
            item.conventional.push(Step::Not);
        }
        match list.join.take() {
            _ if list.steps.is_empty() => {
                list.steps = item.steps;
                list.ands = item.conventional;
            }
            Some((Join::Or, _)) => {
                length += 4;
                list.has_or = true;
                list.steps.append(&mut item.steps);
                list.steps.push(Step::Or);
                list.flush();
                list.ands = item.conventional;
            }
            join @ (Some((Join::And, _)) | None) => {
                if list.has_or && self.mixed.is_none() {
                    self.mixed = Some(join.map_or(span, |(_, span)| span));
                }
                list.steps.append(&mut item.steps);
                list.steps.push(Step::And);
                list.ands.append(&mut item.conventional);
                list.ands.push(Step::And);
            }
        }
        self.grow(length, span)
    }

    /// Counts bytes of bytecode, so that a filter too long is refused where it becomes so.
    fn grow(&mut self, length: usize, span: Span) -> Result<(), FilterError> {
        self.length += length;
        if self.length > MAX_BYTECODE {
            let (max, conditions) = (MAX_BYTECODE, MAX_BYTECODE / 20);
            return fail(span, Problem::TooManyConditions { max, conditions });
        }
        Ok(())
    }

    fn condition(
        &mut self,
        predicate: Predicate,
        word: &Word,
        words: &mut Words<'_>,
    ) -> Result<(), FilterError> {
        let (condition, negated) = if predicate == Predicate::Autobound {
            (Condition::Autobound, false)
        } else {
            self.comparison(predicate, word, words)?
        };
        if matches!(predicate, Predicate::Destination | Predicate::DestinationPort) {
            self.operands.warn(word, |word| Surprise::NoPeer { word });
        }
        self.grow(bytecode::length(&condition), word.span)?;
        let mut item = Item::default();
        for steps in [&mut item.steps, &mut item.conventional] {
            steps.push(Step::Condition(condition.clone()));
            if negated {
                steps.push(Step::Not);
            }
        }
        self.grow(if negated { 4 } else { 0 }, word.span)?;
        self.push(item, word.span)
    }

    /// What stands behind a predicate: a comparison, or none for `=`, and a value.
    ///
    /// The answer says whether the condition is to be negated: `!=` has no condition of its own,
    /// and `<` is "not at least".
    fn comparison(
        &mut self,
        predicate: Predicate,
        word: &Word,
        words: &mut Words<'_>,
    ) -> Result<(Condition, bool), FilterError> {
        let sign = words.next_comparison();
        if let Some((comparison, sign)) = &sign
            && let Some(fix) = predicate.refuses(*comparison)
        {
            let problem = Problem::BadComparison {
                predicate: predicate.name(),
                comparison: sign.text.clone(),
                fix,
            };
            return fail(sign.span, problem);
        }
        let comparison = sign.as_ref().map_or(Comparison::Equal, |(sign, _)| *sign);
        let Some(operand) = words.next() else {
            let last = sign.map_or_else(|| word.clone(), |(_, sign)| sign);
            let (word, hint) = (last.text, Hint::Value);
            return fail(last.span, Problem::Incomplete { word, hint });
        };
        if operand.dangling {
            return fail(operand.span, Problem::TrailingBackslash);
        }
        if operand.token != Token::Operand {
            return unexpected(&operand, Hint::Value);
        }
        let read = self.operand(predicate, comparison, &operand);
        let condition = read.or_else(|problem| fail(operand.span, problem))?;
        let negated =
            matches!(comparison, Comparison::NotEqual | Comparison::More | Comparison::Less);
        Ok((condition, negated))
    }

    fn operand(
        &mut self,
        predicate: Predicate,
        comparison: Comparison,
        operand: &Word,
    ) -> Result<Condition, Problem> {
        let side = match predicate {
            Predicate::Device => return self.operands.device(operand),
            Predicate::Mark => return self.operands.mark(operand),
            Predicate::Cgroup => return self.operands.cgroup(operand),
            Predicate::Autobound => return Ok(Condition::Autobound),
            Predicate::Source | Predicate::SourcePort => Side::Source,
            Predicate::Destination | Predicate::DestinationPort => Side::Destination,
        };
        let (address, port) = match predicate {
            Predicate::SourcePort | Predicate::DestinationPort => {
                (Address::Any, self.operands.port(operand)?)
            }
            _ => self.operands.host(operand)?,
        };
        let ordering = match comparison {
            Comparison::AtLeast | Comparison::Less => Ordering::AtLeast,
            Comparison::AtMost | Comparison::More => Ordering::AtMost,
            Comparison::Equal | Comparison::NotEqual => {
                if port != Port::ANY && u16::try_from(port.0).is_err() {
                    let never = |word| Surprise::NeverMatches { word };
                    self.operands.warn(operand, never);
                }
                return Ok(Condition::Host { side, address, port });
            }
        };
        if u16::try_from(port.0).is_err() {
            let value = port.low_bits();
            let truncated = |word| Surprise::Truncated { word, value };
            self.operands.warn(operand, truncated);
        }
        Ok(Condition::Compare { side, ordering, port })
    }

    /// The end of the text: `ss` finds the parenthesis here that closes the first one.
    fn finish(mut self, text: &str) -> Result<Parsed, FilterError> {
        let end = Span { offset: text.len(), length: 0 };
        if !self.list.is_complete()
            && let Some(last) = self.last.take()
        {
            let (word, hint) = (last.text, Hint::Condition);
            return fail(last.span, Problem::Incomplete { word, hint });
        }
        match self.outer.len() {
            0 => return fail(self.escaped, Problem::ExtraParenthesis),
            1 => self.close(&Word {
                text: ")".to_string(),
                span: end,
                token: Token::Close,
                dangling: false,
            })?,
            _ => return fail(self.list.open, Problem::UnclosedParenthesis),
        }
        let outer = self.list.finish();
        let expression = Expression(outer.steps);
        let conventional = Expression(outer.conventional);
        let Operands { family, mut warnings, .. } = self.operands;
        if let Some(span) = self.mixed
            && expression != conventional
        {
            let prefix = family.map(Family::prefix);
            let surprise = Surprise::Precedence {
                reading: expression.reading(prefix),
                conventional: conventional.reading(prefix),
            };
            warnings.push(Warning { surprise, span });
        }
        warnings.sort_by_key(|warning| warning.span.offset);
        Ok(Parsed { expression, family, warnings })
    }
}

fn unexpected<T>(word: &Word, hint: Hint) -> Result<T, FilterError> {
    let problem = Problem::UnexpectedWord { word: word.text.clone(), hint };
    fail(word.span, problem)
}

/// What a word that is no keyword was probably meant to be.
fn hint(word: &Word, after_condition: bool) -> Hint {
    let text = word.text.as_str();
    if token(&text.to_ascii_lowercase()) != Token::Operand {
        Hint::LowerCase
    } else if text.starts_with('(') || text.ends_with(')') {
        Hint::Parentheses
    } else if text.contains(['=', '<', '>', '!', '&', '|']) {
        Hint::Signs
    } else if after_condition {
        Hint::Join
    } else {
        Hint::Condition
    }
}

impl List {
    /// An expression was read, and nothing that asks for another one stands behind it.
    fn is_complete(&self) -> bool {
        !self.steps.is_empty() && self.join.is_none() && self.negations == 0
    }

    /// Ends the and-list of the conventional reading.
    fn flush(&mut self) {
        let mut ands = core::mem::take(&mut self.ands);
        if self.ors.is_empty() {
            self.ors = ands;
        } else {
            self.ors.append(&mut ands);
            self.ors.push(Step::Or);
        }
    }

    fn finish(mut self) -> Item {
        self.flush();
        Item { steps: self.steps, conventional: self.ors }
    }
}

impl Predicate {
    const fn name(self) -> &'static str {
        match self {
            Self::Source => "src",
            Self::Destination => "dst",
            Self::SourcePort => "sport",
            Self::DestinationPort => "dport",
            Self::Device => "dev",
            Self::Mark => "fwmark",
            Self::Cgroup => "cgroup",
            Self::Autobound => "autobound",
        }
    }

    /// Why the predicate does not know this comparison: what to write instead.
    const fn refuses(self, comparison: Comparison) -> Option<&'static str> {
        match (self, comparison) {
            (_, Comparison::Equal) | (Self::SourcePort | Self::DestinationPort, _) => None,
            (Self::Source, Comparison::NotEqual) => Some("write not src = ADDRESS"),
            (Self::Destination, Comparison::NotEqual) => Some("write not dst = ADDRESS"),
            (Self::Source | Self::Destination, _) => {
                Some("only ports have an order; for a range of addresses give a prefix")
            }
            (_, Comparison::NotEqual) => None,
            (_, _) => Some("only ports have an order; use = or !="),
        }
    }
}
