//! Any bytes as a stream of BGP messages.
#![no_main]

use ha2bgp_proto::bgp::fuzz_framing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_framing(input));
