//! Replays what the fuzzers keep, so that a plain `cargo test` meets every case ever found.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use std::fs;
use std::path::Path;

use ha2bgp_core::record::fuzz_record;
use ha2bgp_core::rule::fuzz_rule;

/// Hands each file of a corpus to what it is for.
fn replay(name: &str, target: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let directory = corpus.join(name);
    let mut files: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 10, "{}", directory.display());
    for file in files {
        target(&fs::read(file).unwrap());
    }
}

#[test]
fn rule() {
    replay("rule", fuzz_rule);
}

#[test]
fn record() {
    replay("record", fuzz_record);
}
