//! What must hold for any two addresses: the body of a fuzz target in `fuzz/`, replayed by
//! `cargo test`. A broken rule panics; nothing else calls this.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Connection, MAX_HEADER, SIGNATURE, Version, header};

/// Two octets choose the families, then come two addresses and two ports: headers are as long as
/// they say, and version 1 is one line of text.
#[doc(hidden)]
pub fn fuzz_proxy_header(input: &[u8]) {
    let Some((families, rest)) = input.split_first_chunk::<2>() else { return };
    let Some((from, rest)) = rest.split_first_chunk::<16>() else { return };
    let Some((to, rest)) = rest.split_first_chunk::<16>() else { return };
    let Some(([a, b, c, d], _)) = rest.split_first_chunk::<4>() else { return };
    let address = |octets: &[u8; 16], family: u8| {
        let [a, b, c, d, ..] = *octets;
        if family.is_multiple_of(2) {
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        } else {
            IpAddr::V6(Ipv6Addr::from(*octets))
        }
    };
    let [first, second] = *families;
    let source = SocketAddr::new(address(from, first), u16::from_be_bytes([*a, *b]));
    let destination = SocketAddr::new(address(to, second), u16::from_be_bytes([*c, *d]));
    let connection = Connection::Proxied { source, destination };

    let text = header(Version::V1, connection);
    assert!(text.len() <= MAX_HEADER, "a line that every server takes");
    let body = text.strip_suffix(b"\r\n");
    assert!(body.is_some_and(|line| line.iter().all(|o| (0x20..0x7f).contains(o))), "one line");
    let words = text.split(|octet| *octet == b' ').count();
    assert_eq!(words, 6, "six words");

    let octets = header(Version::V2, connection);
    assert!(octets.starts_with(&SIGNATURE), "the signature");
    let length = octets
        .get(14..16)
        .map(|field| field.iter().fold(0, |sum, octet| sum * 256 + usize::from(*octet)));
    assert_eq!(length.map(|length| length + 16), Some(octets.len()), "as long as it says");
}
