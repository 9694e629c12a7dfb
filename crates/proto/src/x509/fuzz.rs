//! What must hold whatever a server shows as its certificate: the body of a fuzz target in `fuzz/`,
//! replayed by `cargo test`.

use super::not_after;

/// Any octets: no panic, and a moment within the years that DER can write.
#[doc(hidden)]
pub fn fuzz_certificate_end(input: &[u8]) {
    if let Ok(seconds) = not_after(input) {
        // 0000-01-01 and 9999-12-31.
        assert!((-62_167_219_200..=253_402_300_800).contains(&seconds), "a year of four digits");
    }
}
