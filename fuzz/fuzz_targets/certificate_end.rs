//! Any octets as a certificate.
#![no_main]

use ha2bgp_proto::x509::fuzz_certificate_end;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_certificate_end(input));
