//! When a certificate ends: the one field of X.509 that TLS libraries keep to themselves.
//!
//! Source: RFC 5280 section 4.1, DER as in ITU-T X.690 sections 8 and 10. Whether a certificate is
//! any good is judged by the TLS library; nothing else is read here, and no signature is looked at.

mod fuzz;
#[cfg(test)]
mod tests;

pub use fuzz::fuzz_certificate_end;

/// Tags (X.690 section 8.1.2): SEQUENCE, INTEGER, the explicit `[0]` of the version, and times.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Why the end of a certificate cannot be told: it is not what RFC 5280 says.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a certificate: {what} is missing or malformed")]
pub struct CertificateError {
    /// The field.
    pub what: &'static str,
}

/// The moment after which a certificate in DER is not valid any more (`notAfter`), in seconds since
/// 1970-01-01 00:00:00 UTC.
///
/// # Errors
///
/// When the fields up to that one are not as they must be. What comes after it is not looked at.
pub fn not_after(certificate: &[u8]) -> Result<i64, CertificateError> {
    let mut outer = Reader(certificate);
    let mut certificate = Reader(outer.take("the certificate", &[SEQUENCE])?.1);
    let mut fields = Reader(certificate.take("tbsCertificate", &[SEQUENCE])?.1);
    let (tag, _) = fields.take("version or serialNumber", &[VERSION, INTEGER])?;
    if tag == VERSION {
        fields.take("serialNumber", &[INTEGER])?;
    }
    fields.take("signature", &[SEQUENCE])?;
    fields.take("issuer", &[SEQUENCE])?;
    let mut validity = Reader(fields.take("validity", &[SEQUENCE])?.1);
    validity.take("notBefore", &[UTC_TIME, GENERALIZED_TIME])?;
    let (tag, time) = validity.take("notAfter", &[UTC_TIME, GENERALIZED_TIME])?;
    seconds(tag, time).ok_or(CertificateError { what: "notAfter" })
}

/// Values one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The tag and the contents of the next value, which must have one of these tags.
    fn take(
        &mut self,
        what: &'static str,
        tags: &[u8],
    ) -> Result<(u8, &'a [u8]), CertificateError> {
        self.next().filter(|(tag, _)| tags.contains(tag)).ok_or(CertificateError { what })
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        // A length below 128 is one octet; else it says how many octets of length follow. DER has
        // no indefinite length, and four octets are more than any certificate needs.
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = octets.iter().try_fold(0_u32, |length, octet| {
                    length.checked_mul(256)?.checked_add(u32::from(*octet))
                });
                (usize::try_from(length?).ok()?, rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, contents))
    }
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, the only forms that RFC 5280 section 4.1.2.5 allows.
fn seconds(tag: u8, time: &[u8]) -> Option<i64> {
    let (year, rest) = match (tag, time.len()) {
        (UTC_TIME, 13) => {
            let (year, rest) = time.split_at_checked(2)?;
            let year = number(year)?;
            (if year >= 50 { 1900 + year } else { 2000 + year }, rest)
        }
        (GENERALIZED_TIME, 15) => {
            let (year, rest) = time.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let (digits, zone) = rest.split_at_checked(10)?;
    let mut parts = [0; 5];
    for (part, pair) in parts.iter_mut().zip(digits.chunks(2)) {
        *part = number(pair)?;
    }
    let [month, day, hour, minute, second] = parts;
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !in_range || zone != b"Z" {
        return None;
    }
    Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, years 0 to 9999. Years begin in March,
/// so that the day that is not in every year comes last.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Of five months from March on there are always 153 days; 719 468 are from March of year 0 to
    // 1970.
    year * 365 + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}
