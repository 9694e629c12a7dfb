//! `ha2bgp filter 'EXPR'`: how a listen filter is read, its bytecode, what it matches now.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use ha2bgp_core::fact::Protocol;
use ha2bgp_proto::filter::{Context, Filter, FilterError, Names, Services};

use super::{EXIT_USAGE, print_error, say};
use crate::observe::listen;

/// Where service names come from (services(5)).
const SERVICES: &str = "/etc/services";

/// The longest `/etc/services` that is read: Debian's has 12 KiB.
const SERVICES_BYTES_MAX: u64 = 4 << 20;

/// The subcommand.
pub(super) fn command() -> Command {
    Command::new("filter")
        .about("Shows how a listen filter is read, its bytecode, and the sockets it matches now")
        .arg(Arg::new("expression").required(true).value_name("EXPR").help(
            "The filter, as one argument: 'sport = :80 or sport = :443'; '' matches everything",
        ))
        .arg(
            Arg::new("protocol")
                .long("protocol")
                .value_name("PROTOCOL")
                .action(ArgAction::Append)
                .value_parser(["tcp", "udp"])
                .default_value("tcp")
                .help("Which sockets to look at [repeatable]"),
        )
}

/// Reads a listen filter with the names of this host.
pub(super) fn parse(text: &str, protocols: &[Protocol]) -> Result<Filter, FilterError> {
    let services = Services::parse(&services());
    Filter::parse(text, &Context { services: &services, protocols, names: &Host })
}

/// The text of `/etc/services`; without it there are no names, only numbers.
fn services() -> String {
    let small = fs::metadata(SERVICES).is_ok_and(|file| file.len() <= SERVICES_BYTES_MAX);
    let bytes = if small { fs::read(SERVICES).unwrap_or_default() } else { Vec::new() };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What only the host knows.
struct Host;

impl Names for Host {
    fn device(&self, name: &str) -> Option<u32> {
        ha2bgp_sys::lookup::device_index(name)
    }

    fn cgroup(&self, path: &str) -> Result<u64, String> {
        // As `ss` does: a path below the cgroup2 mount, or an absolute one.
        let mount = Path::new("/sys/fs/cgroup");
        let below = mount.join(path.trim_start_matches('/'));
        ha2bgp_sys::lookup::cgroup_id(&below)
            .or_else(|_| ha2bgp_sys::lookup::cgroup_id(Path::new(path)))
            .map_err(|error| error.to_string())
    }
}

/// Runs the subcommand.
pub(super) fn main(matches: &ArgMatches) -> ExitCode {
    let text = matches.get_one::<String>("expression").map_or("", String::as_str);
    let protocols: Vec<Protocol> = [Protocol::Tcp, Protocol::Udp]
        .into_iter()
        .filter(|known| {
            matches.get_many::<String>("protocol").into_iter().flatten().any(|p| p == known.name())
        })
        .collect();
    let filter = match parse(text, &protocols) {
        Ok(filter) => filter,
        Err(error) => {
            print_error(&format!("{error}\n{}", error.render(text)));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match show(&filter, text, &protocols) {
        Ok(()) => ExitCode::SUCCESS,
        // `| head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn show(filter: &Filter, text: &str, protocols: &[Protocol]) -> io::Result<()> {
    match filter.expression() {
        Some(_) => say(format_args!("reading: {filter}"))?,
        None => say(format_args!("reading: everything (a blank filter has no condition)"))?,
    }
    for warning in filter.warnings() {
        say(format_args!("warning: {warning}\n{}", warning.render(text)))?;
    }
    say(format_args!("bytecode: {}", hex(filter.bytecode())))?;
    let listeners = listen::listeners_now(filter, protocols).map_err(|error| {
        io::Error::other(format!("cannot look at the sockets of this host: {error}"))
    })?;
    listeners.iter().try_for_each(say)
}

/// Lower-case hexadecimal; `-` for nothing.
fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
