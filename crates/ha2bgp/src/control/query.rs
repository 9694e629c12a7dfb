//! Query strings and names in paths: percent-encoding (RFC 3986 section 2.1), and values that are
//! judged by what an endpoint takes before anybody sees them.

use std::time::Duration;

use super::api::{Code, Refusal};
use super::route::cut;
use crate::config::duration;
use crate::near::nearest;

/// The longest value, in octets.
const VALUE_MAX: usize = 1024;

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// Any text of 1 to 1024 octets.
    Text,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A number from the first to the second.
    Number(u64, u64),
    /// A duration with a unit: `30s`.
    Duration,
    /// `true` or `false`.
    Switch,
}

/// One parameter that an endpoint takes.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub takes: Takes,
    /// One sentence.
    pub about: &'static str,
}

/// A value that its parameter may have.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Number(u64),
    Duration(Duration),
    Switch(bool),
}

/// The parameters of a request. What is not there was not given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query(Vec<(&'static str, Value)>);

impl Query {
    /// Reads what comes after the `?`.
    ///
    /// # Errors
    /// When a parameter is unknown, is there twice, or has a value that it cannot have.
    pub fn read(params: &[Param], query: Option<&str>) -> Result<Self, Refusal> {
        let mut read = Self::default();
        let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
        for part in parts {
            let (name, text) = part.split_once('=').unwrap_or((part, ""));
            let decoded = |text: &str| {
                // Forms send a plus sign for a space (URL standard, section 5.1).
                decode(&text.replace('+', " ")).ok_or_else(|| not_encoded(name, text))
            };
            let (name, text) = (decoded(name)?, decoded(text)?);
            let Some(param) = params.iter().find(|param| param.name == name) else {
                return Err(unknown(params, &name));
            };
            if read.0.iter().any(|(known, _)| *known == param.name) {
                return Err(bad(&name, &text, format!("{name} is there twice: send it once")));
            }
            read.0.push((param.name, judge(param, &text)?));
        }
        Ok(read)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// A text, or one of some words.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            Value::Number(_) | Value::Duration(_) | Value::Switch(_) => None,
        }
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) => Some(*number),
            Value::Text(_) | Value::Duration(_) | Value::Switch(_) => None,
        }
    }

    /// A duration.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        match self.get(name)? {
            Value::Duration(time) => Some(*time),
            Value::Text(_) | Value::Number(_) | Value::Switch(_) => None,
        }
    }

    /// A switch; off when it was not given.
    pub fn switch(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Switch(true)))
    }
}

fn judge(param: &Param, text: &str) -> Result<Value, Refusal> {
    let Param { name, takes, .. } = param;
    match *takes {
        Takes::Text if (1..=VALUE_MAX).contains(&text.len()) => Ok(Value::Text(text.to_owned())),
        Takes::Text => {
            let said = format!("{name} has {} octets: send 1 to {VALUE_MAX}", text.len());
            Err(bad(name, text, said))
        }
        Takes::OneOf(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
        Takes::OneOf(words) => {
            let said = format!("{name} \"{}\" is none of {}", cut(text), words.join(", "));
            Err(bad(name, text, said))
        }
        Takes::Number(least, most) => {
            let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
            let number = digits.then(|| text.parse().ok()).flatten();
            match number {
                Some(number) if (least..=most).contains(&number) => Ok(Value::Number(number)),
                _ => {
                    let said =
                        format!("{name} \"{}\" is no number from {least} to {most}", cut(text));
                    Err(bad(name, text, said))
                }
            }
        }
        Takes::Duration => duration::parse(&cut(text))
            .map(Value::Duration)
            .map_err(|error| bad(name, text, error.to_string())),
        Takes::Switch => match text {
            "true" => Ok(Value::Switch(true)),
            "false" => Ok(Value::Switch(false)),
            _ => {
                let said = format!("{name} \"{}\" is neither true nor false", cut(text));
                Err(bad(name, text, said))
            }
        },
    }
}

fn unknown(params: &[Param], name: &str) -> Refusal {
    let known = || params.iter().map(|param| param.name);
    let fix = match nearest(known(), name) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None if params.is_empty() => "this path takes none".to_owned(),
        None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
    };
    bad(name, "", format!("there is no parameter \"{}\": {fix}", cut(name)))
}

