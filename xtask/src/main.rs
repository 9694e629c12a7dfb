//! Task runner of the workspace: `cargo xtask <task>`.
//!
//! Plain `std` only, so that it builds in a second on a fresh clone.
#![expect(clippy::print_stdout, reason = "a task runner talks to the person who runs it")]
#![expect(clippy::print_stderr, reason = "a task runner talks to the person who runs it")]

mod bench;
mod counts;
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
  bench latency [PART…] [--runs N] [--peer-runs N] [--connections N]
                                     listener close → withdrawal, every tier, beside floors and the
                                     original's `ss` loop; parts: wire under burst cost pipe
  bench speaker [PART…] [--runs N] [--reps N]
                                     the built-in speaker, beside floors, BIRD and ExaBGP; parts:
                                     decision burst memory routes keepalive
  bench checks [--vips N] [--seconds N] [--repeat N]
                                     ten thousand HTTP checks a second, beside HAProxy's own
  bench plugin [--reps N] [--seconds S]
                                     the CPU time of one run of a plugin, beside exabgp healthcheck
  bench outage [with|without] [--reps N]
                                     how long BIRD and FRR keep the route of a host that is gone
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["test", rest @ ..] => pipeline::run(rest),
        ["lab-setup"] => setup::run(),
        ["tidy"] => tidy::run(),
        ["bench", name @ ("checks" | "latency" | "outage" | "plugin" | "speaker"), rest @ ..] => {
            bench::run(name, rest)
        }
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [] => Err(format!("which task?\n\n{USAGE}")),
        other => Err(format!("`{}` is no task of mine.\n\n{USAGE}", other.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}
