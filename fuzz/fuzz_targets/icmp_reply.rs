//! Any message from a ping socket.
#![no_main]

use ha2bgp_proto::icmp::fuzz_icmp_reply;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_icmp_reply(input));
