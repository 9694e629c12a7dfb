//! Any answer to a question of gRPC health, and any name of a service.
#![no_main]

use ha2bgp_proto::grpc_health::fuzz_grpc_health;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| fuzz_grpc_health(input));
