//! Checks: what one probe says, in the words of DESIGN: pass, warn, fail or unknown.

use alloc::sync::Arc;
use core::fmt;

/// What a probe, or a whole check, says of a service. Ordered from best to worst knowledge:
/// nothing is derived from the order but the order in which they are shown.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Outcome {
    /// It works.
    Pass,
    /// It works, and somebody should look at it. Counts as working.
    Warn,
    /// It does not work.
    Fail,
    /// It cannot be told: the probe itself could not be made, or gave no clear answer.
    Unknown,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 4] = [Self::Pass, Self::Warn, Self::Fail, Self::Unknown];

    /// Stable name: `pass`, `warn`, `fail` or `unknown`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }

    /// True for [`Pass`](Self::Pass) and [`Warn`](Self::Warn).
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Pass | Self::Warn)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The longest detail text of a result, in octets; longer ones are cut by whoever makes them.
pub const DETAIL_MAX: usize = 256;

/// What one probe found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProbeResult {
    /// The verdict of this probe alone.
    pub outcome: Outcome,
    /// One line for the eyes of people, at most [`DETAIL_MAX`] octets, no control characters.
    pub detail: Arc<str>,
}

impl ProbeResult {
    /// A result with its detail made presentable: control characters become spaces, and what is
    /// longer than [`DETAIL_MAX`] octets is cut at a character.
    pub fn new(outcome: Outcome, detail: &str) -> Self {
        let line = detail.trim();
        let end = if line.len() <= DETAIL_MAX {
            line.len()
        } else {
            (0..=DETAIL_MAX - 3).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0)
        };
        let cut = line.get(..end).unwrap_or_default();
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let mut text: alloc::string::String = cut.chars().map(plain).collect();
        if end < line.len() {
            text.push('…');
        }
        Self { outcome, detail: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_one_short_line() {
        let long = "é".repeat(DETAIL_MAX);
        let result = ProbeResult::new(Outcome::Fail, &long);
        assert!(result.detail.len() <= DETAIL_MAX, "{}", result.detail.len());
        assert!(result.detail.ends_with('…'));
        assert_eq!(&*ProbeResult::new(Outcome::Pass, " a\nb\x1b[0m ").detail, "a b [0m");
    }
}
