//! Any two addresses in a header of the PROXY protocol.
#![no_main]

use ha2bgp_proto::proxy_protocol::fuzz_proxy_header;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_proxy_header(input));
