//! Any bytes as a BFD packet.
#![no_main]

use ha2bgp_proto::bfd::fuzz_packet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_packet(input));
