//! Conditional blocks (configuration.txt section 2.4): which lines count.

use alloc::string::String;
use alloc::vec::Vec;

use super::NESTING_MAX;
use super::environment::Environment;

/// The deepest nesting of parentheses and negations.
const DEPTH_MAX: usize = 32;

/// What a condition comes to; none when it needs more than we know.
type Truth = Option<bool>;

/// What a directive did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Directive {
    /// It is none.
    None,
    /// Understood.
    Done,
    /// The condition cannot be told: its lines count, and so do those of the other branches.
    Unknown,
    /// `.elif`, `.else` or `.endif` without `.if`, or too deep.
    Misplaced,
}

/// One `.if` that is not closed.
#[derive(Debug)]
struct Block {
    /// The lines around it count.
    outer: bool,
    /// A branch was surely taken, so no later one is.
    taken: bool,
    /// The lines of the branch at hand count.
    active: bool,
}

/// The blocks that are open.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    open: Vec<Block>,
    /// Levels above the limit, whose lines do not count.
    too_deep: usize,
}

impl Blocks {
    /// True when lines count now.
    pub(super) fn is_active(&self) -> bool {
        self.too_deep == 0 && self.open.last().is_none_or(|it| it.active)
    }

    /// True when a block is open.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Takes a line.
    pub(super) fn directive(
        &mut self,
        words: &[String],
        environment: &Environment<'_>,
        version: Option<&str>,
    ) -> Directive {
        let Some((word, arguments)) = words.split_first() else { return Directive::None };
        // HAProxy joins the words again, with the quotes gone.
        let condition = || evaluate(&arguments.join(" "), environment, version);
        match word.as_str() {
            ".if" => {
                let outer = self.is_active();
                if self.open.len() >= NESTING_MAX {
                    self.too_deep += 1;
                    return Directive::Misplaced;
                }
                let mut block = Block { outer, taken: false, active: false };
                let done = block.branch(condition);
                self.open.push(block);
                done
            }
            ".elif" | ".else" | ".endif" if self.too_deep > 0 => {
                self.too_deep -= usize::from(word == ".endif");
                Directive::Done
            }
            ".elif" => self.open.last_mut().map_or(Directive::Misplaced, |it| it.branch(condition)),
            ".else" => {
                self.open.last_mut().map_or(Directive::Misplaced, |it| it.branch(|| Some(true)))
            }
            ".endif" => self.open.pop().map_or(Directive::Misplaced, |_| Directive::Done),
            ".diag" | ".notice" | ".warning" | ".alert" => Directive::Done,
            _ => Directive::None,
        }
    }
}

impl Block {
    /// Starts a branch. Its condition is looked at only when it matters.
    fn branch(&mut self, condition: impl FnOnce() -> Truth) -> Directive {
        if !self.outer || self.taken {
            self.active = false;
            return Directive::Done;
        }
        let truth = condition();
        self.active = truth != Some(false);
        self.taken = truth == Some(true);
        if truth.is_none() { Directive::Unknown } else { Directive::Done }
    }
}

fn evaluate(text: &str, environment: &Environment<'_>, version: Option<&str>) -> Truth {
    if text.trim().is_empty() {
        return Some(false);
    }
    let mut parser = Parser { rest: text, environment, version, depth: 0 };
    let truth = parser.or()?;
    if parser.rest.trim_start().is_empty() { truth } else { None }
}

