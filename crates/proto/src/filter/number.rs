//! Numbers as the C library reads them: `strtol`, `strtoul` and `scanf("%i")`.
//!
//! `ss` reads every number of a filter with these, so `0120` is 80 (octal), ` 80` and `+80` are
//! 80, and `-0` is an address component.

/// How digits are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Base {
    /// C's base 0: `0x` is hexadecimal, a leading `0` is octal, anything else decimal.
    Auto,
    /// Always decimal.
    Ten,
}

/// A number at the start of a text, and what stands behind it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Integer<'a> {
    negative: bool,
    /// `None` when it does not fit 64 bits.
    magnitude: Option<u64>,
    /// It has a leading zero and more digits: octal, which surprises people.
    pub(super) octal: bool,
    /// It is a single `0`.
    zero: bool,
    /// The text behind the number.
    pub(super) rest: &'a str,
}

/// Reads a number at the start of `text` as `strtol` does; `None` when there are no digits.
pub(super) fn integer(text: &str, base: Base) -> Option<Integer<'_>> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
        .filter(|digits| digits.starts_with(|c: char| c.is_ascii_hexdigit()));
    let (radix, digits) = match (base, hexadecimal) {
        (Base::Auto, Some(digits)) => (16, digits),
        (Base::Auto, None) if digits.starts_with('0') => (8, digits),
        _ => (10, digits),
    };
    let rest = digits.trim_start_matches(|c: char| c.is_digit(radix));
    let digits = digits.strip_suffix(rest)?;
    if digits.is_empty() {
        return None;
    }
    Some(Integer {
        negative,
        magnitude: u64::from_str_radix(digits, radix).ok(),
        octal: radix == 8 && digits.len() > 1,
        zero: radix == 8 && digits.len() == 1,
        rest,
    })
}

impl Integer<'_> {
    /// The value as `strtol` returns it: the nearest number that fits.
    pub(super) fn long(&self) -> i64 {
        let magnitude = self.magnitude.unwrap_or(u64::MAX);
        if self.negative {
            0i64.saturating_sub_unsigned(magnitude)
        } else {
            i64::try_from(magnitude).unwrap_or(i64::MAX)
        }
    }

    /// The value as `strtoul` returns it: a negative number wraps around.
    pub(super) fn unsigned_long(&self) -> u64 {
        match self.magnitude {
            None => u64::MAX,
            Some(magnitude) if self.negative => magnitude.wrapping_neg(),
            Some(magnitude) => magnitude,
        }
    }

    /// The low 32 bits of the value, which is what `scanf` stores into an `int`.
    fn low_bits(&self) -> u32 {
        let [a, b, c, d, ..] = self.long().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

/// The whole of `text` as an `int`; `None` when something else is in it, or it does not fit.
pub(super) fn whole_int(text: &str) -> Option<i32> {
    let number = integer(text, Base::Auto).filter(|number| number.rest.is_empty())?;
    i32::try_from(number.long()).ok()
}

/// The whole of `text` as an `unsigned int`, base 0.
pub(super) fn whole_unsigned(text: &str) -> Option<u32> {
    let number = integer(text, Base::Auto).filter(|number| number.rest.is_empty())?;
    u32::try_from(number.unsigned_long()).ok()
}

/// What `scanf("%i")` stores, and the text behind it.
///
/// Unlike `strtol` it takes `0x` without digits for 0 (glibc).
pub(super) fn scan_int(text: &str) -> Option<(u32, &str)> {
    let number = integer(text, Base::Auto)?;
    let rest = match number.rest.strip_prefix(['x', 'X']) {
        Some(rest) if number.zero => rest,
        _ => number.rest,
    };
    Some((number.low_bits(), rest))
}

/// What `scanf("%u")` stores, whatever stands behind it.
pub(super) fn scan_unsigned(text: &str) -> Option<u32> {
    let number = integer(text, Base::Ten)?;
    let [a, b, c, d, ..] = number.unsigned_long().to_le_bytes();
    Some(u32::from_le_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, value) in [
            ("80", Some(80)),
            ("0120", Some(80)),
            ("0x50", Some(80)),
            ("0X50", Some(80)),
            (" \t+80", Some(80)),
            ("-5", Some(-5)),
            ("-0", Some(0)),
            ("0", Some(0)),
            ("08", None),
            ("0x", None),
            ("0xg", None),
            ("80 ", None),
            ("", None),
            ("+", None),
            ("- 1", None),
            ("2147483647", Some(i32::MAX)),
            ("2147483648", None),
            ("-2147483648", Some(i32::MIN)),
            ("99999999999999999999", None),
            ("0b1", None),
            ("٣", None),
        ] {
            assert_eq!(whole_int(text), value, "{text:?}");
        }
        for (text, value) in
            [("4294967295", Some(u32::MAX)), ("4294967296", None), ("-1", None), ("-0", Some(0))]
        {
            assert_eq!(whole_unsigned(text), value, "{text:?}");
        }
    }

    #[test]
    fn scanf_stores_low_bits_and_stops_early() {
        for (text, value) in [
            ("5x", Some((5, "x"))),
            ("0x", Some((0, ""))),
            ("0xg/1", Some((0, "g/1"))),
            ("0x0x", Some((0, "x"))),
            ("00x", Some((0, "x"))),
            ("08", Some((0, "8"))),
            ("-1", Some((u32::MAX, ""))),
            ("0x1ffffffff", Some((u32::MAX, ""))),
            ("99999999999999999999", Some((u32::MAX, ""))),
            ("-99999999999999999999", Some((0, ""))),
            ("+", None),
            ("x", None),
        ] {
            assert_eq!(scan_int(text), value, "{text:?}");
        }
        assert_eq!(scan_unsigned("-1"), Some(u32::MAX));
        assert_eq!(scan_unsigned("07x"), Some(7));
    }
}
