//! Any octets as the body of a push.
#![no_main]

use ha2bgp::control::fuzz_push_body;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_push_body(input));
