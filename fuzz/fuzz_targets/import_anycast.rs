//! Any octets as a file of anycast-healthchecker.
#![no_main]

use ha2bgp::import::fuzz_anycast;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_anycast(input));
