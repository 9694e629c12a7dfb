//! Durations as people write them: `500ms`, `3s`, `1m30s`.

use std::time::Duration;

/// The longest duration that any setting takes.
pub const MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Units and their lengths in microseconds; longer spellings first.
const UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// Why a text is not a duration; the message names the value, the rule and the fix.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DurationError {
    /// A number alone.
    #[error("\"{text}\" has no unit: write {text}s for seconds or {text}ms for milliseconds")]
    NoUnit {
        /// What was given.
        text: String,
    },
    /// Anything else that is not a duration.
    #[error(
        "\"{text}\" is not a duration: write a whole number and us, ms, s, m, h or d, such as 3s or 1m30s"
    )]
    Malformed {
        /// What was given.
        text: String,
    },
    /// Longer than anything here should last.
    #[error("\"{text}\" is too long: at most 7d")]
    TooLong {
        /// What was given.
        text: String,
    },
}

/// Reads a duration.
///
/// # Errors
/// When a number has no unit, a unit is unknown, or the whole is longer than [`MAX`].
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let malformed = || DurationError::Malformed { text: text.to_owned() };
    let too_long = || DurationError::TooLong { text: text.to_owned() };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(malformed());
    }
    if rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DurationError::NoUnit { text: text.to_owned() });
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
        let (number, after) = rest.split_at(unit_at);
        if number.is_empty() {
            return Err(malformed());
        }
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let (_, micros) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?;
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*micros));
        total = part.and_then(|part| total.checked_add(part)).ok_or_else(too_long)?;
        rest = next;
    }
    let duration = Duration::from_micros(total);
    if duration > MAX { Err(too_long()) } else { Ok(duration) }
}

/// Writes a duration the way [`parse`] reads it, in the largest units that fit.
pub fn show(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    if left == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, micros) in UNITS.iter().rev() {
        if left >= *micros {
            text.push_str(&format!("{}{unit}", left / micros));
            left %= micros;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, want) in [
            ("0s", Some(0)),
            ("250us", Some(250)),
            ("500ms", Some(500_000)),
            ("3s", Some(3_000_000)),
            ("1m30s", Some(90_000_000)),
            ("7d", Some(604_800_000_000)),
            ("3", None),
            ("", None),
            ("s", None),
            ("-3s", None),
            ("3 s", None),
            ("3sec", None),
            ("1.5s", None),
            ("8d", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            let got = parse(text).ok().map(|duration| duration.as_micros());
            assert_eq!(got, want, "{text}");
        }
        assert_eq!(
            parse("3").unwrap_err().to_string(),
            "\"3\" has no unit: write 3s for seconds or 3ms for milliseconds"
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(micros in 0u64..604_800_000_000) {
            let duration = Duration::from_micros(micros);
            prop_assert_eq!(parse(&show(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_a_value_or_an_error(text in "\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
