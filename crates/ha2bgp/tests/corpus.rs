//! Replays what the fuzzer keeps, so that a plain `cargo test` meets every case ever found.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use std::fs;
use std::path::Path;

fn replay(target: &str, body: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let directory = corpus.join(target);
    let mut files: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", directory.display());
    for file in files {
        body(&fs::read(file).unwrap());
    }
}

#[test]
fn config_file() {
    replay("config_file", ha2bgp::config::fuzz_file);
}

#[test]
fn push_body() {
    replay("push_body", ha2bgp::control::fuzz_push_body);
}

#[test]
fn import_exabgp() {
    replay("import_exabgp", ha2bgp::import::fuzz_exabgp);
}

#[test]
fn import_anycast() {
    replay("import_anycast", ha2bgp::import::fuzz_anycast);
}

#[test]
fn import_birdwatcher() {
    replay("import_birdwatcher", ha2bgp::import::fuzz_birdwatcher);
}

#[test]
fn request() {
    replay("request", ha2bgp::control::fuzz_request);
}
