//! `ha2bgp check-config FILE`: everything that is wrong with a configuration, and nothing else.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use super::{EXIT_USAGE, load, print_error, read_file, say};
use crate::config::raw::Given;
use crate::config::settings::{Backend, Settings};

/// The command and its arguments.
pub(super) fn command() -> Command {
    Command::new("check-config")
        .about("Says everything that is wrong with configuration files; starts nothing")
        .arg(
            Arg::new("FILE")
                .help("Configuration file; later ones replace keys of earlier ones")
                .required(true)
                .num_args(1..),
        )
}

/// Checks the files alone: no flags, no environment.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let files: Vec<String> = matches.get_many("FILE").into_iter().flatten().cloned().collect();
    let flag = |name| if name == "config" { files.clone() } else { Vec::new() };
    let (_, settings) = load(&Given { flag: &flag, variable: &|_| None }, &read_file);
    match settings {
        Ok((settings, _)) => match say(summary(&settings)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(problems) => {
            for problem in &problems {
                print_error(problem);
            }
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// What the files come to, in a line.
fn summary(settings: &Settings) -> String {
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
    format!("good: announces addresses in {networks} {output}")
}
