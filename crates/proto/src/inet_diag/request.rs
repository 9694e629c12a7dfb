//! Requests: list the sockets of a kind, or ask which socket serves an address.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU32;

use ha2bgp_core::fact::Protocol;

use super::{SOCK_DIAG_BY_FAMILY, SOCKET_ID_LENGTH, State};
use crate::family::Family;
use crate::netlink::{self, HEADER_LENGTH, Malformed, flags};

/// `INET_DIAG_REQ_BYTECODE`.
const REQ_BYTECODE: u16 = 1;
/// The bit of `INET_DIAG_SKMEMINFO` in `idiag_ext`.
const EXT_MEMORY: u8 = 1 << (super::socket::SKMEMINFO - 1);

/// The most bytecode that one attribute holds: 16 bits of length, its header, whole instructions.
pub const MAX_BYTECODE: usize = 65_528;

/// `IPPROTO_TCP` or `IPPROTO_UDP`.
const fn protocol_code(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
    }
}

/// The state that makes a socket of `protocol` a listener.
const fn listening_state(protocol: Protocol) -> State {
    match protocol {
        Protocol::Tcp => State::LISTEN,
        Protocol::Udp => State::CLOSE,
    }
}

/// Asks for all listening sockets of one family and protocol.
///
/// The states are exactly LISTEN (TCP) or unconnected (UDP). Asking for CLOSE of TCP, as
/// `ss -l` does, would make the kernel walk all established connections
/// (`inet_diag_dump_icsk` in net/ipv4/inet_diag.c).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DumpRequest<'a> {
    /// The sockets' family. `AF_UNSPEC` does not exist here: the kernel answers ENOENT to it.
    pub family: Family,
    /// The protocol.
    pub protocol: Protocol,
    /// A program that the kernel runs on each socket; empty for all sockets.
    pub bytecode: &'a [u8],
    /// Ask for the memory of each socket too, with its counter of drops. Makes a dump of many
    /// sockets a fifth slower.
    pub memory: bool,
}

impl DumpRequest<'_> {
    /// Writes the request into `out`, replacing what is in there.
    ///
    /// # Errors
    /// When the bytecode is longer than [`MAX_BYTECODE`].
    pub fn write(&self, sequence: u32, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let states = listening_state(self.protocol).bit();
        let extensions = if self.memory { EXT_MEMORY } else { 0 };
        let Self { family, protocol, bytecode, .. } = *self;
        write_dump(out, sequence, (family, protocol, extensions), states, bytecode)
    }
}

/// Asks for the TCP connections of one family over which something may still be said.
///
/// The kernel walks its table of all connections, as large as that is: time goes with the size of
/// the table, and with the connections that the bytecode lets through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectionsRequest<'a> {
    /// The sockets' family.
    pub family: Family,
    /// A program that the kernel runs on each socket; empty for all sockets.
    pub bytecode: &'a [u8],
}

impl ConnectionsRequest<'_> {
    /// Those that are open at one end at least, or whose last octets are not acknowledged. Not those
    /// that begin: they are there a moment later; nor those that have said everything.
    pub const STATES: [State; 5] =
        [State::ESTABLISHED, State::FIN_WAIT1, State::CLOSE_WAIT, State::LAST_ACK, State::CLOSING];

    /// Writes the request into `out`, replacing what is in there.
    ///
    /// # Errors
    /// When the bytecode is longer than [`MAX_BYTECODE`].
    pub fn write(&self, sequence: u32, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let states = Self::STATES.iter().fold(0, |states, state| states | state.bit());
        write_dump(out, sequence, (self.family, Protocol::Tcp, 0), states, self.bytecode)
    }
}

