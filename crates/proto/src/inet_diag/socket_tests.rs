//! Sockets read from bytes that Linux 6.18 sent, and from bytes that nobody should send.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::netlink::{Body, Messages};

/// `inet_diag_msg` of a listener on 127.77.1.1, with attributes, nlmsghdr first.
const TCP4: &str = "\
    7c0000001400020009000000bace60eb020a0000964b00007f4d0101000000000000000000000000\
    00000000000000000000000000000000000000007910000000000000000000000000000004000000\
    00000000d0200100050008000000000008000f00000000000c001500010000000000000006001600\
    52000000";
/// A v6only listener on ::1.
const TCP6_ONLY: &str = "\
    8400000014000200090000001080b2f60a0a0000c633000000000000000000000000000000000001\
    00000000000000000000000000000000000000007a10000000000000000000000000000004000000\
    00000000d2200100050008000000000005000b000100000008000f00000000000c00150001000000\
    000000000600160012000000";
/// A dual-stack listener on ::.
const TCP6_DUAL: &str = "\
    8400000014000200090000001080b2f60a0a0000aed5000000000000000000000000000000000000\
    00000000000000000000000000000000000000007b10000000000000000000000000000004000000\
    00000000d3200100050008000000000005000b000000000008000f00000000000c00150001000000\
    000000000600160012000000";
/// An unconnected UDP socket on 127.77.1.1.
const UDP4: &str = "\
    7c0000001400020009000000dcb3348402070000d4bb00007f4d0101000000000000000000000000\
    00000000000000000000000000000000000000007c10000000000000000000000000000000000000\
    00000000d5200100050008000000000008000f00000000000c001500010000000000000006001600\
    50000000";
/// The destroy event of the UDP socket.
const UDP4_DESTROYED: &str = "\
    6000000014000000000000000000000002070000d4bb00007f4d0101000000000000000000000000\
    00000000000000000000000000000000000000007c100000000000000000000000000000ffffffff\
    000000000000000005000a0011000000";

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The captures were made on a little-endian host.
fn parse(hex: &str) -> DiagSocket {
    let datagram = bytes(hex);
    let message = Messages::new(&datagram).next().unwrap().unwrap();
    let Body::Data { kind, payload } = message.body else { panic!("{message:?}") };
    assert_eq!(kind, SOCK_DIAG_BY_FAMILY);
    DiagSocket::parse(payload).unwrap()
}

#[test]
#[cfg(target_endian = "little")]
fn a_listener_of_a_dump() {
    assert_eq!(
        parse(TCP4),
        DiagSocket {
            family: Family::V4,
            state: State::LISTEN,
            retransmits: 0,
            src: "127.77.1.1".parse().unwrap(),
            sport: 0x964b,
            dst: "0.0.0.0".parse().unwrap(),
            dport: 0,
            interface: None,
            cookie: 0x1079,
            rqueue: 0,
            wqueue: 4,
            uid: 0,
            inode: 0x1_20d0,
            v6only: None,
            protocol: None,
            drops: None,
        }
    );
}

#[test]
#[cfg(target_endian = "little")]
fn v6only_is_told_by_an_attribute() {
    let only = parse(TCP6_ONLY);
    assert_eq!(only.src, "::1".parse::<IpAddr>().unwrap());
    assert_eq!((only.v6only, only.cookie), (Some(true), 0x107a));
    let dual = parse(TCP6_DUAL);
    assert_eq!(dual.src, "::".parse::<IpAddr>().unwrap());
    assert_eq!((dual.v6only, dual.cookie), (Some(false), 0x107b));
}

#[test]
#[cfg(target_endian = "little")]
fn a_destroy_event_keeps_address_port_and_cookie() {
    let living = parse(UDP4);
    assert_eq!(living.state, State::CLOSE);
    let gone = parse(UDP4_DESTROYED);
    assert_eq!(gone.protocol, Some(Protocol::Udp));
    assert_eq!(gone.inode, 0);
    assert_eq!((living.src, living.sport, living.cookie), (gone.src, gone.sport, gone.cookie));
}

