//! What is wrong with a filter, where, and how to mend it.

use alloc::string::String;

use super::lexer::Span;
use crate::family::Family;

/// Why a text is not a filter.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{problem}")]
pub struct FilterError {
    /// What is wrong.
    pub problem: Problem,
    /// The word that is to blame, as the user wrote it.
    pub span: Span,
}

impl FilterError {
    /// The filter on one line and carets under the word to blame on the next.
    pub fn render(&self, text: &str) -> String {
        point_at(text, self.span)
    }
}

/// Two lines: `text`, and carets under `span`. Control characters are shown as blanks.
pub(super) fn point_at(text: &str, span: Span) -> String {
    let mut line = String::new();
    let mut carets = String::new();
    let end = span.offset.saturating_add(span.length);
    let mut marked = false;
    for (at, character) in text.char_indices() {
        line.push(if character.is_control() { ' ' } else { character });
        if (span.offset..end).contains(&at) || (span.length == 0 && at == span.offset) {
            carets.push('^');
            marked = true;
        } else if at < span.offset {
            carets.push(' ');
        }
    }
    if !marked {
        carets.push('^');
    }
    line.push('\n');
    line.push_str(&carets);
    line
}

/// What may be wrong with a filter. Every message names the word, the rule and the fix.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the message above each field says what it is")]
pub enum Problem {
    /// More than [`MAX_TEXT`](super::MAX_TEXT).
    #[error(
        "the filter has {length} bytes and may have {max}: use prefixes and port ranges instead of long lists"
    )]
    TextTooLong { length: usize, max: usize },

    /// More than [`MAX_BYTECODE`](super::MAX_BYTECODE).
    #[error(
        "the filter needs more than {max} bytes of kernel bytecode, about {conditions} conditions: use prefixes and port ranges instead of long lists"
    )]
    TooManyConditions { max: usize, conditions: usize },

    /// No program can be given an argument with this in it.
    #[error("a NUL character cannot be in a filter: remove it")]
    Nul,

    /// A backslash joins this word with the closing parenthesis around the filter.
    #[error(
        "the filter ends in a backslash, which would escape what follows: remove it, or write \\\\ for a backslash"
    )]
    TrailingBackslash,

    /// A word that cannot stand here.
    #[error("\"{word}\" cannot stand here: {hint}")]
    UnexpectedWord { word: String, hint: Hint },

    /// The filter ends in the middle of something.
    #[error("the filter ends after \"{word}\": {hint}")]
    Incomplete { word: String, hint: Hint },

    /// `( )`.
    #[error("\"{word}\" closes nothing: put a condition between the parentheses")]
    EmptyParentheses { word: String },

    /// `( a`.
    #[error("\"(\" is never closed: add \" )\"; parentheses are words with blanks around them")]
    UnclosedParenthesis,

    /// `a )`.
    #[error(
        "\")\" has no \"(\" before it: remove it, or add \"( \"; parentheses are words with blanks around them"
    )]
    ExtraParenthesis,

    /// `src != 127.0.0.1`.
    #[error("\"{predicate}\" cannot be compared with \"{comparison}\": {fix}")]
    BadComparison { predicate: &'static str, comparison: String, fix: &'static str },

    /// Not a number, not a service.
    #[error(
        "\"{word}\" is not a port: it must be a number or a name from /etc/services ({protocols}); {fix}"
    )]
    BadPort { word: String, protocols: &'static str, fix: &'static str },

    /// A service with different ports for tcp and udp.
    #[error(
        "\"{word}\" is port {tcp} for tcp and {udp} for udp: write the number, or use one protocol"
    )]
    AmbiguousPort { word: String, tcp: u16, udp: u16 },

    /// `[::1`.
    #[error("\"{word}\" has \"[\" without \"]\": write [ADDRESS]:PORT, for example [::1]:80")]
    UnclosedBracket { word: String },

    /// Not an address.
    #[error(
        "\"{word}\" is not an IP address or network: write for example 192.0.2.0/24, [2001:db8::1] or [2001:db8::/32]:80"
    )]
    BadAddress { word: String },

    /// `::1`.
    #[error(
        "\"{word}\" is read as ADDRESS:PORT at its last colon: put the IPv6 address in brackets, for example [::1] or [::1]:80"
    )]
    BareIpv6 { word: String },

    /// `[::1]/128`.
    #[error(
        "\"{word}\" has the prefix length behind the bracket: it belongs inside, for example [2001:db8::/32]:80"
    )]
    LengthOutsideBrackets { word: String },

    /// A name where an address is expected.
    #[error(
        "\"{word}\" is a host name: names are not looked up, since an answer may change or come late; write the address"
    )]
    HostName { word: String },

    /// An IPv6 literal behind `inet:`, or the other way round.
    #[error(
        "\"{word}\" is not an {family} address, and an \"{prefix}\" prefix limits all that follows to {family}: remove the prefix",
        prefix = family.prefix()
    )]
    WrongFamily { word: String, family: Family },

    /// `unix:`, `link:`, `netlink:`, `vsock:`.
    #[error(
        "\"{word}\" selects {kind} sockets, another table than TCP and UDP: no listener could ever match; remove it"
    )]
    OtherTable { word: String, kind: &'static str },

    /// `state listening`.
    #[error(
        "\"{word}\" is no part of the filter language: ss knows it only before a filter, and here only listening sockets are looked at; remove it"
    )]
    State { word: String },

    /// No interface of this name, and not a number.
    #[error(
        "\"{word}\" is no network interface: it must exist when the filter is read, or be given by its index"
    )]
    UnknownDevice { word: String },

    /// Not a mark.
    #[error("\"{word}\" is not a mark: write VALUE or VALUE/MASK, for example 0x10/0xf0")]
    BadMark { word: String },

    /// No cgroup of this path.
    #[error("\"{word}\" is no cgroup: {reason}; give the path of a directory in the cgroup2 tree")]
    UnknownCgroup { word: String, reason: String },
}

/// What would help at a place where a word is not understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Hint {
    /// A condition is expected.
    #[error(
        "a condition begins with src, dst, sport, dport, dev, fwmark, cgroup, autobound, not or \"(\""
    )]
    Condition,
    /// A condition has ended.
    #[error(
        "a condition ended before it, and takes one value; join conditions with and, or: sport = :80 or sport = :443"
    )]
    Join,
    /// The value of a condition is expected.
    #[error("a value is expected after this, for example sport = :80")]
    Value,
    /// A keyword in the wrong case.
    #[error("the words of the language are lower case")]
    LowerCase,
    /// `(sport`, `80)`.
    #[error("parentheses are words of their own, put blanks around them")]
    Parentheses,
    /// `sport=80`.
    #[error("signs are words of their own, put blanks around them: sport = :80")]
    Signs,
}
