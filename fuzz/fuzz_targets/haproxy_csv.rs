//! Any bytes as an answer to `show stat`.
#![no_main]

use ha2bgp_proto::haproxy::fuzz_csv;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_csv(input));
