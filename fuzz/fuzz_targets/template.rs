//! Any text as a template with placeholders.
#![no_main]

use ha2bgp_proto::template::fuzz_template;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_template(input));
