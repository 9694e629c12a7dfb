//! Sizes with a unit, such as `64KiB`.

/// Reads a size in octets.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let unit = match unit.trim() {
        "" | "B" => Some(1),
        "KiB" => Some(1024),
        "MiB" => Some(1024 * 1024),
        "GiB" => Some(1024 * 1024 * 1024),
        _ => None,
    };
    let size = digits.parse::<u64>().ok().zip(unit);
    let size = size.and_then(|(number, unit)| number.checked_mul(unit));
    size.ok_or_else(|| format!("\"{text}\" is no size: write for example 64KiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        for (text, want) in
            [("0", 0), ("512", 512), ("3 B", 3), ("64KiB", 65_536), ("1GiB", 1 << 30)]
        {
            assert_eq!(parse(text), Ok(want), "{text}");
        }
        for bad in ["", "KiB", "-1", "1KB", "1.5MiB", "99999999999GiB"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
