//! Any text as the record of an engine.
#![no_main]

use ha2bgp_core::record::fuzz_record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_record(input));
