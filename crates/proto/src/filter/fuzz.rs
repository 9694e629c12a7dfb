//! What must hold for any input: the bodies of the fuzz targets in `fuzz/`.
//!
//! They live here, and not in the targets, so that `cargo test` can replay the corpora without a
//! fuzzer. A broken rule panics; nothing else calls these.

use alloc::string::ToString;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ha2bgp_core::fact::Protocol;

use super::{Bytecode, Context, Filter, NoNames, Services, Side, Socket};

/// Any text: read or refused, its reading is a filter with the same bytecode, and evaluator and
/// bytecode agree on every socket.
#[doc(hidden)]
pub fn fuzz_parse(input: &[u8]) {
    let Ok(text) = core::str::from_utf8(input) else {
        return;
    };
    let services = Services::parse("http 80/tcp\ndomain 53/tcp\ndomain 53/udp\n");
    let context = Context {
        services: &services,
        protocols: &[Protocol::Tcp, Protocol::Udp],
        names: &NoNames,
    };
    let filter = match Filter::parse(text, &context) {
        Ok(filter) => filter,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.render(text).is_empty());
            return;
        }
    };
    let reading = filter.to_string();
    match Filter::parse(&reading, &context) {
        Ok(again) => assert_eq!(again.bytecode(), filter.bytecode(), "{reading}"),
        // Only a reading that outgrew the text limit may be refused.
        Err(error) => assert!(reading.len() > super::MAX_TEXT, "{reading}: {error}"),
    }
    let Some(expression) = filter.expression() else {
        return;
    };
    for socket in sockets() {
        let bytecode = Bytecode::audit(filter.bytecode()).map(|code| code.accepts(&socket));
        assert_eq!(bytecode, Ok(expression.matches(&socket)), "{reading}");
    }
}

/// Any bytes: audited or refused, and run to an end.
#[doc(hidden)]
pub fn fuzz_bytecode(input: &[u8]) {
    for net_admin in [true, false] {
        if let Ok(bytecode) = Bytecode::audit_as(input, net_admin) {
            bytecode.asks_beyond_addresses();
            for socket in sockets() {
                let place = socket.address(Side::Source).to_canonical();
                let accepts = bytecode.accepts(&socket);
                assert!(!accepts || bytecode.may_accept(place, socket.source_port));
            }
        }
    }
}

fn sockets() -> [Socket; 4] {
    let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    [
        Socket::listening(IpAddr::V4(Ipv4Addr::LOCALHOST), 80),
        Socket::listening(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 443),
        Socket::listening(IpAddr::V6(mapped), 65535),
        Socket {
            interface: 7,
            mark: 0x10,
            cgroup: 1,
            autobound: true,
            ..Socket::listening(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 1)
        },
    ]
}