fn write_dump(
    out: &mut Vec<u8>,
    sequence: u32,
    (family, protocol, extensions): (Family, Protocol, u8),
    states: u32,
    bytecode: &[u8],
) -> Result<(), Malformed> {
    netlink::start(out, SOCK_DIAG_BY_FAMILY, flags::REQUEST | flags::DUMP, sequence);
    out.extend_from_slice(&[family.code(), protocol_code(protocol), extensions, 0]);
    out.extend_from_slice(&states.to_ne_bytes());
    out.extend_from_slice(&[0; SOCKET_ID_LENGTH]);
    if !bytecode.is_empty() {
        netlink::push_attribute(out, REQ_BYTECODE, bytecode)?;
    }
    netlink::finish(out);
    Ok(())
}

/// Asks which socket would get traffic to an address and port: one lookup, no walk.
///
/// The kernel answers as the stack would: a wildcard socket for a specific address, any one
/// member of a `SO_REUSEPORT` group, and it does not care whether the address is local.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExactQuery {
    /// The protocol.
    pub protocol: Protocol,
    /// Where the traffic goes. The unspecified address finds the wildcard socket itself.
    pub address: IpAddr,
    /// The port that the traffic goes to.
    pub port: u16,
    /// The interface that the traffic comes in by: needed to find sockets bound to a device.
    pub interface: Option<NonZeroU32>,
}

impl ExactQuery {
    /// The size of every exact query.
    pub const LENGTH: usize = HEADER_LENGTH + 8 + SOCKET_ID_LENGTH;

    /// The request as bytes.
    pub fn encode(&self, sequence: u32) -> [u8; Self::LENGTH] {
        // IPv4-mapped addresses are looked up as IPv4: that finds sockets of both families.
        let address = self.address.to_canonical();
        let (family, local, none): (_, [u8; 16], [u8; 16]) = match address {
            IpAddr::V4(v4) => (Family::V4, left_aligned(v4), [0; 16]),
            IpAddr::V6(v6) => (Family::V6, v6.octets(), Ipv6Addr::UNSPECIFIED.octets()),
        };
        let port = self.port.to_be_bytes();
        // inet_diag_find_one_icsk reads src as our side. udp_dump_one (net/ipv4/udp_diag.c)
        // reads dst as our side, and keeps doing so "for historical reasons".
        let (sport, dport, src, dst) = match self.protocol {
            Protocol::Tcp => (port, [0; 2], local, none),
            Protocol::Udp => ([0; 2], port, none, local),
        };
        let interface = self.interface.map_or(0, NonZeroU32::get).to_ne_bytes();

        let mut out = [0; Self::LENGTH];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            if let Some(field) = out.get_mut(at..at + bytes.len()) {
                field.copy_from_slice(bytes);
            }
            at += bytes.len();
        };
        // nlmsghdr
        put(&(Self::LENGTH as u32).to_ne_bytes());
        put(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        put(&flags::REQUEST.to_ne_bytes());
        put(&sequence.to_ne_bytes());
        put(&[0; 4]);
        // inet_diag_req_v2; the states are not read for an exact query.
        put(&[family.code(), protocol_code(self.protocol), 0, 0]);
        put(&[0; 4]);
        put(&sport);
        put(&dport);
        put(&src);
        put(&dst);
        put(&interface);
        // INET_DIAG_NOCOOKIE: whichever socket it is.
        put(&[0xff; 8]);
        out
    }
}

