//! Makes the README's section of numbers from the file of results: `cargo xtask bench readme`.
//!
//! Usage: `bench-readme README`.
#![expect(clippy::print_stdout, reason = "it says what it did to the person who runs it")]

use ha2bgp_lab::report::{self, RESULTS, readme};
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: bench-readme README")?;
    let dir = PathBuf::from(std::env::var_os("HA2BGP_BENCH_DIR").unwrap_or_else(|| ".".into()));
    let results = report::read(&dir.join(RESULTS))?;
    let text = std::fs::read_to_string(&path)?;
    std::fs::write(&path, readme::renewed(&text, &results)?)?;
    println!("{path}: renewed from {}", dir.join(RESULTS).display());
    Ok(())
}
