//! Any bytes as the body of an UPDATE.
#![no_main]

use ha2bgp_proto::bgp::fuzz_update;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_update(input));
