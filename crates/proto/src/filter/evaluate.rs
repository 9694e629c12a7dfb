//! What a filter says of one socket, without bytecode.
//!
//! The rules are the kernel's (`inet_diag_bc_run` in net/ipv4/inet_diag.c), not those of the
//! second look that `ss` takes in userspace: there, families are not compared and ports are not
//! cut to 16 bits, so that `src 0.0.0.0` would also match `[::1]`.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::expression::{Address, Condition, Expression, Ordering, Port, Side, Step};

/// Both addresses of a socket: always of one family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Addresses {
    /// An IPv4 socket.
    V4 {
        /// Local address.
        source: Ipv4Addr,
        /// Peer's address.
        destination: Ipv4Addr,
    },
    /// An IPv6 socket, dual-stack or not.
    V6 {
        /// Local address.
        source: Ipv6Addr,
        /// Peer's address.
        destination: Ipv6Addr,
    },
}

impl Addresses {
    pub(super) const fn is_v4(self) -> bool {
        matches!(self, Self::V4 { .. })
    }
}

/// What a filter can ask about a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Socket {
    /// Family and addresses.
    pub addresses: Addresses,
    /// Local port.
    pub source_port: u16,
    /// Peer's port; 0 for a listening socket.
    pub destination_port: u16,
    /// Interface the socket is bound to (`SO_BINDTODEVICE`, `idiag_if`), 0 for none.
    pub interface: u32,
    /// `SO_MARK`.
    pub mark: u32,
    /// Id of the cgroup it was made in, 0 when not known.
    pub cgroup: u64,
    /// The kernel chose the local port (`bind` with port 0, or none), not the program.
    pub autobound: bool,
}

impl Socket {
    /// A socket that listens on this address and port, and is special in no way.
    pub const fn listening(address: IpAddr, port: u16) -> Self {
        let addresses = match address {
            IpAddr::V4(source) => Addresses::V4 { source, destination: Ipv4Addr::UNSPECIFIED },
            IpAddr::V6(source) => Addresses::V6 { source, destination: Ipv6Addr::UNSPECIFIED },
        };
        Self {
            addresses,
            source_port: port,
            destination_port: 0,
            interface: 0,
            mark: 0,
            cgroup: 0,
            autobound: false,
        }
    }

    /// The address at one end.
    pub const fn address(&self, side: Side) -> IpAddr {
        match (self.addresses, side) {
            (Addresses::V4 { source, .. }, Side::Source) => IpAddr::V4(source),
            (Addresses::V4 { destination, .. }, Side::Destination) => IpAddr::V4(destination),
            (Addresses::V6 { source, .. }, Side::Source) => IpAddr::V6(source),
            (Addresses::V6 { destination, .. }, Side::Destination) => IpAddr::V6(destination),
        }
    }

    /// The port at one end.
    pub const fn port(&self, side: Side) -> u16 {
        match side {
            Side::Source => self.source_port,
            Side::Destination => self.destination_port,
        }
    }
}

impl Expression {
    /// True when the socket matches, as the kernel would decide with the bytecode.
    pub fn matches(&self, socket: &Socket) -> bool {
        let mut answers: Vec<bool> = Vec::new();
        for step in self.steps() {
            let answer = match step {
                Step::Condition(condition) => condition.matches(socket),
                Step::Not => !pop(&mut answers),
                Step::And => pop(&mut answers) & pop(&mut answers),
                Step::Or => pop(&mut answers) | pop(&mut answers),
            };
            answers.push(answer);
        }
        pop(&mut answers)
    }
}

/// Takes the last answer. There is one, since the parser made the steps.
fn pop(answers: &mut Vec<bool>) -> bool {
    answers.pop().unwrap_or(false)
}

impl Condition {
    /// True when the socket meets this condition.
    pub fn matches(&self, socket: &Socket) -> bool {
        match self {
            Self::Host { side, address, port } => {
                (*port == Port::ANY || port.0 == i32::from(socket.port(*side)))
                    && address.contains(socket.address(*side))
            }
            Self::Compare { side, ordering: Ordering::AtLeast, port } => {
                socket.port(*side) >= port.low_bits()
            }
            Self::Compare { side, ordering: Ordering::AtMost, port } => {
                socket.port(*side) <= port.low_bits()
            }
            Self::Autobound => socket.autobound,
            Self::Device { index, .. } => socket.interface == *index,
            Self::Mark { value, mask } => socket.mark & mask == *value,
            Self::Cgroup { id, .. } => socket.cgroup == *id,
        }
    }
}

impl Address {
    /// True when `other` is in this prefix; an IPv4 prefix also holds mapped IPv6 addresses.
    pub fn contains(self, other: IpAddr) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::V4 { address, length }, IpAddr::V4(other)) => holds_v4(address, length, other),
            (Self::V4 { address, length }, IpAddr::V6(other)) => {
                other.to_ipv4_mapped().is_some_and(|other| holds_v4(address, length, other))
            }
            (Self::V6 { address, length }, IpAddr::V6(other)) => {
                let differing = address.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= u32::from(length)
            }
            (Self::V6 { .. }, IpAddr::V4(_)) => false,
        }
    }
}

fn holds_v4(address: Ipv4Addr, length: u8, other: Ipv4Addr) -> bool {
    let differing = address.to_bits() ^ other.to_bits();
    differing.leading_zeros() >= u32::from(length)
}
