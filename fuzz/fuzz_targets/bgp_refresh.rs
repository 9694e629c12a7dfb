//! Any bytes as the body of a ROUTE-REFRESH.
#![no_main]

use ha2bgp_proto::bgp::fuzz_refresh;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_refresh(input));
