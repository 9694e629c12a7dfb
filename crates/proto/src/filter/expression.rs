//! The meaning of a filter: conditions joined by and, or, not.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::net::{Ipv4Addr, Ipv6Addr};

/// Which end of the socket a condition looks at.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Side {
    /// The local address and port: `src`, `sport`.
    Source,
    /// The peer's address and port: `dst`, `dport`. A listening socket has none (all zero).
    Destination,
}

/// The port of a condition as `ss` keeps it: an `int`, -1 for any.
///
/// Values outside 0 to 65535 are legal and match nothing with `=`; `>=` and `<=` send only the
/// low 16 bits to the kernel.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Port(pub i32);

impl Port {
    /// Every port.
    pub const ANY: Self = Self(-1);

    /// The low 16 bits: what the kernel compares with in `>=` and `<=`.
    pub const fn low_bits(self) -> u16 {
        let [low, high, ..] = self.0.to_le_bytes();
        u16::from_le_bytes([low, high])
    }
}

/// The address of a condition. Host bits behind the length are kept and ignored, as in `ss`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Address {
    /// Every address of both families.
    Any,
    /// An IPv4 prefix; it also matches IPv4-mapped IPv6 sockets.
    V4 {
        /// The address.
        address: Ipv4Addr,
        /// 0 to 32.
        length: u8,
    },
    /// An IPv6 prefix; it matches IPv6 sockets only.
    V6 {
        /// The address.
        address: Ipv6Addr,
        /// 0 to 128.
        length: u8,
    },
}

/// How [`Condition::Compare`] compares.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Ordering {
    /// The socket's port is this one or a higher one.
    AtLeast,
    /// The socket's port is this one or a lower one.
    AtMost,
}

/// One condition on a socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// Address and port equal: `src`, `dst`, and `sport = `, `dport = ` with any address.
    Host {
        /// Which end.
        side: Side,
        /// The addresses.
        address: Address,
        /// The port.
        port: Port,
    },
    /// `sport >= `, `sport <= `; `<` and `>` are their negations.
    Compare {
        /// Which end.
        side: Side,
        /// How.
        ordering: Ordering,
        /// With what.
        port: Port,
    },
    /// The kernel chose the local port.
    Autobound,
    /// The socket is bound to this interface (`SO_BINDTODEVICE`); index 0 is "to none".
    Device {
        /// Interface index.
        index: u32,
        /// As the user wrote it.
        name: Arc<str>,
    },
    /// `SO_MARK` under a mask.
    Mark {
        /// The wanted bits.
        value: u32,
        /// The bits that count.
        mask: u32,
    },
    /// The socket was made by a process of this cgroup (v2).
    Cgroup {
        /// The kernel's cgroup id.
        id: u64,
        /// As the user wrote it.
        path: Arc<str>,
    },
}

/// One step of an [`Expression`] in postfix order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Ask this.
    Condition(Condition),
    /// Negate the answer before.
    Not,
    /// Join the two answers before: both.
    And,
    /// Join the two answers before: one of them at least.
    Or,
}

/// A filter expression in postfix order: operands first, then what joins them.
///
/// Postfix, because a tree of a legal filter may be thousands of levels deep, and a loop over a
/// list has no stack to overflow. There are always as many operands as the joins need.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expression(pub(super) Vec<Step>);

/// A part of a reading: whether it needs parentheses inside something else.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Shape {
    Single,
    And,
    Or,
}

impl Expression {
    /// The steps, in postfix order.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The conditions from left to right.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter().filter_map(|step| match step {
            Step::Condition(condition) => Some(condition),
            Step::Not | Step::And | Step::Or => None,
        })
    }

    /// The expression as text, every mix of and/or in parentheses. `ss` reads it the same way.
    ///
    /// `prefix` (`inet:` or `inet6:`) is put before the last operand that can carry it: there it
    /// has the same effect, wherever the user wrote it.
    pub(super) fn reading(&self, prefix: Option<&str>) -> String {
        let carrier = self
            .0
            .iter()
            .rposition(|step| match step {
                Step::Condition(condition) => condition.takes_family(),
                Step::Not | Step::And | Step::Or => false,
            })
            .filter(|_| prefix.is_some());
        let mut parts: Vec<(String, Shape)> = Vec::new();
        let mut negated = false;
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Condition(condition) => {
                    // A comparison with its own sign for "not" is shown with that sign.
                    negated = matches!(self.0.get(at + 1), Some(Step::Not))
                        && condition.negated_sign().is_some();
                    let prefix = prefix.filter(|_| carrier == Some(at)).unwrap_or("");
                    parts.push((condition.text(prefix, negated), Shape::Single));
                }
                Step::Not if negated => negated = false,
                Step::Not => {
                    if let Some((text, shape)) = parts.pop() {
                        let text = in_parentheses(text, shape != Shape::Single);
                        parts.push((["not ", &text].concat(), Shape::Single));
                    }
                }
                Step::And => join(&mut parts, " and ", Shape::And),
                Step::Or => join(&mut parts, " or ", Shape::Or),
            }
        }
        parts.pop().map(|(text, _)| text).unwrap_or_default()
    }
}

