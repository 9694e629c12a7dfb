//! Operands of `src`, `dst`, `sport`, `dport`: addresses, prefixes and ports as `ss` reads them.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use ha2bgp_core::fact::Protocol;

use super::Context;
use super::error::Problem;
use super::expression::{Address, Port};
use super::lexer::Word;
use super::number::{Base, integer, whole_int, whole_unsigned};
use super::warning::{Surprise, Warning};
use crate::family::Family;

/// Reads operands and remembers what a family prefix changed.
pub(super) struct Operands<'a> {
    pub(super) context: &'a Context<'a>,
    /// The last `inet:` or `inet6:`; later operands behave as if they had it too.
    pub(super) family: Option<Family>,
    pub(super) warnings: Vec<Warning>,
}

/// Tables of sockets that are neither TCP nor UDP, by the prefix that selects them.
const OTHER_TABLES: [(&str, &str); 4] =
    [("unix:", "Unix domain"), ("link:", "packet"), ("netlink:", "netlink"), ("vsock:", "vsock")];

impl Operands<'_> {
    /// The operand of `sport` and `dport`.
    pub(super) fn port(&mut self, word: &Word) -> Result<Port, Problem> {
        let mut text = self.without_family(word)?;
        if let Some(bracket) = text.strip_prefix('[') {
            // Brackets are for addresses, but `ss` takes them off here as well.
            let (inner, behind) = bracket.split_once(']').ok_or_else(|| unclosed(word))?;
            if !behind.is_empty() {
                self.warn(word, |word| Surprise::Ignored { word });
            }
            text = inner;
        }
        self.port_number(word, text)
    }

    /// The operand of `src` and `dst`.
    pub(super) fn host(&mut self, word: &Word) -> Result<(Address, Port), Problem> {
        let text = self.without_family(word)?;
        let (address, port) = split_host(text).ok_or_else(|| unclosed(word))?;
        let read =
            self.port_number(word, port).and_then(|port| Ok((self.address(word, address)?, port)));
        read.map_err(|problem| explain_brackets(text, word).unwrap_or(problem))
    }

    /// Takes a family prefix off, and remembers it.
    fn without_family<'t>(&mut self, word: &'t Word) -> Result<&'t str, Problem> {
        let text = word.text.as_str();
        for (prefix, kind) in OTHER_TABLES {
            if text.starts_with(prefix) {
                return Err(Problem::OtherTable { word: word.text.clone(), kind });
            }
        }
        for family in [Family::V4, Family::V6] {
            if let Some(text) = text.strip_prefix(family.prefix()) {
                self.family = Some(family);
                self.warn(word, |word| Surprise::WholeFilter { word, family });
                return Ok(text);
            }
        }
        Ok(text)
    }

    /// A port behind an optional colon: nothing or `*...` is any, a number, or a service name.
    fn port_number(&mut self, word: &Word, text: &str) -> Result<Port, Problem> {
        let text = text.strip_prefix(':').unwrap_or(text);
        if text.is_empty() || text.starts_with('*') {
            if !matches!(text, "" | "*") {
                self.warn(word, |word| Surprise::AnyPort { word });
            }
            return Ok(Port::ANY);
        }
        let Some(number) = whole_int(text) else {
            return self.service(text).map(Port);
        };
        self.warn_octal(word, text);
        Ok(Port(number))
    }

    fn service(&self, name: &str) -> Result<i32, Problem> {
        let has = |protocol| self.context.protocols.contains(&protocol);
        let find =
            |protocol| has(protocol).then(|| self.context.services.port(name, protocol)).flatten();
        match (find(Protocol::Tcp), find(Protocol::Udp)) {
            (Some(tcp), Some(udp)) if tcp != udp => {
                Err(Problem::AmbiguousPort { word: name.to_string(), tcp, udp })
            }
            (Some(port), _) | (None, Some(port)) => Ok(port.into()),
            (None, None) => Err(Problem::BadPort {
                word: name.to_string(),
                protocols: match (has(Protocol::Tcp), has(Protocol::Udp)) {
                    (true, true) => "tcp or udp",
                    (true, false) => "tcp",
                    (false, true) => "udp",
                    (false, false) => "no protocol is selected",
                },
                fix: if name.contains([',', '-']) {
                    "lists and ranges are written sport = :80 or sport = :443, sport >= :80 and sport <= :90"
                } else if name.contains([':', '.']) {
                    "addresses go to src and dst"
                } else {
                    "names are case-sensitive"
                },
            }),
        }
    }

    /// An address or prefix; `default`, `any` and `all` are every address of the family.
    fn address(&mut self, word: &Word, text: &str) -> Result<Address, Problem> {
        if text.is_empty() || text.starts_with('*') {
            return Ok(Address::Any);
        }
        let (name, length) = match text.split_once('/') {
            Some((name, length)) => (name, Some(length)),
            None => (text, None),
        };
        let bad = || Problem::BadAddress { word: text.to_string() };
        if is_everything(name) {
            return match (length, self.family) {
                (Some(_), _) => Err(bad()),
                (None, None) => Ok(Address::Any),
                (None, Some(Family::V4)) => {
                    Ok(Address::V4 { address: Ipv4Addr::UNSPECIFIED, length: 0 })
                }
                (None, Some(Family::V6)) => {
                    Ok(Address::V6 { address: Ipv6Addr::UNSPECIFIED, length: 0 })
                }
            };
        }
        if name.contains(':') {
            self.only(Family::V6, text)?;
            return Ok(Address::V6 {
                address: name.parse().map_err(|_| bad())?,
                length: prefix_length(length, 128).ok_or_else(bad)?,
            });
        }
        if let Some(address) = ipv4(name) {
            self.only(Family::V4, text)?;
            let length = prefix_length(length, 32).ok_or_else(bad)?;
            self.warn_ipv4(word, name, address, length);
            return Ok(Address::V4 { address, length });
        }
        // What is left is for the resolver, which takes digits and dots for an address.
        match inet_aton(text) {
            Some(address) => {
                self.only(Family::V4, text)?;
                self.warn(word, |word| Surprise::ShortAddress { word, address });
                Ok(Address::V4 { address, length: 32 })
            }
            None if text.starts_with(|c: char| c.is_ascii_alphabetic()) && length.is_none() => {
                Err(Problem::HostName { word: text.to_string() })
            }
            None => Err(bad()),
        }
    }

    /// Refuses a literal of `family` behind a prefix of the other one.
    fn only(&self, family: Family, text: &str) -> Result<(), Problem> {
        match self.family {
            Some(other) if other != family => {
                Err(Problem::WrongFamily { word: text.to_string(), family: other })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn warn(
        &mut self,
        word: &Word,
        surprise: impl FnOnce(alloc::string::String) -> Surprise,
    ) {
        self.warnings.push(Warning { surprise: surprise(word.text.clone()), span: word.span });
    }

    pub(super) fn warn_octal(&mut self, word: &Word, text: &str) {
        if let Some(number) = integer(text, Base::Auto).filter(|number| number.octal) {
            let value = number.unsigned_long();
            self.warn(word, |_| Surprise::Octal { word: text.to_string(), value });
        }
    }

    fn warn_ipv4(&mut self, word: &Word, text: &str, address: Ipv4Addr, length: u8) {
        let parts = text.split('.').count();
        // `127/8` is how networks are commonly shortened; a lone `127.1` is not.
        if parts < 4 && usize::from(length) > parts * 8 {
            self.warn(word, |word| Surprise::ShortAddress { word, address });
        }
        for part in text.split('.') {
            self.warn_octal(word, part);
        }
    }
}

fn unclosed(word: &Word) -> Problem {
    Problem::UnclosedBracket { word: word.text.clone() }
}

/// Splits a host operand into address and port; `None` when a bracket is not closed.
///
/// The port begins at the last colon, and a prefix length has none, so that an IPv6 address
/// without brackets is understood only when a slash follows it.
fn split_host(text: &str) -> Option<(&str, &str)> {
    if let Some(bracket) = text.strip_prefix('[') {
        return bracket.split_once(']');
    }
    if let Some(port) = text.strip_prefix('*') {
        return Some(("*", port));
    }
    let from = text.find('/').unwrap_or(0);
    let colon = text.get(from..).and_then(|tail| tail.rfind(':')).map(|at| from + at);
    Some(colon.and_then(|at| text.split_at_checked(at)).unwrap_or((text, "")))
}

/// The likely cause when a host operand with colons is not understood.
fn explain_brackets(text: &str, word: &Word) -> Option<Problem> {
    let word = word.text.clone();
    if text.starts_with('[') {
        let (_, behind) = text.split_once(']')?;
        return behind.starts_with('/').then_some(Problem::LengthOutsideBrackets { word });
    }
    let bare = text.matches(':').count() > 1 && !text.contains('/');
    bare.then_some(Problem::BareIpv6 { word })
}

fn is_everything(name: &str) -> bool {
    matches!(name, "default" | "any" | "all")
}

/// One to four numbers, the missing ones zero **on the right**: `127.1` is 127.1.0.0.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut slots = octets.iter_mut();
    for part in text.split('.') {
        let number = integer(part, Base::Auto).filter(|number| number.rest.is_empty())?;
        *slots.next()? = u8::try_from(number.unsigned_long()).ok()?;
    }
    Some(octets.into())
}

/// `inet_aton(3)` for digits and dots: the last number fills what is left, so 256 is 0.0.1.0.
///
/// Only texts that [`ipv4`] refuses come here, by way of `gethostbyname2(3)` in glibc.
fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let mut parts = text.rsplit('.');
    let number = |part: &str| whole_unsigned(part);
    let last = number(parts.next()?)?;
    let mut bits = 0u32;
    let mut count = 0u32;
    let heads: Vec<&str> = parts.collect();
    for head in heads.iter().rev() {
        let head = u8::try_from(number(head)?).ok()?;
        count += 1;
        if count > 3 {
            return None;
        }
        bits |= u32::from(head) << (32 - 8 * count);
    }
    let room = u32::MAX >> (8 * count);
    (last <= room).then(|| Ipv4Addr::from_bits(bits | last))
}

