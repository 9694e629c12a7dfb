//! `cargo xtask test`: everything that must hold before a change lands, in one command.
//!
//! Cheap checks first; then everything is built, once, and the instructions of the hot path are counted.
//! The lab's tests run last, so that the last thing printed is their own summary, then one line that sums
//! all of them. A failed step stops the steps after it, except among the test runs: all of them are always
//! made, so that one report shows every failed test.

use crate::counts::Counts;
use crate::instructions::{self, Verdict};
use crate::{paths, sh, tidy};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where each lab test that skips itself adds a line.
const SKIP_LOG: &str = "skipped.txt";
/// The tests of the lab, and all others, by the names of their targets.
const LAB: &str = "l*";
const NOT_LAB: &str = "[!l]*";
/// The lab's tests wait far more than they compute: several for each core.
const LAB_THREADS: &str = "7";

/// Runs all steps; `Err` says which failed.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let mut lab = true;
    let mut install = true;
    let mut checks = true;
    for arg in args {
        match *arg {
            "--skip-lab" => lab = false,
            "--skip-setup" => install = false,
            "--skip-checks" => checks = false,
            other => return Err(format!("test: `{other}` is unknown; see cargo xtask help")),
        }
    }

    // Downloads wait for the network: meanwhile the processors have other work.
    let installing = if lab && install { Background::setup()? } else { None };
    let checked = if checks { static_checks() } else { Ok(()) };
    if let Some(installing) = installing {
        sh::heading("lab-setup");
        installing.wait()?;
    }
    checked?;
    if let (true, Some(given)) = (lab, std::env::var_os("HA2BGP_BIN")) {
        println!("HA2BGP_BIN is set: the lab tests {}", given.display());
        return tests(Some(Path::new(&given)), None);
    }
    sh::heading("all tests, the program and its hot path");
    sh::run(&mut sh::cargo_test(&["--no-run"]))?;
    if !lab {
        return tests(None, None);
    }
    sh::heading("instructions of the hot path");
    let counted = instructions::check();
    match &counted {
        Ok(Verdict::Fine(table)) => print!("{table}"),
        Ok(Verdict::Skipped(_)) => {}
        Err(reason) => println!("{reason}"),
    }
    tests(Some(&paths::built("ha2bgp")), Some(counted))
}

/// What can be said without running anything of ours.
fn static_checks() -> Result<(), String> {
    sh::heading("formatting");
    sh::run(&mut sh::cargo(&["fmt", "--all", "--check"]))?;
    sh::heading("clippy, warnings are errors");
    sh::run(&mut sh::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--quiet",
        "--",
        "-Dwarnings",
    ]))?;
    // A feature that only tests ask for would be missing there.
    sh::heading("the program alone, as who installs it builds it");
    sh::run(&mut sh::cargo(&["check", "--locked", "--quiet"]))?;
    sh::heading("documentation, warnings are errors");
    sh::run(
        sh::cargo(&[
            "doc",
            "--workspace",
            "--no-deps",
            "--locked",
            "--document-private-items",
            "--quiet",
        ])
        .env("RUSTDOCFLAGS", "-Dwarnings"),
    )?;
    sh::heading("tidy");
    tidy::run()
}

/// `cargo xtask lab-setup`, beside something else. What it prints is kept until it is waited for.
struct Background {
    child: Child,
    output: PathBuf,
}

impl Background {
    /// Starts it, where it can do anything.
    fn setup() -> Result<Option<Self>, String> {
        if !sh::is_root() {
            println!("not root: nothing is installed; the lab's tests say what they skip");
            return Ok(None);
        }
        if !sh::have("apt-get") {
            println!("no apt-get here: install by hand what the lab's tests say is missing");
            return Ok(None);
        }
        let own = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
        let dir = paths::lab();
        let output = dir.join("setup.log");
        let opened = std::fs::create_dir_all(&dir).and_then(|()| File::create(&output));
        let file = opened.map_err(|error| format!("{}: {error}", output.display()))?;
        let again = file.try_clone().map_err(|error| format!("{}: {error}", output.display()))?;
        let mut command = sh::command(&own.to_string_lossy(), &["lab-setup"]);
        let started = command.stdout(file).stderr(again).spawn();
        let child = started.map_err(|error| format!("lab-setup did not start: {error}"))?;
        Ok(Some(Self { child, output }))
    }

    fn wait(mut self) -> Result<(), String> {
        let status = self.child.wait().map_err(|error| format!("lab-setup: {error}"))?;
        print!("{}", std::fs::read_to_string(&self.output).unwrap_or_default());
        if status.success() { Ok(()) } else { Err(format!("lab-setup ended with {status}")) }
    }
}

fn tests(
    program: Option<&Path>,
    instructions: Option<Result<Verdict, String>>,
) -> Result<(), String> {
    let mut counts = Counts::default();
    let mut failures = Vec::new();

    sh::heading("unit, property and simulation tests");
    let own = ["--no-fail-fast", "--lib", "--bin", "xtask", "--test", NOT_LAB];
    for choice in [own.as_slice(), &["--no-fail-fast", "--doc"]] {
        if !counted(&mut sh::cargo_test(choice), &mut counts)? {
            failures.push("a test");
        }
    }

    if let Some(program) = program {
        sh::heading("the lab");
        let skip_log = fresh_skip_log()?;
        let mut lab = sh::cargo_test(&["--no-fail-fast", "--test", LAB]);
        lab.env("HA2BGP_BIN", program)
            .env("HA2BGP_LAB_DIR", paths::lab())
            .env("HA2BGP_SKIP_LOG", &skip_log);
        if std::env::var_os("RUST_TEST_THREADS").is_none() {
            lab.env("RUST_TEST_THREADS", LAB_THREADS);
        }
        if !counted(&mut lab, &mut counts)? {
            failures.push("a lab test");
        }
        let skipped = std::fs::read_to_string(&skip_log).unwrap_or_default();
        for line in skipped.lines() {
            println!("skipped: {line}");
        }
        counts.move_to_skipped(skipped.lines().count() as u64);
    }
    match instructions {
        Some(Ok(Verdict::Fine(_))) => counts.passed += 1,
        Some(Ok(Verdict::Skipped(reason))) => {
            counts.skipped += 1;
            println!("skipped: instruction counts: {reason}");
        }
        Some(Err(reason)) => {
            counts.failed += 1;
            println!("{reason}");
            failures.push("an instruction count");
        }
        None => {}
    }

    println!("\n{counts}");
    if failures.is_empty() { Ok(()) } else { Err(format!("{} failed", failures.join(" and "))) }
}

fn fresh_skip_log() -> Result<PathBuf, String> {
    let dir = paths::lab();
    std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let file = dir.join(SKIP_LOG);
    std::fs::write(&file, "").map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// Runs tests with their output passed through and counted; `false` when one failed.
fn counted(command: &mut Command, counts: &mut Counts) -> Result<bool, String> {
    let name = sh::line(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{name}` did not start: {error}"))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.map_err(|error| format!("output of `{name}`: {error}"))?;
            let line = String::from_utf8_lossy(&line);
            counts.add_line(&line);
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|error| format!("`{name}`: {error}"))?;
    Ok(status.success())
}
