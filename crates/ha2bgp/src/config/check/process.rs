//! `type = "process"`.

use super::super::file::keys::{self, key};
use super::common::POWERS;
use super::fields::Fields;
use super::{Kind, Read};
use crate::observe::check::Watched;
use crate::observe::check::place::Place;
use crate::observe::check::process::ProcessProbe;

/// The longest name of a process.
const NAME_MAX: usize = 4096;
/// The longest name of a unit (systemd.unit(5)).
#[cfg(feature = "systemd")]
const UNIT_MAX: usize = 255;

/// A process runs.
pub(super) const KIND: Kind = Kind {
    name: "process",
    about: "A process runs: by its pid file, or as a systemd unit. Its end is told at once.",
    keys: &[
        key(
            "pidfile",
            keys::Kind::Path,
            "",
            "The file with its number; `{vip}` and `{service}` are filled in. Either this or `unit` \
             must be given",
        ),
        key(
            "name",
            keys::Kind::Text,
            "",
            "With `pidfile`: what the process is called (`comm`), or its program, so that another \
             one that has its number by now does not count",
        ),
        key(
            "unit",
            keys::Kind::Text,
            "",
            "The systemd unit that is active, such as `nginx.service`; `{vip}` and `{service}` are \
             filled in",
        ),
        key(
            "bus",
            keys::Kind::Text,
            "",
            "With `unit`: the address of the D-Bus; without it: that of the system",
        ),
        key(
            "interval",
            keys::Kind::Duration,
            "10s",
            "How often it is looked at when nothing is told of it, 10ms at least",
        ),
    ],
    groups: &[POWERS],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let pidfile = fields.place("pidfile");
    let unit = fields.place("unit");
    match (fields.is_given("pidfile"), fields.is_given("unit")) {
        (true, true) => {
            fields.fail("unit", "is one way to find a process, and pidfile another: leave one out");
        }
        (false, false) => fields.fail(
            "type",
            "a check of type \"process\" needs pidfile or unit: write for example unit = \
             \"nginx.service\"",
        ),
        _ => {}
    }
    for (name, with) in [("name", "pidfile"), ("bus", "unit")] {
        if fields.is_given(name) && !fields.is_given(with) {
            fields.fail(name, format_args!("is for {with}, which is not given: leave it out"));
        }
    }
    let name = fields.get("name", name);
    match (pidfile, unit) {
        (Some(path), _) => {
            let per_vip = path.template.uses_vip();
            let probe = Watched::Process(ProcessProbe::Pidfile { path, name });
            Some(Read::watched(probe, per_vip))
        }
        (None, Some(place)) => unit_check(fields, place),
        (None, None) => None,
    }
}

fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > NAME_MAX || text.contains('\0') {
        return Err(format!(
            "{text:?} is no name of a process: write what ps -o comm shows, or the path of its \
             program"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(feature = "systemd")]
fn unit_check(fields: &mut Fields<'_>, unit: Place) -> Option<Read> {
    let per_vip = unit.template.uses_vip();
    let written = unit.template.as_str();
    let whole = written.rsplit_once('.').is_some_and(|(name, _)| !name.is_empty());
    if !whole
        || written.len() > UNIT_MAX
        || written.contains(|c: char| c == '/' || c.is_whitespace())
    {
        let error = format!(
            "\"{written}\" is no name of a unit: write it with its type, for example nginx.service"
        );
        fields.fail("unit", error);
    }
    let bus = fields.get("bus", |text| match text.strip_prefix("unix:") {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err(format!(
            "\"{text}\" is no address of a bus on this host: write for example \
             unix:path=/run/dbus/system_bus_socket"
        )),
    });
    Some(Read::watched(Watched::Process(ProcessProbe::Unit { unit, bus }), per_vip))
}

#[cfg(not(feature = "systemd"))]
fn unit_check(fields: &mut Fields<'_>, _unit: Place) -> Option<Read> {
    fields.fail(
        "unit",
        "needs D-Bus, which this program was built without: use pidfile, or a build with the feature \
         \"systemd\"",
    );
    None
}
