//! Any conditions over any samples of queues.
#![no_main]

use ha2bgp_proto::accept_queue::fuzz_accept_queue;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_accept_queue(input));