fn left_aligned(v4: Ipv4Addr) -> [u8; 16] {
    let [a, b, c, d] = v4.octets();
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_asks_for_listen_only() {
        let mut out = Vec::new();
        let mut request = DumpRequest {
            family: Family::V4,
            protocol: Protocol::Tcp,
            bytecode: &[],
            memory: false,
        };
        request.write(5, &mut out).unwrap();
        assert_eq!(out.len(), 72);
        assert_eq!(out[..4], 72_u32.to_ne_bytes());
        assert_eq!(out[4..6], 20_u16.to_ne_bytes());
        assert_eq!(out[6..8], 0x301_u16.to_ne_bytes());
        assert_eq!(out[8..12], 5_u32.to_ne_bytes());
        assert_eq!(out[16..18], [2, 6]);
        assert_eq!(out[20..24], 0x400_u32.to_ne_bytes());
        assert!(out[24..].iter().all(|&byte| byte == 0));
        assert_eq!(out[18], 0);
        request.memory = true;
        request.write(5, &mut out).unwrap();
        assert_eq!(out[18], 0x40, "INET_DIAG_SKMEMINFO is attribute 7");

        let udp = DumpRequest {
            family: Family::V6,
            protocol: Protocol::Udp,
            bytecode: &[],
            memory: false,
        };
        udp.write(6, &mut out).unwrap();
        assert_eq!(out[16..18], [10, 17]);
        assert_eq!(out[20..24], 0x80_u32.to_ne_bytes());
    }

    #[test]
    fn connections_are_those_that_still_speak() {
        let mut out = Vec::new();
        let request = ConnectionsRequest { family: Family::V6, bytecode: &[] };
        request.write(7, &mut out).unwrap();
        assert_eq!(out[6..8], 0x301_u16.to_ne_bytes());
        assert_eq!(out[16..20], [10, 6, 0, 0]);
        assert_eq!(out[20..24], 0b1011_0001_0010_u32.to_ne_bytes());
    }

    #[test]
    fn bytecode_is_an_attribute() {
        let mut out = Vec::new();
        let mut request = DumpRequest {
            family: Family::V4,
            protocol: Protocol::Tcp,
            bytecode: &[11, 8, 12, 0, 0, 0, 80, 0],
            memory: false,
        };
        request.write(1, &mut out).unwrap();
        assert_eq!(out.len(), 84);
        assert_eq!(out[..4], 84_u32.to_ne_bytes());
        assert_eq!(out[72..74], 12_u16.to_ne_bytes());
        assert_eq!(out[74..76], 1_u16.to_ne_bytes());
        assert_eq!(out[76..], *request.bytecode);

        let most = [0; MAX_BYTECODE + 4];
        request.bytecode = &most[..MAX_BYTECODE];
        assert!(request.write(1, &mut out).is_ok());
        request.bytecode = &most;
        assert!(request.write(1, &mut out).is_err());
    }

    #[test]
    fn exact_queries_swap_the_sides_for_udp() {
        let mut query = ExactQuery {
            protocol: Protocol::Tcp,
            address: "127.9.8.7".parse().unwrap(),
            port: 0x1f90,
            interface: NonZeroU32::new(3),
        };
        let tcp = query.encode(9);
        assert_eq!(tcp[6..8], 1_u16.to_ne_bytes(), "no dump");
        assert_eq!(tcp[16..18], [2, 6]);
        assert_eq!(tcp[24..28], [0x1f, 0x90, 0, 0]);
        assert_eq!(tcp[28..32], [127, 9, 8, 7]);
        assert!(tcp[32..60].iter().all(|&byte| byte == 0));
        assert_eq!(tcp[60..64], 3_u32.to_ne_bytes());
        assert_eq!(tcp[64..], [0xff; 8]);

        query.protocol = Protocol::Udp;
        let udp = query.encode(9);
        assert_eq!(udp[16..18], [2, 17]);
        assert_eq!(udp[24..28], [0, 0, 0x1f, 0x90]);
        assert!(udp[28..44].iter().all(|&byte| byte == 0));
        assert_eq!(udp[44..48], [127, 9, 8, 7]);
    }

    #[test]
    fn mapped_addresses_are_asked_as_ipv4() {
        let query = |address: &str| {
            ExactQuery {
                protocol: Protocol::Tcp,
                address: address.parse().unwrap(),
                port: 80,
                interface: None,
            }
            .encode(1)
        };
        assert_eq!(query("::ffff:192.0.2.1"), query("192.0.2.1"));
        assert_eq!(query("2001:db8::1")[16], 10);
        assert_eq!(query("::")[16], 10);
    }
}
