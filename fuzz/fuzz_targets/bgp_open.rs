//! Any bytes as the body of an OPEN.
#![no_main]

use ha2bgp_proto::bgp::fuzz_open;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_open(input));
