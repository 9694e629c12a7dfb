//! `type = "plugin"`.

mod identity;
#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use ha2bgp_proto::nagios::MAX_OUTPUT;
use ha2bgp_proto::template::Template;
use ha2bgp_sys::child::{Identity, Limits};

use super::super::duration;
use super::super::file::keys::{self, key};
use super::common::{self, COUNTING, POWERS, TIMING};
use super::fields::Fields;
use super::{Kind, Read};
use crate::observe::check::Polled;
use crate::observe::check::plugin::PluginProbe;

/// Where a program is looked up that is given without a path: Debian and others, Arch and SUSE,
/// Fedora, what the administrator has installed.
const PLACES: [&str; 4] = [
    "/usr/lib/nagios/plugins",
    "/usr/lib/monitoring-plugins",
    "/usr/lib64/nagios/plugins",
    "/usr/local/lib/nagios/plugins",
];

/// Words of a command and variables of the environment: each so many at most.
const WORDS_MAX: usize = 256;
/// The longest variable with its value, in octets.
const VARIABLE_MAX: usize = 4096;
/// The least `max-output`, in octets.
const OUTPUT_MIN: u64 = 256;
/// The least `limit-memory`: with less no program starts.
const MEMORY_MIN: u64 = 1 << 20;
/// The greatest size that is written anywhere here: 1 PiB.
const SIZE_MAX: u64 = 1 << 50;

/// A program says how it is.
pub(super) const KIND: Kind = Kind {
    name: "plugin",
    about: "A program in the manner of monitoring plugins (Nagios, Icinga) exits with 0, 1, 2 or 3.",
    keys: &[
        key(
            "command",
            keys::Kind::Texts,
            "",
            "The program and its arguments; it must be given. No shell reads it. The program is an \
             absolute path, or a name that is looked up where distributions install plugins. \
             `{vip}`, `{port}` and `{service}` in arguments are filled in; with `{vip}` in one of \
             them each VIP is probed by itself",
        ),
        key("port", keys::Kind::Number, "", "What `{port}` stands for, 1 to 65535"),
        key(
            "user",
            keys::Kind::Text,
            "",
            "Whom it runs as: a name of /etc/passwd, or a number. Without it: as ha2bgp itself, but \
             never as root: then as nobody (65534)",
        ),
        key(
            "group",
            keys::Kind::Text,
            "",
            "Its group: a name of /etc/group, or a number. Without it: that of `user`",
        ),
        key(
            "environment",
            keys::Kind::Texts,
            "",
            "Its environment as `NAME=value`; there is nothing else in it but PATH and LANG",
        ),
        key("directory", keys::Kind::Path, "/", "Its working directory"),
        key(
            "max-output",
            keys::Kind::Text,
            "64KiB",
            "So much of its output is read, 256 octets to 64KiB; the rest is thrown away",
        ),
        key("limit-memory", keys::Kind::Text, "", "Address space, such as `256MiB` (RLIMIT_AS)"),
        key(
            "limit-processes",
            keys::Kind::Number,
            "",
            "Processes and threads of its user, those outside of ha2bgp too (RLIMIT_NPROC)",
        ),
        key(
            "limit-files",
            keys::Kind::Number,
            "",
            "Open descriptors (RLIMIT_NOFILE). Without it: 1024, which the plugin may raise",
        ),
        key("limit-cpu", keys::Kind::Duration, "", "CPU time, whole seconds (RLIMIT_CPU)"),
        key("interval", keys::Kind::Duration, "10s", "From one run to the next, 10ms at least"),
        key(
            "timeout",
            keys::Kind::Duration,
            "10s",
            "A plugin that takes longer is killed with all it has started, and has failed",
        ),
    ],
    groups: &[COUNTING, TIMING, POWERS],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let arguments = command(fields);
    let port = fields.get("port", common::port);
    let identity = identity(fields);
    let environment = environment(fields);
    let directory = fields.get("directory", directory);
    let max_output = fields.get("max-output", |text| {
        size(text, OUTPUT_MIN, u64::try_from(MAX_OUTPUT).unwrap_or(u64::MAX))
    });
    let limits = Limits {
        memory: fields.get("limit-memory", |text| size(text, MEMORY_MIN, SIZE_MAX)),
        processes: fields.get("limit-processes", |text| count(text, 1)),
        // Its standard streams, and something to work with.
        files: fields.get("limit-files", |text| count(text, 8)),
        cpu: fields.get("limit-cpu", seconds),
    };
    let (program, arguments) = arguments?;
    let uses = |used: fn(&Template) -> bool| arguments.iter().any(used);
    let uses_port = uses(Template::uses_port);
    if uses_port && !fields.is_given("port") {
        fields.fail(
            "command",
            "{port} has no value: write for example port = 443 beside it, or the number itself",
        );
    }
    if !uses_port && fields.is_given("port") {
        fields.fail(
            "port",
            "nothing in command uses it: write {port} where the number belongs, or leave it out",
        );
    }
    let service = fields.service.filter(|_| uses(Template::uses_service)).unwrap_or_default();
    let per_vip = uses(Template::uses_vip);
    let probe = PluginProbe {
        program,
        port: port.filter(|_| uses_port),
        service: service.to_owned(),
        arguments,
        identity: identity?,
        environment: environment?,
        directory: directory?,
        max_output: usize::try_from(max_output?).ok()?,
        limits,
    };
    Some(Read::polled(Polled::Plugin(Box::new(probe)), per_vip))
}

