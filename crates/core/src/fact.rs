//! What observers report about this host: listening sockets and local addresses.

use alloc::sync::Arc;
use core::fmt;
use core::net::IpAddr;

use crate::check::{CheckKey, ProbeResult};

/// A transport protocol that can be listened on.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Protocol {
    /// TCP, sockets in state LISTEN.
    Tcp,
    /// UDP, unconnected sockets.
    Udp,
}

impl Protocol {
    /// `tcp` or `udp`, as in configuration and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One socket of this host for as long as it lives.
///
/// The cookie is the kernel's (`SO_COOKIE`, net/core/sock_diag.c): never used twice until the
/// next boot, so it also tells the members of a `SO_REUSEPORT` group apart.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SocketId {
    /// The protocol: TCP and UDP cookies are of one number space, but their tables are not.
    pub protocol: Protocol,
    /// The kernel's socket cookie.
    pub cookie: u64,
}

/// The local side of a listening socket.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ListenAddress {
    /// One address. IPv4-mapped IPv6 addresses are stored as IPv4: that is whom they serve.
    Address(IpAddr),
    /// `0.0.0.0`: every local IPv4 address.
    AnyV4,
    /// `[::]` with `IPV6_V6ONLY`: every local IPv6 address.
    AnyV6Only,
    /// `[::]` dual-stack: every local address of both families.
    AnyDual,
}

impl ListenAddress {
    /// Reads a socket's bound address. `v6only` matters only for `::`.
    pub fn new(bound: IpAddr, v6only: bool) -> Self {
        match bound.to_canonical() {
            IpAddr::V4(v4) if v4.is_unspecified() => Self::AnyV4,
            IpAddr::V6(v6) if v6.is_unspecified() && v6only => Self::AnyV6Only,
            IpAddr::V6(v6) if v6.is_unspecified() => Self::AnyDual,
            address => Self::Address(address),
        }
    }

    /// True when traffic to `address` reaches a socket bound like this.
    pub fn serves(self, address: IpAddr) -> bool {
        match self {
            Self::Address(own) => own == address,
            Self::AnyV4 => address.is_ipv4(),
            Self::AnyV6Only => address.is_ipv6(),
            Self::AnyDual => true,
        }
    }
}

impl fmt::Display for ListenAddress {
    /// As `ss` prints it: `*` is a dual-stack wildcard.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V4(v4)) => v4.fmt(f),
            Self::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
            Self::AnyV4 => f.write_str("0.0.0.0"),
            Self::AnyV6Only => f.write_str("[::]"),
            Self::AnyDual => f.write_str("*"),
        }
    }
}

/// A listening socket that matches the listen filter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Listener {
    /// Which socket.
    pub id: SocketId,
    /// What it is bound to.
    pub address: ListenAddress,
    /// The local port, 1 to 65535.
    pub port: u16,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", self.id.protocol, self.address, self.port)
    }
}

/// Which entry of the kernel's address table: the same IP may stand on several interfaces.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AddressId {
    /// The address itself (`IFA_LOCAL` for IPv4, `IFA_ADDRESS` for IPv6).
    pub ip: IpAddr,
    /// Prefix length of the entry.
    pub prefix_length: u8,
    /// Index of the interface.
    pub interface: u32,
}

/// Whether traffic to a local address reaches this host.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum AddressState {
    /// The address is valid and its link is up.
    Usable,
    /// Duplicate address detection still runs (RFC 4862 section 5.4).
    Tentative,
    /// Duplicate address detection failed: another host has the address.
    DadFailed,
    /// The interface is down, or has no carrier.
    LinkDown,
}

/// One address of this host, as the kernel tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalAddress {
    /// Which entry.
    pub id: AddressId,
    /// Name of the interface.
    pub device: Arc<str>,
    /// Label of the address (`lo:web`), IPv4 only; the interface name when none was given.
    pub label: Option<Arc<str>>,
    /// True on a loopback interface: there an IPv4 prefix makes *every* address inside it local
    /// (`fib_add_ifaddr` in net/ipv4/fib_frontend.c), as 127.0.0.1/8 does.
    pub loopback: bool,
    /// Whether it can carry traffic now.
    pub state: AddressState,
}

impl LocalAddress {
    /// True when this entry makes `ip` an address of this host.
    pub fn provides(&self, ip: IpAddr) -> bool {
        if self.id.ip == ip {
            return true;
        }
        self.loopback
            && ip.is_ipv4()
            && crate::net::Prefix::truncating(self.id.ip, self.id.prefix_length)
                .is_some_and(|prefix| prefix.contains(ip))
    }
}

/// A kind of observer; each reports its own facts and its own health.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Source {
    /// Listening sockets (sock_diag).
    Listen,
    /// Addresses and links (rtnetlink).
    Address,
}

impl Source {
    /// All sources, in the order they are shown.
    pub const ALL: [Self; 2] = [Self::Listen, Self::Address];

    /// Stable name: `listen` or `address`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Address => "address",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A fact, or the loss of one, as an observer reports it.
///
/// An observer first reports everything it sees, then [`Observation::Complete`], then changes as
/// they happen. After a lost event it reads everything again and reports the differences.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Observation {
    /// A matching socket listens.
    ListenerOpened(Listener),
    /// A socket reported before is gone, or does not listen any more.
    ListenerClosed(SocketId),
    /// An address appeared or changed.
    AddressChanged(LocalAddress),
    /// An address is gone.
    AddressRemoved(AddressId),
    /// A probe of a check gave a result.
    Probed {
        /// Which check, and for which VIP.
        check: CheckKey,
        /// What it found.
        result: ProbeResult,
    },
    /// The reports of this source now describe all that is; also the recovery from a failure.
    Complete(Source),
    /// The source cannot see at the moment; what it reported before may be out of date.
    Failed {
        /// Which source.
        source: Source,
        /// What went wrong, for the eyes of people.
        error: Arc<str>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_serve_their_families() {
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        for (bound, v6only, serves_v4, serves_v6) in [
            ("0.0.0.0", false, true, false),
            ("::", true, false, true),
            ("::", false, true, true),
            ("192.0.2.1", false, true, false),
            ("::ffff:192.0.2.1", false, true, false),
            ("2001:db8::1", false, false, true),
        ] {
            let address = ListenAddress::new(bound.parse().unwrap(), v6only);
            assert_eq!(address.serves(v4), serves_v4, "{bound} {v6only}");
            assert_eq!(address.serves(v6), serves_v6, "{bound} {v6only}");
        }
    }

    #[test]
    fn a_loopback_prefix_provides_every_address_in_it() {
        let entry = |ip: &str, prefix_length, loopback| LocalAddress {
            id: AddressId { ip: ip.parse().unwrap(), prefix_length, interface: 1 },
            device: "lo".into(),
            label: None,
            loopback,
            state: AddressState::Usable,
        };
        let probe: IpAddr = "127.0.0.53".parse().unwrap();
        assert!(entry("127.0.0.1", 8, true).provides(probe));
        assert!(!entry("127.0.0.1", 8, false).provides(probe));
        assert!(!entry("127.0.0.1", 32, true).provides(probe));
        assert!(!entry("::1", 0, true).provides("2001:db8::1".parse().unwrap()));
    }
}
