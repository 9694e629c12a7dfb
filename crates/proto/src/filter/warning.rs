//! What a filter does that its writer may not expect.

use alloc::string::String;

use super::error::point_at;
use super::lexer::Span;
use crate::family::Family;

/// A surprise in a filter that is otherwise correct.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{surprise}")]
pub struct Warning {
    /// What may surprise.
    pub surprise: Surprise,
    /// The word that does it, as the user wrote it.
    pub span: Span,
}

impl Warning {
    /// The filter on one line and carets under the word on the next.
    pub fn render(&self, text: &str) -> String {
        point_at(text, self.span)
    }
}

/// What may surprise the writer of a filter.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the message above each field says what it is")]
pub enum Surprise {
    /// and / or have one precedence in `ss`.
    #[error(
        "and/or are read from left to right, without precedence: {reading} -- if you mean {conventional}, write it with these parentheses"
    )]
    Precedence { reading: String, conventional: String },

    /// `0120`.
    #[error("\"{word}\" begins with 0 and is octal: {value}")]
    Octal { word: String, value: u64 },

    /// `sport = *:80`.
    #[error("\"{word}\" means any port, whatever is behind the asterisk; for one port write :PORT")]
    AnyPort { word: String },

    /// `sport = :65616`.
    #[error("\"{word}\" is outside 0 to 65535 and matches no port")]
    NeverMatches { word: String },

    /// `sport >= :65616`, `sport >= *`.
    #[error("\"{word}\" is outside 0 to 65535: the kernel compares with {value}")]
    Truncated { word: String, value: u16 },

    /// `src 127.1`.
    #[error("\"{word}\" is read as {address}: write all four numbers")]
    ShortAddress { word: String, address: core::net::Ipv4Addr },

    /// `[80]junk`.
    #[error("\"{word}\": what stands behind the bracket is ignored")]
    Ignored { word: String },

    /// `inet:`, `inet6:`.
    #[error("\"{word}\" limits the whole filter to {family} sockets, not only this condition")]
    WholeFilter { word: String, family: Family },

    /// `dev`.
    #[error(
        "\"{word}\" looks at sockets bound to an interface (SO_BINDTODEVICE), which few servers do; it does not ask on which interface the address is"
    )]
    BoundToDevice { word: String },

    /// `dst`, `dport`.
    #[error(
        "\"{word}\" asks for the peer, and a listening socket has none: address and port are 0"
    )]
    NoPeer { word: String },

    /// `fwmark 0x10/0x0f`.
    #[error("\"{word}\" wants bits outside its mask and never matches")]
    MarkOutsideMask { word: String },

    /// `fwmark`.
    #[error("\"{word}\": the kernel answers filters on marks only with CAP_NET_ADMIN")]
    NeedsPrivilege { word: String },
}
