use alloc::string::ToString;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const ECHO: Echo =
    Echo { family: Family::V4, sequence: 0x0102, token: *b"0123456789abcdef", size: 16 };

fn reply_to(echo: &Echo) -> Vec<u8> {
    let mut message = echo.request();
    message[0] = reply_type(echo.family);
    // The kernel's fields.
    message[2..6].copy_from_slice(b"\xaa\xbb\xcc\xdd");
    message
}

fn why(echo: &Echo, message: &[u8]) -> alloc::string::String {
    match echo.receive(message) {
        Received::Reply => "reply".into(),
        Received::NotOurs(why) => why.to_string(),
    }
}

#[test]
fn requests_look_like_the_standards_say() {
    assert_eq!(ECHO.request(), *b"\x08\0\0\0\0\0\x01\x020123456789abcdef");
    let six = Echo { family: Family::of("::1".parse().unwrap()), ..ECHO };
    assert!(six.request().starts_with(&[128, 0, 0, 0]));
    assert_eq!(six.receive(&reply_to(&six)), Received::Reply);
}

#[test]
fn only_the_reply_counts() {
    assert_eq!(why(&ECHO, &reply_to(&ECHO)), "reply");
    assert_eq!(why(&ECHO, b""), "a message of 0 octets is shorter than an ICMP header of 8");
    assert_eq!(why(&ECHO, &ECHO.request()), "type 8, code 0 is no echo reply");
    let late = Echo { sequence: 0x0101, ..ECHO };
    assert_eq!(why(&ECHO, &reply_to(&late)), "sequence 257 belongs to another request");
    let other = Echo { token: [0; TOKEN], ..ECHO };
    assert_eq!(why(&ECHO, &reply_to(&other)), "the data is not what was sent");
    let six = Echo { family: Family::V6, ..ECHO };
    assert_eq!(why(&ECHO, &reply_to(&six)), "type 129, code 0 is no echo reply");
    let mut long = reply_to(&ECHO);
    long.push(0);
    assert_eq!(why(&ECHO, &long), "the data is not what was sent");
}

#[test]
fn the_data_may_be_longer() {
    let large = Echo { size: 300, ..ECHO };
    let request = large.request();
    assert_eq!(request.len(), 308);
    assert_eq!(request[24..27], *b"\0\x01\x02");
    let mut reply = reply_to(&large);
    assert_eq!(large.receive(&reply), Received::Reply);
    assert_eq!(ECHO.receive(&reply), Received::NotOurs(NotOurs::Token));
    reply[307] ^= 1;
    assert_eq!(large.receive(&reply), Received::NotOurs(NotOurs::Token));
    let length = |size| Echo { size, ..ECHO }.request().len();
    assert_eq!((length(0), length(u16::MAX)), (24, 65_515));
}

proptest! {
    #[test]
    fn any_octets(octets: Vec<u8>) {
        fuzz_icmp_reply(&octets);
    }

    #[test]
    fn each_request_knows_its_reply(
        sequence: u16, token: [u8; TOKEN], other: u16, size in 0_u16..200,
    ) {
        let echo = Echo { family: Family::V6, sequence, token, size };
        prop_assert_eq!(echo.receive(&reply_to(&echo)), Received::Reply);
        let second = Echo { sequence: other, ..echo };
        prop_assert_eq!(second.receive(&reply_to(&echo)) == Received::Reply, other == sequence);
    }
}
