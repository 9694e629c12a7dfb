//! Any bytes as answers of ExaBGP.
#![no_main]

use ha2bgp_proto::exabgp::fuzz_answers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_answers(input));
