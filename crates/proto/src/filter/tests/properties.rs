//! Random filters, sockets, texts and bytes.

use alloc::format;
use alloc::string::ToString;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

/// A condition as text. Few distinct values, so that sockets match often.
fn condition() -> impl Strategy<Value = String> {
    let side = prop_oneof![Just("s"), Just("d")];
    let sign = prop::sample::select(&["", "=", "!=", ">=", "<=", ">", "<"][..]);
    let port = prop::sample::select(
        &["80", "81", "0x51", "*", "-1", "-5", "65616", "0", "65535", "http", "inet:80"][..],
    );
    let host = prop::sample::select(
        &[
            "*",
            "any",
            "127.0.0.1",
            "127.0.0.0/8",
            "127.1",
            "0.0.0.0",
            "0.0.0.0/0",
            "1.2.3.4/0",
            "127.0.0.1:80",
            "*:81",
            ":80",
            "128.0.0.0/1",
            "192.0.2.77/30",
            "192.0.2.77/31",
        ][..],
    );
    let host6 = prop::sample::select(
        &[
            "[::]",
            "[::1]",
            "[::/0]",
            "[::1]:80",
            "::1/127",
            "::ffff:0:0/96",
            "[::ffff:127.0.0.1]:81",
            "[8000::/1]",
            "[2001:db8::ff/121]",
        ][..],
    );
    let other = prop::sample::select(
        &[
            "autobound",
            "dev lo",
            "dev != eth0",
            "dev 0",
            "dev if2",
            "fwmark 1",
            "fwmark != 1/3",
            "fwmark 4/3",
            "cgroup /sys/fs/cgroup/web",
            "cgroup != /sys/fs/cgroup/web",
        ][..],
    );
    prop_oneof![
        4 => (side.clone(), sign, port).prop_map(|(side, sign, port)| format!("{side}port {sign} {port}")),
        2 => (side.clone(), host).prop_map(|(side, host)| {
            format!("{} {host}", if side == "s" { "src" } else { "dst" })
        }),
        2 => (side, host6).prop_map(|(side, host)| {
            format!("{} {host}", if side == "s" { "src" } else { "dst" })
        }),
        2 => other.prop_map(ToString::to_string),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    condition().prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("( {a} )")),
            inner.clone().prop_map(|a| format!("not {a}")),
            (inner.clone(), prop::sample::select(&["and", "or", "", "&", "||"][..]), inner)
                .prop_map(|(a, join, b)| format!("{a} {join} {b}")),
        ]
    })
}

fn socket() -> impl Strategy<Value = Socket> {
    let v4 = prop::sample::select(
        &[
            [127, 0, 0, 1],
            [127, 1, 0, 0],
            [0, 0, 0, 0],
            [192, 0, 2, 77],
            [192, 0, 2, 78],
            [200, 0, 0, 1],
        ][..],
    )
    .prop_map(Ipv4Addr::from);
    let v6 = prop::sample::select(
        &[
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:0.0.0.0",
            "2001:db8::81",
            "2001:db8::1",
            "ffff::",
        ][..],
    )
    .prop_map(|text| text.parse::<Ipv6Addr>().unwrap());
    let addresses = prop_oneof![
        (v4.clone(), v4).prop_map(|(source, destination)| Addresses::V4 { source, destination }),
        (v6.clone(), v6).prop_map(|(source, destination)| Addresses::V6 { source, destination }),
    ];
    let port = prop::sample::select(&[0, 1, 79, 80, 81, 82, 65531, 65535][..]);
    let cgroup = prop::sample::select(&[0, 0x0102_0304_0506_0708][..]);
    (addresses, port.clone(), port, 0u32..4, 0u32..8, cgroup, any::<bool>()).prop_map(
        |(addresses, source_port, destination_port, interface, mark, cgroup, autobound)| Socket {
            addresses,
            source_port,
            destination_port,
            interface,
            mark,
            cgroup,
            autobound,
        },
    )
}

