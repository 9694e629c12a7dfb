//! Links and addresses read from bytes that Linux 6.18 sent.

use alloc::vec::Vec;
use core::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::netlink::{Body, Messages};

const LOOPBACK: &str = "4c0000001400020009000000b7330000020880fe01000000080001007f0000010800\
    02007f000001070003006c6f0000080008008000000014000600ffffffffffffffff1a8002001a800200";
const LABELLED: &str = "500000001400020009000000b7330000022080000100000008000100c00002090800\
    0200c00002090b0003006c6f3a7765620000080008008000000014000600ffffffffffffffff1a8002001a800200";
const PEER: &str = "4c0000001400020009000000b73300000220800001000000080001000a09000208000200\
    0a090001070003006c6f0000080008008000000014000600ffffffffffffffff1a8002001a800200";
const LOOPBACK6: &str = "500000001400020009000000b73300000a8080fe0100000014000100000000000000\
    0000000000000000000114000600ffffffffffffffff1a8002001a800200080008008000000005000b0001000000";

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn parse(datagram: &[u8]) -> RouteMessage {
    let message = Messages::new(datagram).next().unwrap().unwrap();
    let Body::Data { kind, payload } = message.body else {
        panic!("{message:?}")
    };
    RouteMessage::parse(kind, payload).unwrap()
}

fn address(hex: &str) -> AddressInfo {
    match parse(&bytes(hex)) {
        RouteMessage::Address(address) => address,
        other => panic!("{other:?}"),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
#[cfg(target_endian = "little")]
fn addresses_of_a_dump() {
    let loopback = address(LOOPBACK);
    assert_eq!(
        (loopback.local, loopback.prefix_length),
        (ip("127.0.0.1"), 8)
    );
    assert_eq!(
        (loopback.interface, loopback.label.as_deref()),
        (1, Some("lo"))
    );

    let labelled = address(LABELLED);
    assert_eq!(
        (labelled.local, labelled.prefix_length),
        (ip("192.0.2.9"), 32)
    );
    assert_eq!(labelled.label.as_deref(), Some("lo:web"));

    let peer = address(PEER);
    assert_eq!((peer.local, peer.peer), (ip("10.9.0.1"), ip("10.9.0.2")));

    let loopback6 = address(LOOPBACK6);
    assert_eq!((loopback6.local, loopback6.peer), (ip("::1"), ip("::1")));
    assert_eq!((loopback6.prefix_length, loopback6.label), (128, None));
    assert_eq!(loopback6.flags, AddressFlags(0x80));
}

#[test]
fn flags_of_32_bits_win_over_the_eight() {
    let mut payload = Vec::from([10, 64, 0x80, 0, 4, 0, 0, 0]);
    let v6: [u8; 16] = [0x20; 16];
    netlink::push_attribute(&mut payload, 1, &v6).unwrap();
    netlink::push_attribute(&mut payload, 8, &0xc8_u32.to_ne_bytes()).unwrap();
    let RouteMessage::AddressGone(address) = RouteMessage::parse(RTM_DELADDR, &payload).unwrap()
    else {
        panic!()
    };
    assert!(address.flags.tentative() && address.flags.dad_failed());
    assert_eq!(address.local, IpAddr::from(v6));
}

/// A link message: family, flags, operational state, name.
fn link(family: u8, flags: u32, state: u8, name: &[u8]) -> Vec<u8> {
    let mut payload = Vec::from([family, 0, 0, 0]);
    payload.extend_from_slice(&7_u32.to_ne_bytes());
    payload.extend_from_slice(&flags.to_ne_bytes());
    payload.extend_from_slice(&[0; 4]);
    netlink::push_attribute(&mut payload, 3, name).unwrap();
    netlink::push_attribute(&mut payload, 16, &[state]).unwrap();
    // IFLA_STATS64 of a kernel that knows more counters than we do.
    netlink::push_attribute(&mut payload, 23, &[0; 333]).unwrap();
    payload
}

#[test]
fn a_link_is_up_when_packets_can_flow() {
    for (flags, state, up, why) in [
        (0x1_0043, 6, true, "an Ethernet interface with a carrier"),
        (0x1_0043, 0, true, "a bridge without ports, a tunnel"),
        (0x1003, 2, false, "the far end is down"),
        (0x1003, 3, false, "the lower layer is down"),
        (
            0x1_0043,
            5,
            false,
            "dormant: 802.1X has not opened the port",
        ),
        (0x1_0042, 6, false, "the administrator took it down"),
        (0x1_0049, 0, true, "loopback"),
        (0x0049, 2, true, "loopback needs no carrier"),
        (0x0008, 2, false, "loopback that is down"),
    ] {
        let message = RouteMessage::parse(RTM_NEWLINK, &link(0, flags, state, b"x\0")).unwrap();
        let RouteMessage::Link(link) = message else {
            panic!("{message:?}")
        };
        assert_eq!(link.is_up(), up, "{why}");
        assert_eq!((link.index, link.name.as_str()), (7, "x"));
    }
}

#[test]
fn a_port_that_leaves_its_bridge_is_no_link_that_goes() {
    let port = link(7, 0x1_0043, 6, b"veth0\0");
    assert_eq!(
        RouteMessage::parse(RTM_DELLINK, &port),
        Ok(RouteMessage::Other)
    );
    let gone = link(0, 0, 2, b"veth0\0");
    assert_eq!(
        RouteMessage::parse(RTM_DELLINK, &gone),
        Ok(RouteMessage::LinkGone(7))
    );
}

#[test]
fn dumps_have_zero_fixed_parts() {
    let mut out = Vec::new();
    RouteDump::Links.write(3, &mut out);
    assert_eq!(out.len(), 32);
    assert_eq!(out[4..6], 18_u16.to_ne_bytes());
    RouteDump::Addresses.write(4, &mut out);
    assert_eq!(out.len(), 24);
    assert_eq!(out[4..6], 22_u16.to_ne_bytes());
    assert_eq!(out[8..12], 4_u32.to_ne_bytes());
    assert!(out[16..].iter().all(|&byte| byte == 0));
}

#[test]
fn broken_messages_are_errors() {
    assert!(RouteMessage::parse(RTM_NEWLINK, &[0; 15]).is_err());
    assert!(RouteMessage::parse(RTM_NEWADDR, &[0; 7]).is_err());
    let mut payload = Vec::from([2, 32, 0, 0, 1, 0, 0, 0]);
    netlink::push_attribute(&mut payload, 2, &[1, 2, 3]).unwrap();
    assert_eq!(
        RouteMessage::parse(RTM_NEWADDR, &payload),
        Err(Malformed::Attribute { kind: 2, length: 3 })
    );
    assert_eq!(
        RouteMessage::parse(RTM_NEWADDR, &payload[..8]),
        Ok(RouteMessage::Other),
        "no address in it"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_without_panic(
        kind in 16_u16..24,
        payload in proptest::collection::vec(prop_oneof![Just(0_u8), Just(2), Just(10), any::<u8>()], 0..120)
    ) {
        let _ = RouteMessage::parse(kind, &payload);
    }
}
