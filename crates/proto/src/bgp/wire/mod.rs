//! Messages and bytes: everything that knows how BGP looks on the wire.
//!
//! Nothing of the codec crate behind it shows outside of this module, so that it can be replaced.

mod disposition;
mod family;
mod notification;
mod text;

pub use disposition::Disposition;
pub use family::{Asn, Families, Family};
pub use notification::{Cease, Notification};

/// The longest message without extended messages (RFC 4271 section 4.1).
pub const MAX_MESSAGE: usize = 4096;
/// The longest message with extended messages (RFC 8654 section 4).
pub const MAX_EXTENDED_MESSAGE: usize = 65_535;
