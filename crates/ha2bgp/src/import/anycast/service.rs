//! A service check of anycast-healthchecker.

use std::time::Duration;

use super::super::model::{Command, Fate, Import, Said, Service};
use super::super::value::{count, interval, prefix, seconds, time, vip};
use super::super::{Errors, command, named, render, suggest, words};
use super::ini::{Entry, Ini, Section, boolean};
use super::{unknown, variable};
use crate::config::origin::Place;

/// All options of a service check.
pub(super) const OPTIONS: &[&str] = &[
    "check_cmd",
    "check_interval",
    "check_timeout",
    "check_rise",
    "check_fail",
    "check_disabled",
    "on_disabled",
    "ip_prefix",
    "ip_check_disabled",
    "interface",
    "custom_bird_reconfigure_cmd",
    "custom_bird_reconfigure_cmd_timeout",
];

/// What an option is that nobody gives.
pub(super) fn default(name: &str) -> Option<&'static str> {
    Some(match name {
        "interface" => "lo",
        "check_interval" => "10",
        "check_timeout" | "check_rise" | "check_fail" => "2",
        "check_disabled" => "true",
        "on_disabled" => "withdraw",
        "ip_check_disabled" => "false",
        _ => return None,
    })
}

/// Reads the options of one service.
struct Reader<'a> {
    section: &'a Section,
    ini: &'a Ini,
    errors: &'a mut Errors,
}

impl Reader<'_> {
    /// What was given for the service, or for all of them.
    fn entry(&self, name: &str) -> Option<&Entry> {
        let own = self.section.get(name);
        own.or_else(|| self.ini.defaults.as_ref()?.get(name))
    }

    /// The value that counts, and where it is from.
    fn text(&mut self, name: &'static str) -> Option<(Place, String)> {
        match self.entry(name).cloned() {
            Some(entry) => {
                let value = self.ini.value(&entry, Some(self.section), self.errors)?;
                Some((entry.place, value))
            }
            None => match default(name) {
                Some(default) => Some((self.section.place.clone(), default.to_owned())),
                None => {
                    let place = named(&self.section.place, name);
                    self.errors.add(&place, "is missing, which every service check needs: add it");
                    None
                }
            },
        }
    }

    fn get<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (place, text) = self.text(name)?;
        self.errors.keep(&place, read(&text))
    }
}

