//! What an answer must be.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::base::iana::Rtype;

use crate::pattern::{Pattern, PatternError};

use super::{DnsName, DnsNameError, RcodeSet, RecordType};

/// All that an answer must be. The default is `NOERROR`, with or without records.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DnsExpectation {
    /// Which response codes are good.
    pub rcodes: RcodeSet,
    /// Whether the server must be an authority for the name (the flag AA), or must not be; `None`:
    /// the flag is not looked at.
    pub authoritative: Option<bool>,
    /// Each of these must hold, whatever the response code is; the configuration limits how many
    /// there are.
    pub answers: Vec<AnswerRule>,
}

/// What one record of the answer section must be: of the type and class of the question, for its
/// name or for the name its CNAME records lead to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AnswerRule {
    /// There is one.
    Present,
    /// One of type A or AAAA has this address.
    Address(IpAddr),
    /// One of type TXT is this text, or matches this expression; its character strings are joined.
    Text(Pattern),
    /// One of type CNAME, DNAME, MX, NS or PTR names this.
    Target(DnsName),
    /// One of type SOA has this serial or a later one, in the arithmetic of RFC 1982.
    SerialFrom(u32),
}

/// Why a text is not a rule for answers of a type.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AnswerRuleError {
    /// Not an address of the family.
    #[error("\"{word}\" is not what an answer of type {record_type} has: write {fix}")]
    Value {
        /// The word.
        word: String,
        /// The type of the question.
        record_type: RecordType,
        /// What to write instead.
        fix: &'static str,
    },
    /// Not a pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Not a name.
    #[error(transparent)]
    Name(#[from] DnsNameError),
    /// Nothing is known of such records.
    #[error(
        "the data of type {record_type} cannot be compared: ask for A, AAAA, CNAME, DNAME, MX, NS, \
         PTR, SOA or TXT, or only for an answer to be there"
    )]
    Type {
        /// The type of the question.
        record_type: RecordType,
    },
}

impl AnswerRule {
    /// A rule for the answers to a question: an address for A and AAAA, a text or `/regex/` for
    /// TXT, a name for CNAME, DNAME, MX, NS and PTR, `serial >= N` for SOA.
    ///
    /// # Errors
    ///
    /// What the text should have been.
    pub fn parse(record_type: RecordType, text: &str) -> Result<Self, AnswerRuleError> {
        let error = |fix| AnswerRuleError::Value {
            word: text.chars().take(60).collect(),
            record_type,
            fix,
        };
        match record_type.0 {
            Rtype::A => match text.parse::<Ipv4Addr>() {
                Ok(address) => Ok(Self::Address(address.into())),
                Err(_) => Err(error("an IPv4 address such as 192.0.2.1")),
            },
            Rtype::AAAA => match text.parse::<Ipv6Addr>() {
                Ok(address) => Ok(Self::Address(address.into())),
                Err(_) => Err(error("an IPv6 address such as 2001:db8::1")),
            },
            Rtype::TXT => Ok(Self::Text(text.parse()?)),
            Rtype::CNAME | Rtype::DNAME | Rtype::MX | Rtype::NS | Rtype::PTR => {
                Ok(Self::Target(text.parse()?))
            }
            Rtype::SOA => {
                let number = text.strip_prefix("serial").map(str::trim_start);
                let number = number.and_then(|rest| rest.strip_prefix(">=")).map(str::trim_start);
                let digits = number.filter(|text| text.bytes().all(|octet| octet.is_ascii_digit()));
                let serial = digits.and_then(|text| text.parse().ok());
                serial.map(Self::SerialFrom).ok_or_else(|| error("\"serial >= N\""))
            }
            _ => Err(AnswerRuleError::Type { record_type }),
        }
    }

    /// True if a record with this data is what the rule asks for.
    pub(super) fn holds(&self, data: &Data) -> bool {
        match (self, data) {
            (Self::Present, _) => true,
            (Self::Address(wanted), Data::Address(found)) => wanted == found,
            (Self::Text(wanted), Data::Text(found)) => wanted.is(found),
            (Self::Target(wanted), Data::Target(found)) => wanted == found,
            // Half of the numbers are before a serial and half after it.
            (Self::SerialFrom(wanted), Data::Serial(found)) => {
                found.wrapping_sub(*wanted) < 1 << 31
            }
            (
                Self::Address(_) | Self::Text(_) | Self::Target(_) | Self::SerialFrom(_),
                Data::Address(_) | Data::Text(_) | Data::Target(_) | Data::Serial(_) | Data::Other,
            ) => false,
        }
    }
}

/// In a text after "with".
impl fmt::Display for AnswerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present => f.write_str("any data"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Text(pattern) => write!(f, "{pattern}"),
            Self::Target(name) => write!(f, "{name}"),
            Self::SerialFrom(serial) => write!(f, "serial >= {serial}"),
        }
    }
}

/// The data of a record, as far as rules look at it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Data {
    Address(IpAddr),
    Text(Vec<u8>),
    Target(DnsName),
    Serial(u32),
    Other,
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Text(text) => f.write_str(&crate::quote::quote(text, 40)),
            Self::Target(name) => f.write_str(&name.to_string()),
            Self::Serial(serial) => write!(f, "serial {serial}"),
            Self::Other => f.write_str("other data"),
        }
    }
}
