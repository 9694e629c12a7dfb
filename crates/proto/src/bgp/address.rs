//! Where a peer is: an IP address and, for a link-local one, the interface it is valid on.

use core::fmt;
use core::net::IpAddr;
use core::str::{self, FromStr};

/// The longest name of an interface (`IFNAMSIZ` less the NUL, netdevice(7)).
const ZONE_MAX: usize = 15;

/// The address of a peer. Link-local addresses (RFC 4291 section 2.5.6) are the same on every
/// link: only together with an interface do they name somebody (RFC 4007). Others have none.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PeerAddress {
    ip: IpAddr,
    zone: Option<Zone>,
}

/// The name of the interface that a link-local address is valid on. It need not be there.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct Zone {
    /// The name, and zeros behind it.
    name: [u8; ZONE_MAX],
}

/// Why a text is not the address of a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// No address at all.
    #[error("is not an IP address: write for example 192.0.2.1 or fe80::1%eth0")]
    NoAddress,
    /// Link-local, and nobody knows on which link.
    #[error("is link-local and names no interface: write %INTERFACE behind it, for example %eth0")]
    NoZone,
    /// An interface where none can be.
    #[error("is not link-local: leave out % and what follows it")]
    NeedlessZone,
    /// Not what an interface can be called.
    #[error(
        "names no interface behind %: write a name of at most {ZONE_MAX} characters, as `ip -br \
         link` lists them"
    )]
    BadZone,
}

impl PeerAddress {
    /// The address without its interface.
    pub const fn ip(self) -> IpAddr {
        self.ip
    }

    /// The interface; only link-local addresses have one.
    pub const fn zone(self) -> Option<Zone> {
        self.zone
    }

    /// True for IPv4.
    pub const fn is_ipv4(self) -> bool {
        self.ip.is_ipv4()
    }

    /// True for a link-local IPv6 address.
    pub const fn is_link_local(self) -> bool {
        is_link_local(self.ip)
    }
}

/// True for a link-local IPv6 address.
pub(super) const fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Without an interface: validation refuses it for a link-local one.
impl From<IpAddr> for PeerAddress {
    fn from(ip: IpAddr) -> Self {
        Self { ip, zone: None }
    }
}

impl FromStr for PeerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (ip, zone) = match text.split_once('%') {
            Some((ip, zone)) => (ip, Some(zone)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| AddressError::NoAddress)?;
        match (is_link_local(ip), zone) {
            (true, Some(zone)) => {
                let zone = Zone::new(zone).ok_or(AddressError::BadZone)?;
                Ok(Self { ip, zone: Some(zone) })
            }
            (true, None) => Err(AddressError::NoZone),
            (false, Some(_)) => Err(AddressError::NeedlessZone),
            (false, None) => Ok(ip.into()),
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.zone {
            Some(zone) => write!(f, "{}%{zone}", self.ip),
            None => self.ip.fmt(f),
        }
    }
}

impl Zone {
    /// A name that an interface can have.
    pub fn new(name: &str) -> Option<Self> {
        let bad = |c: char| c == '/' || c == '%' || c.is_whitespace() || c.is_control();
        if name.is_empty() || name.contains(bad) || matches!(name, "." | "..") {
            return None;
        }
        let mut zone = Self { name: [0; ZONE_MAX] };
        zone.name.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(zone)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let name = self.name.split(|octet| *octet == 0).next().unwrap_or_default();
        str::from_utf8(name).unwrap_or_default()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_interface_belongs_to_link_local_addresses_and_to_no_others() {
        for text in ["192.0.2.1", "2001:db8::1", "fe80::1%eth0", "febf::1%a", "fe80::2%eth0.100"] {
            assert_eq!(text.parse::<PeerAddress>().map(|it| it.to_string()), Ok(text.to_string()));
        }
        for (text, want) in [
            ("", AddressError::NoAddress),
            ("router1", AddressError::NoAddress),
            ("%eth0", AddressError::NoAddress),
            ("fe80::1", AddressError::NoZone),
            ("2001:db8::1%eth0", AddressError::NeedlessZone),
            ("192.0.2.1%eth0", AddressError::NeedlessZone),
            ("fec0::1%eth0", AddressError::NeedlessZone),
            ("fe80::1%", AddressError::BadZone),
            ("fe80::1%a b", AddressError::BadZone),
            ("fe80::1%a/b", AddressError::BadZone),
            ("fe80::1%a%b", AddressError::BadZone),
            ("fe80::1%..", AddressError::BadZone),
            ("fe80::1%a-name-of-16-xx", AddressError::BadZone),
        ] {
            assert_eq!(text.parse::<PeerAddress>(), Err(want), "{text}");
        }
        assert!("fe80::1%a-name-of-15-xx".len() - "fe80::1%".len() == ZONE_MAX);
    }

    #[test]
    fn the_same_address_on_two_links_is_two_peers() {
        let of = |text: &str| text.parse::<PeerAddress>().unwrap();
        let (one, other) = (of("fe80::1%eth0"), of("fe80::1%eth1"));
        assert_ne!(one, other);
        assert_eq!(one.ip(), other.ip());
        assert_eq!(one, of("fe80:0::1%eth0"));
    }
}
