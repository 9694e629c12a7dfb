//! Communities as people write them.
//!
//! * `65000:80`, or a name from the registry: RFC 1997. * `65000:1:2`: RFC 8092.
//! * `target:65000:1`, `origin:65000:1`, `generic:0x0002fde800000001`: RFC 4360.
//! * `link-bandwidth:65000:125000000`, and `link-bandwidth-transitive:…`: octets each second
//!   (draft-ietf-idr-link-bandwidth).

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use super::config::Policy;

/// One community of any size.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Community {
    /// Four octets.
    Standard(u32),
    /// Eight octets.
    Extended([u8; 8]),
    /// Twelve octets.
    Large([u32; 3]),
}

/// Why a text is not a community.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommunityError {
    /// Nothing that is known.
    #[error(
        "\"{text}\" is not a community: write 65000:80, 65000:1:2, target:65000:1, \
         link-bandwidth:65000:125000000, generic:0x followed by 16 digits, or a name like no-export"
    )]
    Malformed {
        /// What was given.
        text: String,
    },
    /// A number that does not fit.
    #[error("\"{text}\": {number} is too large, this field goes up to {max}")]
    TooLarge {
        /// What was given.
        text: String,
        /// The number.
        number: u64,
        /// The largest one.
        max: u32,
    },
    /// A bandwidth that routers cannot share traffic by.
    #[error("\"{text}\": the bandwidth must be a number of octets each second above 0")]
    Bandwidth {
        /// What was given.
        text: String,
    },
}

/// Well-known communities, as the registry of IANA has them.
const NAMES: [(&str, u32); 9] = [
    ("graceful-shutdown", 0xffff_0000),
    ("accept-own", 0xffff_0001),
    ("llgr-stale", 0xffff_0006),
    ("no-llgr", 0xffff_0007),
    ("blackhole", 0xffff_029a),
    ("no-export", 0xffff_ff01),
    ("no-advertise", 0xffff_ff02),
    ("no-export-subconfed", 0xffff_ff03),
    ("no-peer", 0xffff_ff04),
];

impl Community {
    /// Attaches it to every route that a policy lets out.
    pub fn add_to(self, policy: &mut Policy) {
        match self {
            Self::Standard(it) => policy.communities.push(it),
            Self::Extended(it) => policy.extended_communities.push(it),
            Self::Large(it) => policy.large_communities.push(it),
        }
    }
}

impl FromStr for Community {
    type Err = CommunityError;

    fn from_str(text: &str) -> Result<Self, CommunityError> {
        if let Some((_, value)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(Self::Standard(*value));
        }
        let malformed = || CommunityError::Malformed { text: text.to_string() };
        let (kind, rest) = text.split_once(':').ok_or_else(malformed)?;
        match kind {
            "target" | "origin" => {
                let (asn, value) = rest.split_once(':').ok_or_else(malformed)?;
                let subtype = if kind == "target" { 2 } else { 3 };
                two_part(text, subtype, asn, value).map(Self::Extended)
            }
            "link-bandwidth" | "link-bandwidth-transitive" => {
                let (asn, speed) = rest.split_once(':').ok_or_else(malformed)?;
                let asn = u16::try_from(number(text, asn, u32::MAX)?).unwrap_or(23_456);
                let speed: f32 = speed
                    .parse()
                    .ok()
                    .filter(|speed: &f32| speed.is_finite() && *speed > 0.0)
                    .ok_or_else(|| CommunityError::Bandwidth { text: text.to_string() })?;
                let kind = if kind == "link-bandwidth" { 0x40 } else { 0 };
                let ([a, b], [c, d, e, f]) = (asn.to_be_bytes(), speed.to_be_bytes());
                Ok(Self::Extended([kind, 4, a, b, c, d, e, f]))
            }
            "generic" => {
                let digits = rest.strip_prefix("0x").ok_or_else(malformed)?;
                if digits.len() != 16 || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
                    return Err(malformed());
                }
                let value = u64::from_str_radix(digits, 16).map_err(|_| malformed())?;
                Ok(Self::Extended(value.to_be_bytes()))
            }
            first => match rest.split_once(':') {
                Some((second, third)) => {
                    let part = |it| number(text, it, u32::MAX);
                    Ok(Self::Large([part(first)?, part(second)?, part(third)?]))
                }
                None => {
                    let part = |it| number(text, it, u32::from(u16::MAX));
                    Ok(Self::Standard(part(first)? << 16 | part(rest)?))
                }
            },
        }
    }
}

