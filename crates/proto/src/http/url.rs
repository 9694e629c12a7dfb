//! URLs with placeholders (RFC 3986), as far as a check can use them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Write as _};
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;

use crate::quote::nearest;
use crate::template::{FillError, Placeholder, Template, TemplateError, Values};

/// The longest URL, in octets as written.
pub const MAX_URL: usize = 2048;

/// With or without TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// `http`, port 80.
    Http,
    /// `https`, port 443.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of a URL that names none.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A URL to fill for each probe: `http://{vip}:{port}/healthz?of={service}`.
///
/// The host is `{vip}`, an IPv4 address, an IPv6 address in brackets, or a name; the port is a
/// number, `{port}`, or that of the scheme. Placeholders may stand anywhere in path and query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UrlTemplate {
    written: String,
    scheme: Scheme,
    host: Host,
    port: Port,
    /// Path and query, beginning with a slash.
    target: Template,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Host {
    Vip,
    Address(IpAddr),
    Name(String),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Port {
    OfScheme,
    OfService,
    Number(u16),
}

/// A URL of one probe.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Url {
    /// With or without TLS.
    pub scheme: Scheme,
    /// The host without port and brackets: what a resolver or TLS needs.
    pub host: String,
    /// The host if it is an address.
    pub address: Option<IpAddr>,
    /// The port to connect to.
    pub port: u16,
    /// The value of the field `Host` (RFC 9110 section 7.2): brackets around IPv6, and the port
    /// if it is not that of the scheme.
    pub authority: String,
    /// Path and query, what a request line has.
    pub target: String,
}

/// As people write it.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority, self.target)
    }
}

/// Why a text is not a [`UrlTemplate`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UrlError {
    /// Not `http://` or `https://`.
    #[error("\"{word}\" is not a scheme that is known: {}begin with http:// or https://", guess(.word))]
    Scheme {
        /// What stands there instead.
        word: String,
    },
    /// `user:password@host`.
    #[error(
        "\"{word}@\" gives a user in the URL, where logs would show it: remove it, and use a header"
    )]
    UserInfo {
        /// The user, without any password.
        word: String,
    },
    /// Not a host.
    #[error(
        "\"{word}\" is not a host: write {{vip}}, a name, an IPv4 address, or an IPv6 address in \
         brackets such as [2001:db8::1]"
    )]
    Host {
        /// What stands there instead.
        word: String,
    },
    /// `[{vip}]`.
    #[error("\"{word}\" has brackets around {{vip}}: remove them, IPv6 addresses get them anyway")]
    BracketedVip {
        /// What stands there instead.
        word: String,
    },
    /// Not a port.
    #[error("\"{word}\" is not a port: write a number from 1 to 65535, or {{port}}")]
    Port {
        /// What stands there instead.
        word: String,
    },
    /// A character that cannot be in a URL.
    #[error(
        "\"{character}\" cannot stand in a URL: write its octets as %XX, for example %20 for a blank"
    )]
    Character {
        /// The character, escaped if it cannot be printed.
        character: String,
    },
    /// `%` without two hexadecimal digits.
    #[error("\"{word}\" is not %XX with two hexadecimal digits: write %25 for a percent sign")]
    Percent {
        /// The percent sign and what follows.
        word: String,
    },
    /// `#fragment`.
    #[error("\"#{word}\" is never sent to a server: remove it, or write %23 for the character")]
    Fragment {
        /// What is after the number sign.
        word: String,
    },
    /// More than [`MAX_URL`].
    #[error("the URL has {length} octets and may have {MAX_URL}: make it shorter")]
    TooLong {
        /// Its length, in octets.
        length: usize,
    },
    /// A placeholder is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

fn guess(word: &str) -> String {
    let near = nearest(word, &["http", "https"]);
    near.map(|name| format!("did you mean {name}? ")).unwrap_or_default()
}

impl FromStr for UrlTemplate {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.len() > MAX_URL {
            return Err(UrlError::TooLong { length: text.len() });
        }
        // Misspelt placeholders are told as such before anything else, wherever they stand.
        let _: Template = text.parse()?;
        let (scheme, rest) = match text.split_once("://") {
            Some((word, rest)) if word.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some((word, rest)) if word.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((word, _)) => return Err(UrlError::Scheme { word: start(word) }),
            None => return Err(UrlError::Scheme { word: start(text) }),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if let Some((user, _)) = authority.rsplit_once('@') {
            let name = user.split(':').next().unwrap_or_default();
            return Err(UrlError::UserInfo { word: start(name) });
        }
        let (host, port) = split_port(authority);
        let port = match port {
            None => Port::OfScheme,
            Some("{port}") => Port::OfService,
            Some(word) => Port::Number(number(word)?),
        };
        let slash = if target.starts_with('/') { "" } else { "/" };
        check_target(target)?;
        let target = format!("{slash}{target}").parse()?;
        Ok(Self { written: text.to_owned(), scheme, host: read_host(host)?, port, target })
    }
}

/// The first forty characters, for an error.
fn start(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Host and port: a colon within brackets belongs to the host, as do all if there are several.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let after = authority.rfind(']').unwrap_or(0);
    let many = after == 0 && authority.matches(':').count() > 1;
    match authority.rsplit_once(':') {
        Some((host, port)) if host.len() >= after && !many => (host, Some(port)),
        Some(_) | None => (authority, None),
    }
}

