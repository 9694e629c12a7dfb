//! Any text or expression over any answer in pieces.
#![no_main]

use ha2bgp_proto::tcp_expect::fuzz_tcp_expect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_tcp_expect(input));
