//! Numbers on the command lines of benches.

use crate::{LabError, Result};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The whole number behind `option`, which has to be within `range`.
///
/// # Errors
/// [`LabError::Argument`] names the option, the value and the range.
pub fn number<T: Copy + Display + FromStr + PartialOrd>(
    option: &str,
    value: Option<impl AsRef<str>>,
    range: RangeInclusive<T>,
) -> Result<T> {
    let value = value.as_ref().map_or("", AsRef::as_ref);
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        LabError::Argument(format!(
            "{option} takes a whole number, {least} to {most}, not `{value}`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_of_the_range_is_refused() {
        assert_eq!(number("--runs", Some("7"), 1..=7_u64).unwrap_or_default(), 7);
        for wrong in [Some("0"), Some("8"), Some("-1"), Some("x"), Some(""), None] {
            let said = number("--runs", wrong, 1..=7_u64).err().map(|error| error.to_string());
            let value = wrong.unwrap_or_default();
            let expected = format!("--runs takes a whole number, 1 to 7, not `{value}`");
            assert_eq!(said, Some(expected));
        }
    }
}
