//! Any bytes as filter bytecode.
#![no_main]

use ha2bgp_proto::filter::fuzz_bytecode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_bytecode(input));