/// Reads a service.
pub(super) fn read(
    section: &Section,
    ini: &Ini,
    splay: Option<Duration>,
    import: &mut Import,
    errors: &mut Errors,
) {
    let mut reader = Reader { section, ini, errors };
    let address = reader.text("ip_prefix");
    let prefix_place = address.as_ref().map(|(place, _)| place.clone());
    let prefix = reader.get("ip_prefix", prefix);
    let line = reader.get("check_cmd", |text| words::split(text).map_err(|e| e.what.to_owned()));
    let line: Option<Vec<String>> =
        line.map(|words| words.into_iter().map(|word| word.text).collect());
    let place = reader.text("check_cmd").map(|(place, _)| place);
    let words = line.as_ref().and_then(|line| {
        let place = place.as_ref().unwrap_or(&section.place);
        reader.errors.keep(place, command::of_words(line))
    });
    let positive = |text: &str| match seconds(text)? {
        Duration::ZERO => Err(format!("\"{text}\" is no time at all: write for example 2")),
        time => Ok(time),
    };
    let pause = reader.get("check_interval", |text| interval(text, seconds(text)?));
    let timeout = reader.get("check_timeout", positive);
    let rise = reader.get("check_rise", count);
    let fall = reader.get("check_fail", count);
    let disabled = reader.get("check_disabled", boolean);
    let advertise = reader.get("on_disabled", |text| match text {
        "withdraw" => Ok(false),
        "advertise" => Ok(true),
        _ => Err(format!("\"{text}\" is neither withdraw nor advertise: write one of them")),
    });
    let no_address = reader.get("ip_check_disabled", boolean);
    let interface = reader.get("interface", |text| {
        let glob: Result<ha2bgp_core::glob::Glob, _> = text.parse();
        glob.map(|_| text.to_owned()).map_err(|error| error.to_string())
    });
    let host = prefix.filter(|prefix| prefix.is_host());
    let vip = host
        .zip(prefix_place.clone())
        .and_then(|(host, place)| Some((reader.errors.keep(&place, vip(host.address()))?, place)));
    let name = import.name(&section.name);
    let mut said = vec![Said {
        place: named(&section.place, &format!("[{}]", section.name)),
        fate: Fate::Taken(format!("name = \"{name}\"")),
    }];
    let (disabled, advertise) = (disabled.unwrap_or(false), advertise.unwrap_or(false));
    for entry in &section.entries {
        let fate = match entry.name.as_str() {
            "check_cmd" => Fate::Taken("command".to_owned()),
            "check_interval" => Fate::Taken(format!("interval = {}", shown(pause))),
            "check_timeout" => Fate::Taken(format!("timeout = {}", shown(timeout))),
            "check_rise" => Fate::Taken(format!("rise = {}", rise.unwrap_or(1))),
            "check_fail" => Fate::Taken(format!("fall = {}", fall.unwrap_or(1))),
            "check_disabled" if disabled => Fate::Taken(off(advertise).to_owned()),
            "check_disabled" => Fate::NotNeeded("it is off: the check is made".to_owned()),
            "on_disabled" if disabled => Fate::Taken(off(advertise).to_owned()),
            "on_disabled" => Fate::NotNeeded("the check is not disabled".to_owned()),
            "ip_prefix" => match vip.as_ref() {
                Some((vip, _)) => render::vip_fate(*vip),
                None => Fate::Lost(
                    "routes are host routes here, /32 and /128: announce the network at the router, \
                     while a host route in it is there"
                        .to_owned(),
                ),
            },
            "ip_check_disabled" if no_address == Some(true) => {
                Fate::Taken("a rule without address".to_owned())
            }
            "ip_check_disabled" => Fate::Taken("address in the rule".to_owned()),
            "interface" if no_address == Some(true) => {
                Fate::NotNeeded("the address is not checked".to_owned())
            }
            "interface" => Fate::Taken("devices of the check address".to_owned()),
            "custom_bird_reconfigure_cmd" | "custom_bird_reconfigure_cmd_timeout" => {
                Fate::NotNeeded(super::NO_FILE.to_owned())
            }
            name if ini.is_variable(name) => {
                variable(entry, &mut said);
                continue;
            }
            _ => {
                let what = format!("[{}], a service check", section.name);
                unknown(entry, &what, OPTIONS.iter().copied(), reader.errors);
                continue;
            }
        };
        said.push(Said { place: named(&entry.name_place, &entry.name), fate });
    }
    if section.get("check_disabled").is_none()
        && disabled
        && reader.entry("check_disabled").is_none()
    {
        let fate = Fate::Taken(format!("{}; it is the default there", off(advertise)));
        said.push(Said { place: named(&section.place, "check_disabled"), fate });
    }
    let only_shown = match (prefix, &vip) {
        (Some(_), None) => Some("Not imported: its prefix is no host route."),
        _ if disabled && !advertise => Some("Not imported: it was disabled, and not announced."),
        _ => None,
    };
    let (Some(words), Some(pause), Some(rise), Some(fall)) = (words, pause, rise, fall) else {
        return;
    };
    let vips: Vec<_> = vip.into_iter().collect();
    let addresses: Vec<_> = vips.iter().map(|(vip, _)| *vip).collect();
    let check = Command {
        instead: line.and_then(|line| suggest::instead(&line, &addresses)),
        words,
        user: None,
        group: None,
        interval: pause,
        fast_interval: None,
        timeout,
        splay,
        rise,
        fall,
    };
    let by_itself = disabled && advertise;
    let checks_address = no_address == Some(false) && !by_itself;
    import.services.push(Service {
        name,
        place: section.place.clone(),
        vips,
        address: checks_address.then(|| interface.into_iter().collect()),
        command: (!by_itself).then_some(check),
        off_file: None,
        depreference: false,
        only_shown: only_shown.map(str::to_owned),
        said,
    });
}

fn shown(value: Option<Duration>) -> String {
    value.map(time).unwrap_or_default()
}

/// What a disabled check comes to.
const fn off(advertise: bool) -> &'static str {
    match advertise {
        true => "a rule of the address alone: the check was disabled, and the route announced",
        false => "comments: the check was disabled, and the route withdrawn",
    }
}
