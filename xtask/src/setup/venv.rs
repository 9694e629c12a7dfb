//! Programs for Python from PyPI, each in a virtual environment of its own: servers that checks are
//! tested against, a client of the control interface, and a program that benches compare us with. Only
//! wheels, so that nothing is compiled, but where a package says otherwise.
//!
//! A finished environment carries a `ready` file. Where it cannot be made that is reported, and is
//! no error: the tests that need it say that they are skipped.

use crate::sh;
use std::fs;
use std::path::Path;

const PYTHON: &str = "/usr/bin/python3";

/// What is installed.
struct Wanted {
    /// For people.
    what: &'static str,
    /// The name of the environment.
    venv: &'static str,
    /// The packages with their versions.
    packages: &'static [&'static str],
    /// What works when all is there.
    proof: &'static str,
}

const ALL: [Wanted; 3] = [
    Wanted {
        what: "gRPC for Python",
        venv: "venv-grpc",
        packages: &["grpcio==1.85.3", "grpcio-health-checking==1.85.1"],
        proof: "from grpc_health.v1 import health",
    },
    Wanted {
        what: "Schemathesis",
        venv: "venv-schemathesis",
        packages: &["schemathesis==4.32.5"],
        proof: "import schemathesis",
    },
    // What benches compare us with. Its docopt has no wheel, and nothing in it to compile.
    Wanted {
        what: "anycast-healthchecker",
        venv: "venv-anycast",
        packages: &["anycast-healthchecker==0.9.10"],
        proof: "import anycast_healthchecker.main",
    },
];

/// Makes the environments that are not there.
pub(super) fn install_all(lab: &Path) {
    for wanted in ALL {
        let venv = lab.join(wanted.venv);
        if is_ready(&venv, &wanted) {
            println!("{}: there", wanted.what);
            continue;
        }
        match build(&venv, &wanted) {
            Ok(()) => println!("{}: installed", wanted.what),
            Err(reason) => {
                drop(fs::remove_dir_all(&venv));
                println!("{}: cannot be used here: {}", wanted.what, reason.trim_end());
            }
        }
    }
}

/// True when it was finished with these versions.
fn is_ready(venv: &Path, wanted: &Wanted) -> bool {
    let versions = fs::read_to_string(venv.join("ready"));
    versions.is_ok_and(|versions| versions == wanted.packages.join("\n"))
}

fn build(venv: &Path, wanted: &Wanted) -> Result<(), String> {
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
    args.extend(["--only-binary", ":all:", "--no-binary", "docopt"]);
    args.extend(wanted.packages);
    sh::output(&mut sh::command(&pip, &args))?;
    let python = venv.join("bin/python").to_string_lossy().into_owned();
    sh::output(&mut sh::command(&python, &["-c", wanted.proof]))?;
    fs::write(venv.join("ready"), wanted.packages.join("\n"))
        .map_err(|error| format!("{}: {error}", venv.display()))
}
