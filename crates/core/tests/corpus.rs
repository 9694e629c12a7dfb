//! Replays what the fuzzers keep, so that a plain `cargo test` meets every case ever found.

use std::fs;
use std::path::Path;

use ha2bgp_core::rule::fuzz_rule;

#[test]
fn rule() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/rule");
    let mut files: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 10, "{}", directory.display());
    for file in files {
        fuzz_rule(&fs::read(file).unwrap());
    }
}
