//! gRPC's own implementation for Python, from PyPI, in a virtual environment: the server that checks
//! of gRPC are tested against. Only wheels, so that nothing is compiled.
//!
//! A finished environment carries a `ready` file. Where it cannot be made that is reported, and is
//! no error: the tests that need it say that they are skipped.

use crate::sh;
use std::fs;
use std::path::Path;

const PYTHON: &str = "/usr/bin/python3";
const WANTED: [&str; 2] = ["grpcio==1.85.3", "grpcio-health-checking==1.85.1"];

/// Makes the environment if it is not there.
pub(super) fn install(lab: &Path) -> Result<(), String> {
    let venv = lab.join("venv-grpc");
    if venv.join("ready").is_file() {
        println!("gRPC for Python: there");
        return Ok(());
    }
    match build(&venv) {
        Ok(()) => println!("gRPC for Python: installed"),
        Err(reason) => {
            drop(fs::remove_dir_all(&venv));
            println!("gRPC for Python: cannot be used here: {}", reason.trim_end());
        }
    }
    Ok(())
}

fn build(venv: &Path) -> Result<(), String> {
    match fs::remove_dir_all(venv) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("{}: {error}", venv.display()));
        }
        _ => {}
    }
    let path = venv.to_string_lossy().into_owned();
    sh::output(&mut sh::command(PYTHON, &["-m", "venv", &path]))?;
    let pip = venv.join("bin/pip").to_string_lossy().into_owned();
    let mut args = vec!["install", "--quiet", "--no-input", "--disable-pip-version-check"];
    args.extend(["--only-binary", ":all:"]);
    args.extend(WANTED);
    sh::output(&mut sh::command(&pip, &args))?;
    let python = venv.join("bin/python").to_string_lossy().into_owned();
    sh::output(&mut sh::command(&python, &["-c", "from grpc_health.v1 import health"]))?;
    fs::write(venv.join("ready"), WANTED.join("\n"))
        .map_err(|error| format!("{}: {error}", venv.display()))
}
