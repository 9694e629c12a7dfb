//! Task runner of the workspace: `cargo xtask <task>`.
//!
//! Plain `std` only, so that it builds in a second on a fresh clone.
#![expect(clippy::print_stdout, reason = "a task runner talks to the person who runs it")]
#![expect(clippy::print_stderr, reason = "a task runner talks to the person who runs it")]

mod bench;
mod counts;
mod instructions;
mod paths;
mod pipeline;
mod setup;
mod sh;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask <task>

  test [--skip-checks] [--skip-setup] [--skip-lab]
                                     everything that must hold before a change lands
  lab-setup                          installs what the lab needs (root, Debian)
  tidy                               the rules that no compiler checks
  counts [--renew]                   instructions of the hot path, beside crates/lab/counts.txt
";

fn usage() -> String {
    format!("{USAGE}{}", bench::list())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["test", rest @ ..] => pipeline::run(rest),
        ["lab-setup"] => setup::run(),
        ["tidy"] => tidy::run(),
        ["counts", rest @ ..] => instructions::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["help" | "--help" | "-h"] => {
            print!("{}", usage());
            return ExitCode::SUCCESS;
        }
        [] => Err(format!("which task?\n\n{}", usage())),
        other => Err(format!("`{}` is no task of mine.\n\n{}", other.join(" "), usage())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}
