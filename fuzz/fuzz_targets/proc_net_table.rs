//! Any bytes as a table of sockets in /proc/net.
#![no_main]

use ha2bgp_proto::proc_net::fuzz_table;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_table(input));
