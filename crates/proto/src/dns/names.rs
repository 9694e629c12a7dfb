//! What a question is made of: a name, a type, a class.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use domain::base::Name;
use domain::base::iana::Rtype;

use crate::quote::nearest;

/// A domain name, whole: `example.com` and `example.com.` are the same. `\.` and `\DDD` are escapes
/// as in zone files (RFC 1035 section 5.1). Case does not matter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnsName(pub(super) Name<Vec<u8>>);

/// Not a domain name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "\"{word}\" is not a domain name ({reason}): write labels of 1 to 63 octets with dots between \
     them, at most 255 octets, \".\" for the root"
)]
pub struct DnsNameError {
    /// What stands there instead, at most sixty characters.
    pub word: String,
    /// What is wrong.
    pub reason: String,
}

impl FromStr for DnsName {
    type Err = DnsNameError;

    fn from_str(text: &str) -> Result<Self, DnsNameError> {
        let error = |reason: String| DnsNameError { word: text.chars().take(60).collect(), reason };
        if text.is_empty() {
            return Err(error("it is empty".into()));
        }
        if let Some(bad) = text.chars().find(|c| !c.is_ascii_graphic()) {
            let shown = bad.escape_debug();
            return Err(error(format!("\"{shown}\" must be written otherwise, as \\DDD or xn--…")));
        }
        Name::from_str(text).map(Self).map_err(|problem| error(format!("{problem}")))
    }
}

/// With a dot at the end only for the root.
impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_root() { f.write_str(".") } else { write!(f, "{}", self.0) }
    }
}

/// The type of the records that are asked for: one of the names of the IANA registry, or `TYPE123`
/// (RFC 3597 section 5). Zone transfers and pseudo records cannot be asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecordType(pub(super) Rtype);

impl RecordType {
    /// IPv4 addresses.
    pub const A: Self = Self(Rtype::A);
    /// IPv6 addresses.
    pub const AAAA: Self = Self(Rtype::AAAA);
    /// Start of a zone of authority.
    pub const SOA: Self = Self(Rtype::SOA);
    /// Texts.
    pub const TXT: Self = Self(Rtype::TXT);

    /// The number of the registry.
    pub const fn number(self) -> u16 {
        self.0.to_int()
    }
}

/// Not a type that can be asked for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "\"{word}\" is not a record type that can be asked for: {}write for example A, AAAA, SOA, NS, \
     TXT or TYPE64",
    guess(.word)
)]
pub struct RecordTypeError {
    /// What stands there instead, at most forty characters.
    pub word: String,
}

fn guess(word: &str) -> String {
    let known = ["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT", "HTTPS", "SVCB"];
    let near = nearest(word, &known).filter(|_| word.len() > 1);
    near.map(|name| format!("did you mean {name}? ")).unwrap_or_default()
}

impl FromStr for RecordType {
    type Err = RecordTypeError;

    fn from_str(text: &str) -> Result<Self, RecordTypeError> {
        let error = || RecordTypeError { word: text.chars().take(40).collect() };
        let rtype: Rtype = text.to_ascii_uppercase().parse().map_err(|_| error())?;
        // 0 is reserved, 41 is OPT, 128 to 254 are for questions and transactions only (RFC 6895
        // section 3.1); 255 is ANY.
        match rtype.to_int() {
            0 | 41 | 128..=254 => Err(error()),
            _ => Ok(Self(rtype)),
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The class of a question.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Class {
    /// The Internet.
    #[default]
    In,
    /// Chaos: what a server says of itself, such as `version.bind` (RFC 4892).
    Ch,
}

impl Class {
    /// `IN` or `CH`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "IN",
            Self::Ch => "CH",
        }
    }

    /// The number of the registry.
    pub const fn number(self) -> u16 {
        match self {
            Self::In => 1,
            Self::Ch => 3,
        }
    }
}

/// Not a class.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{word}\" is not a class: write IN, or CH for what a server says of itself")]
pub struct ClassError {
    /// What stands there instead, at most forty characters.
    pub word: String,
}

impl FromStr for Class {
    type Err = ClassError;

    fn from_str(text: &str) -> Result<Self, ClassError> {
        let class =
            [Self::In, Self::Ch].into_iter().find(|one| text.eq_ignore_ascii_case(one.name()));
        class.ok_or_else(|| ClassError { word: text.chars().take(40).collect() })
    }
}
