//! Replays what the fuzzer keeps, so that a plain `cargo test` meets every case ever found.

use std::fs;
use std::path::Path;

#[test]
fn config_file() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/config_file");
    let mut files: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", directory.display());
    for file in files {
        ha2bgp::config::fuzz_file(&fs::read(file).unwrap());
    }
}
