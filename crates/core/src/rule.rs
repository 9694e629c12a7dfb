//! Rules: how the checks of a service make one verdict.
//!
//! ```text
//! all(a, b)            fail if one fails; else unknown if one is; else warn if one warns; else pass
//! any(a, b)            pass if one passes; else warn if one warns; else unknown if one is; else fail
//! at-least(2, a*2, b)  a weighs 2, b weighs 1. Pass if those that pass weigh 2 together; else warn if
//!                      those that pass or warn do; else unknown if the unknown ones could make it
//!                      so; else fail
//! not(a)               fail for pass and warn, pass for fail, unknown for unknown
//! ```
//!
//! A check without power (shadow) is left out, as if it were not written: an `all` or `any` of
//! nothing is left out too, and in `at-least` it weighs nothing.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::check::Outcome;

mod fuzz;
mod parse;
#[cfg(test)]
mod tests;

#[doc(hidden)]
pub use self::fuzz::fuzz_rule;
pub use self::parse::{Name, RuleError, parse};

/// The most checks that one rule may name, each mention counted.
pub const CHECKS_MAX: usize = 256;
/// How deep parentheses may stand in each other.
pub const DEPTH_MAX: usize = 16;

/// A rule over checks that are named by `C`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rule<C> {
    /// One check.
    Check(C),
    /// Every one.
    All(Vec<Self>),
    /// One is enough.
    Any(Vec<Self>),
    /// Enough of them by weight.
    AtLeast {
        /// What those that work must weigh together, 1 at least.
        needed: u32,
        /// The weight of each, 1 at least, and the rule.
        of: Vec<(u32, Self)>,
    },
    /// The contrary.
    Not(Box<Self>),
}

impl<C> Rule<C> {
    /// The verdict and the check that decided it, where `look` tells what each check says; `None`
    /// from it leaves the check out.
    pub fn judge<'a>(
        &'a self,
        look: &mut dyn FnMut(&'a C) -> Option<Outcome>,
    ) -> Option<(Outcome, &'a C)> {
        match self {
            Self::Check(check) => look(check).map(|outcome| (outcome, check)),
            Self::All(rules) => first_of(
                rules,
                look,
                &[Outcome::Fail, Outcome::Unknown, Outcome::Warn, Outcome::Pass],
            ),
            Self::Any(rules) => first_of(
                rules,
                look,
                &[Outcome::Pass, Outcome::Warn, Outcome::Unknown, Outcome::Fail],
            ),
            Self::AtLeast { needed, of } => at_least(*needed, of, look),
            Self::Not(rule) => rule.judge(look).map(|(outcome, check)| {
                let contrary = match outcome {
                    Outcome::Pass | Outcome::Warn => Outcome::Fail,
                    Outcome::Fail => Outcome::Pass,
                    Outcome::Unknown => Outcome::Unknown,
                };
                (contrary, check)
            }),
        }
    }

    /// Calls `visit` for every mention of a check, in the order of the text.
    pub fn for_each<'a>(&'a self, visit: &mut dyn FnMut(&'a C)) {
        match self {
            Self::Check(check) => visit(check),
            Self::All(rules) | Self::Any(rules) => {
                rules.iter().for_each(|rule| rule.for_each(visit));
            }
            Self::AtLeast { of, .. } => of.iter().for_each(|(_, rule)| rule.for_each(visit)),
            Self::Not(rule) => rule.for_each(visit),
        }
    }

    /// The same rule with its checks named otherwise.
    ///
    /// # Errors
    /// The first one of `name`.
    pub fn try_map<D, E>(&self, name: &mut dyn FnMut(&C) -> Result<D, E>) -> Result<Rule<D>, E> {
        Ok(match self {
            Self::Check(check) => Rule::Check(name(check)?),
            Self::All(rules) => {
                Rule::All(rules.iter().map(|rule| rule.try_map(name)).collect::<Result<_, E>>()?)
            }
            Self::Any(rules) => {
                Rule::Any(rules.iter().map(|rule| rule.try_map(name)).collect::<Result<_, E>>()?)
            }
            Self::AtLeast { needed, of } => {
                let of: Result<_, E> =
                    of.iter().map(|(weight, rule)| Ok((*weight, rule.try_map(name)?))).collect();
                Rule::AtLeast { needed: *needed, of: of? }
            }
            Self::Not(rule) => Rule::Not(Box::new(rule.try_map(name)?)),
        })
    }
}

/// The first in `order` that some rule says, with the check that decided it.
fn first_of<'a, C>(
    rules: &'a [Rule<C>],
    look: &mut dyn FnMut(&'a C) -> Option<Outcome>,
    order: &[Outcome; 4],
) -> Option<(Outcome, &'a C)> {
    let rank = |outcome| order.iter().position(|known| *known == outcome);
    let mut best: Option<(Outcome, &C)> = None;
    for rule in rules {
        let Some(found) = rule.judge(look) else { continue };
        if best.is_none_or(|best| rank(found.0) < rank(best.0)) {
            best = Some(found);
        }
    }
    best
}

fn at_least<'a, C>(
    needed: u32,
    of: &'a [(u32, Rule<C>)],
    look: &mut dyn FnMut(&'a C) -> Option<Outcome>,
) -> Option<(Outcome, &'a C)> {
    let mut weights = [0_u32; 4];
    let mut first: [Option<&C>; 4] = [None; 4];
    for (weight, rule) in of {
        let Some((outcome, check)) = rule.judge(look) else { continue };
        let at = outcome as usize;
        weights[at] = weights[at].saturating_add(*weight);
        first[at] = first[at].or(Some(check));
    }
    let [pass, warn, _, unknown] = weights;
    let good = pass.saturating_add(warn);
    let outcome = if pass >= needed {
        Outcome::Pass
    } else if good >= needed {
        Outcome::Warn
    } else if good.saturating_add(unknown) >= needed {
        Outcome::Unknown
    } else {
        Outcome::Fail
    };
    // The one that says so itself; where none does (all that is left passes, and is too little),
    // whichever there is.
    let decider = first[outcome as usize].or_else(|| first.into_iter().flatten().next())?;
    Some((outcome, decider))
}
