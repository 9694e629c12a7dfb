//! Why a received datagram was worth nothing: each is counted.

use thiserror::Error;

/// Why a datagram was discarded, in the order in which RFC 5880 section 6.8.6 checks.
///
/// [`Session`](super::Session) itself never says [`Discard::HopLimit`]: that is for the driver, so that
/// there is one list of all reasons.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, Ord, PartialEq, PartialOrd)]
pub enum Discard {
    /// It did not come from the next hop (RFC 5881 section 5), or from too many hops away.
    #[error("its TTL or hop limit is too low: it comes from farther away than the session allows")]
    HopLimit,
    /// Shorter than a packet can be, so that there is nothing to check.
    #[error("it is too short for a BFD packet")]
    Short,
    /// Not version 1.
    #[error("its BFD version is not 1")]
    Version,
    /// The length field is less than what must be there.
    #[error("its length field is less than a packet needs")]
    Length,
    /// The length field is greater than the datagram.
    #[error("its length field is greater than the datagram")]
    Truncated,
    /// The detection multiplier is zero.
    #[error("its detection multiplier is zero")]
    Multiplier,
    /// The bit for multipoint is set.
    #[error("it is a packet of multipoint BFD")]
    Multipoint,
    /// My Discriminator is zero.
    #[error("the discriminator of its sender is zero")]
    MyDiscriminator,
    /// No session has Your Discriminator, or none fits the addresses.
    #[error("no session of ours has its discriminator or fits its addresses")]
    UnknownSession,
    /// Your Discriminator is zero, and the state says that it cannot be.
    #[error("its sender says Init or Up without knowing our discriminator")]
    YourDiscriminator,
    /// Authenticated, and the session is not.
    #[error("it is authenticated, and the session has no key")]
    UnexpectedAuth,
    /// Not authenticated, and the session is.
    #[error("it is not authenticated, and the session has a key")]
    MissingAuth,
    /// Another type of authentication, or a section that is not well formed.
    #[error("its type or length of authentication is not that of the session")]
    AuthType,
    /// No key has this number.
    #[error("the session has no key of its key ID")]
    AuthKey,
    /// The sequence number is not one that may follow: replayed, or too many were lost.
    #[error("its sequence number is outside of the window")]
    AuthSequence,
    /// The password or the digest is wrong.
    #[error("its password or digest is wrong")]
    AuthDigest,
    /// We are administratively down: what it says of timers and of the peer's state was noted.
    #[error("the session is administratively down")]
    AdminDown,
}

impl Discard {
    /// All of them, in the order of the checks.
    pub const ALL: [Self; 17] = [
        Self::HopLimit,
        Self::Short,
        Self::Version,
        Self::Length,
        Self::Truncated,
        Self::Multiplier,
        Self::Multipoint,
        Self::MyDiscriminator,
        Self::UnknownSession,
        Self::YourDiscriminator,
        Self::UnexpectedAuth,
        Self::MissingAuth,
        Self::AuthType,
        Self::AuthKey,
        Self::AuthSequence,
        Self::AuthDigest,
        Self::AdminDown,
    ];

    /// A stable name for metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::HopLimit => "hop-limit",
            Self::Short => "short",
            Self::Version => "version",
            Self::Length => "length",
            Self::Truncated => "truncated",
            Self::Multiplier => "multiplier",
            Self::Multipoint => "multipoint",
            Self::MyDiscriminator => "my-discriminator",
            Self::UnknownSession => "unknown-session",
            Self::YourDiscriminator => "your-discriminator",
            Self::UnexpectedAuth => "unexpected-auth",
            Self::MissingAuth => "missing-auth",
            Self::AuthType => "auth-type",
            Self::AuthKey => "auth-key",
            Self::AuthSequence => "auth-sequence",
            Self::AuthDigest => "auth-digest",
            Self::AdminDown => "admin-down",
        }
    }
}
