//! Any octets as a file of birdwatcher.
#![no_main]

use ha2bgp::import::fuzz_birdwatcher;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_birdwatcher(input));
