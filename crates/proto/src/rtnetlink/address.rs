//! `struct ifaddrmsg` and the address attributes that tell whose address it is and how it fares.

use alloc::string::String;
use core::net::IpAddr;

use crate::family::Family;
use crate::netlink::{Attributes, Malformed, u32_at};

/// Size of `struct ifaddrmsg`.
pub(super) const FIXED_LENGTH: usize = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_FLAGS: u16 = 8;

/// `IFA_FLAGS`: 32 bits, of which `ifa_flags` in the fixed part has only eight.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AddressFlags(pub u32);

impl AddressFlags {
    const DAD_FAILED: u32 = 0x08;
    const TENTATIVE: u32 = 0x40;

    /// `IFA_F_TENTATIVE`: duplicate address detection has not ended. Stays set when it failed.
    pub const fn tentative(self) -> bool {
        self.0 & Self::TENTATIVE != 0
    }

    /// `IFA_F_DADFAILED`: another host has the address.
    pub const fn dad_failed(self) -> bool {
        self.0 & Self::DAD_FAILED != 0
    }
}

/// One address of an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddressInfo {
    /// Index of the interface.
    pub interface: u32,
    /// This host's address.
    pub local: IpAddr,
    /// `IFA_ADDRESS`: the far end on a point-to-point interface, else the same as `local`. The
    /// kernel tells entries apart by it (`__inet_insert_ifa` in net/ipv4/devinet.c).
    pub peer: IpAddr,
    /// Length of the prefix that `peer` is in.
    pub prefix_length: u8,
    /// The flags.
    pub flags: AddressFlags,
    /// `IFA_LABEL`, IPv4 only.
    pub label: Option<String>,
}

impl AddressInfo {
    /// `None` for families other than IPv4 and IPv6, and for messages without an address.
    pub(super) fn parse(kind: u16, payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((fixed, attributes)) = payload.split_first_chunk::<FIXED_LENGTH>() else {
            return Err(Malformed::Payload { kind, length: payload.len(), least: FIXED_LENGTH });
        };
        let Some(family) = Family::from_code(fixed[0]) else {
            return Ok(None);
        };
        let mut flags = u32::from(fixed[2]);
        let (mut local, mut peer, mut label) = (None, None, None);
        for attribute in Attributes::new(attributes) {
            match attribute? {
                (IFA_ADDRESS, value) => peer = Some(ip(family, IFA_ADDRESS, value)?),
                (IFA_LOCAL, value) => local = Some(ip(family, IFA_LOCAL, value)?),
                (IFA_LABEL, value) => label = Some(text(value)),
                (IFA_FLAGS, value) => flags = u32_at(value, 0).unwrap_or(flags),
                _ => {}
            }
        }
        // IPv6 sends IFA_LOCAL only for point-to-point entries (inet6_fill_ifaddr).
        let (Some(local), Some(peer)) = (local.or(peer), peer.or(local)) else {
            return Ok(None);
        };
        Ok(Some(Self {
            interface: u32_at(fixed, 4).unwrap_or(0),
            local,
            peer,
            prefix_length: fixed[1],
            flags: AddressFlags(flags),
            label,
        }))
    }
}

fn ip(family: Family, kind: u16, value: &[u8]) -> Result<IpAddr, Malformed> {
    let address = match family {
        Family::V4 => <[u8; 4]>::try_from(value).map(IpAddr::from),
        Family::V6 => <[u8; 16]>::try_from(value).map(IpAddr::from),
    };
    address.map_err(|_| Malformed::Attribute { kind, length: value.len() })
}

/// A name up to its NUL. Interface names are bytes; what is not UTF-8 is shown with U+FFFD.
pub(super) fn text(value: &[u8]) -> String {
    let name = value.split(|&byte| byte == 0).next().unwrap_or(&[]);
    String::from_utf8_lossy(name).into_owned()
}
