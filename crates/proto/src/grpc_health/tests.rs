use alloc::string::ToString;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

/// As protoc's own encoder writes them.
#[test]
fn questions() {
    assert_eq!(request(""), b"\0\0\0\0\0");
    assert_eq!(request("web"), b"\0\0\0\0\x05\x0a\x03web");
    let long = "x".repeat(300);
    assert_eq!(&request(&long)[..8], b"\0\0\0\x01\x2f\x0a\xac\x02");
}

#[test]
fn answers() {
    for (body, want) in [
        (b"\0\0\0\0\x02\x08\x01".as_slice(), Serving::Serving),
        (b"\0\0\0\0\x02\x08\x02", Serving::NotServing),
        (b"\0\0\0\0\x02\x08\x03", Serving::ServiceUnknown),
        (b"\0\0\0\0\x00", Serving::Unknown),
        (b"\0\0\0\0\x03\x08\xac\x02", Serving::Other(300)),
        // A field of the future, of each kind; and the last one counts.
        (b"\0\0\0\0\x06\x08\x02\x10\x07\x08\x01", Serving::Serving),
        (b"\0\0\0\0\x06\x12\x02ab\x08\x01", Serving::Serving),
        (b"\0\0\0\0\x07\x15\0\0\0\0\x08\x01", Serving::Serving),
        (b"\0\0\0\0\x0b\x11\0\0\0\0\0\0\0\0\x08\x01", Serving::Serving),
    ] {
        assert_eq!(answer(body), Ok(want), "{body:?}");
    }
}

#[test]
fn what_is_no_answer() {
    let error = |body: &[u8]| answer(body).unwrap_err().to_string();
    assert_eq!(error(b""), "there is no message in the answer");
    assert_eq!(error(b"\x01\0\0\0\0"), "the message is compressed, which was not asked for");
    assert_eq!(error(b"\0\0\0\0\x02\x08"), "the message has 1 octets, and should have 2");
    assert_eq!(
        error(b"\0\xff\xff\xff\xff\x08\x01"),
        "the message has 2 octets, and should have 4294967295"
    );
    for message in [
        b"\0\0\0\0\x01\x08".as_slice(),
        b"\0\0\0\0\x02\x0a\x00",
        b"\0\0\0\0\x02\x0b\x00",
        b"\0\0\0\0\x02\x00\x00",
        b"\0\0\0\0\x02\x12\x09",
        b"\0\0\0\0\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\0\0\0",
    ] {
        assert_eq!(error(message), "the message is no HealthCheckResponse", "{message:?}");
    }
}

#[test]
fn statuses() {
    assert_eq!(Code::read(b"5"), Some(Code::NOT_FOUND));
    for bad in [b"".as_slice(), b"+5", b"-1", b"5 ", b"\xff", b"99999999999"] {
        assert_eq!(Code::read(bad), None, "{bad:?}");
    }
    assert_eq!(complaint(Code::UNIMPLEMENTED, b""), "grpc-status UNIMPLEMENTED (12)");
    let text = complaint(Code(5), b"unknown service%20%C3%A9 100%");
    assert_eq!(text, "grpc-status NOT_FOUND (5): \"unknown service é 100%\"");
    assert_eq!(complaint(Code(99), b""), "grpc-status 99");
}

proptest! {
    #[test]
    fn varints_are_read_as_written(number: u64, rest: Vec<u8>) {
        let mut octets = Vec::new();
        put_varint(&mut octets, number);
        octets.extend_from_slice(&rest);
        let mut left = octets.as_slice();
        prop_assert_eq!(take_varint(&mut left), Some(number));
        prop_assert_eq!(left, rest.as_slice());
    }

    #[test]
    fn nothing_panics(octets: Vec<u8>, mut message: Vec<u8>) {
        fuzz_grpc_health(&octets);
        let length = u32::try_from(message.len()).unwrap();
        let mut body = alloc::vec![0];
        body.extend(length.to_be_bytes());
        body.append(&mut message);
        fuzz_grpc_health(&body);
    }
}