/// Bytes that resemble bytecode: real operations with some bytes changed.
fn almost_bytecode() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (filter(), noise).prop_map(|(text, noise)| {
        let mut bytes = parse(&text).map_or(Vec::new(), |filter| filter.bytecode().to_vec());
        for (at, byte) in noise {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    /// `matches` compares the evaluator with the interpreter of the compiled bytes.
    #[test]
    fn evaluator_and_bytecode_agree(text in filter(), sockets in prop::collection::vec(socket(), 1..8)) {
        // `inet:` refuses IPv6 literals behind it.
        if let Ok(filter) = parse(&text) {
            for socket in &sockets {
                matches(&filter, socket);
            }
        }
    }

    #[test]
    fn a_reading_reads_the_same(text in filter()) {
        if let Ok(filter) = parse(&text) {
            let again = parse(&filter.to_string()).unwrap();
            prop_assert_eq!(again.bytecode(), filter.bytecode());
            prop_assert_eq!(again.family(), filter.family());
            prop_assert_eq!(again.to_string(), filter.to_string());
            // With all parentheses in place there is nothing left to be read in two ways.
            let unclear = again.warnings().iter().any(|warning| {
                matches!(warning.surprise, Surprise::Precedence { .. })
            });
            prop_assert!(!unclear);
        }
    }

    /// What is shown as the conventional reading is a filter, and means itself.
    #[test]
    fn the_conventional_reading_is_a_filter(text in filter()) {
        let filter = parse(&text);
        for warning in filter.iter().flat_map(Filter::warnings) {
            prop_assert!(text.get(warning.span.offset..warning.span.offset + warning.span.length).is_some());
            if let Surprise::Precedence { conventional, .. } = &warning.surprise {
                prop_assert_eq!(&parse(conventional).unwrap().to_string(), conventional);
            }
        }
    }

    #[test]
    fn no_bytes_panic_or_loop(bytes in prop_oneof![
        almost_bytecode(),
        prop::collection::vec(any::<u8>(), 0..80),
        prop::collection::vec(prop::sample::select(&[0u8, 1, 2, 4, 6, 7, 8, 10, 12, 16, 20][..]), 0..60),
    ], socket in socket()) {
        if let Ok(bytecode) = Bytecode::audit(&bytes) {
            bytecode.accepts(&socket);
        }
    }

    #[test]
    fn the_local_end_alone_rules_out_nothing_that_matches(text in filter(), socket in socket()) {
        let Ok(filter) = parse(&text) else { return Ok(()) };
        let address = socket.address(Side::Source);
        let plain = Socket::listening(address, socket.source_port);
        let Socket { interface, mark, cgroup, autobound, .. } = socket;
        let listener = Socket { interface, mark, cgroup, autobound, ..plain };
        if let Ok(bytecode) = Bytecode::audit(filter.bytecode()) {
            let place = address.to_canonical();
            let may = bytecode.may_accept(place, socket.source_port);
            prop_assert!(may || !bytecode.accepts(&listener), "{}", text);
            if bytecode.asks_beyond_addresses().is_none() && place.is_ipv6() {
                prop_assert_eq!(may, bytecode.accepts(&plain), "{}", text);
            }
        }
    }

    #[test]
    fn no_text_panics(text in prop_oneof![
        any::<String>(),
        prop::collection::vec(
            prop::sample::select(
                &[
                    "(", ")", "!", "and", "or", "src", "sport", "dev", "fwmark", "cgroup", "=", ">",
                    "80", "[::1]", "[", "]", ":", "*", "\\", "inet6:", "1.2", "/", "-1", "ü", "\t",
                ][..],
            ),
            0..20,
        ).prop_map(|words| words.join(" ")),
        "[-+0-9a-fx:./*\\[\\]\\\\ ]{0,12}".prop_map(|word| format!("src {word}")),
        "[-+0-9a-fx:./*\\[\\]\\\\ ]{0,12}".prop_map(|word| format!("sport {word}")),
        "[-+0-9a-fx/ ]{0,12}".prop_map(|word| format!("fwmark {word}")),
    ]) {
        match parse(&text) {
            Ok(filter) => {
                let again = parse(&filter.to_string()).unwrap();
                prop_assert_eq!(again.bytecode(), filter.bytecode());
            }
            Err(error) => {
                let span = error.span;
                prop_assert!(text.get(span.offset..span.offset + span.length).is_some());
                prop_assert!(!error.render(&text).is_empty());
            }
        }
    }
}

#[test]
fn bytecode_with_mistakes_is_refused() {
    type Error = BytecodeError;
    let op = |code: u8, yes: u8, no: u16| {
        let [low, high] = no.to_ne_bytes();
        [code, yes, low, high]
    };
    let host = |family: u8, length: u8| {
        let mut bytes = op(7, 16, 20).to_vec();
        bytes.extend_from_slice(&[family, length, 0, 0, 80, 0, 0, 0, 127, 0, 0, 1]);
        bytes
    };
    for (bytes, want) in [
        (Vec::new(), Err(Error::TooShort { length: 0 })),
        (op(0, 4, 0)[..3].to_vec(), Err(Error::TooShort { length: 3 })),
        (op(0, 4, 999).to_vec(), Ok(true)),
        (op(1, 4, 8).to_vec(), Ok(false)),
        (op(1, 4, 4).to_vec(), Ok(true)),
        (op(6, 4, 8).to_vec(), Ok(false)),
        (op(14, 4, 8).to_vec(), Err(Error::UnknownCode { at: 0, code: 14 })),
        (op(6, 0, 8).to_vec(), Err(Error::BadJump { at: 0, distance: 0 })),
        (op(6, 4, 0).to_vec(), Err(Error::BadJump { at: 0, distance: 0 })),
        (op(6, 4, 12).to_vec(), Err(Error::BadJump { at: 0, distance: 12 })),
        (op(6, 4, 6).to_vec(), Err(Error::BadJump { at: 0, distance: 6 })),
        (op(6, 8, 8).to_vec(), Err(Error::Truncated { at: 0 })),
        (op(2, 8, 12).to_vec(), Err(Error::Truncated { at: 0 })),
        ([op(11, 8, 12), op(0, 0, 80)].concat(), Ok(true)),
        ([op(12, 8, 12), op(0, 0, 80)].concat(), Ok(false)),
        (host(2, 32), Ok(true)),
        (host(2, 33), Err(Error::BadPrefix { at: 0, family: 2, length: 33 })),
        (host(0, 1), Err(Error::BadPrefix { at: 0, family: 0, length: 1 })),
        (host(1, 0), Err(Error::BadPrefix { at: 0, family: 1, length: 0 })),
        (host(10, 0), Err(Error::Truncated { at: 0 })),
        // Into the middle of a condition.
        ([op(1, 4, 8).to_vec(), host(2, 32)].concat(), Err(Error::BadJump { at: 0, distance: 8 })),
        ([op(1, 4, 4).to_vec(), host(2, 32)].concat(), Ok(true)),
        ([&host(2, 32)[..], &[0]].concat(), Err(Error::Truncated { at: 16 })),
    ] {
        let socket = Socket::listening(IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
        let got = Bytecode::audit(&bytes).map(|bytecode| bytecode.accepts(&socket));
        assert_eq!(got, want, "{}", hex(&bytes));
    }
}
