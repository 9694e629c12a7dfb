//! Half-open connections: SYNs from addresses where nobody answers.

use crate::netns::Netns;
use crate::{LabError, Result};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::net::{Ipv4Addr, SocketAddrV4};

/// `IPPROTO_RAW`: the caller writes the IP header.
const RAW: i32 = 255;
const TCP: u8 = 6;
const SYN: u8 = 0x02;

/// Sends one SYN from each source port to a target. The source must be an address that the
/// target can route to and that nobody has.
pub fn half_open(
    from: &Netns,
    source: Ipv4Addr,
    target: SocketAddrV4,
    ports: std::ops::Range<u16>,
) -> Result<()> {
    let sent = from.within(|| -> std::io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(RAW)))?;
        for port in ports {
            let packet = syn(SocketAddrV4::new(source, port), target);
            socket.send_to(&packet, &SockAddr::from(target))?;
        }
        Ok(())
    })?;
    sent.map_err(LabError::io("send SYNs"))
}

/// An IPv4 packet with a TCP SYN (RFC 791 section 3.1, RFC 9293 section 3.1).
fn syn(source: SocketAddrV4, target: SocketAddrV4) -> Vec<u8> {
    let mut tcp = Vec::with_capacity(20);
    tcp.extend_from_slice(&source.port().to_be_bytes());
    tcp.extend_from_slice(&target.port().to_be_bytes());
    tcp.extend_from_slice(&u32::from(source.port()).to_be_bytes()); // sequence number
    tcp.extend_from_slice(&[0; 4]); // acknowledgement number
    tcp.extend_from_slice(&[5 << 4, SYN]); // header of five words
    tcp.extend_from_slice(&64_240_u16.to_be_bytes()); // window
    tcp.extend_from_slice(&[0; 4]); // checksum, urgent pointer

    let mut pseudo = Vec::with_capacity(32);
    pseudo.extend_from_slice(&source.ip().octets());
    pseudo.extend_from_slice(&target.ip().octets());
    pseudo.extend_from_slice(&[0, TCP, 0, 20]);
    pseudo.extend_from_slice(&tcp);
    let sum = checksum(&pseudo).to_be_bytes();
    tcp.splice(16..18, sum);

    // Length, identification and checksum of the IP header are filled in by the kernel.
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, TCP, 0, 0];
    packet.extend_from_slice(&source.ip().octets());
    packet.extend_from_slice(&target.ip().octets());
    packet.extend_from_slice(&tcp);
    packet
}

/// RFC 1071, for an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks_exact(2) {
        let word = pair.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        sum += word;
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_verifies() {
        let source = SocketAddrV4::new(Ipv4Addr::new(10, 9, 0, 77), 4000);
        let target = SocketAddrV4::new(Ipv4Addr::new(100, 64, 0, 10), 80);
        let packet = syn(source, target);
        assert_eq!(packet.len(), 40);
        let mut pseudo = packet.get(12..20).unwrap().to_vec();
        pseudo.extend_from_slice(&[0, TCP, 0, 20]);
        pseudo.extend_from_slice(packet.get(20..).unwrap());
        assert_eq!(checksum(&pseudo), 0, "a sum over a correct checksum is zero");
    }
}
