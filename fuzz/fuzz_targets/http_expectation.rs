//! Any rules over any response, and any URL.
#![no_main]

use ha2bgp_proto::http::fuzz_http_expectation;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_http_expectation(input));