fn number(word: &str) -> Result<u16, UrlError> {
    let digits = word.bytes().all(|octet| octet.is_ascii_digit());
    let port = word.parse().ok().filter(|port| *port > 0 && digits);
    port.ok_or_else(|| UrlError::Port { word: start(word) })
}

fn read_host(word: &str) -> Result<Host, UrlError> {
    let bad = || UrlError::Host { word: start(word) };
    if word == "{vip}" {
        return Ok(Host::Vip);
    }
    if word == "[{vip}]" {
        return Err(UrlError::BracketedVip { word: word.to_owned() });
    }
    if let Some(inner) = word.strip_prefix('[') {
        let address: Option<Ipv6Addr> = inner.strip_suffix(']').and_then(|text| text.parse().ok());
        return address.map(|address| Host::Address(IpAddr::V6(address))).ok_or_else(bad);
    }
    if let Ok(address) = word.parse() {
        return Ok(Host::Address(IpAddr::V4(address)));
    }
    // Names as hosts have them (RFC 1123 section 2.1), and the underscore that people use. One that
    // looks like an IPv4 address and is none would be read differently by different programs.
    let label = |label: &str| {
        let letters =
            label.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet));
        letters
            && (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = word.strip_suffix('.').unwrap_or(word);
    let numeric =
        name.rsplit('.').next().is_some_and(|last| last.bytes().all(|o| o.is_ascii_digit()));
    if name.len() > 253 || numeric || !name.split('.').all(label) {
        return Err(bad());
    }
    Ok(Host::Name(word.to_ascii_lowercase()))
}

/// Path and query hold only what RFC 3986 sections 3.3 and 3.4 allow, beside the braces of
/// placeholders; braces of the text itself must be written as `%7B` and `%7D`.
fn check_target(target: &str) -> Result<(), UrlError> {
    if let Some((_, fragment)) = target.split_once('#') {
        return Err(UrlError::Fragment { word: start(fragment) });
    }
    for (at, character) in target.char_indices() {
        let rest = target.get(at..).unwrap_or_default();
        match character {
            '%' => {
                let hex = rest.bytes().skip(1).take(2).filter(u8::is_ascii_hexdigit).count();
                if hex != 2 {
                    return Err(UrlError::Percent { word: rest.chars().take(3).collect() });
                }
            }
            '{' | '}' if rest.starts_with("{{") || rest.starts_with("}}") => {
                return Err(UrlError::Character { character: character.to_string() });
            }
            _ if character.is_ascii_alphanumeric()
                || "-._~!$&'()*+,;=:@/?{}".contains(character) => {}
            _ => {
                let character = character.escape_debug().to_string();
                return Err(UrlError::Character { character });
            }
        }
    }
    Ok(())
}

impl UrlTemplate {
    /// The URL for one probe. Values in path and query are written with `%XX` where they must be.
    ///
    /// # Errors
    ///
    /// A placeholder without a value.
    pub fn fill(&self, values: &Values<'_>) -> Result<Url, FillError> {
        let missing = |placeholder| FillError { placeholder };
        let (host, address) = match &self.host {
            Host::Vip => {
                let address = values.vip.ok_or_else(|| missing(Placeholder::Vip))?;
                (address.to_string(), Some(address))
            }
            Host::Address(address) => (address.to_string(), Some(*address)),
            Host::Name(name) => (name.clone(), None),
        };
        let port = match self.port {
            Port::OfScheme => self.scheme.default_port(),
            Port::Number(port) => port,
            Port::OfService => values.port.ok_or_else(|| missing(Placeholder::Port))?,
        };
        let mut authority = match address {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            Some(IpAddr::V4(_)) | None => host.clone(),
        };
        if port != self.scheme.default_port() {
            let _ = write!(authority, ":{port}");
        }
        let target = self.target.fill_with(values, percent)?;
        Ok(Url { scheme: self.scheme, host, address, port, authority, target })
    }

    /// As written in the configuration.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// With or without TLS.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The name that must be resolved, if the host is one.
    pub fn host_name(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) => Some(name),
            Host::Vip | Host::Address(_) => None,
        }
    }

    /// True if the host is `{vip}`.
    pub fn is_of_vip(&self) -> bool {
        self.host == Host::Vip
    }

    /// True if `{vip}` is in it: one probe for each address.
    pub fn uses_vip(&self) -> bool {
        self.host == Host::Vip || self.target.uses_vip()
    }

    /// True if `{port}` is in it.
    pub fn uses_port(&self) -> bool {
        self.port == Port::OfService || self.target.uses_port()
    }

    /// True if `{service}` is in it: one probe for each service.
    pub fn uses_service(&self) -> bool {
        self.target.uses_service()
    }
}

/// A value in a path: what is neither unreserved (RFC 3986 section 2.3) nor a colon is encoded, so
/// that no value can begin a query or another segment.
fn percent(value: String) -> String {
    let mut text = String::with_capacity(value.len());
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~:".contains(&octet) {
            text.push(char::from(octet));
        } else {
            let _ = write!(text, "%{octet:02X}");
        }
    }
    text
}
