//! Rules over one header field of a response.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::pattern::{Pattern, PatternError};
use crate::quote::quote;

/// The longest name of a field, in octets.
const MAX_NAME: usize = 128;

/// What a header field must be.
///
/// `name` must be there, `!name` must not; `name: value` must be there with exactly this value,
/// `name: /regex/` with one in which the expression is found. Names are compared without case,
/// values octet by octet without the blanks around them. Of several fields with one name, one that
/// fits is enough; they are not joined.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderRule {
    /// Lower case.
    name: String,
    wanted: Wanted,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Wanted {
    There,
    Absent,
    Value(Pattern),
}

/// Why a text is not a [`HeaderRule`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeaderRuleError {
    /// Not a token of RFC 9110 section 5.6.2, or longer than 128 octets.
    #[error(
        "\"{name}\" is not the name of a header: write \"name\", \"!name\", \"name: value\" or \
         \"name: /regex/\""
    )]
    Name {
        /// What stands where the name should be.
        name: String,
    },
    /// `name:`.
    #[error(
        "\"{name}:\" has no value: write one, or \"{name}\" alone for a header that must be there"
    )]
    NoValue {
        /// The name.
        name: String,
    },
    /// `!name: value`.
    #[error(
        "\"!{name}\" cannot have a value: write \"!{name}\" for a header that must not be there"
    )]
    AbsentValue {
        /// The name.
        name: String,
    },
    /// The value is not a pattern.
    #[error("header {name}: {problem}")]
    Value {
        /// The name.
        name: String,
        /// What is wrong with the value.
        problem: PatternError,
    },
}

impl FromStr for HeaderRule {
    type Err = HeaderRuleError;

    fn from_str(text: &str) -> Result<Self, HeaderRuleError> {
        let text = text.trim();
        let (text, absent) = match text.strip_prefix('!') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value.trim())),
            None => (text, None),
        };
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(token) {
            let start: String = name.chars().take(40).collect();
            return Err(HeaderRuleError::Name { name: start });
        }
        let name = name.to_ascii_lowercase();
        let wanted = match (absent, value) {
            (false, None) => Wanted::There,
            (true, None) => Wanted::Absent,
            (true, Some(_)) => return Err(HeaderRuleError::AbsentValue { name }),
            (false, Some("")) => return Err(HeaderRuleError::NoValue { name }),
            (false, Some(value)) => match value.parse() {
                Ok(pattern) => Wanted::Value(pattern),
                Err(problem) => return Err(HeaderRuleError::Value { name, problem }),
            },
        };
        Ok(Self { name, wanted })
    }
}

impl HeaderRule {
    /// What is wrong with the header fields of a response, or `None` if nothing is.
    pub(super) fn complaint<'a>(
        &self,
        fields: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Option<String> {
        let mut values = fields
            .filter(|(name, _)| name.eq_ignore_ascii_case(&self.name))
            .map(|(_, value)| value.trim_ascii())
            .peekable();
        let first = values.peek().copied();
        let name = &self.name;
        match (&self.wanted, first) {
            (Wanted::There, Some(_)) | (Wanted::Absent, None) => None,
            (Wanted::There, None) => Some(format!("header {name} is missing")),
            (Wanted::Absent, Some(first)) => {
                Some(format!("header {name} is {}, expected none", quote(first, 60)))
            }
            (Wanted::Value(wanted), None) => {
                Some(format!("header {name} is missing, expected {wanted}"))
            }
            (Wanted::Value(wanted), Some(first)) => {
                let fits = values.any(|value| wanted.is(value));
                let complaint =
                    || format!("header {name} is {}, expected {wanted}", quote(first, 60));
                (!fits).then(complaint)
            }
        }
    }

    /// True for `name: /regex/`.
    pub(super) const fn is_regex(&self) -> bool {
        match &self.wanted {
            Wanted::Value(wanted) => wanted.is_regex(),
            Wanted::There | Wanted::Absent => false,
        }
    }

    /// The name of the field, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// As the configuration may have it.
impl fmt::Display for HeaderRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wanted {
            Wanted::There => f.write_str(&self.name),
            Wanted::Absent => write!(f, "!{}", self.name),
            Wanted::Value(wanted) => write!(f, "{}: {}", self.name, wanted.as_str()),
        }
    }
}
