//! Any bytes as the body of a NOTIFICATION.
#![no_main]

use ha2bgp_proto::bgp::fuzz_notification;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_notification(input));
