//! The command line: what was asked for, and exit codes.
//!
//! Exit codes: 0 done, 1 failed, 2 bad usage or configuration. While announcing, stdout belongs
//! to the announcer alone; only the commands here that announce nothing print on it.

mod ask;
mod check;
mod config;
mod demo;
mod drain;
mod filter;
pub mod flags;
mod history;
mod host;
mod import;
mod log_level;
mod nagios;
mod overrides;
mod peers;
mod plan;
mod push;
mod reasons;
mod reload;
mod replay;
mod screen;
mod status;
mod watch;
mod why;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};
use ha2bgp_core::fact::Protocol;
use ha2bgp_proto::filter::{Filter, FilterError, Span};
use ha2bgp_sys::signals::Ignored;
use rustix::process::Signal;

use self::flags::FLAGS;
use crate::config::error::ConfigError;
use crate::config::lint::{self, Warning};
use crate::config::log::LogSettings;
use crate::config::origin::{Origin, Written};
use crate::config::raw::{Given, Raw};
use crate::config::settings::{Backend, Settings};
use crate::control::orders::FileText;
use crate::daemon::{self, parent};
use crate::log::{self, Format, Style};

/// Bad usage or configuration.
const EXIT_USAGE: u8 = 2;

/// The whole program.
pub fn main() -> ExitCode {
    // What is not UTF-8 is no valid value anywhere: shown with U+FFFD, it is refused where it stands.
    let mut args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    let program = args.next().unwrap_or_else(|| "ha2bgp".to_owned());
    let args: Vec<String> = std::iter::once(program).chain(flags::from_go_style(args)).collect();
    let is_plugin = args.get(1).is_some_and(|command| command == "nagios");
    match command().try_get_matches_from(args) {
        Ok(matches) => match matches.subcommand() {
            Some(("demo", _)) => demo::main(),
            Some(("filter", matches)) => filter::main(matches),
            Some(("check-config", matches)) => check::main(matches),
            Some(("plan", matches)) => plan::main(matches),
            Some(("config", matches)) => config::main(matches),
            Some(("import", matches)) => import::main(matches),
            Some(("push", matches)) => push::main(matches),
            Some(("reload", matches)) => reload::main(matches),
            Some(("drain", matches)) => drain::main(matches),
            Some(("undrain", matches)) => drain::undrain::main(matches),
            Some(("history", matches)) => history::main(matches),
            Some(("watch", matches)) => watch::main(matches),
            Some(("log-level", matches)) => log_level::main(matches),
            Some(("why", matches)) => why::main(matches),
            Some(("status", matches)) => status::main(matches),
            Some(("peers", matches)) => peers::main(matches),
            Some(("nagios", matches)) => nagios::main(matches),
            Some((name, matches)) if overrides::is_command(name) => overrides::main(name, matches),
            Some(("replay", matches)) => replay::main(matches),
            Some(("run", matches)) => run(matches),
            _ => run(&matches),
        },
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            // The text was asked for: it goes to stdout, and a closed stdout is no failure.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        Err(error) => {
            let text = error.to_string();
            let code = refuse(&[text.trim_start_matches("error: ").trim_end().to_owned()]);
            // A monitoring plugin has its own exit codes: 2 would be an alarm.
            if is_plugin { ExitCode::from(nagios::USAGE) } else { code }
        }
    }
}

/// The command with everything it takes.
fn command() -> Command {
    let command = Command::new("ha2bgp")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Announces an IP into BGP only while the service behind it on this host is up")
        .after_help(
            "Go's spellings (-network X, -debug=false) work too. Durations have a unit: 500ms, 3s, 1m.\n\
             Exit codes: 0 done, 1 failed, 2 bad usage or configuration.",
        )
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("demo")
                .about("Shows announcing and withdrawing on this machine; needs no root, no router"),
        )
        .subcommand(flags::add_to(
            Command::new("run").about("Runs, as without any command: ha2bgp run --config FILE"),
        ))
        .subcommand(check::command())
        .subcommand(config::command())
        .subcommand(filter::command())
        .subcommand(history::command())
        .subcommand(plan::command())
        .subcommand(import::command())
        .subcommand(push::command())
        .subcommand(reload::command())
        .subcommand(drain::command())
        .subcommand(drain::undrain::command())
        .subcommand(status::command())
        .subcommand(watch::command())
        .subcommand(why::command())
        .subcommand(peers::command())
        .subcommand(nagios::command())
        .subcommand(log_level::command())
        .subcommands(overrides::commands())
        .subcommand(replay::command());
    flags::add_to(command)
}

