//! Any rule over any file.
#![no_main]

use ha2bgp_proto::maintenance::fuzz_file_rule;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_file_rule(input));
