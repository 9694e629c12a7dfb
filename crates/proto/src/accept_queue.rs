//! When an accept queue is too full: the language of conditions, and what samples make of them.
//!
//! The kernel completes handshakes by itself and queues the connections of a listener until the
//! process accepts them. A process that hangs still listens; only its queue shows it. A queue is
//! *full* when it holds more connections than its backlog (`sk_acceptq_is_full` in
//! include/net/sock.h): the kernel then drops what would come next, and counts it.
//!
//! Owns [`Condition`] and [`Monitor`]. Reading the kernel's tables, and the clock, belong to the
//! observer.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use crate::quote::{nearest, quote};

mod fuzz;
mod monitor;
#[cfg(test)]
mod tests;

pub use fuzz::fuzz_accept_queue;
pub use monitor::{LISTENERS_MAX, Monitor, Rules, Sample};

/// The longest time that a trouble can be asked to last.
pub const HOLD_MAX: Duration = Duration::from_secs(3600);

/// The most conditions of one verdict.
pub const CONDITIONS_MAX: usize = 8;

/// What can be wrong with a queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// More connections wait than the backlog: the next ones are dropped.
    Full,
    /// At least so many percent of the backlog wait, 1 to 100.
    Share(u8),
    /// The listener's drop counter (`sk_drops`) keeps rising.
    Drops,
    /// Connections wait, and the queue never got shorter: not one was accepted.
    Stuck,
}

/// A trouble and how long it must last: `full for 2s`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Condition {
    /// What is wrong.
    pub trouble: Trouble,
    /// For how long without a break, up to [`HOLD_MAX`]; zero: as soon as it is seen.
    pub hold: Duration,
}

/// Why a text is not a [`Condition`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConditionError {
    /// Not three words with `for` in the middle.
    #[error("{text} is no condition of a queue: write WHAT for TIME, for example \"full for 2s\"")]
    Shape {
        /// What was given.
        text: String,
    },
    /// The first word means nothing.
    #[error(
        "{word} is nothing that a queue can be: {}write full, stuck, drops, or a share such as 80%",
        guess(.word)
    )]
    Trouble {
        /// The word, in quotation marks.
        word: String,
    },
    /// A share that is none.
    #[error("{word} is no share of a queue: write a whole number from 1% to 100%")]
    Share {
        /// The word, in quotation marks.
        word: String,
    },
    /// The last word is no time.
    #[error("{word} is no time: write a whole number and ms, s or m, at most 1h, for example 2s")]
    Time {
        /// The word, in quotation marks.
        word: String,
    },
}

/// Other words for ours, beside what is only misspelt.
fn guess(word: &str) -> String {
    let word = word.trim_matches('"');
    let meant = match word {
        "saturated" | "overflow" => Some("full"),
        "dropped" | "dropping" => Some("drops"),
        "hung" | "hangs" | "frozen" => Some("stuck"),
        _ => nearest(word, &["full", "stuck", "drops"]),
    };
    meant.map(|name| alloc::format!("did you mean {name}? ")).unwrap_or_default()
}

fn shown(word: &str) -> String {
    quote(word.as_bytes(), 40)
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let mut words = text.split_ascii_whitespace();
        let (Some(what), Some("for"), Some(time), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(ConditionError::Shape { text: shown(text) });
        };
        Ok(Self { trouble: trouble(what)?, hold: time_of(time)? })
    }
}

fn trouble(word: &str) -> Result<Trouble, ConditionError> {
    match word {
        "full" => Ok(Trouble::Full),
        "drops" => Ok(Trouble::Drops),
        "stuck" => Ok(Trouble::Stuck),
        _ => match word.strip_suffix('%') {
            None => Err(ConditionError::Trouble { word: shown(word) }),
            Some(number) => match digits(number) {
                Some(share @ 1..=100) => Ok(Trouble::Share(u8::try_from(share).unwrap_or(100))),
                _ => Err(ConditionError::Share { word: shown(word) }),
            },
        },
    }
}

/// A whole number without a sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn time_of(word: &str) -> Result<Duration, ConditionError> {
    let at = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (number, unit) = word.split_at(at);
    let unit = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let millis = digits(number).and_then(|number| number.checked_mul(unit?));
    millis
        .map(Duration::from_millis)
        .filter(|time| *time <= HOLD_MAX)
        .ok_or_else(|| ConditionError::Time { word: shown(word) })
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trouble {
            Trouble::Full => f.write_str("full")?,
            Trouble::Share(percent) => write!(f, "{percent}%")?,
            Trouble::Drops => f.write_str("drops")?,
            Trouble::Stuck => f.write_str("stuck")?,
        }
        let millis = self.hold.as_millis();
        let (number, unit) =
            if millis.is_multiple_of(1000) { (millis / 1000, "s") } else { (millis, "ms") };
        write!(f, " for {number}{unit}")
    }
}

/// A time for people: `2.1 s`.
fn seconds(time: Duration) -> String {
    if time.as_secs() >= 100 {
        return alloc::format!("{} s", time.as_secs());
    }
    alloc::format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100)
}
