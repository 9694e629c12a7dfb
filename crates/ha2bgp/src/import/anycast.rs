//! anycast-healthchecker: an INI file with `[daemon]`, `[DEFAULT]` and a section for each service.
//!
//! As of 0.9.10. Every service has a command and one prefix; BIRD gets the prefixes in a file, which
//! is not needed here, as BIRD hears of them by BGP.

mod ini;
mod service;

use self::ini::{Entry, Ini, Section};
use super::model::{Fate, Import, Said};
use super::{Errors, Text, named};
use crate::near::nearest;

/// Options of `[daemon]` that nothing is made of, and why.
const NO_FILE: &str = "BIRD hears of the routes by BGP, and no file of it is written";
const NO_LOG: &str = "the log goes to standard error, where the service manager takes it";
const TO_STDERR: &str = "the log goes to standard error: StandardError=append:/PATH in the unit of \
                         systemd writes it to a file";
const FORWARD: &str = "the log goes to standard error: let the journal or rsyslog forward it";
const METRICS: &str = "write [control] with unix = \"/run/ha2bgp/ha2bgp.sock\": metrics are at \
                       /metrics there";

/// Options of `[daemon]`.
const DAEMON: &[(&str, Daemon)] = &[
    ("ipv4", Daemon::NotNeeded("the family follows from the address")),
    ("ipv6", Daemon::NotNeeded("the family follows from the address")),
    ("bird_conf", Daemon::NotNeeded(NO_FILE)),
    ("bird6_conf", Daemon::NotNeeded(NO_FILE)),
    ("bird_variable", Daemon::NotNeeded(NO_FILE)),
    ("bird6_variable", Daemon::NotNeeded(NO_FILE)),
    ("bird_reconfigure_cmd", Daemon::NotNeeded(NO_FILE)),
    ("bird6_reconfigure_cmd", Daemon::NotNeeded(NO_FILE)),
    ("dummy_ip_prefix", Daemon::NotNeeded(NO_FILE)),
    ("dummy_ip6_prefix", Daemon::NotNeeded(NO_FILE)),
    ("bird_keep_changes", Daemon::NotNeeded(NO_FILE)),
    ("bird6_keep_changes", Daemon::NotNeeded(NO_FILE)),
    ("bird_changes_counter", Daemon::NotNeeded(NO_FILE)),
    ("bird6_changes_counter", Daemon::NotNeeded(NO_FILE)),
    ("purge_ip_prefixes", Daemon::NotNeeded(NO_FILE)),
    ("pidfile", Daemon::NotNeeded("the service manager knows the process")),
    ("loglevel", Daemon::NotNeeded("changes are logged; [log] debug = true logs every step")),
    ("log_maxbytes", Daemon::NotNeeded(NO_LOG)),
    ("log_backups", Daemon::NotNeeded(NO_LOG)),
    ("log_format_journalctl", Daemon::NotNeeded(NO_LOG)),
    ("log_file", Daemon::Lost(TO_STDERR)),
    ("stderr_file", Daemon::Lost(TO_STDERR)),
    ("stderr_log_server", Daemon::LostIfOn(FORWARD)),
    ("log_server", Daemon::Lost(FORWARD)),
    ("log_server_port", Daemon::NotNeeded("it says where log_server is")),
    ("json_stdout", Daemon::LostIfOn("log lines are text")),
    ("json_log_server", Daemon::LostIfOn("log lines are text")),
    ("json_log_file", Daemon::LostIfOn("log lines are text")),
    ("splay_startup", Daemon::Splay),
    ("prometheus_exporter", Daemon::LostIfOn(METRICS)),
    (
        "prometheus_collector_textfile_dir",
        Daemon::NotNeeded("it says where prometheus_exporter writes"),
    ),
    ("prometheus_exporter_interval", Daemon::NotNeeded("it says when prometheus_exporter writes")),
];

