//! Any bytes as what happens to a BGP session.
#![no_main]

use ha2bgp_proto::bgp::fuzz_session;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_session(input));
