//! Performance data: `'label'=value[UOM];[warn];[crit];[min];[max]`.

use alloc::borrow::ToOwned;
use alloc::string::String;

use super::range::Range;

/// The longest label that is kept, in octets; an item with a longer one is skipped.
const MAX_LABEL: usize = 256;

/// The longest unit, in octets.
const MAX_UNIT: usize = 32;

/// The longest text of a number or a range, in octets.
const MAX_FIELD: usize = 64;

/// A number with the text it was written as.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// As written.
    pub text: String,
    /// Its value, neither infinite nor NaN.
    pub value: f64,
}

/// The unit of measurement of a value and of all that is compared with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unit {
    /// None: a number of things.
    Number,
    /// `s`.
    Seconds,
    /// `ms`.
    Milliseconds,
    /// `us`, also with a Greek or a micro sign.
    Microseconds,
    /// `ns`: not of the guidelines, but used.
    Nanoseconds,
    /// `%`.
    Percent,
    /// `B`, `KB`, `MB`, `GB`, `TB`, `PB`, also as `KiB` …, in any case: 1024 to this power.
    Bytes {
        /// 0 for `B` to 5 for `PB`.
        power: u8,
    },
    /// `c`: counts up for ever.
    Counter,
    /// Anything else.
    Other(String),
}

/// What a value is measured in after [`Perf::base`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BaseUnit {
    /// A number of things, or something in a unit that is not known here.
    Number,
    /// Seconds.
    Seconds,
    /// Octets.
    Bytes,
    /// 1 is 100 %.
    Ratio,
    /// Counts up for ever.
    Counter,
}

/// One item of performance data.
#[derive(Clone, Debug, PartialEq)]
pub struct Perf {
    /// Its name, without quotes, not empty, at most 256 octets, no control characters.
    pub label: String,
    /// Its value; `None` for `U`: the plugin could not tell.
    pub value: Option<Number>,
    /// The unit of all numbers here.
    pub unit: Unit,
    /// The threshold for a warning.
    pub warn: Option<Range>,
    /// The threshold for a failure.
    pub crit: Option<Range>,
    /// The least possible value.
    pub min: Option<Number>,
    /// The greatest possible value.
    pub max: Option<Number>,
}

impl Perf {
    /// The value in base units: seconds, octets (a kilobyte is 1024, as the Monitoring Plugins
    /// count), a ratio. `None` if the value is not known, or too large in base units.
    pub fn base(&self) -> Option<(f64, BaseUnit)> {
        let value = self.value.as_ref()?.value;
        let (base, unit) = match &self.unit {
            Unit::Number | Unit::Other(_) => (value, BaseUnit::Number),
            Unit::Seconds => (value, BaseUnit::Seconds),
            Unit::Milliseconds => (value / 1e3, BaseUnit::Seconds),
            Unit::Microseconds => (value / 1e6, BaseUnit::Seconds),
            Unit::Nanoseconds => (value / 1e9, BaseUnit::Seconds),
            Unit::Percent => (value / 100.0, BaseUnit::Ratio),
            Unit::Bytes { power } => {
                ((0..*power).fold(value, |value, _| value * 1024.0), BaseUnit::Bytes)
            }
            Unit::Counter => (value, BaseUnit::Counter),
        };
        base.is_finite().then_some((base, unit))
    }
}

impl Unit {
    fn read(text: &str) -> Option<Self> {
        let known = match text {
            "" => Self::Number,
            "s" => Self::Seconds,
            "ms" => Self::Milliseconds,
            "us" | "µs" | "μs" => Self::Microseconds,
            "ns" => Self::Nanoseconds,
            "%" => Self::Percent,
            "c" => Self::Counter,
            _ => match text.to_ascii_uppercase().as_str() {
                "B" => Self::Bytes { power: 0 },
                "KB" | "KIB" => Self::Bytes { power: 1 },
                "MB" | "MIB" => Self::Bytes { power: 2 },
                "GB" | "GIB" => Self::Bytes { power: 3 },
                "TB" | "TIB" => Self::Bytes { power: 4 },
                "PB" | "PIB" => Self::Bytes { power: 5 },
                _ => Self::Other(text.to_owned()),
            },
        };
        // Not numbers, semicolons or quotes, say the guidelines. A comma or a dot here is a number
        // of another language.
        let fits = |c: char| !c.is_ascii_digit() && !"'\"=,.+-;".contains(c) && !c.is_control();
        (text.len() <= MAX_UNIT && text.chars().all(fits)).then_some(known)
    }
}

