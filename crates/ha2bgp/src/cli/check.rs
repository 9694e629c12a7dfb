//! `ha2bgp check-config FILE`: everything that is wrong with a configuration, and what is legal and
//! probably not meant; nothing else.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use super::{EXIT_USAGE, Loaded, load, print_error, print_warning, say, texts};
use crate::config::error::ConfigError;
use crate::config::lint::Warning;
use crate::config::origin::Origin;
use crate::config::raw::Given;
use crate::config::settings::{Backend, Settings};

/// The command and its arguments.
pub(super) fn command() -> Command {
    let file = |name: &'static str| Arg::new(name).value_name("FILE").action(ArgAction::Append);
    Command::new("check-config")
        .about(
            "Says everything that is wrong with configuration files, and warns of what is probably not \
             meant; starts nothing",
        )
        .arg(
            file("FILE")
                .help(
                    "Configuration file, or directory of *.toml files; later ones replace keys of \
                     earlier ones",
                )
                .required_unless_present("config")
                .num_args(1..),
        )
        .arg(file("config").long("config").help("The same, as the daemon takes it [repeatable]"))
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print a JSON list of what was found, on standard output"),
        )
}

/// Checks the files alone: no flags, no environment.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let all = |name| matches.get_many::<String>(name).into_iter().flatten().cloned();
    let files: Vec<String> = all("config").chain(all("FILE")).collect();
    let flag = |name| if name == "config" { files.clone() } else { Vec::new() };
    let Loaded { settings, .. } = load(&Given { flag: &flag, variable: &|_| None }, &[]);
    let code = if settings.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_USAGE) };
    let said = if matches.get_flag("json") {
        let found: Vec<Found> = match &settings {
            Ok(good) => good.warnings.iter().map(Found::from).collect(),
            Err(errors) => errors.iter().map(Found::from).collect(),
        };
        // Text and numbers are always JSON.
        say(serde_json::to_string_pretty(&found).unwrap_or_default())
    } else {
        match settings {
            Ok(good) => {
                texts(&good.warnings).iter().for_each(|warning| print_warning(warning));
                say(summary(&good.settings, good.warnings.len()))
            }
            Err(errors) => {
                texts(&errors).iter().for_each(|error| print_error(error));
                Ok(())
            }
        }
    };
    said.map_or(ExitCode::FAILURE, |()| code)
}

/// What was found, for programs.
#[derive(Debug, Serialize)]
struct Found {
    /// `error` or `warning`.
    severity: &'static str,
    /// Of warnings: which kind it is.
    code: Option<&'static str>,
    /// The file, its line and column, from 1 on; nothing outside of files.
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    /// The key, the flag or the variable.
    key: String,
    /// What stands there, unless a secret may.
    value: Option<String>,
    /// What is wrong, and what to write.
    message: String,
}

impl Found {
    fn new(severity: &'static str, origin: &Origin, message: &str) -> Self {
        let place = match origin {
            Origin::File(place) => Some(place),
            Origin::Flag(_) | Origin::Variable(_) | Origin::Default(_) => None,
        };
        let position =
            place.filter(|place| !place.is_whole_file()).map(|_| origin.line_and_column());
        Self {
            severity,
            code: None,
            file: place.map(|place| place.source.name.clone()),
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            key: place.map_or_else(|| origin.to_string(), |place| place.key.clone()),
            value: place.and_then(|place| place.value()).map(str::to_owned),
            message: message.to_owned(),
        }
    }
}

impl From<&ConfigError> for Found {
    fn from(error: &ConfigError) -> Self {
        Self::new("error", &error.origin, &error.message)
    }
}

impl From<&Warning> for Found {
    fn from(warning: &Warning) -> Self {
        let code = Some(warning.lint.code);
        Self { code, ..Self::new("warning", &warning.origin, &warning.message) }
    }
}

/// What the files come to, in a line.
fn summary(settings: &Settings, warnings: usize) -> String {
    let networks = settings.engine.networks.iter().map(|net| net.to_string());
    let networks = networks.collect::<Vec<_>>().join(", ");
    let output = match (settings.backend, &settings.speaker) {
        (Backend::Speaker, Some(speaker)) => {
            let peers = speaker.peers.iter().map(|peer| peer.config.peer.to_string());
            format!("to {}", peers.collect::<Vec<_>>().join(", "))
        }
        (Backend::Exabgp | Backend::Speaker, _) => "through ExaBGP".to_owned(),
        (Backend::Test, _) => "to standard output".to_owned(),
    };
    let good = match warnings {
        0 => "good".to_owned(),
        1 => "good, with a warning".to_owned(),
        count => format!("good, with {count} warnings"),
    };
    format!("{good}: announces addresses in {networks} {output}")
}
