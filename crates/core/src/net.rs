//! Prefixes, the allow-list, next hops: addresses that cannot be wrong.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An IP prefix without host bits. A host route has the full length (32 or 128).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Prefix(IpNet);

/// Why a text is not a prefix. Each message names the value, the rule and the fix.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PrefixError {
    /// The part before the slash is not an address.
    #[error("\"{text}\" is not an IP network: write ADDRESS/LENGTH, for example 192.0.2.0/24")]
    Malformed {
        /// What was given.
        text: String,
    },
    /// There is no slash.
    #[error("\"{text}\" has no prefix length: write {text}/{host_length} for this one address")]
    NoLength {
        /// What was given.
        text: String,
        /// 32 or 128.
        host_length: u8,
    },
    /// The length is not a number in range.
    #[error("\"{text}\" has a bad prefix length: it must be a whole number from 0 to {max}")]
    BadLength {
        /// What was given.
        text: String,
        /// 32 or 128.
        max: u8,
    },
    /// Bits behind the length are set.
    #[error("\"{text}\" has host bits set: the network is {fix}")]
    HostBits {
        /// What was given.
        text: String,
        /// The same network with the host bits cleared.
        fix: Prefix,
    },
}

impl Prefix {
    /// The host route of one address.
    pub fn host(address: IpAddr) -> Self {
        Self(IpNet::from(address))
    }

    /// The prefix of `address` with `length` bits; host bits are cleared.
    ///
    /// Returns `None` when `length` is larger than the address has bits.
    pub fn truncating(address: IpAddr, length: u8) -> Option<Self> {
        let net = match address {
            IpAddr::V4(v4) => IpNet::V4(Ipv4Net::new(v4, length).ok()?),
            IpAddr::V6(v6) => IpNet::V6(Ipv6Net::new(v6, length).ok()?),
        };
        Some(Self(net.trunc()))
    }

    /// The network address.
    pub fn address(self) -> IpAddr {
        self.0.addr()
    }

    /// The last address inside.
    pub fn last_address(self) -> IpAddr {
        self.0.broadcast()
    }

    /// The prefix length in bits: 0 to 32 or 0 to 128.
    #[expect(clippy::len_without_is_empty, reason = "a prefix length, not a container's")]
    pub fn len(self) -> u8 {
        self.0.prefix_len()
    }

    /// True for a /32 or /128.
    pub fn is_host(self) -> bool {
        self.0.prefix_len() == self.0.max_prefix_len()
    }

    /// True for IPv4.
    pub fn is_ipv4(self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }

    /// True when `address` is of the same family and inside.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// True when every address of `other` is inside this prefix.
    pub fn covers(self, other: Self) -> bool {
        self.0.contains(&other.0)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads `ADDRESS/LENGTH` strictly: no missing length, no host bits.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let malformed = || PrefixError::Malformed { text: text.to_string() };
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        let Some(length) = length else {
            return Err(PrefixError::NoLength { text: text.to_string(), host_length: max });
        };
        let bad_length = || PrefixError::BadLength { text: text.to_string(), max };
        if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad_length());
        }
        let length: u8 = length.parse().map_err(|_| bad_length())?;
        let prefix = Self::truncating(address, length).ok_or_else(bad_length)?;
        if prefix.address() != address {
            return Err(PrefixError::HostBits { text: text.to_string(), fix: prefix });
        }
        Ok(prefix)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The allow-list: nothing outside is ever announced.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Networks(Vec<Prefix>);

impl Networks {
    /// An allow-list of these networks. An empty one allows nothing.
    pub fn new(networks: Vec<Prefix>) -> Self {
        Self(networks)
    }

    /// The longest network that contains `address`, if any does.
    pub fn containing(&self, address: IpAddr) -> Option<Prefix> {
        self.0.iter().copied().filter(|net| net.contains(address)).max_by_key(|net| net.len())
    }

    /// The networks in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = Prefix> + '_ {
        self.0.iter().copied()
    }
}

/// Why an address can never be a VIP, whatever the configuration says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NeverAnnounced {
    /// 0.0.0.0/8 or `::` (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.2).
    Unspecified,
    /// 224.0.0.0/4, ff00::/8.
    Multicast,
    /// 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291): not routable.
    LinkLocal,
    /// 240.0.0.0/4 with 255.255.255.255 (RFC 1112 section 4).
    Reserved,
    /// `::ffff:0:0/96`: an IPv4 address in IPv6 clothes; it is announced as IPv4.
    MappedV4,
}

