//! `struct ifinfomsg` and the link attributes that tell whether traffic can flow.

use alloc::string::String;

use crate::netlink::{Attributes, Malformed, u32_at};

/// Size of `struct ifinfomsg`.
pub(super) const FIXED_LENGTH: usize = 16;
/// `AF_UNSPEC`: a message about the link itself.
const AF_UNSPEC: u8 = 0;
const IFLA_IFNAME: u16 = 3;
const IFLA_OPERSTATE: u16 = 16;

/// `ifi_flags` (include/uapi/linux/if.h).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LinkFlags(pub u32);

impl LinkFlags {
    const UP: u32 = 0x1;
    const LOOPBACK: u32 = 0x8;
    const LOWER_UP: u32 = 0x1_0000;

    /// `IFF_UP`: the administrator wants it up.
    pub const fn up(self) -> bool {
        self.0 & Self::UP != 0
    }

    /// `IFF_LOOPBACK`.
    pub const fn loopback(self) -> bool {
        self.0 & Self::LOOPBACK != 0
    }

    /// `IFF_LOWER_UP`: there is a carrier.
    pub const fn lower_up(self) -> bool {
        self.0 & Self::LOWER_UP != 0
    }
}

/// `IFLA_OPERSTATE` (RFC 2863 section 3.1.14).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OperState(pub u8);

impl OperState {
    /// The driver does not say: loopback, tunnels, bridges without ports.
    pub const UNKNOWN: Self = Self(0);
    /// `IF_OPER_UP`.
    pub const UP: Self = Self(6);
}

/// One network interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LinkInfo {
    /// The index.
    pub index: u32,
    /// The name, empty when the kernel did not say.
    pub name: String,
    /// The flags.
    pub flags: LinkFlags,
    /// The operational state.
    pub state: OperState,
}

impl LinkInfo {
    /// Whether packets can flow: administratively up, and with a carrier unless loopback.
    pub fn is_up(&self) -> bool {
        self.flags.up()
            && (self.flags.loopback()
                || (self.flags.lower_up()
                    && matches!(self.state, OperState::UNKNOWN | OperState::UP)))
    }

    /// `None` for messages that are not about the link itself: RTM_DELLINK of family AF_BRIDGE
    /// says that a *port* left its bridge (`br_ifinfo_notify` in net/bridge/br_netlink.c).
    pub(super) fn parse(kind: u16, payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((fixed, attributes)) = payload.split_first_chunk::<FIXED_LENGTH>() else {
            return Err(Malformed::Payload {
                kind,
                length: payload.len(),
                least: FIXED_LENGTH,
            });
        };
        if fixed[0] != AF_UNSPEC {
            return Ok(None);
        }
        let mut link = Self {
            index: u32_at(fixed, 4).unwrap_or(0),
            name: String::new(),
            flags: LinkFlags(u32_at(fixed, 8).unwrap_or(0)),
            state: OperState::UNKNOWN,
        };
        for attribute in Attributes::new(attributes) {
            match attribute? {
                (IFLA_IFNAME, name) => link.name = super::address::text(name),
                (IFLA_OPERSTATE, &[state]) => link.state = OperState(state),
                _ => {}
            }
        }
        Ok(Some(link))
    }
}
