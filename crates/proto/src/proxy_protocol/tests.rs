use alloc::string::ToString;

use proptest::prelude::*;

use super::*;

/// What a server reads: version 1 by words, version 2 by places.
fn read(octets: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    if let Some(rest) = octets.strip_prefix(&SIGNATURE) {
        let (family, size) = match rest {
            [0x21, 0x11, 0, 12, rest @ ..] => (rest, 4),
            [0x21, 0x21, 0, 36, rest @ ..] => (rest, 16),
            _ => return None,
        };
        let address = |octets: &[u8]| match <[u8; 4]>::try_from(octets) {
            Ok(octets) => IpAddr::from(octets),
            Err(_) => IpAddr::from(<[u8; 16]>::try_from(octets).unwrap()),
        };
        let port = |at: usize| u16::from_be_bytes([family[at], family[at + 1]]);
        assert_eq!(family.len(), 2 * size + 4);
        let source = SocketAddr::new(address(&family[..size]), port(2 * size));
        let destination = SocketAddr::new(address(&family[size..2 * size]), port(2 * size + 2));
        return Some((source, destination));
    }
    let line = core::str::from_utf8(octets).unwrap().strip_suffix("\r\n").unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let ["PROXY", family, from, to, from_port, to_port] = words[..] else { return None };
    assert!(family == "TCP4" || !(from.contains('.') || to.contains('.')), "{line}");
    let address = |text: &str| match family {
        "TCP4" => IpAddr::V4(text.parse().unwrap()),
        "TCP6" => IpAddr::V6(text.parse().unwrap()),
        _ => panic!("{family}"),
    };
    let source = SocketAddr::new(address(from), from_port.parse().unwrap());
    Some((source, SocketAddr::new(address(to), to_port.parse().unwrap())))
}

fn proxied(source: &str, destination: &str) -> Connection {
    Connection::Proxied {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    }
}

#[test]
fn the_examples_of_the_specification() {
    let connection = proxied("192.168.0.1:56324", "192.168.0.11:443");
    assert_eq!(
        header(Version::V1, connection),
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"
    );
    assert_eq!(
        header(Version::V2, connection),
        b"\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A\x21\x11\x00\x0C\
          \xC0\xA8\x00\x01\xC0\xA8\x00\x0B\xDC\x04\x01\xBB"
    );
    assert_eq!(header(Version::V1, Connection::Local), b"PROXY UNKNOWN\r\n");
    assert_eq!(
        header(Version::V2, Connection::Local),
        b"\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A\x20\x00\x00\x00"
    );
    // The worst cases that section 2.1 counts.
    let wide = proxied("255.255.255.255:65535", "255.255.255.255:65535");
    assert_eq!(header(Version::V1, wide).len(), 56);
    let host = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    assert_eq!(header(Version::V1, proxied(host, host)).len(), MAX_HEADER);
}

#[test]
fn families_are_never_mixed() {
    let line = |source, destination| {
        let octets = header(Version::V1, proxied(source, destination));
        String::from_utf8(octets).unwrap().trim_end().to_string()
    };
    assert_eq!(
        line("[2001:db8::1]:1", "[2001:db8::2]:2"),
        "PROXY TCP6 2001:db8::1 2001:db8::2 1 2"
    );
    assert_eq!(line("[::ffff:192.0.2.1]:1", "192.0.2.2:2"), "PROXY TCP4 192.0.2.1 192.0.2.2 1 2");
    assert_eq!(line("192.0.2.1:1", "[::1]:2"), "PROXY TCP6 ::ffff:c000:201 ::1 1 2");
}

#[test]
fn versions_have_names() {
    assert_eq!("v1".parse(), Ok(Version::V1));
    assert_eq!(Version::V2.to_string().parse(), Ok(Version::V2));
    assert_eq!(
        "2".parse::<Version>().unwrap_err().to_string(),
        "\"2\" is no version of the PROXY protocol: write v1 or v2"
    );
}

proptest! {
    #[test]
    fn what_is_sent_is_read(source: SocketAddr, destination: SocketAddr) {
        let connection = Connection::Proxied { source, destination };
        let canonical = |one: SocketAddr| (one.ip().to_canonical(), one.port());
        for version in [Version::V1, Version::V2] {
            let (from, to) = read(&header(version, connection)).unwrap();
            prop_assert_eq!(canonical(from), canonical(source));
            prop_assert_eq!(canonical(to), canonical(destination));
        }
    }

    #[test]
    fn any_octets(octets in proptest::collection::vec(any::<u8>(), 38)) {
        fuzz_proxy_header(&octets);
    }
}
