//! Replays what the fuzzers keep, so that a plain `cargo test` meets every case ever found.

use std::fs;
use std::path::Path;

use super::*;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", directory.display());
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

#[test]
fn the_corpora_of_the_fuzzers_hold() {
    for input in corpus("filter_parse") {
        fuzz_parse(&input);
    }
    for input in corpus("filter_bytecode") {
        fuzz_bytecode(&input);
    }
}
