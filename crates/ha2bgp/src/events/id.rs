//! Numbers of records: they only rise, over restarts too.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Which record it is: `1795706498-17` is the 17th since the start in that second. Later ones are
/// greater, and between two of one start none is left out.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Id {
    /// The start of the program: a second of the wall clock, raised where that would not rise.
    start: u64,
    /// Its place since then, from 1 on.
    seq: u64,
}

impl Id {
    /// The moment before the first record of a start at `now`, when the last record known of
    /// earlier ones is `last`.
    pub fn of_start(now: Timestamp, last: Option<Self>) -> Self {
        let clock = u64::try_from(now.as_second()).unwrap_or(0);
        // A clock that was set back must not number new records below old ones.
        let start = last.map_or(clock, |last| clock.max(last.start.saturating_add(1)));
        Self { start, seq: 0 }
    }

    /// The one `count` further on in the same start.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self { start: self.start, seq: self.seq.saturating_add(count) }
    }

    /// How many lie between this one and a later one of the same start; `None` when they are of
    /// different starts.
    pub const fn between(self, later: Self) -> Option<u64> {
        if self.start != later.start {
            return None;
        }
        Some(later.seq.saturating_sub(self.seq).saturating_sub(1))
    }

    /// The first of its start.
    pub const fn is_first(self) -> bool {
        self.seq == 1
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.seq)
    }
}

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        let parsed = text
            .split_once('-')
            .and_then(|(start, seq)| Some(Self { start: number(start)?, seq: number(seq)? }));
        parsed.ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            format!("\"{shown}\" is no id of an event: write one such as 1795706498-17")
        })
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_over_restarts_and_clocks_that_go_back() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let first = Id::of_start(at(1000), None).plus(5);
        assert_eq!(first.to_string(), "1000-5");
        for now in [1, 999, 1000, 1001, 5000] {
            assert!(Id::of_start(at(now), Some(first)).plus(1) > first, "{now}");
        }
        assert_eq!(Id::of_start(at(5000), Some(first)).to_string(), "5000-0");
        assert_eq!(first.between(first.plus(1)), Some(0));
        assert_eq!(first.between(first.plus(4)), Some(3));
        assert_eq!(first.between(Id::of_start(at(2000), None)), None);
    }

    #[test]
    fn only_its_own_spelling_is_read() {
        assert_eq!("1000-5".parse(), Ok(Id { start: 1000, seq: 5 }));
        for bad in ["", "-", "1", "1-", "-1", "1-+2", "1--2", "1-2-3", "a-1", "1 -2"] {
            assert!(bad.parse::<Id>().is_err(), "{bad}");
        }
        assert!("9".repeat(5000).parse::<Id>().unwrap_err().len() < 120);
    }
}
