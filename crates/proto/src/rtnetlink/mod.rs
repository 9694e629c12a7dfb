//! The rtnetlink language, as far as links and addresses need it.
//!
//! Owns the fixed parts of include/uapi/linux/rtnetlink.h, if_link.h and if_addr.h, in native
//! byte order. Only the attributes that decide something are read; whatever else a newer kernel
//! sends is stepped over, so that one unknown attribute never hides a link.

mod address;
mod link;

pub use address::{AddressFlags, AddressInfo};
pub use link::{LinkFlags, LinkInfo, OperState};

use alloc::vec::Vec;

use crate::netlink::{self, Malformed, flags};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;

/// What a message of rtnetlink says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RouteMessage {
    /// A link exists, or changed.
    Link(LinkInfo),
    /// The link with this index is gone.
    LinkGone(u32),
    /// An address exists, or changed.
    Address(AddressInfo),
    /// An address is gone.
    AddressGone(AddressInfo),
    /// About something else: bridge ports, routes, neighbours.
    Other,
}

impl RouteMessage {
    /// Reads a message of type `kind`.
    ///
    /// # Errors
    /// When it is cut off or its attributes are broken.
    pub fn parse(kind: u16, payload: &[u8]) -> Result<Self, Malformed> {
        Ok(match kind {
            RTM_NEWLINK => LinkInfo::parse(kind, payload)?.map_or(Self::Other, Self::Link),
            RTM_DELLINK => LinkInfo::parse(kind, payload)?
                .map_or(Self::Other, |link| Self::LinkGone(link.index)),
            RTM_NEWADDR => AddressInfo::parse(kind, payload)?.map_or(Self::Other, Self::Address),
            RTM_DELADDR => {
                AddressInfo::parse(kind, payload)?.map_or(Self::Other, Self::AddressGone)
            }
            _ => Self::Other,
        })
    }
}

/// A dump of one table. The fixed parts are zero, as strict checking demands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RouteDump {
    /// All links.
    Links,
    /// All addresses of both families.
    Addresses,
}

impl RouteDump {
    /// Writes the request into `out`, replacing what is in there.
    pub fn write(self, sequence: u32, out: &mut Vec<u8>) {
        let (kind, fixed) = match self {
            Self::Links => (RTM_GETLINK, link::FIXED_LENGTH),
            Self::Addresses => (RTM_GETADDR, address::FIXED_LENGTH),
        };
        netlink::start(out, kind, flags::REQUEST | flags::DUMP, sequence);
        out.resize(out.len() + fixed, 0);
        netlink::finish(out);
    }
}

#[cfg(test)]
mod tests;