/// Route target and route origin (RFC 4360 sections 4 and 5, RFC 5668).
fn two_part(text: &str, subtype: u8, asn: &str, value: &str) -> Result<[u8; 8], CommunityError> {
    let asn = number(text, asn, u32::MAX)?;
    match u16::try_from(asn) {
        Ok(asn) => {
            let ([a, b], [c, d, e, f]) =
                (asn.to_be_bytes(), number(text, value, u32::MAX)?.to_be_bytes());
            Ok([0, subtype, a, b, c, d, e, f])
        }
        Err(_) => {
            let value = number(text, value, u32::from(u16::MAX))?;
            let ([a, b, c, d], [_, _, e, f]) = (asn.to_be_bytes(), value.to_be_bytes());
            Ok([2, subtype, a, b, c, d, e, f])
        }
    }
}

fn number(text: &str, digits: &str, max: u32) -> Result<u32, CommunityError> {
    let malformed = || CommunityError::Malformed { text: text.to_string() };
    if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return Err(malformed());
    }
    let number: u64 = digits.parse().map_err(|_| malformed())?;
    match u32::try_from(number) {
        Ok(it) if it <= max => Ok(it),
        _ => Err(CommunityError::TooLarge { text: text.to_string(), number, max }),
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Standard(it) => match NAMES.iter().find(|(_, value)| *value == it) {
                Some((name, _)) => f.write_str(name),
                None => write!(f, "{}:{}", it >> 16, it & 0xffff),
            },
            Self::Large([a, b, c]) => write!(f, "{a}:{b}:{c}"),
            Self::Extended(it) => write!(f, "generic:{:#018x}", u64::from_be_bytes(it)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (text, want) in [
            ("65000:80", "65000:80"),
            ("no-export", "no-export"),
            ("65535:0", "graceful-shutdown"),
            ("65535:666", "blackhole"),
            ("4200000000:1:2", "4200000000:1:2"),
            ("target:65000:1", "generic:0x0002fde800000001"),
            ("origin:4200000000:1", "generic:0x0203fa56ea000001"),
            ("generic:0x4004FDE84CEE6B28", "generic:0x4004fde84cee6b28"),
            // 125 MB/s = 1 Gb/s: what FRR shows as LB:65000:125000000.
            ("link-bandwidth:65000:125000000", "generic:0x4004fde84cee6b28"),
            ("link-bandwidth-transitive:4200000000:1", "generic:0x00045ba03f800000"),
        ] {
            assert_eq!(text.parse::<Community>().unwrap().to_string(), want, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "1",
            ":",
            "1:",
            "1:2:3:4",
            "-1:2",
            "1:2 announce",
            "1:2\n",
            "no-exports",
            "65536:1",
            "target:65000",
            "target:4200000000:65536",
            "4294967296:1:1",
            "generic:0x40",
            "generic:0x+004fde84cee6b28",
            "link-bandwidth:65000:0",
            "link-bandwidth:65000:inf",
            "link-bandwidth:65000:-1",
            "99999999999999999999:1",
        ] {
            assert!(text.parse::<Community>().is_err(), "{text:?}");
        }
        assert_eq!(
            "65536:1".parse::<Community>().unwrap_err().to_string(),
            "\"65536:1\": 65536 is too large, this field goes up to 65535"
        );
    }
}
