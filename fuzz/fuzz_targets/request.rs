//! Any octets as what a client of the control interface sends.
#![no_main]

use ha2bgp::control::fuzz_request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_request(input));
