//! Any text as a community.
#![no_main]

use ha2bgp_proto::bgp::fuzz_community;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_community(input));