fn in_parentheses(text: String, needed: bool) -> String {
    if needed { ["( ", &text, " )"].concat() } else { text }
}

fn join(parts: &mut Vec<(String, Shape)>, word: &str, shape: Shape) {
    if let (Some((right, right_shape)), Some((left, left_shape))) = (parts.pop(), parts.pop()) {
        // `a or b or c` is one list; everything else is told apart.
        let mut text = in_parentheses(left, left_shape != Shape::Single && left_shape != shape);
        text.push_str(word);
        text.push_str(&in_parentheses(right, right_shape != Shape::Single));
        parts.push((text, shape));
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reading(None))
    }
}

impl Condition {
    /// A family prefix may stand before the operand.
    pub(super) fn takes_family(&self) -> bool {
        matches!(self, Self::Host { .. } | Self::Compare { .. })
    }

    /// The sign that says "not" of this condition, where the language has one.
    fn negated_sign(&self) -> Option<&'static str> {
        match self {
            Self::Compare { ordering, .. } => Some(match ordering {
                Ordering::AtLeast => "<",
                Ordering::AtMost => ">",
            }),
            Self::Host { address, port, .. } => {
                (*address == Address::Any && *port != Port::ANY).then_some("!=")
            }
            Self::Device { .. } | Self::Mark { .. } | Self::Cgroup { .. } => Some("!="),
            Self::Autobound => None,
        }
    }

    fn text(&self, prefix: &str, negated: bool) -> String {
        let mut text = String::new();
        // Writing into a `String` cannot fail.
        let _ = self.write(&mut text, prefix, negated);
        text
    }

    fn write(&self, out: &mut String, prefix: &str, negated: bool) -> fmt::Result {
        let sign = match (negated, self.negated_sign()) {
            (true, Some(sign)) => sign,
            _ => "=",
        };
        match self {
            Self::Host { side, address: Address::Any, port } if *port != Port::ANY => {
                write!(out, "{} {sign} {prefix}{port}", side.port_word())
            }
            Self::Host { side, address, port } => {
                write!(out, "{} = {prefix}{address}", side.word())?;
                if *port == Port::ANY {
                    return Ok(());
                }
                write!(out, "{port}")
            }
            Self::Compare { side, ordering, port } => {
                let sign = match ordering {
                    _ if negated => sign,
                    Ordering::AtLeast => ">=",
                    Ordering::AtMost => "<=",
                };
                write!(out, "{} {sign} {prefix}{port}", side.port_word())
            }
            Self::Autobound => out.write_str("autobound"),
            Self::Device { name, .. } => {
                write!(out, "dev {sign} ")?;
                escape(out, name);
                Ok(())
            }
            Self::Mark { value, mask } if *mask == u32::MAX => {
                write!(out, "fwmark {sign} {value:#x}")
            }
            Self::Mark { value, mask } => write!(out, "fwmark {sign} {value:#x}/{mask:#x}"),
            Self::Cgroup { path, .. } => {
                write!(out, "cgroup {sign} ")?;
                escape(out, path);
                Ok(())
            }
        }
    }
}

/// Writes a word so that the lexer reads the same word back.
fn escape(out: &mut String, word: &str) {
    for character in word.chars() {
        if matches!(character, ' ' | '\t' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text("", false))
    }
}

impl Side {
    /// `src` or `dst`.
    const fn word(self) -> &'static str {
        match self {
            Self::Source => "src",
            Self::Destination => "dst",
        }
    }

    /// `sport` or `dport`.
    const fn port_word(self) -> &'static str {
        match self {
            Self::Source => "sport",
            Self::Destination => "dport",
        }
    }
}

impl fmt::Display for Port {
    /// `:80`, or `:*` for any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ANY => f.write_str(":*"),
            Self(port) => write!(f, ":{port}"),
        }
    }
}

impl fmt::Display for Address {
    /// `*`, `192.0.2.1`, `192.0.2.0/24`, `[2001:db8::1]` or `[2001:db8::/32]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::V4 { address, length: 32 } => address.fmt(f),
            Self::V4 { address, length } => write!(f, "{address}/{length}"),
            Self::V6 { address, length: 128 } => write!(f, "[{address}]"),
            Self::V6 { address, length } => write!(f, "[{address}/{length}]"),
        }
    }
}