/// The items of one line: `None` for each that is not as it should be.
pub(super) fn items(line: &str) -> impl Iterator<Item = Option<Perf>> + '_ {
    let mut rest = line;
    core::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let (item, after) = item(rest);
        rest = after;
        Some(item)
    })
}

/// One item and what follows it; at least one character is taken.
fn item(text: &str) -> (Option<Perf>, &str) {
    let word_end = |text: &str| text.find(char::is_whitespace).unwrap_or(text.len());
    let (label, after) = match text.strip_prefix('\'') {
        Some(quoted) => match quoted_label(quoted) {
            Some((label, after)) => (label, after),
            // Never closed, or without a value: nothing on this line can be told apart any more.
            None => return (None, ""),
        },
        None => {
            let word = text.split_at(word_end(text));
            match word.0.split_once('=') {
                Some((label, _)) => (label.to_owned(), text.get(label.len() + 1..).unwrap_or("")),
                None => return (None, word.1),
            }
        }
    };
    let (fields, rest) = after.split_at(word_end(after));
    (read(label, fields), rest)
}

/// The label up to `'=`, with `''` for one quote, and what is after the equals sign.
fn quoted_label(quoted: &str) -> Option<(String, &str)> {
    let mut label = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('\'')?;
        label.push_str(before);
        match after.strip_prefix('\'') {
            Some(more) => {
                label.push('\'');
                rest = more;
            }
            None => return Some((label, after.strip_prefix('=')?)),
        }
    }
}

fn read(label: String, fields: &str) -> Option<Perf> {
    let bad = label.trim().is_empty() || label.len() > MAX_LABEL;
    if bad || label.chars().any(char::is_control) {
        return None;
    }
    let mut fields = fields.split(';');
    let first = fields.next().unwrap_or_default();
    let (value, unit) = match first.strip_prefix('U') {
        Some(unit) => (None, unit),
        None => {
            let (number, unit) = leading_number(first)?;
            (Some(number), unit)
        }
    };
    let unit = Unit::read(unit)?;
    let mut range = || {
        let text = fields.next().unwrap_or_default();
        if text.len() > MAX_FIELD { None } else { Range::read(text) }
    };
    let (warn, crit) = (range(), range());
    // A limit that is no number is left out; the value is good without it.
    let mut limit = || leading_number(fields.next()?).map(|(number, _)| number);
    let (min, max) = (limit(), limit());
    Some(Perf { label, value, unit, warn, crit, min, max })
}

/// The number a text begins with, and the rest. A number has digits, perhaps a sign, a fraction
/// and an exponent, is finite, and has at most 64 octets.
pub(super) fn leading_number(text: &str) -> Option<(Number, &str)> {
    let octets = text.as_bytes();
    let at = |place: usize| octets.get(place).copied().unwrap_or(0);
    let digits =
        |from: usize| octets.iter().skip(from).take_while(|octet| octet.is_ascii_digit()).count();
    let mut end = usize::from(matches!(at(0), b'+' | b'-'));
    let whole = digits(end);
    end += whole;
    let mut fraction = 0;
    if at(end) == b'.' {
        fraction = digits(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    if matches!(at(end), b'e' | b'E') {
        let sign = usize::from(matches!(at(end + 1), b'+' | b'-'));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let (number, rest) = text.split_at_checked(end)?;
    if number.len() > MAX_FIELD {
        return None;
    }
    let value: f64 = number.parse().ok()?;
    value.is_finite().then(|| (Number { text: number.to_owned(), value }, rest))
}