/// What becomes of an option of `[daemon]`.
#[derive(Clone, Copy)]
enum Daemon {
    NotNeeded(&'static str),
    Lost(&'static str),
    LostIfOn(&'static str),
    /// `splay` of all checks.
    Splay,
}

/// Reads all files, which are one configuration.
pub(super) fn read(texts: &[Text], import: &mut Import, errors: &mut Errors) {
    let mut ini = Ini::default();
    for text in texts {
        ini.add(text, errors, &mut import.said);
    }
    let services: Vec<&Section> = ini.services().collect();
    if services.is_empty() && errors.0.is_empty() {
        let place = texts.last().map(Text::whole);
        let error = "there is no section of a service check in it: add the files of the directory \
                     anycast-healthchecker.d";
        place.iter().for_each(|place| errors.add(place, error));
    }
    let mut splay = None;
    for entry in ini.daemon.iter().flat_map(|section| &section.entries) {
        if let Some((_, daemon)) = DAEMON.iter().find(|(name, _)| *name == entry.name) {
            daemon_option(*daemon, entry, &ini, &mut splay, import, errors);
        } else if !ini.is_variable(&entry.name) {
            let known = DAEMON.iter().map(|(name, _)| *name);
            unknown(entry, "[daemon]", known, errors);
        } else {
            variable(entry, &mut import.said);
        }
    }
    for entry in ini.defaults.iter().flat_map(|section| &section.entries) {
        let known = || service::OPTIONS.iter().chain(DAEMON.iter().map(|(name, _)| name)).copied();
        if service::OPTIONS.contains(&entry.name.as_str()) {
            let fate = "what stands in each service that does not say otherwise".to_owned();
            import.said.push(said(entry, Fate::Taken(fate)));
        } else if known().any(|name| name == entry.name) {
            let why = "in [DEFAULT] it counts for [daemon], which has it or does not need it";
            import.said.push(said(entry, Fate::NotNeeded(why.to_owned())));
        } else if ini.is_variable(&entry.name) {
            variable(entry, &mut import.said);
        } else {
            unknown(entry, "[DEFAULT]", known(), errors);
        }
    }
    for section in services {
        service::read(section, &ini, splay, import, errors);
    }
}

fn daemon_option(
    daemon: Daemon,
    entry: &Entry,
    ini: &Ini,
    splay: &mut Option<std::time::Duration>,
    import: &mut Import,
    errors: &mut Errors,
) {
    let Some(value) = ini.value(entry, ini.daemon.as_ref(), errors) else { return };
    let fate = match daemon {
        Daemon::NotNeeded(why) => Fate::NotNeeded(why.to_owned()),
        Daemon::Lost(fix) => Fate::Lost(fix.to_owned()),
        Daemon::LostIfOn(fix) => match errors.keep(&entry.place, ini::boolean(&value)) {
            Some(true) => Fate::Lost(fix.to_owned()),
            Some(false) => Fate::NotNeeded("it is off".to_owned()),
            None => return,
        },
        Daemon::Splay => {
            *splay = errors.keep(&entry.place, super::value::seconds(&value));
            let Some(time) = *splay else { return };
            Fate::Taken(format!("splay = {} of each check", super::value::time(time)))
        }
    };
    import.said.push(said(entry, fate));
}

fn said(entry: &Entry, fate: Fate) -> Said {
    Said { place: named(&entry.name_place, &entry.name), fate }
}

/// An option that is only there to be named by others.
fn variable(entry: &Entry, said: &mut Vec<Said>) {
    let fate = Fate::Taken(format!("what %({})s stands for in other values", entry.name));
    said.push(self::said(entry, fate));
}

fn unknown(
    entry: &Entry,
    section: &str,
    known: impl Iterator<Item = &'static str> + Clone,
    errors: &mut Errors,
) {
    let fix = match nearest(known.clone(), &entry.name) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("known are {}", known.collect::<Vec<_>>().join(", ")),
    };
    let place = named(&entry.name_place, &entry.name);
    errors.add(&place, format!("there is no such option in {section}: {fix}"));
}
