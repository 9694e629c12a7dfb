//! Which grammar of the API to speak.
//!
//! What each version accepts, tried with Debian's 4.2.21 and with 5.0.15:
//!
//! | text | 3.x | 4.2.21 | 5.0.15 | 6 (API v6) |
//! |---|---|---|---|---|
//! | `announce route 192.0.2.1 …` | yes | yes | yes | `error` |
//! | `announce route 2001:db8::1 …` | early 3.x read it as a /32 | yes | yes | `error` |
//! | `peer * announce route …` | no | `error` | `error` | yes |
//! | `neighbor * announce route …` | no | `error` | yes | `error` |
//! | `announce attributes next-hop … nlri A B` | not tried | yes | yes | `error` |
//!
//! `done` says that the text was understood, not that the route is good: for an IPv6 prefix with
//! `next-hop self` on an IPv4 session 4.2.21 says `done` and sends a next hop of four bytes (5.0.15
//! says `error`, to the withdrawal too); a family that the neighbour lacks is only logged.
//!
//! The columns of 3.x and 6 are read in the source (`configuration/ancient.py`,
//! `reactor/api/dispatch/v6.py`), not tried.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

/// The version of the API that the user asks for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ApiVersion {
    /// Start from the environment, learn from the answers.
    #[default]
    Auto,
    /// ExaBGP 3.x: never answers.
    V3,
    /// ExaBGP 4.x.
    V4,
    /// ExaBGP 5.x: the texts of 4.x.
    V5,
    /// ExaBGP with the target-first grammar (`exabgp.api.version = 6`).
    V6,
}

/// A text that names no version of the API.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{text}\" is not a version of the ExaBGP API: write auto, 3, 4, 5 or 6")]
pub struct ApiVersionError {
    /// What was given.
    pub text: String,
}

impl FromStr for ApiVersion {
    type Err = ApiVersionError;

    fn from_str(text: &str) -> Result<Self, ApiVersionError> {
        match text {
            "auto" => Ok(Self::Auto),
            "3" => Ok(Self::V3),
            "4" => Ok(Self::V4),
            "5" => Ok(Self::V5),
            "6" => Ok(Self::V6),
            _ => Err(ApiVersionError { text: text.to_string() }),
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::V3 => "3",
            Self::V4 => "4",
            Self::V5 => "5",
            Self::V6 => "6",
        })
    }
}

impl ApiVersion {
    /// The dialect this version fixes; none for [`ApiVersion::Auto`].
    pub const fn dialect(self) -> Option<Dialect> {
        match self {
            Self::Auto => None,
            Self::V3 => Some(Dialect::V3),
            Self::V4 | Self::V5 => Some(Dialect::V4),
            Self::V6 => Some(Dialect::V6),
        }
    }
}

/// A grammar of the API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// `announce route …`; IPv6 host routes with `/128`; no groups.
    V3,
    /// `announce route …`, host routes bare (4.x and 5.x).
    V4,
    /// `peer * announce route …` (6).
    V6,
}

impl Dialect {
    /// What stands before each command.
    pub(super) const fn selector(self) -> &'static str {
        match self {
            Self::V3 | Self::V4 => "",
            Self::V6 => "peer * ",
        }
    }

    /// Whether `announce attributes … nlri …` is known to work, in both directions.
    pub(super) const fn groups(self) -> bool {
        matches!(self, Self::V4)
    }

    /// The one to try when this one is only ever answered `error`.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::V3 | Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3 => "3",
            Self::V4 => "4/5",
            Self::V6 => "6",
        })
    }
}

/// What the surroundings of the process say about ExaBGP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Detection {
    /// The parent process is ExaBGP.
    pub child_of_exabgp: bool,
    /// The dialect that the environment names.
    pub dialect: Option<Dialect>,
}

/// Reads the environment and the parent's command line (arguments apart by NUL or space, as in
/// `/proc/PID/cmdline`).
///
/// ExaBGP hands its whole environment down to its helpers; `exabgp.api.version` in it (or with
/// underscores) is the version that ExaBGP itself obeys. Without it nothing tells 4 from 6: that
/// is learned from the answers.
pub fn detect(
    env: &dyn Fn(&str) -> Option<String>,
    parent_command_line: Option<&str>,
) -> Detection {
    let version = env("exabgp.api.version").or_else(|| env("exabgp_api_version"));
    Detection {
        child_of_exabgp: parent_command_line.is_some_and(names_exabgp),
        dialect: version
            .and_then(|text| text.trim().parse::<ApiVersion>().ok())
            .and_then(ApiVersion::dialect),
    }
}

/// True when one word is a path to a program `exabgp`, `exabgp5` or `exabgp-4.2`.
fn names_exabgp(command_line: &str) -> bool {
    command_line
        .split(['\0', ' '])
        .filter_map(|word| word.rsplit('/').next())
        .filter_map(|name| name.strip_prefix("exabgp"))
        .any(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_shown() {
        for text in ["auto", "3", "4", "5", "6"] {
            assert_eq!(text.parse::<ApiVersion>().unwrap().to_string(), text);
        }
        assert_eq!(
            "7".parse::<ApiVersion>().unwrap_err().to_string(),
            "\"7\" is not a version of the ExaBGP API: write auto, 3, 4, 5 or 6"
        );
    }

    #[test]
    fn the_surroundings_are_read() {
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, bool, Option<Dialect>);
        let cases: &[Case<'_>] = &[
            (&[], None, false, None),
            (&[], Some("/usr/bin/python3\0/usr/sbin/exabgp\0x.conf\0"), true, None),
            (&[], Some("/v/bin/python3 /v/bin/exabgp server x"), true, None),
            (&[], Some("/opt/exabgp-4.2.25 x"), true, None),
            (&[], Some("vi\0/etc/exabgp/exabgp.conf"), false, None),
            (&[], Some("-bash"), false, None),
            (&[("exabgp_api_version", "6")], None, false, Some(Dialect::V6)),
            (
                &[("exabgp.api.version", "4"), ("exabgp_api_version", "6")],
                None,
                false,
                Some(Dialect::V4),
            ),
            (&[("exabgp.api.version", "nonsense")], None, false, None),
            (&[("exabgp.api.version", "auto")], None, false, None),
        ];
        for (env, parent, child, dialect) in cases {
            let lookup = |name: &str| {
                env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_string())
            };
            let got = detect(&lookup, *parent);
            assert_eq!(
                (got.child_of_exabgp, got.dialect),
                (*child, *dialect),
                "{env:?} {parent:?}"
            );
        }
    }
}
