//! Any bytes as what happens to a BFD session.
#![no_main]

use ha2bgp_proto::bfd::fuzz_session;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_session(input));