/// Says whether `address` may be a VIP at all.
pub fn never_announced(address: IpAddr) -> Option<NeverAnnounced> {
    match address {
        IpAddr::V4(v4) if v4.octets()[0] == 0 => Some(NeverAnnounced::Unspecified),
        IpAddr::V4(v4) if v4.is_multicast() => Some(NeverAnnounced::Multicast),
        IpAddr::V4(v4) if v4.is_link_local() => Some(NeverAnnounced::LinkLocal),
        IpAddr::V4(v4) if v4.octets()[0] >= 240 => Some(NeverAnnounced::Reserved),
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) if v6.is_unspecified() => Some(NeverAnnounced::Unspecified),
        IpAddr::V6(v6) if v6.is_multicast() => Some(NeverAnnounced::Multicast),
        IpAddr::V6(v6) if is_link_local_v6(v6) => Some(NeverAnnounced::LinkLocal),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Some(NeverAnnounced::MappedV4),
        IpAddr::V6(_) => None,
    }
}

fn is_link_local_v6(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

/// Where the routers shall send the traffic of a route.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum NextHop {
    /// The address of our end of the session, filled in by whoever speaks BGP.
    SelfAddress,
    /// A fixed address.
    Address(IpAddr),
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SelfAddress => f.write_str("self"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn prefixes_are_read_strictly() {
        let cases: &[(&str, Result<&str, &str>)] = &[
            ("100.64.0.0/24", Ok("100.64.0.0/24")),
            ("2001:DB8::/32", Ok("2001:db8::/32")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            (
                "192.0.2.1",
                Err("\"192.0.2.1\" has no prefix length: write 192.0.2.1/32 for this one address"),
            ),
            (
                "192.0.2.1/24",
                Err("\"192.0.2.1/24\" has host bits set: the network is 192.0.2.0/24"),
            ),
            (
                "192.0.2.0/33",
                Err(
                    "\"192.0.2.0/33\" has a bad prefix length: it must be a whole number from 0 to 32",
                ),
            ),
            (
                "::/129",
                Err("\"::/129\" has a bad prefix length: it must be a whole number from 0 to 128"),
            ),
            (
                "192.0.2.0/+8",
                Err(
                    "\"192.0.2.0/+8\" has a bad prefix length: it must be a whole number from 0 to 32",
                ),
            ),
            (
                "192.0.2.0/",
                Err(
                    "\"192.0.2.0/\" has a bad prefix length: it must be a whole number from 0 to 32",
                ),
            ),
            (
                "web/24",
                Err(
                    "\"web/24\" is not an IP network: write ADDRESS/LENGTH, for example 192.0.2.0/24",
                ),
            ),
            ("", Err("\"\" is not an IP network: write ADDRESS/LENGTH, for example 192.0.2.0/24")),
        ];
        for (text, want) in cases {
            let got = text.parse::<Prefix>();
            match (got, want) {
                (Ok(prefix), Ok(shown)) => assert_eq!(prefix.to_string(), *shown),
                (Err(error), Err(message)) => assert_eq!(error.to_string(), *message),
                (got, want) => panic!("{text}: got {got:?}, want {want:?}"),
            }
        }
    }

    #[test]
    fn the_longest_network_wins() {
        let networks = Networks::new(vec![
            "10.0.0.0/8".parse().unwrap(),
            "10.1.0.0/16".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ]);
        let found = networks.containing("10.1.2.3".parse().unwrap()).unwrap();
        assert_eq!(found.to_string(), "10.1.0.0/16");
        assert!(networks.containing("192.0.2.1".parse().unwrap()).is_none());
        assert!(networks.containing("2001:db8::1".parse().unwrap()).is_some());
    }

    #[test]
    fn some_addresses_are_never_announced() {
        for (text, why) in [
            ("0.0.0.0", Some(NeverAnnounced::Unspecified)),
            ("224.0.0.1", Some(NeverAnnounced::Multicast)),
            ("169.254.1.1", Some(NeverAnnounced::LinkLocal)),
            ("255.255.255.255", Some(NeverAnnounced::Reserved)),
            ("::", Some(NeverAnnounced::Unspecified)),
            ("fe80::1", Some(NeverAnnounced::LinkLocal)),
            ("ff02::1", Some(NeverAnnounced::Multicast)),
            ("::ffff:192.0.2.1", Some(NeverAnnounced::MappedV4)),
            ("127.0.0.1", None),
            ("::1", None),
            ("100.64.0.10", None),
        ] {
            assert_eq!(never_announced(text.parse().unwrap()), why, "{text}");
        }
    }
}
