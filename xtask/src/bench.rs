//! `cargo xtask bench …`: builds release, then lets the lab measure it.

use crate::{paths, sh};

/// Runs the lab's `bench-NAME`: see the head of that program for what it measures.
pub(crate) fn run(name: &str, args: &[&str]) -> Result<(), String> {
    sh::heading("release build");
    let bench = format!("bench-{name}");
    sh::run(&mut sh::cargo(&["build", "--release", "--locked", "-p", "ha2bgp"]))?;
    let lab = ["build", "--release", "--locked", "-p", "ha2bgp-lab", "--bins"];
    sh::run(&mut sh::cargo(&lab))?;
    let release = paths::target().join("release");
    let out = paths::target().join("bench");
    std::fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let program = match std::env::var_os("HA2BGP_BIN") {
        Some(program) => program,
        None => release.join("ha2bgp").into_os_string(),
    };
    sh::heading(name);
    let mut command = sh::command(&release.join(bench).to_string_lossy(), args);
    command.env("HA2BGP_BIN", program).env("HA2BGP_BENCH_DIR", out);
    sh::run(command.env("HA2BGP_LAB_DIR", paths::lab()))
}
