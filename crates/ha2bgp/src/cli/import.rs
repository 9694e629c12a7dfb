//! `ha2bgp import PROGRAM FILE…`: configurations of other programs as ours, on standard output; what
//! became of each option, on standard error.
//!
//! Exit codes: 0 done, 1 done, but something has no counterpart, 2 the files are not good.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use ha2bgp_core::net::Prefix;
use ha2bgp_sys::route::Route;

use super::config::print;
use super::host::read_file;
use super::{EXIT_USAGE, print_error};
use crate::config::file;
use crate::import::{self, FILES_MAX, File, Host, Loopback, Program};

/// The command and its arguments.
pub(super) fn command() -> Command {
    Command::new("import")
        .about("Turns the configuration of another program into ours, and says what became of it")
        .after_help(
            "The new configuration goes to standard output, what became of each option to standard \
             error.\nExit codes: 0 done, 1 done, but something has no counterpart, 2 the files are \
             not good.",
        )
        .arg(
            Arg::new("PROGRAM")
                .help("Whose configuration it is")
                .required(true)
                .value_parser(PossibleValuesParser::new(Program::ALL.map(Program::name))),
        )
        .arg(
            Arg::new("FILE")
                .help("Files, or directories for the *.conf in them, in this order; - is standard input")
                .required(true)
                .num_args(1..),
        )
}

/// Imports them.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let name = matches.get_one::<String>("PROGRAM").map_or("", String::as_str);
    let program = Program::ALL.into_iter().find(|program| program.name() == name);
    let paths = matches.get_many::<String>("FILE").into_iter().flatten();
    let files: Result<Vec<Vec<File>>, String> = paths.map(|path| read(path)).collect();
    let (program, files) = match (program, files) {
        (Some(program), Ok(files)) => (program, files.concat()),
        (_, Err(error)) => return refuse(&[error]),
        (None, _) => return refuse(&[format!("there is no program {name}")]),
    };
    if files.len() > FILES_MAX {
        return refuse(&[format!("there are {} files, and {FILES_MAX} is the most", files.len())]);
    }
    let host = Host { read_file: &read_file, loopback: &loopback };
    match import::import(program, &files, &host) {
        Ok(imported) => {
            // Whoever does not read the report has the comments.
            let _ = io::stderr().write_all(imported.report.as_bytes());
            let code = print(&imported.toml);
            if code == ExitCode::SUCCESS && imported.lost > 0 { ExitCode::FAILURE } else { code }
        }
        Err(errors) => refuse(&errors.iter().map(ToString::to_string).collect::<Vec<_>>()),
    }
}

fn refuse(errors: &[String]) -> ExitCode {
    for error in errors {
        print_error(error);
    }
    ExitCode::from(EXIT_USAGE)
}

/// A file, standard input, or what is in a directory.
fn read(path: &str) -> Result<Vec<File>, String> {
    let fail = |error: io::Error| format!("\"{path}\" cannot be read: {error}");
    if path == "-" {
        let mut octets = Vec::new();
        let most = u64::try_from(file::LENGTH_MAX).unwrap_or(u64::MAX).saturating_add(1);
        io::stdin().take(most).read_to_end(&mut octets).map_err(fail)?;
        return Ok(vec![File { name: "standard input".to_owned(), octets }]);
    }
    if !Path::new(path).is_dir() {
        return Ok(vec![read_one(path)?]);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(fail)? {
        let name = entry.map_err(fail)?.path().to_string_lossy().into_owned();
        names.extend(name.ends_with(".conf").then_some(name));
        if names.len() > FILES_MAX {
            return Err(format!("\"{path}\" has more than {FILES_MAX} files: name some"));
        }
    }
    if names.is_empty() {
        return Err(format!("there is no *.conf in \"{path}\": name the files"));
    }
    names.sort_unstable();
    names.iter().map(|name| read_one(name)).collect()
}

fn read_one(path: &str) -> Result<File, String> {
    match read_file(path) {
        Ok(octets) => Ok(File { name: path.to_owned(), octets }),
        Err(error) => Err(format!("\"{path}\" cannot be read: {error}")),
    }
}

/// The addresses of the loopback interface.
fn loopback() -> Result<Vec<Loopback>, String> {
    let tables = Route::open().and_then(|mut route| route.tables());
    let tables = tables.map_err(|error| format!("they cannot be read: {error}"))?;
    let lo = tables.links.iter().find(|link| link.name == "lo").map(|link| link.index);
    let own = tables.addresses.into_iter().filter(|address| Some(address.interface) == lo);
    let found = own.filter_map(|address| {
        let prefix = Prefix::truncating(address.local, address.prefix_length)?;
        // What has host bits is the address of a host in a network, not one to announce.
        (prefix.address() == address.local).then_some(Loopback { prefix, label: address.label })
    });
    Ok(found.collect())
}