#[test]
fn what_is_too_short_or_strange_is_an_error() {
    assert_eq!(
        DiagSocket::parse(&[2; 71]),
        Err(Malformed::Payload { kind: 20, length: 71, least: 72 })
    );
    assert_eq!(DiagSocket::parse(&[1; 72]), Err(Malformed::Family { family: 1 }));
    // An attribute that ends behind the message.
    let mut long = [2; 80];
    long[72..].copy_from_slice(&[0xff, 0xff, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(DiagSocket::parse(&long), Err(Malformed::Attribute { .. })));
}

/// The inverse of [`DiagSocket::parse`]: what the kernel does.
fn emit(socket: &DiagSocket) -> Vec<u8> {
    let words = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => {
            let mut all = [0; 16];
            all[..4].copy_from_slice(&v4.octets());
            all
        }
        IpAddr::V6(v6) => v6.octets(),
    };
    let mut out = Vec::from([socket.family.code(), socket.state.0, 0, socket.retransmits]);
    out.extend_from_slice(&socket.sport.to_be_bytes());
    out.extend_from_slice(&socket.dport.to_be_bytes());
    out.extend_from_slice(&words(socket.src));
    out.extend_from_slice(&words(socket.dst));
    let number = |out: &mut Vec<u8>, value: u32| out.extend_from_slice(&value.to_ne_bytes());
    number(&mut out, socket.interface.map_or(0, NonZeroU32::get));
    number(&mut out, u32::try_from(socket.cookie & 0xffff_ffff).unwrap());
    number(&mut out, u32::try_from(socket.cookie >> 32).unwrap());
    for value in [0, socket.rqueue, socket.wqueue, socket.uid, socket.inode] {
        number(&mut out, value);
    }
    if let Some(drops) = socket.drops {
        let mut memory = [0xa5; DROPS_AT + 4];
        memory[DROPS_AT..].copy_from_slice(&drops.to_ne_bytes());
        crate::netlink::push_attribute(&mut out, SKMEMINFO, &memory).unwrap();
    }
    if let Some(v6only) = socket.v6only {
        crate::netlink::push_attribute(&mut out, SKV6ONLY, &[u8::from(v6only)]).unwrap();
    }
    if let Some(protocol) = socket.protocol {
        let code = match protocol {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
        };
        crate::netlink::push_attribute(&mut out, PROTOCOL, &[code]).unwrap();
    }
    out
}

fn sockets() -> impl Strategy<Value = DiagSocket> {
    let addresses = prop_oneof![
        any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (Family::V4, a.into(), b.into())),
        any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| (Family::V6, a.into(), b.into())),
    ];
    let numbers = any::<(u32, u32, u32, u32, u32)>();
    let protocol = prop_oneof![Just(None), Just(Some(Protocol::Tcp)), Just(Some(Protocol::Udp))];
    let rest = (any::<(u8, u8, u16, u16, u64, Option<bool>)>(), protocol, any::<Option<u32>>());
    (addresses, numbers, rest).prop_map(
        |(
            (family, src, dst),
            (interface, rqueue, wqueue, uid, inode),
            (small, protocol, drops),
        )| {
            let (state, retransmits, sport, dport, cookie, v6only) = small;
            DiagSocket {
                family,
                state: State(state),
                retransmits,
                src,
                sport,
                dst,
                dport,
                interface: NonZeroU32::new(interface),
                cookie,
                rqueue,
                wqueue,
                uid,
                inode,
                v6only,
                protocol,
                drops,
            }
        },
    )
}

proptest! {
    #[test]
    fn sockets_round_trip(socket in sockets()) {
        prop_assert_eq!(DiagSocket::parse(&emit(&socket)), Ok(socket));
    }

    #[test]
    fn any_bytes_are_parsed_without_panic(
        head in proptest::collection::vec(prop_oneof![Just(2_u8), Just(10), any::<u8>()], 0..140)
    ) {
        let _ = DiagSocket::parse(&head);
    }
}
