//! Running commands: with a heading and their output shown, or quietly with the output returned.

use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

/// Prints the one-line heading of a step, with the time since the first one.
pub(crate) fn heading(text: &str) {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let seconds = FIRST.get_or_init(Instant::now).elapsed().as_secs();
    println!("\n── {text} ({}:{:02})", seconds / 60, seconds % 60);
}

/// A command that reads nothing and runs at the root of the workspace.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(crate::paths::root()).stdin(Stdio::null());
    command
}

/// `cargo` with the toolchain of the workspace.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    command(&program, args)
}

/// What tests are built with, in `Cargo.toml`.
pub(crate) const PROFILE: &str = "quick";

/// `cargo test` of the whole workspace: which features a dependency has depends on the packages that are
/// chosen, and each other choice would compile many of them once more.
pub(crate) fn cargo_test(args: &[&str]) -> Command {
    let mut command = cargo(&["test", "--workspace", "--locked", "--profile", PROFILE]);
    command.args(args);
    command
}

/// Runs with the output shown; a failure names the command.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{}: {error}", line(command)))?;
    check(command, status, "")
}

/// Runs quietly; standard output and standard error are returned together, shown only on failure.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{}: {error}", line(command)))?;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    check(command, output.status, &text)?;
    Ok(text)
}

fn check(command: &Command, status: ExitStatus, text: &str) -> Result<(), String> {
    if status.success() {
        return Ok(());
    }
    let gap = if text.is_empty() { "" } else { "\n" };
    Err(format!("`{}` ended with {status}{gap}{}", line(command), text.trim_end()))
}

/// The command as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Whether a program is on the path or in one of the places only root's path has.
pub(crate) fn have(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"])
        .any(|dir| std::path::Path::new(dir).join(program).is_file())
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .and_then(|ids| ids.split_whitespace().nth(1))
            .is_some_and(|effective| effective == "0")
    })
}