/// The program's path and its arguments. Nothing when something is wrong.
fn command(fields: &mut Fields<'_>) -> Option<(String, Vec<Template>)> {
    let example = "[\"check_tcp\", \"-H\", \"{vip}\", \"-p\", \"25\"]";
    fields.required("command", example, |_| Ok::<_, String>(()));
    let section = fields.section;
    let (first, rest) = section.values.all("command").split_first()?;
    if rest.len() >= WORDS_MAX {
        fields.fail("command", format_args!("it has more than {WORDS_MAX} words: write fewer"));
        return None;
    }
    let host = fields.host;
    let found = program(&first.text, host.is_executable);
    let program = fields.reader.keep(first, found);
    let arguments: Vec<Option<Template>> =
        rest.iter().map(|at| fields.reader.keep(at, at.text.parse::<Template>())).collect();
    Some((program?, arguments.into_iter().collect::<Option<_>>()?))
}

/// Where the program is, which must be there and executable.
fn program(text: &str, is_executable: &dyn Fn(&str) -> io::Result<bool>) -> Result<String, String> {
    if text.is_empty() || text.contains('\0') {
        return Err("the first word of command is the program: write its path".to_owned());
    }
    if text.contains(['{', '}']) {
        return Err(format!(
            "\"{text}\" has a brace in it, and the program is the same for all: write its path, and \
             placeholders in the words after it: command = [\"/path/of/the/program\", \"{{vip}}\"]"
        ));
    }
    if text.starts_with('/') {
        return match is_executable(text) {
            Ok(true) => Ok(text.to_owned()),
            Ok(false) => {
                Err(format!("\"{text}\" is no file that may be executed: make it one by chmod +x"))
            }
            Err(error) if text.contains(char::is_whitespace) => Err(format!(
                "\"{text}\" cannot be run: {error}: there is no shell that would split it: write a \
                 list, command = [\"/path/of/the/program\", \"first word\", …]"
            )),
            Err(error) => Err(format!("\"{text}\" cannot be run: {error}: write another path")),
        };
    }
    if text.contains('/') {
        return Err(format!(
            "\"{text}\" is not an absolute path: begin it with /, or write the name alone of a \
             plugin that is in one of {}",
            PLACES.join(", ")
        ));
    }
    if text.chars().any(char::is_whitespace) {
        return Err(format!(
            "\"{text}\" is more than one word: write each by itself, such as [\"check_tcp\", \
             \"-p\", \"25\"]; no shell reads it"
        ));
    }
    let paths = PLACES.map(|place| format!("{place}/{text}"));
    let found = paths.into_iter().find(|path| matches!(is_executable(path), Ok(true)));
    found.ok_or_else(|| {
        format!(
            "there is no plugin \"{text}\" in {}: install it (Debian: monitoring-plugins-basic, \
             monitoring-plugins-standard), or write its path",
            PLACES.join(", ")
        )
    })
}

