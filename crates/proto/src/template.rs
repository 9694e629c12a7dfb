//! The one placeholder filler: words of a command line, URLs and DNS names with `{vip}`, `{port}`
//! and `{service}` in them.
//!
//! A template is parsed once, when the configuration is read; filling it cannot meet a placeholder
//! that does not exist. `{{` and `}}` are braces. Nothing is ever given to a shell.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::net::IpAddr;
use core::str::FromStr;

use crate::quote::{nearest, one_of};

mod fuzz;
#[cfg(test)]
mod tests;

pub use fuzz::fuzz_template;

/// The longest template, in octets.
pub const MAX_TEMPLATE: usize = 4096;

/// What can stand between braces.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Placeholder {
    /// The service address that is probed.
    Vip,
    /// The port of the service.
    Port,
    /// The name of the service.
    Service,
}

impl Placeholder {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Vip, Self::Port, Self::Service];

    /// The word between the braces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vip => "vip",
            Self::Port => "port",
            Self::Service => "service",
        }
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.name())
    }
}

/// What placeholders stand for in one probe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Values<'a> {
    /// The service address; `None` where a probe is not about one address.
    pub vip: Option<IpAddr>,
    /// The port of the service; `None` where it has none, or several.
    pub port: Option<u16>,
    /// The name of the service.
    pub service: &'a str,
}

/// A text with places to fill.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    written: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Place(Placeholder),
}

/// Why a text is not a [`Template`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TemplateError {
    /// A word between braces that means nothing.
    #[error(
        "{{{word}}} is no placeholder: {}write {}, or {{{{{word}}}}} for a text in braces",
        guess(.word), known()
    )]
    Unknown {
        /// The word.
        word: String,
        /// The octet of the brace before it, from 0.
        at: usize,
    },
    /// `{` without `}`.
    #[error("\"{{\" at character {} is never closed: add \"}}\", or write \"{{{{\" for a brace", .at + 1)]
    Unclosed {
        /// Its place in characters, from 0.
        at: usize,
    },
    /// `}` without `{`.
    #[error("\"}}\" at character {} closes nothing: remove it, or write \"}}}}\" for a brace", .at + 1)]
    Stray {
        /// Its place in characters, from 0.
        at: usize,
    },
    /// More than [`MAX_TEMPLATE`].
    #[error("the text has {length} octets and may have {MAX_TEMPLATE}: make it shorter")]
    TooLong {
        /// Its length, in octets.
        length: usize,
    },
    /// A NUL, which no program can be given and no URL can hold.
    #[error("the text has a NUL character in it: remove it")]
    Nul,
}

fn known() -> String {
    one_of(&["{vip}", "{port}", "{service}"])
}

/// Other programs' words for ours, beside what is only misspelt.
fn guess(word: &str) -> String {
    let names = Placeholder::ALL.map(Placeholder::name);
    let meant = nearest(word, &names).or(match word.to_ascii_lowercase().as_str() {
        "ip" | "addr" | "address" | "host" | "prefix" => Some("vip"),
        "name" | "svc" => Some("service"),
        _ => None,
    });
    meant.map(|name| alloc::format!("did you mean {{{name}}}? ")).unwrap_or_default()
}

/// A placeholder that has no value here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{placeholder} has no value for this service: {}", fix(*.placeholder))]
pub struct FillError {
    /// Which one.
    pub placeholder: Placeholder,
}

const fn fix(placeholder: Placeholder) -> &'static str {
    match placeholder {
        Placeholder::Vip => "give the service a VIP, or write an address",
        Placeholder::Port => "give the service a port, or write a number",
        Placeholder::Service => "give the service a name",
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE {
            return Err(TemplateError::TooLong { length: text.len() });
        }
        if text.contains('\0') {
            return Err(TemplateError::Nul);
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut characters = text.chars().enumerate().peekable();
        while let Some((at, character)) = characters.next() {
            let doubled = characters.peek().is_some_and(|(_, next)| *next == character);
            match character {
                '{' | '}' if doubled => {
                    characters.next();
                    plain.push(character);
                }
                '{' => {
                    let mut word = String::new();
                    loop {
                        match characters.next() {
                            Some((_, '}')) => break,
                            Some((_, '{')) | None => return Err(TemplateError::Unclosed { at }),
                            Some((_, letter)) => word.push(letter),
                        }
                    }
                    let place = Placeholder::ALL.into_iter().find(|one| one.name() == word);
                    let Some(place) = place else {
                        return Err(TemplateError::Unknown { word, at });
                    };
                    if !plain.is_empty() {
                        parts.push(Part::Text(core::mem::take(&mut plain)));
                    }
                    parts.push(Part::Place(place));
                }
                '}' => return Err(TemplateError::Stray { at }),
                _ => plain.push(character),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { written: text.to_owned(), parts })
    }
}

impl Template {
    /// The text with every placeholder filled. An IPv6 address is written as RFC 5952 says,
    /// without brackets: those who build URLs use
    /// [`UrlTemplate`](crate::http::UrlTemplate).
    ///
    /// # Errors
    ///
    /// A placeholder without a value.
    pub fn fill(&self, values: &Values<'_>) -> Result<String, FillError> {
        self.fill_with(values, |value| value)
    }

    /// The same, with every value (never the text around it) written as `encode` says.
    pub(crate) fn fill_with(
        &self,
        values: &Values<'_>,
        encode: impl Fn(String) -> String,
    ) -> Result<String, FillError> {
        let mut filled = String::with_capacity(self.written.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Place(place) => filled.push_str(&encode(value(*place, values)?)),
            }
        }
        Ok(filled)
    }

    /// As written in the configuration.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// True if `{vip}` is in it: one probe for each address.
    pub fn uses_vip(&self) -> bool {
        self.uses(Placeholder::Vip)
    }

    /// True if `{port}` is in it.
    pub fn uses_port(&self) -> bool {
        self.uses(Placeholder::Port)
    }

    /// True if `{service}` is in it: one probe for each service.
    pub fn uses_service(&self) -> bool {
        self.uses(Placeholder::Service)
    }

    fn uses(&self, wanted: Placeholder) -> bool {
        self.parts.contains(&Part::Place(wanted))
    }
}

/// What a placeholder stands for.
fn value(place: Placeholder, values: &Values<'_>) -> Result<String, FillError> {
    let missing = FillError { placeholder: place };
    match place {
        Placeholder::Vip => values.vip.map(|vip| vip.to_string()).ok_or(missing),
        Placeholder::Port => values.port.map(|port| port.to_string()).ok_or(missing),
        Placeholder::Service => Ok(values.service.to_owned()),
    }
}

/// As written in the configuration.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// `text` with its braces doubled: a template that stands for exactly this text.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '{' | '}') {
            escaped.push(character);
        }
        let _ = escaped.write_char(character);
    }
    escaped
}