/// Runs the daemon from flags, environment and configuration files.
fn run(matches: &ArgMatches) -> ExitCode {
    // A reload or a look that is asked for before it is there must not end it.
    let ignored = Ignored::begin(&[Signal::HUP, Signal::USR1]);
    let flag = |name| {
        let values = matches.get_many::<String>(name).into_iter().flatten();
        values.cloned().collect::<Vec<String>>()
    };
    // As arguments: a variable that is not UTF-8 must be refused, not taken as not set.
    let variable =
        |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    // What was given stays; only files are read again.
    let given = FLAGS.iter().map(|it| (it.long, flag(it.long))).collect();
    let variables = FLAGS.iter().filter_map(|it| it.env);
    let variables = variables.filter_map(|name| Some((name, variable(name)?))).collect();
    let sources = Arc::new(Sources { given, variables });
    let Loaded { raw, settings } = sources.load(None);
    let log_settings = LogSettings::read(&raw);
    let Good { settings, filter, warnings } = match settings {
        Ok(good) => good,
        Err(errors) => {
            ignored.end();
            return refuse(&texts(&errors));
        }
    };
    let helper = settings.backend == Backend::Exabgp && parent::has_pipes();
    let log = log::start(log_settings, Format::choose(log_settings, helper));
    for warning in &warnings {
        tracing::warn!("{}", warning.line());
    }
    let loader: daemon::Loader = Arc::new(move |files| {
        let good = sources.load(files).settings;
        good.map(|good| (good.settings, good.filter)).map_err(|errors| texts(&errors))
    });
    let code = daemon::run(settings, &filter, loader, log.level());
    log.flush();
    code
}

/// What was given on the command line and in the environment.
struct Sources {
    given: BTreeMap<&'static str, Vec<String>>,
    variables: BTreeMap<&'static str, String>,
}

impl Sources {
    /// Reads the settings with the files as they are now, or with these in the place of all files.
    fn load(&self, files: Option<&[FileText]>) -> Loaded {
        let names = files.map(|files| {
            let named = files.iter().map(|file| file.directory.as_ref().unwrap_or(&file.name));
            let mut names: Vec<String> = named.cloned().collect();
            // The files of a directory are given by its name, once.
            names.dedup();
            names
        });
        let flag = |name| match &names {
            Some(names) if name == "config" => Vec::clone(names),
            _ => self.given.get(name).cloned().unwrap_or_default(),
        };
        let variable = |name: &str| self.variables.get(name).cloned();
        load(&Given { flag: &flag, variable: &variable }, files.unwrap_or_default())
    }
}

/// What people are told.
fn texts(told: &[impl ToString]) -> Vec<String> {
    told.iter().map(ToString::to_string).collect()
}

/// What was read: good settings, or everything that is wrong.
struct Loaded {
    raw: Raw,
    settings: Result<Good, Vec<ConfigError>>,
}

/// Good settings, and what there is to warn of.
struct Good {
    settings: Settings,
    filter: Filter,
    warnings: Vec<Warning>,
}

/// Reads the settings, with these texts in the place of files of their names; or everything that is
/// wrong with them.
fn load(given: &Given<'_>, sent: &[FileText]) -> Loaded {
    host::with(sent, |host| {
        let raw = Raw::collect(given, host);
        let settings = match Settings::read(&raw, host) {
            Ok(settings) => {
                match filter::parse(&settings.listen_filter.text, &settings.protocols) {
                    Ok(filter) => {
                        let warnings = lint::check(&raw, &settings, &filter, host);
                        Ok(Good { settings, filter, warnings })
                    }
                    Err(error) => Err(vec![unreadable(&settings.listen_filter, &error)]),
                }
            }
            Err(mut errors) => {
                // Which protocols are meant may be what is wrong; service names differ between them.
                if let Some(written) = raw.values.one("listen-filter")
                    && let Err(error) = filter::parse(&written.text, &[Protocol::Tcp])
                    && filter::parse(&written.text, &[Protocol::Udp]).is_err()
                {
                    errors.push(unreadable(written, &error));
                }
                Err(errors)
            }
        };
        Loaded { raw, settings }
    })
}

/// Says what is wrong with a listen filter and points at the word.
fn unreadable(written: &Written, error: &FilterError) -> ConfigError {
    let Span { offset, length } = error.span;
    let word = offset..offset.saturating_add(length);
    match written.origin.part(&written.text, &word) {
        origin @ Origin::File(_) if origin != written.origin => {
            ConfigError { origin, message: error.to_string() }
        }
        origin => {
            let message = format!("{error}\n{}", error.render(&written.text));
            ConfigError { origin, message }
        }
    }
}

/// Reports bad usage or configuration and ends with 2.
///
/// As a child of ExaBGP the program stays instead, announcing nothing: ExaBGP gives up
/// altogether on a process that dies more than five times in a minute.
fn refuse(problems: &[String]) -> ExitCode {
    if parent::detect_exabgp().child_of_exabgp {
        let log = log::start(LogSettings::default(), Format::Text(Style::Helper));
        for line in problems.iter().flat_map(|problem| problem.lines()) {
            tracing::error!("{line}");
        }
        tracing::error!("bad configuration: announcing nothing until restarted with a good one");
        daemon::wait_for_the_end();
        log.flush();
    } else {
        for problem in problems {
            print_error(problem);
        }
    }
    ExitCode::from(EXIT_USAGE)
}

fn print_error(problem: &str) {
    // Nobody is left to be told that stderr takes nothing; the exit code still says it.
    let _ = writeln!(io::stderr(), "ha2bgp: error: {problem}");
}

fn print_warning(warning: &str) {
    let _ = writeln!(io::stderr(), "ha2bgp: warning: {warning}");
}

/// Prints a line for a person. Unlike `println!`, it is no panic when nobody reads any more.
fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_well_formed() {
        command().debug_assert();
    }
}