/// Nothing when something is wrong; none when nobody is given.
#[allow(clippy::option_option, reason = "wrong, and not given, are two things")]
fn identity(fields: &mut Fields<'_>) -> Option<Option<Identity>> {
    if !fields.is_given("user") {
        if fields.is_given("group") {
            fields.fail("group", "is for user, which is not given: add user = \"nagios\"");
        }
        return Some(None);
    }
    let host = fields.host;
    let group = match fields.is_given("group") {
        true => Some(fields.get("group", |text| identity::group(text, host.read_file))?),
        false => None,
    };
    let user = fields.get("user", |text| identity::user(text, group, host.read_file))?;
    Some(Some(user))
}

fn environment(fields: &mut Fields<'_>) -> Option<Vec<(String, String)>> {
    let given = fields.section.values.all("environment").len();
    if given > WORDS_MAX {
        let text = format!("it has {given} variables and may have {WORDS_MAX}: write fewer");
        fields.fail("environment", text);
        return None;
    }
    let read = fields.all("environment", variable);
    (read.len() == given).then_some(read)
}

/// The value is not shown: it may be a password.
fn variable(text: &str) -> Result<(String, String), String> {
    let example = "write for example \"HOME=/var/lib/nagios\"";
    if text.len() > VARIABLE_MAX {
        return Err(format!("the variable has more than {VARIABLE_MAX} octets: make it shorter"));
    }
    let Some((name, value)) = text.split_once('=') else {
        return Err(format!("there is no = between the variable's name and its value: {example}"));
    };
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let digit = name.starts_with(|c: char| c.is_ascii_digit());
    if name.is_empty() || digit || !name.chars().all(good) || value.contains('\0') {
        return Err(format!("it begins with no name of a variable: {example}"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn directory(text: &str) -> Result<String, String> {
    match text {
        _ if text.contains('\0') => Err("there is a NUL character in it: remove it".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// Octets: a number, alone or with `KiB`, `MiB` or `GiB`.
fn size(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let (number, shift) = [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)))
        .unwrap_or((text, 0));
    let octets = number.trim_end().parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift));
    octets.filter(|octets| (least..=most).contains(octets)).ok_or_else(|| {
        let show = |octets: u64| match octets {
            _ if octets.is_multiple_of(1 << 30) => format!("{}GiB", octets >> 30),
            _ if octets.is_multiple_of(1 << 20) => format!("{}MiB", octets >> 20),
            _ if octets.is_multiple_of(1 << 10) => format!("{}KiB", octets >> 10),
            _ => format!("{octets} octets"),
        };
        format!(
            "\"{text}\" is not a size from {} to {}: write for example \"64KiB\"",
            show(least),
            show(most)
        )
    })
}

fn count(text: &str, least: u64) -> Result<u64, String> {
    let most = 1 << 20;
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("\"{text}\" is not a whole number from {least} to {most}"))
}

fn seconds(text: &str) -> Result<u64, String> {
    let time = duration::parse(text).map_err(|error| error.to_string())?;
    if time < Duration::from_secs(1) || time.subsec_nanos() != 0 {
        return Err(format!("\"{text}\" is not a time of whole seconds: write for example \"5s\""));
    }
    Ok(time.as_secs())
}
