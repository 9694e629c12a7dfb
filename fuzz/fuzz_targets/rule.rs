//! Any text as a rule over checks.
#![no_main]

use ha2bgp_core::rule::fuzz_rule;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_rule(input));
