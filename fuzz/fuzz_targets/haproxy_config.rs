//! Any text as configuration files of HAProxy.
#![no_main]

use ha2bgp_proto::haproxy::fuzz_config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_config(input));
