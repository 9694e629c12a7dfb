//! ExaBGP versions from PyPI, each in a virtual environment of its own.
//!
//! A finished environment carries a `ready` file with the version that the installed program
//! itself reported. A version whose own build fails on this Python leaves `venv-V.reason`, which
//! the lab shows when it skips; other failures (no network) are not remembered.

use crate::sh;
use std::fs;
use std::path::Path;

const PYTHON: &str = "/usr/bin/python3";
const VERSIONS: [&str; 3] = ["3.4.28", "4.2.25", "5.0.15"];

/// Installs each version that is not there; one that cannot be installed is reported, no error.
pub(super) fn install_all(lab: &Path) -> Result<(), String> {
    fs::create_dir_all(lab).map_err(|error| format!("{}: {error}", lab.display()))?;
    for version in VERSIONS {
        match install(lab, version) {
            Ok(state) => println!("ExaBGP {version}: {state}"),
            Err(reason) => println!("ExaBGP {version}: cannot be used here: {reason}"),
        }
    }
    Ok(())
}

fn install(lab: &Path, version: &str) -> Result<&'static str, String> {
    let venv = lab.join(format!("venv-{version}"));
    let ready = venv.join("ready");
    let reason_file = lab.join(format!("venv-{version}.reason"));
    if ready.is_file() {
        return Ok("there");
    }
    if let Ok(reason) = fs::read_to_string(&reason_file) {
        return Err(reason.trim_end().to_owned());
    }
    match fs::remove_dir_all(&venv) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("{}: {error}", venv.display()));
        }
        _ => {}
    }
    let reported = build(&venv, version).map_err(|failure| {
        // What is left of a failed install is of no use; the reason is.
        drop(fs::remove_dir_all(&venv));
        let reason = failure.text();
        if matches!(failure, Failure::OfThePackage(_)) {
            drop(fs::write(&reason_file, format!("{reason}\n")));
        }
        reason
    })?;
    fs::write(&ready, reported).map_err(|error| format!("{}: {error}", ready.display()))?;
    Ok("installed")
}

enum Failure {
    /// It will fail the same way next time.
    OfThePackage(String),
    /// It may work next time.
    OfTheDay(String),
}

impl Failure {
    fn text(&self) -> String {
        match self {
            Self::OfThePackage(text) | Self::OfTheDay(text) => text.clone(),
        }
    }
}

/// Makes the environment and runs the installed program once; returns what it says it is.
fn build(venv: &Path, version: &str) -> Result<String, Failure> {
    let path = venv.to_string_lossy().into_owned();
    sh::output(&mut sh::command(PYTHON, &["-m", "venv", &path])).map_err(Failure::OfTheDay)?;
    let pip = venv.join("bin/pip");
    let wanted = format!("exabgp=={version}");
    sh::output(&mut sh::command(
        &pip.to_string_lossy(),
        &["install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", &wanted],
    ))
    .map_err(|text| classify(&text, version))?;
    reported_version(&venv.join("bin/exabgp"), version)
}

/// The first of the spellings that the version's command line knows; 5 has a subcommand for it.
fn reported_version(program: &Path, version: &str) -> Result<String, Failure> {
    let mut last = String::new();
    for arg in ["--version", "version"] {
        match sh::output(&mut sh::command(&program.to_string_lossy(), &[arg])) {
            Ok(text) if text.contains(version) => return Ok(text),
            Ok(text) | Err(text) => last = text,
        }
    }
    Err(Failure::OfThePackage(format!("it is installed but does not run: {}", last_error(&last))))
}

/// Tells a package that cannot be built here from a day without network.
fn classify(text: &str, version: &str) -> Failure {
    let own = text.contains("subprocess-exited-with-error")
        || text.contains("metadata-generation-failed")
        || text.contains("did not run successfully");
    if !own {
        return Failure::OfTheDay(format!("pip: {}", last_error(text)));
    }
    let mut reason = format!("its setup.py fails on Python 3: {}", last_error(text));
    if version.starts_with('3') {
        reason.push_str(
            "; helping setup.py along does not help: its modules are Python 2 only \
             (`print \"…\"`, `except A,b:`), and Debian 12 has no Python 2",
        );
    }
    Failure::OfThePackage(reason)
}

/// The last line that looks like the error itself, without pip's wrapping.
fn last_error(text: &str) -> String {
    let line = text
        .lines()
        .map(|line| line.trim_matches([' ', '│', '╰', '─', '>', '×']))
        .rfind(|line| line.contains("Error:") || line.starts_with("ERROR"));
    line.or(text.lines().last()).unwrap_or("no output").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_error_inside_of_pips_wrapping() {
        let text = "  × Getting requirements to build wheel did not run successfully.\n\
                    │ exit code: 1\n  ╰─> [12 lines of output]\n\
                    \x20     AttributeError: 'generator' object has no attribute 'next'\n\
                    \x20     [end of output]\nerror: subprocess-exited-with-error\n";
        let Failure::OfThePackage(reason) = classify(text, "3.4.28") else {
            panic!("a failing setup.py is the package's own failure");
        };
        assert!(reason.contains("AttributeError: 'generator' object has no attribute 'next'"));
        assert!(reason.contains("Python 2 only"));
    }

    #[test]
    fn a_day_without_network_is_not_the_packages_fault() {
        let text = "ERROR: Could not find a version that satisfies the requirement exabgp";
        assert!(matches!(classify(text, "5.0.15"), Failure::OfTheDay(_)));
    }
}
