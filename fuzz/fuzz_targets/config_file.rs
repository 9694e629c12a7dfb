//! Any octets as a configuration file.
#![no_main]

use ha2bgp::config::fuzz_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_file(input));
