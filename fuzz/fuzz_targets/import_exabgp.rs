//! Any octets as files of exabgp healthcheck.
#![no_main]

use ha2bgp::import::fuzz_exabgp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_exabgp(input));
