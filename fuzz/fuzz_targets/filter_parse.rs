//! Any text as a listen filter.
#![no_main]

use ha2bgp_proto::filter::fuzz_parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_parse(input));
