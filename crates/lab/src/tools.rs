//! Where the tools are.

use std::path::{Path, PathBuf};

/// A program on the path, or where only root's path looks.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"])
        .map(|dir| Path::new(dir).join(name))
        .find(|file| file.is_file())
}

/// The directory that holds `debug`, `lab` and so on: where this very program runs from.
#[must_use]
pub fn target_dir() -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    let dir = exe.parent()?;
    let profile = if dir.ends_with("deps") { dir.parent()? } else { dir };
    profile.parent().map(Path::to_path_buf)
}

/// A helper program of this crate, built beside the tests.
#[must_use]
pub fn own(name: &str) -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    exe.ancestors().skip(1).take(2).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Where `cargo xtask lab-setup` puts what it installs.
#[must_use]
pub fn lab_dir() -> Option<PathBuf> {
    match std::env::var_os("HA2BGP_LAB_DIR") {
        Some(dir) => Some(PathBuf::from(dir)),
        None => target_dir().map(|target| target.join("lab")),
    }
}

/// Schemathesis, if it was installed.
#[must_use]
pub fn schemathesis() -> Option<PathBuf> {
    let venv = lab_dir()?.join("venv-schemathesis");
    venv.join("ready").is_file().then(|| venv.join("bin/schemathesis"))
}
