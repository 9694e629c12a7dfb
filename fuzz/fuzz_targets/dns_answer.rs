//! Any rules over any message that may answer a DNS query.
#![no_main]

use ha2bgp_proto::dns::fuzz_dns_answer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_dns_answer(input));
