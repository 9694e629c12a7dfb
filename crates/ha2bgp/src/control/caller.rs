//! Who asks: what a record of a change names, and what limits are counted for.

use std::net::IpAddr;

use super::route::Access;

/// Who asks, and what is allowed to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// For records: the name of a user, `uid 1000` where it has none, or `token NAME`.
    pub author: String,
    /// The user, as the kernel tells it; `None` over TCP.
    pub uid: Option<u32>,
    /// The most that is allowed.
    pub access: Access,
}

/// Whom a connection counts for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Source {
    /// A user of this host.
    User(u32),
    /// A host.
    Host(IpAddr),
}
