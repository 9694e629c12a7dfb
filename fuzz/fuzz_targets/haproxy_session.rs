//! Any bytes as what a stats socket says.
#![no_main]

use ha2bgp_proto::haproxy::fuzz_session;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_session(input));
