//! `ha2bgp config reference|example|schema`: what there is to configure, made from the tables that
//! the program itself reads.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};

use super::{flags, print_error, reasons};
use crate::config::file::{example, reference, schema};

/// The command and its arguments.
pub(super) fn command() -> Command {
    Command::new("config")
        .about("Prints what there is to configure: as a page, an example, a JSON Schema")
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("reference").about("Prints a page of the reference, in Markdown").arg(
                Arg::new("PAGE")
                    .help("Keys of the file, flags and variables, or codes of reasons")
                    .default_value("keys")
                    .value_parser(PossibleValuesParser::new(["keys", "flags", "reasons"])),
            ),
        )
        .subcommand(
            Command::new("example")
                .about("Prints a file with every key, explained, at its default"),
        )
        .subcommand(Command::new("schema").about("Prints a JSON Schema (2020-12), for editors"))
}

/// Prints it.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let text = match matches.subcommand() {
        Some(("example", _)) => example::page(),
        Some(("schema", _)) => schema::page(),
        Some((_, matches)) => match matches.get_one::<String>("PAGE").map(String::as_str) {
            Some("flags") => flags::reference(),
            Some("reasons") => reasons::reference(),
            _ => reference::page(),
        },
        None => String::new(),
    };
    print(&text)
}

/// Prints a text; whoever has read enough is no failure.
pub(super) fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