struct Parser<'a> {
    rest: &'a str,
    environment: &'a Environment<'a>,
    version: Option<&'a str>,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn eat(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.trim_start().strip_prefix(token) else { return false };
        self.rest = rest;
        true
    }

    /// The outer `Option` is none when the text is no expression.
    fn or(&mut self) -> Option<Truth> {
        let mut truth = self.and()?;
        while self.eat("||") {
            truth = match (truth, self.and()?) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        Some(truth)
    }

    fn and(&mut self) -> Option<Truth> {
        let mut truth = self.term()?;
        while self.eat("&&") {
            truth = match (truth, self.term()?) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        Some(truth)
    }

    fn term(&mut self) -> Option<Truth> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let truth = if self.eat("!") {
            self.term()?.map(|it| !it)
        } else if self.eat("(") {
            let truth = self.or()?;
            if !self.eat(")") {
                return None;
            }
            truth
        } else {
            self.predicate()?
        };
        self.depth -= 1;
        Some(truth)
    }

    fn predicate(&mut self) -> Option<Truth> {
        let text = self.rest.trim_start();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        self.rest = rest;
        if !word.is_empty() && word.bytes().all(|it| it.is_ascii_digit()) {
            return Some(Some(word.bytes().any(|it| it != b'0')));
        }
        let arguments = rest.strip_prefix('(').and_then(|it| it.split_once(')'));
        let (arguments, rest) = arguments?;
        self.rest = rest;
        // Blanks count; quotes protect what is between them.
        let clean =
            |it: &'a str| -> String { it.chars().filter(|c| !"\"'".contains(*c)).collect() };
        let mut arguments = arguments.split(',').map(clean);
        let mut next = || arguments.next().unwrap_or_default();
        let (first, second) = (next(), next());
        let own = self.version.and_then(version);
        let asked = version(first.trim());
        Some(match word {
            "defined" => Some(self.environment.get(first.trim()).is_some()),
            "streq" => Some(first == second),
            "strneq" => Some(first != second),
            "strstr" => Some(first.contains(&second)),
            "version_atleast" => own.zip(asked).map(|(own, asked)| own >= asked),
            "version_before" => own.zip(asked).map(|(own, asked)| own < asked),
            _ => None,
        })
    }
}

/// A version made comparable: `2.4-dev19` is before `2.4-rc1`, and that before `2.4.0`.
fn version(text: &str) -> Option<(u32, u32, u32, u32, u32)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (numbers, rest) = text.split_at_checked(end)?;
    let mut numbers = numbers.split('.').map(|it| it.parse::<u32>());
    let major = numbers.next()?.ok()?;
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
    let (minor, patch) = (next(), next());
    let count = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    };
    let (stage, number) = if let Some(dev) = rest.strip_prefix("-dev") {
        (0, count(dev))
    } else if let Some(candidate) = rest.strip_prefix("-rc") {
        (1, count(candidate))
    } else {
        (2, 0)
    };
    Some((major, minor, patch, stage, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(text: &str) -> Truth {
        let variable = |name: &str| (name == "HOME").then(|| "/root".into());
        evaluate(text, &Environment::new(&variable), Some("2.6.12-1+deb12u3"))
    }

    #[test]
    fn expressions() {
        for (text, expected) in [
            ("", Some(false)),
            ("0", Some(false)),
            ("12", Some(true)),
            ("defined(HOME)", Some(true)),
            ("!defined(HOME)", Some(false)),
            ("streq(a,a) && strneq(a,b)", Some(true)),
            // Seen with 2.6: a blank after the comma belongs to the word.
            ("streq(a b, a b)", Some(false)),
            ("version_atleast(2.6)", Some(true)),
            ("version_atleast(2.6.13)", Some(false)),
            ("version_before(2.7-dev1)", Some(true)),
            ("version_atleast(2.4-dev19)", Some(true)),
            ("version_before(2.6-dev1)", Some(false)),
            ("feature(OPENSSL)", None),
            ("!feature(OPENSSL)", None),
            ("feature(OPENSSL) && 0", Some(false)),
            ("feature(OPENSSL) || 1", Some(true)),
            ("(0 || 1) && !(0)", Some(true)),
            ("0 && 1 || 1", Some(true)),
            ("1 1", None),
            ("bogus", None),
            ("(1", None),
        ] {
            assert_eq!(truth(text), expected, "{text}");
        }
        assert_eq!(truth(&"!".repeat(10_000)), None);
        assert_eq!(truth(&"(".repeat(10_000)), None);
    }
}