fn not_encoded(name: &str, text: &str) -> Refusal {
    let said = "a % in a query stands before two hexadecimal digits, and all is UTF-8: write %25 \
                for the sign itself";
    bad(name, text, said.to_owned())
}

fn bad(name: &str, value: &str, message: String) -> Refusal {
    Refusal {
        field: Some(cut(name)),
        value: (!value.is_empty()).then(|| cut(value)),
        ..Refusal::new(Code::BadValue, message)
    }
}

/// Reads percent-encoding; nothing when it is none, or no UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet == b'%' {
            let digit = |octet: u8| char::from(octet).to_digit(16);
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            octets.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            octets.push(octet);
        }
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn param(name: &'static str, takes: Takes) -> Param {
        Param { name, takes, about: "" }
    }

    const PARAMS: &[Param] = &[
        param("limit", Takes::Number(1, 1000)),
        param("after", Takes::Text),
        param("since", Takes::Duration),
        param("kind", Takes::OneOf(&["up", "down"])),
        param("all", Takes::Switch),
    ];

    #[test]
    fn values_are_what_their_parameters_take() {
        let query = Query::read(PARAMS, Some("limit=7&after=a%2Fb+%25&since=1m&kind=up&all=true"));
        let query = query.unwrap();
        assert_eq!((query.number("limit"), query.text("after")), (Some(7), Some("a/b %")));
        assert_eq!(query.duration("since"), Some(Duration::from_secs(60)));
        assert_eq!((query.text("kind"), query.switch("all")), (Some("up"), true));
        for nothing in [None, Some(""), Some("&&")] {
            let query = Query::read(PARAMS, nothing).unwrap();
            assert_eq!((query.number("limit"), query.switch("all")), (None, false));
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (query, field, words) in [
            ("limti=7", "limti", "did you mean limit?"),
            ("x", "x", "there are limit, after, since"),
            ("limit=0", "limit", "is no number from 1 to 1000"),
            ("limit=-1", "limit", "is no number"),
            ("limit=+1", "limit", "is no number"),
            ("limit=99999999999999999999999", "limit", "is no number"),
            ("limit", "limit", "is no number"),
            ("limit=1&limit=1", "limit", "twice"),
            ("after=", "after", "has 0 octets"),
            ("since=30", "since", "30s"),
            ("kind=left", "kind", "none of up, down"),
            ("all=yes", "all", "neither true nor false"),
            ("after=%", "after", "%25"),
            ("after=%zz", "after", "%25"),
            ("after=%ff", "after", "UTF-8"),
            ("%6cimit=%4", "%6cimit", "%25"),
        ] {
            let refusal = Query::read(PARAMS, Some(query)).unwrap_err();
            assert_eq!(refusal.code, Code::BadValue);
            assert_eq!(refusal.field.as_deref(), Some(field), "{query}");
            assert!(refusal.message.contains(words), "{query}: {}", refusal.message);
        }
        let refusal = Query::read(&[], Some("limit=1")).unwrap_err();
        assert!(refusal.message.contains("this path takes none"));
        let long = format!("after={}", "x".repeat(VALUE_MAX + 1));
        assert!(Query::read(PARAMS, Some(&long)).is_err());
    }

    #[test]
    fn percent_encoding() {
        assert_eq!(decode("a%2fb%C3%A9").as_deref(), Some("a/bé"));
        assert_eq!(decode("plain+").as_deref(), Some("plain+"));
        for broken in ["%", "%2", "a%2", "%+1", "%g0", "%C3", "%é"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }
}
