//! Where things are: the workspace, the target directory, the lab's cache.

use std::path::{Path, PathBuf};

/// The root of the workspace, from where this crate was compiled.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Cargo's target directory: `CARGO_TARGET_DIR`, or `target` in the workspace.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// A program of the workspace as it was built with the tests.
pub(crate) fn built(program: &str) -> PathBuf {
    target().join(crate::sh::PROFILE).join(program)
}

/// Where the lab keeps what it installs: `HA2BGP_LAB_DIR`, or `target/peers`.
pub(crate) fn lab() -> PathBuf {
    match std::env::var_os("HA2BGP_LAB_DIR") {
        Some(dir) => root().join(dir),
        None => target().join("peers"),
    }
}
