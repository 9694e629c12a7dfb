use alloc::string::ToString;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut octets = alloc::vec![tag];
    match u8::try_from(length) {
        Ok(short @ 0..0x80) => octets.push(short),
        _ => {
            octets.push(0x82);
            octets.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    octets.extend_from_slice(contents);
    octets
}

fn certificate(version: bool, after: (u8, &str)) -> Vec<u8> {
    let mut validity = value(UTC_TIME, b"700101000000Z");
    validity.extend(value(after.0, after.1.as_bytes()));
    let mut fields = Vec::new();
    if version {
        fields.extend(value(VERSION, &value(INTEGER, &[2])));
    }
    fields.extend(value(INTEGER, &[1; 16]));
    fields.extend(value(SEQUENCE, &[]));
    fields.extend(value(SEQUENCE, &[0; 300]));
    fields.extend(value(SEQUENCE, &validity));
    fields.extend(b"whatever follows");
    value(SEQUENCE, &value(SEQUENCE, &fields))
}

#[test]
fn the_end_is_found() {
    for (tag, text, want) in [
        (UTC_TIME, "700101000000Z", 0),
        (UTC_TIME, "491231235959Z", 2_524_607_999),
        (UTC_TIME, "500101000000Z", -631_152_000),
        (UTC_TIME, "000229120000Z", 951_825_600),
        (GENERALIZED_TIME, "20500101000000Z", 2_524_608_000),
        (GENERALIZED_TIME, "99991231235959Z", 253_402_300_799),
    ] {
        for version in [true, false] {
            assert_eq!(not_after(&certificate(version, (tag, text))), Ok(want), "{text}");
        }
    }
}

#[test]
fn what_is_wrong_is_told() {
    for (tag, text) in [
        (UTC_TIME, "700101000000+0100"),
        (UTC_TIME, "7001010000Z"),
        (UTC_TIME, "701301000000Z"),
        (UTC_TIME, "70010100000xZ"),
        (UTC_TIME, "20500101000000Z"),
        (INTEGER, "700101000000Z"),
    ] {
        let error = not_after(&certificate(true, (tag, text))).unwrap_err().to_string();
        assert_eq!(error, "not a certificate: notAfter is missing or malformed", "{text}");
    }
    assert_eq!(not_after(b"HTTP/1.1").unwrap_err().what, "the certificate");
    // The length is that of the universe, or indefinite.
    assert!(not_after(b"\x30\x84\xff\xff\xff\xff").is_err());
    assert!(not_after(b"\x30\x80\x30\x80").is_err());
}

proptest! {
    #[test]
    fn days_are_those_of_the_calendar(days_since in -719_468_i64..2_932_896) {
        // Counted up month by month.
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let (mut year, mut left) = (1970, days_since);
        loop {
            let length = if leap(if left < 0 { year - 1 } else { year }) { 366 } else { 365 };
            if left < 0 { year -= 1; left += length } else if left >= length { year += 1; left -= length } else { break }
        }
        let february = if leap(year) { 29 } else { 28 };
        let mut month = 1;
        for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if left < length { break }
            left -= length;
            month += 1;
        }
        prop_assert_eq!(days(year, month, left + 1), days_since);
    }

    #[test]
    fn nothing_panics(octets: Vec<u8>, at in 0_usize..400, octet: u8) {
        let _ = not_after(&octets);
        let mut certificate = certificate(true, (UTC_TIME, "700101000000Z"));
        if let Some(place) = certificate.get_mut(at) {
            *place = octet;
        }
        fuzz_certificate_end(&certificate);
    }
}
