//! Messages and bytes: everything that knows how BGP looks on the wire.
//!
//! Nothing of the codec crate behind it shows outside of this module, so that it can be replaced.

mod capability;
mod cursor;
mod disposition;
mod family;
mod header;
mod nlri;
mod notification;
mod open;
mod receive;
mod refresh;
#[cfg(test)]
mod tests;
mod text;
mod update;

pub use capability::Capability;
pub use disposition::Disposition;
pub use family::{Asn, Families, Family};
pub use header::{Framer, Kind};
pub(crate) use header::{HEADER, length_at};
pub use nlri::nlri_len;
pub use notification::{Cease, Notification};
pub use open::Open;
pub use receive::{Context, Heard, Path, Rank, Received, inspect_update};
pub use refresh::{Refresh, decode_refresh, encode_refresh};
pub use update::{
    Attributes, LinkLocal, Next, Shape, encode_announce, encode_end_of_rib, encode_keepalive,
    encode_withdraw,
};

/// The longest message without extended messages (RFC 4271 section 4.1).
pub const MAX_MESSAGE: usize = 4096;
/// The longest message with extended messages (RFC 8654 section 4).
pub const MAX_EXTENDED_MESSAGE: usize = 65_535;
