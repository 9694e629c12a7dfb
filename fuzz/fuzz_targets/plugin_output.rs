//! Any exit code and any output of a plugin.
#![no_main]

use ha2bgp_proto::nagios::fuzz_plugin_output;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_plugin_output(input));