/// The length behind the slash: a number, or a contiguous mask like 255.255.0.0.
fn prefix_length(text: Option<&str>, max: u8) -> Option<u8> {
    let Some(text) = text else { return Some(max) };
    let length = match whole_unsigned(text) {
        Some(length) => u8::try_from(length).ok()?,
        // A mask is an address to `ss`, and so these words are a mask of 0.0.0.0.
        None if is_everything(text) => 0,
        None => {
            let mask = ipv4(text)?.to_bits();
            let contiguous = mask.leading_ones() == mask.count_ones();
            u8::try_from(mask.leading_ones()).ok().filter(|_| contiguous)?
        }
    };
    (length <= max).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_addresses_are_filled_on_the_right() {
        for (text, want) in [
            ("127", Some([127, 0, 0, 0])),
            ("127.1", Some([127, 1, 0, 0])),
            ("0x7f.0.0.1", Some([127, 0, 0, 1])),
            ("0177.0.0.1", Some([127, 0, 0, 1])),
            ("1.-0", Some([1, 0, 0, 0])),
            ("+1. 2", Some([1, 2, 0, 0])),
            ("256", None),
            ("1.2.3.4.5", None),
            ("1.2.3.4.", None),
            ("1.-2", None),
            ("", None),
            ("a", None),
        ] {
            assert_eq!(ipv4(text), want.map(Ipv4Addr::from), "{text:?}");
        }
    }

    #[test]
    fn the_resolver_fills_with_the_last_number() {
        for (text, want) in [
            ("256", Some([0, 0, 1, 0])),
            ("0400", Some([0, 0, 1, 0])),
            ("1.2.300", Some([1, 2, 1, 44])),
            ("1.16777215", Some([1, 255, 255, 255])),
            ("4294967295", Some([255, 255, 255, 255])),
            ("1.16777216", None),
            ("4294967296", None),
            ("1.2.65536", None),
            ("256.1", None),
            ("1.2.3.256", None),
            ("1.2.3.4.5", None),
            ("08", None),
            ("256.", None),
            ("0x100", None),
        ] {
            assert_eq!(inet_aton(text), want.map(Ipv4Addr::from), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_numbers_or_masks() {
        for (text, max, want) in [
            ("8", 32, Some(8)),
            ("0x8", 32, Some(8)),
            ("-0", 32, Some(0)),
            ("255.0.0.0", 32, Some(8)),
            ("255.0", 32, Some(8)),
            ("255.255.0.0", 128, Some(16)),
            ("0.0.0.0", 32, Some(0)),
            ("any", 32, Some(0)),
            ("255.0.255.0", 32, None),
            ("33", 32, None),
            ("255", 32, None),
            ("129", 128, None),
            ("", 32, None),
            ("-8", 32, None),
        ] {
            assert_eq!(prefix_length(Some(text), max), want, "{text:?}");
        }
        assert_eq!(prefix_length(None, 32), Some(32));
    }
}
