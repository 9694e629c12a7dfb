//! `cargo xtask bench latency`: builds release, then lets the lab measure it.

use crate::{paths, sh};

/// Measures listener close → API line, beside the original's way in the same run.
pub(crate) fn latency(args: &[&str]) -> Result<(), String> {
    sh::heading("release build");
    sh::run(&mut sh::cargo(&["build", "--release", "--locked", "-p", "ha2bgp"]))?;
    sh::run(&mut sh::cargo(&[
        "build",
        "--release",
        "--locked",
        "-p",
        "ha2bgp-lab",
        "--bin",
        "bench-latency",
    ]))?;
    let release = paths::target().join("release");
    let out = paths::target().join("bench");
    std::fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let program = match std::env::var_os("HA2BGP_BIN") {
        Some(program) => program,
        None => release.join("ha2bgp").into_os_string(),
    };
    sh::heading("latency");
    let bench = release.join("bench-latency");
    let mut command = sh::command(&bench.to_string_lossy(), args);
    sh::run(command.env("HA2BGP_BIN", program).env("HA2BGP_BENCH_DIR", out))
}
