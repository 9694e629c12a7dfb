//! Capabilities in OPEN (RFC 5492): what a speaker can do.

use alloc::string::String;
use alloc::vec::Vec;

use super::cursor::Cursor;
use super::family::{Asn, Family};
use super::text;

/// A capability. One with a value of the wrong length counts as unknown, and unknown ones are
/// ignored (RFC 5492 section 3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Capability {
    /// 1: a family (RFC 4760 section 8).
    Multiprotocol {
        /// Address Family Identifier.
        afi: u16,
        /// Subsequent Address Family Identifier.
        safi: u8,
    },
    /// 2: ROUTE-REFRESH (RFC 2918 section 2).
    RouteRefresh,
    /// 5: next hops of another family (RFC 8950 section 4): AFI, SAFI, next hop's AFI.
    ExtendedNextHop(Vec<(u16, u16, u16)>),
    /// 6: messages of up to 65 535 octets (RFC 8654 section 3).
    ExtendedMessages,
    /// 9: the role (RFC 9234 section 4.1).
    Role(u8),
    /// 64: graceful restart (RFC 4724 section 3, RFC 8538).
    GracefulRestart {
        /// The R bit.
        restarting: bool,
        /// The N bit.
        notification: bool,
        /// Seconds, at most 4095.
        restart_time: u16,
        /// AFI, SAFI, F bit.
        families: Vec<(u16, u8, bool)>,
    },
    /// 65: AS numbers of four octets (RFC 6793 section 3).
    FourOctetAs(Asn),
    /// 69: several paths for a prefix (RFC 7911 section 4): AFI, SAFI, and 1 for receiving, 2 for
    /// sending, 3 for both.
    AddPath(Vec<(u16, u8, u8)>),
    /// 70: BoRR and EoRR (RFC 7313 section 3.1).
    EnhancedRouteRefresh,
    /// 73: the name of the host (draft-walton-bgp-hostname-capability), fit to be shown.
    Fqdn {
        /// The host.
        host: String,
        /// The domain.
        domain: String,
    },
    /// Any other, or one of these with a value of the wrong length.
    Other {
        /// The code.
        code: u8,
        /// The value.
        value: Vec<u8>,
    },
}

impl Capability {
    /// The code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Multiprotocol { .. } => 1,
            Self::RouteRefresh => 2,
            Self::ExtendedNextHop(_) => 5,
            Self::ExtendedMessages => 6,
            Self::Role(_) => 9,
            Self::GracefulRestart { .. } => 64,
            Self::FourOctetAs(_) => 65,
            Self::AddPath(_) => 69,
            Self::EnhancedRouteRefresh => 70,
            Self::Fqdn { .. } => 73,
            Self::Other { code, .. } => *code,
        }
    }

    /// The multiprotocol capability of a family.
    pub const fn family(family: Family) -> Self {
        Self::Multiprotocol { afi: family.afi(), safi: 1 }
    }

    /// Writes code, length, value. A value longer than 255 octets is cut off whole.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[self.code(), 0]);
        match self {
            Self::Multiprotocol { afi, safi } => {
                out.extend_from_slice(&afi.to_be_bytes());
                out.extend_from_slice(&[0, *safi]);
            }
            Self::RouteRefresh | Self::ExtendedMessages | Self::EnhancedRouteRefresh => {}
            Self::ExtendedNextHop(tuples) => {
                for (afi, safi, next_hop_afi) in tuples {
                    for field in [afi, safi, next_hop_afi] {
                        out.extend_from_slice(&field.to_be_bytes());
                    }
                }
            }
            Self::Role(role) => out.push(*role),
            Self::GracefulRestart { restarting, notification, restart_time, families } => {
                let flags = u16::from(*restarting) << 15 | u16::from(*notification) << 14;
                out.extend_from_slice(&(flags | (restart_time & 0x0fff)).to_be_bytes());
                for (afi, safi, forwarding) in families {
                    out.extend_from_slice(&afi.to_be_bytes());
                    out.extend_from_slice(&[*safi, u8::from(*forwarding) << 7]);
                }
            }
            Self::AddPath(tuples) => {
                for (afi, safi, mode) in tuples {
                    out.extend_from_slice(&afi.to_be_bytes());
                    out.extend_from_slice(&[*safi, *mode]);
                }
            }
            Self::FourOctetAs(asn) => out.extend_from_slice(&asn.0.to_be_bytes()),
            Self::Fqdn { host, domain } => {
                for name in [host, domain] {
                    let name = text::cut(name, 126);
                    out.push(u8::try_from(name.len()).unwrap_or(0));
                    out.extend_from_slice(name.as_bytes());
                }
            }
            Self::Other { value, .. } => out.extend_from_slice(value),
        }
        match (u8::try_from(out.len() - start - 2), out.get_mut(start + 1)) {
            (Ok(length), Some(field)) => *field = length,
            _ => out.truncate(start),
        }
    }

    /// Reads a value.
    pub(crate) fn decode(code: u8, value: &[u8]) -> Self {
        Self::known(code, Cursor(value))
            .unwrap_or_else(|| Self::Other { code, value: value.to_vec() })
    }

    fn known(code: u8, mut value: Cursor<'_>) -> Option<Self> {
        let capability = match code {
            1 => {
                let afi = value.u16()?;
                // The reserved octet is ignored (RFC 4760 section 8).
                value.u8()?;
                Self::Multiprotocol { afi, safi: value.u8()? }
            }
            2 => Self::RouteRefresh,
            5 => {
                let mut tuples = Vec::new();
                while !value.is_empty() {
                    tuples.push((value.u16()?, value.u16()?, value.u16()?));
                }
                Self::ExtendedNextHop(tuples)
            }
            6 => Self::ExtendedMessages,
            9 => Self::Role(value.u8()?),
            64 => {
                let head = value.u16()?;
                let mut families = Vec::new();
                while !value.is_empty() {
                    families.push((value.u16()?, value.u8()?, value.u8()? & 0x80 != 0));
                }
                Self::GracefulRestart {
                    restarting: head & 0x8000 != 0,
                    notification: head & 0x4000 != 0,
                    restart_time: head & 0x0fff,
                    families,
                }
            }
            65 => Self::FourOctetAs(Asn(value.u32()?)),
            69 => {
                let mut tuples = Vec::new();
                while !value.is_empty() {
                    let (afi, safi, mode) = (value.u16()?, value.u8()?, value.u8()?);
                    // Another mode makes the whole capability one to be ignored.
                    tuples.push((1..=3).contains(&mode).then_some((afi, safi, mode))?);
                }
                Self::AddPath(tuples)
            }
            70 => Self::EnhancedRouteRefresh,
            73 => {
                let host = text::sanitised(value.counted()?, 255);
                Self::Fqdn { host, domain: text::sanitised(value.counted()?, 255) }
            }
            _ => return None,
        };
        value.is_empty().then_some(capability)
    }
}
