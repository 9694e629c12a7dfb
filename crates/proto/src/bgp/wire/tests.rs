//! Bytes by hand from the RFCs, and what each malformed message leads to.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr};

use ha2bgp_core::net::Prefix;

use super::*;

mod malformed;
mod oracle;

const SHAPE: Shape = Shape { max: MAX_MESSAGE, path_id: None, link_local: LinkLocal::Double };

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}

fn show(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// Compares a message with marker-less hex.
#[track_caller]
fn golden(message: &[u8], want: &str) {
    let want = [&[0xff; 16][..], &hex(want)].concat();
    assert_eq!(show(message), show(&want));
}

pub(super) fn plain() -> Attributes {
    Attributes {
        as_path: Vec::new(),
        four_octet_as: true,
        med: None,
        local_pref: Some(100),
        communities: Vec::new(),
        extended_communities: Vec::new(),
        large_communities: Vec::new(),
        only_to_customer: None,
    }
}

/// Hands out prefixes as a session does.
pub(super) fn feeder(prefixes: &[&str]) -> impl FnMut(usize) -> Option<Prefix> + use<> {
    let mut waiting: Vec<Prefix> = prefixes.iter().rev().map(|it| it.parse().unwrap()).collect();
    move |room| {
        let next = *waiting.last()?;
        if nlri_len(next) > room {
            return None;
        }
        waiting.pop()
    }
}

fn announce(family: Family, next_hop: &str, attributes: &Attributes, prefixes: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    let next_hop: IpAddr = next_hop.parse().unwrap();
    let count =
        encode_announce(&mut out, family, next_hop, attributes, SHAPE, &mut feeder(prefixes));
    assert_eq!(count, prefixes.len());
    out
}

#[test]
fn keepalive() {
    let mut out = Vec::new();
    encode_keepalive(&mut out);
    golden(&out, "0013 04");
}

#[test]
fn updates_as_exabgp_expects_them() {
    // `qa/api/api-healthcheck-module.ci` of ExaBGP: MED 100 in iBGP.
    let attributes = Attributes { med: Some(100), ..plain() };
    golden(
        &announce(Family::Ipv4, "127.0.0.1", &attributes, &["10.0.0.1/32"]),
        "0038 02 0000 001C 40010100 400200 4003047F000001 80040400000064 40050400000064 200A000001",
    );
    let mut out = Vec::new();
    encode_withdraw(&mut out, Family::Ipv4, SHAPE, &mut feeder(&["10.0.0.1/32"]));
    golden(&out, "001C 02 0005 200A000001 0000");
    out.clear();
    encode_end_of_rib(&mut out, Family::Ipv4);
    golden(&out, "0017 02 00000000");
}

/// One UPDATE of iBGP a family: the same address, spelled in three ways.
#[test]
fn link_local_next_hops() {
    let (zeros, octets) = ("00000000000000000000000000000000", "FE800000000000000000000000000002");
    for (link_local, next_hop) in [
        (LinkLocal::Native, alloc::format!("20 {zeros} {octets}")),
        (LinkLocal::Single, alloc::format!("10 {octets}")),
        (LinkLocal::Double, alloc::format!("20 {octets} {octets}")),
    ] {
        for (prefix, family, nlri) in [
            ("100.64.0.1/32", Family::Ipv4, "0001 01 NEXTHOP 00 2064400001"),
            ("2001:db8::/32", Family::Ipv6, "0002 01 NEXTHOP 00 2020010DB8"),
        ] {
            let mut out = Vec::new();
            let shape = Shape { link_local, ..SHAPE };
            let hop: IpAddr = "fe80::2".parse().unwrap();
            let mut next = feeder(&[prefix]);
            assert_eq!(encode_announce(&mut out, family, hop, &plain(), shape, &mut next), 1);
            let reach = nlri.replace("NEXTHOP", &next_hop);
            let length = hex(&reach).len();
            let rest = "40010100 400200 40050400000064";
            let want = alloc::format!(
                "{:04x} 02 0000 {:04x} 900E {length:04x} {reach} {rest}",
                19 + 4 + 4 + length + 14,
                4 + length + 14
            );
            golden(&out, &want);
            let context = Context { extended_next_hop: true, ..malformed::context(true) };
            let mut hops = Vec::new();
            let mut visit = |heard: Heard| hops.extend(heard.path.map(|path| path.next_hop));
            let received = inspect_update(&out[19..], &context, &mut visit).unwrap();
            assert_eq!((received.malformed, hops), (None, [hop].to_vec()));
        }
        // A global address is spelled in one way only.
        let shape = Shape { link_local, ..SHAPE };
        let (mut one, mut other) = (Vec::new(), Vec::new());
        for (out, shape) in [(&mut one, shape), (&mut other, SHAPE)] {
            let hop = "2001:db8::2".parse().unwrap();
            let mut next = feeder(&["2001:db8::/32"]);
            encode_announce(out, Family::Ipv6, hop, &plain(), shape, &mut next);
        }
        assert_eq!(one, other);
    }
}

#[test]
fn external_update_with_everything() {
    let attributes = Attributes {
        as_path: [Asn(65000); 2].to_vec(),
        med: Some(7),
        local_pref: None,
        communities: [0xfde8_0050, 0xffff_0000].to_vec(),
        extended_communities: [[0x40, 4, 0xfd, 0xe8, 0x4c, 0xee, 0x6b, 0x28]].to_vec(),
        large_communities: [[65000, 1, 2]].to_vec(),
        only_to_customer: Some(Asn(65000)),
        ..plain()
    };
    golden(
        &announce(Family::Ipv4, "192.0.2.1", &attributes, &["100.64.0.0/10", "0.0.0.0/0"]),
        "0066 02 0000 004B
         40010100 40020A 0202 0000FDE8 0000FDE8 400304C0000201 80040400000007
         C00808 FDE80050 FFFF0000 C01008 4004FDE84CEE6B28
         C0200C 0000FDE8 00000001 00000002 C02304 0000FDE8
         0A6440 00",
    );
}

#[test]
fn two_octet_peers_get_as_trans_and_as4_path() {
    let attributes = Attributes {
        as_path: [Asn(4_200_000_000)].to_vec(),
        four_octet_as: false,
        local_pref: None,
        ..plain()
    };
    golden(
        &announce(Family::Ipv4, "192.0.2.1", &attributes, &["192.0.2.0/25"]),
        "0037 02 0000 001B 40010100 400204 0201 5BA0 400304C0000201 C01106 0201 FA56EA00
         19C0000200",
    );
    // Fits: no AS4_PATH (RFC 6793 section 4.2.2).
    let attributes = Attributes { as_path: [Asn(65000)].to_vec(), ..attributes };
    golden(
        &announce(Family::Ipv4, "192.0.2.1", &attributes, &["192.0.2.0/25"]),
        "002E 02 0000 0012 40010100 400204 0201 FDE8 400304C0000201 19C0000200",
    );
}

#[test]
fn ipv6_routes_and_ipv4_over_ipv6_next_hop() {
    golden(
        &announce(Family::Ipv6, "2001:db8::1", &plain(), &["2001:db8:100::10/128"]),
        "004F 02 0000 0038
         900E0026 0002 01 10 20010DB8000000000000000000000001 00 80 20010DB8010000000000000000000010
         40010100 400200 40050400000064",
    );
    golden(
        &announce(Family::Ipv4, "2001:db8::1", &plain(), &["192.0.2.1/32"]),
        "0043 02 0000 002C
         900E001A 0001 01 10 20010DB8000000000000000000000001 00 20C0000201
         40010100 400200 40050400000064",
    );
    let mut out = Vec::new();
    encode_withdraw(&mut out, Family::Ipv6, SHAPE, &mut feeder(&["2001:db8::/32"]));
    golden(&out, "0023 02 0000 000C 900F0008 0002 01 20 20010DB8");
    out.clear();
    encode_end_of_rib(&mut out, Family::Ipv6);
    golden(&out, "001D 02 0000 0006 800F03 0002 01");
}

#[test]
fn messages_are_filled_and_never_overfilled() {
    let hosts: Vec<String> =
        (0..2000u32).map(|n| Ipv4Addr::from_bits(0x6440_0000 | n).to_string() + "/32").collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let mut next = feeder(&hosts);
    let mut out = Vec::new();
    let next_hop = "192.0.2.1".parse().unwrap();
    let count = encode_announce(&mut out, Family::Ipv4, next_hop, &plain(), SHAPE, &mut next);
    assert_eq!(count, (4096 - 23 - 21) / 5);
    assert!(out.len() <= 4096 && out.len() > 4091);
    out.clear();
    let count = encode_withdraw(&mut out, Family::Ipv4, SHAPE, &mut next);
    assert_eq!(count, (4096 - 23) / 5);
    assert!(out.len() <= 4096 && out.len() > 4091);
    let hosts: Vec<String> = (0..600u32).map(|n| alloc::format!("2001:db8::{n:x}/128")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let mut next = feeder(&hosts);
    let next_hop = "2001:db8::1".parse().unwrap();
    for size in [4096, 65_535] {
        out.clear();
        encode_announce(
            &mut out,
            Family::Ipv6,
            next_hop,
            &plain(),
            Shape { max: size, ..SHAPE },
            &mut next,
        );
        assert!(out.len() <= size);
    }
}

#[test]
fn open_with_capabilities() {
    let open = Open {
        my_as: 65000,
        hold_time: 9,
        id: Ipv4Addr::new(10, 1, 1, 1),
        capabilities: [
            Capability::family(Family::Ipv4),
            Capability::family(Family::Ipv6),
            Capability::RouteRefresh,
            Capability::ExtendedNextHop([(1, 1, 2)].to_vec()),
            Capability::ExtendedMessages,
            Capability::Role(3),
            Capability::GracefulRestart {
                restarting: true,
                notification: true,
                restart_time: 20,
                families: [(1, 1, true), (2, 1, true)].to_vec(),
            },
            Capability::FourOctetAs(Asn(65000)),
            Capability::EnhancedRouteRefresh,
            Capability::Fqdn { host: "lb1".to_string(), domain: "example".to_string() },
        ]
        .to_vec(),
    };
    let mut out = Vec::new();
    open.encode(&mut out);
    golden(
        &out,
        "005C 01 04 FDE8 0009 0A010101 3F 02 3D
         0104 0001 00 01 0104 0002 00 01 0200 0506 0001 0001 0002 0600 0901 03
         400A C014 0001 01 80 0002 01 80 4104 0000FDE8 4600
         490C 03 6C6231 07 6578616D706C65",
    );
    let (back, parameters) = Open::decode(&out[HEADER..]).unwrap();
    assert_eq!(back, open);
    assert_eq!(parameters, Ok(()));
}

#[test]
fn long_capabilities_take_extended_parameters() {
    let big = Capability::Other { code: 200, value: [7; 250].to_vec() };
    let open = Open {
        my_as: 65000,
        hold_time: 9,
        id: Ipv4Addr::new(10, 1, 1, 1),
        capabilities: [big, Capability::RouteRefresh].to_vec(),
    };
    let mut out = Vec::new();
    open.encode(&mut out);
    // RFC 9072 section 2: FF FF, the whole length, then type and a length of two octets.
    assert_eq!(out[28..37], hex("FF FF 0101 02 00FE C8FA 07")[..9]);
    let (back, parameters) = Open::decode(&out[HEADER..]).unwrap();
    assert_eq!((back, parameters), (open, Ok(())));
}

#[test]
fn notifications_and_refreshes() {
    let mut out = Vec::new();
    Notification::cease(Cease::Shutdown, "bye").encode(&mut out);
    golden(&out, "0019 03 06 02 03 627965");
    let back = Notification::decode(&out[HEADER..]);
    assert_eq!(back.to_string(), "6/2 administrative shutdown: \"bye\"");
    out.clear();
    Notification::cease(Cease::Shutdown, "bye").hard().encode(&mut out);
    golden(&out, "001B 03 06 09 06 02 03 627965");
    let back = Notification::decode(&out[HEADER..]);
    assert_eq!(back.to_string(), "6/9 hard reset: \"bye\"");
    // 255 octets, cut at a character; never with other subcodes.
    let long = "ä".repeat(200);
    assert_eq!(Notification::cease(Cease::Reset, &long).data.len(), 255);
    assert!(Notification::cease(Cease::Collision, "x").data.is_empty());
    // A length that lies.
    let lies = Notification::with_data(6, 2, b"\xffhi\x1b[0m");
    assert_eq!(lies.communication().unwrap(), "hi?[0m");
    out.clear();
    encode_refresh(&mut out, Family::Ipv6, Refresh::Begin);
    golden(&out, "0017 05 0002 01 01");
    assert_eq!(decode_refresh(&out, true), Ok(Some((Family::Ipv6, Refresh::Begin))));
    assert_eq!(decode_refresh(&out, false), Ok(None));
}
