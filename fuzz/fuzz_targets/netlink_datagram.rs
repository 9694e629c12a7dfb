//! Any bytes as a netlink datagram.
#![no_main]

use ha2bgp_proto::inet_diag::fuzz_datagram;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_datagram(input));
