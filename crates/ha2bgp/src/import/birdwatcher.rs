//! birdwatcher: TOML with a table for each service. Its names of keys have no case.
//!
//! As of 1.0.0 and what came before it. BIRD gets the prefixes as a function in a file, which is not
//! needed here, as BIRD hears of them by BGP.

use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::model::{COUNT_MAX, Command, Fate, Import, Said, Service};
use super::value::{count, interval, prefix, short, time, vip};
use super::{Errors, Text, command, named, render, suggest};
use crate::config::origin::Place;
use crate::near::nearest;

const NO_FILE: &str = "BIRD hears of the routes by BGP, and no file of it is written";
const METRICS: &str = "write [control] with unix = \"/run/ha2bgp/ha2bgp.sock\": metrics are at \
                       /metrics there";
const PREFIX: &str = "routes are host routes here, /32 and /128: announce the network at the router, \
                      while a host route in it is there";

/// The keys of a service.
const SERVICE: [&str; 7] =
    ["command", "functionname", "interval", "timeout", "fail", "rise", "prefixes"];

/// Reads all files.
pub(super) fn read(texts: &[Text], import: &mut Import, errors: &mut Errors) {
    for text in texts {
        let (table, wrong) = DeTable::parse_recoverable(text.text());
        for error in &wrong {
            let end = text.text().len();
            let place = text.place(error.span().unwrap_or(end..end));
            errors.add(&place, format!("this is not TOML: {}", error.message()));
        }
        if wrong.is_empty() {
            top(text, table.get_ref(), import, errors);
        }
    }
    if import.services.is_empty() && errors.0.is_empty() {
        let place = texts.last().map(Text::whole);
        let error =
            "there is no service in it: write [services.\"name\"] with command and prefixes";
        place.iter().for_each(|place| errors.add(place, error));
    }
}

/// A key with its value, in the order of the file.
struct Entry<'a> {
    /// In lower case.
    name: String,
    /// With the whole path as its key.
    place: Place,
    value: &'a Spanned<DeValue<'a>>,
    value_place: Place,
}

fn entries<'a>(text: &Text, path: &str, table: &'a DeTable<'a>) -> Vec<Entry<'a>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let entry = |(name, value): (&Spanned<_>, &'a Spanned<DeValue<'a>>)| {
        let written: &std::borrow::Cow<'_, str> = name.get_ref();
        let whole = if path.is_empty() { written.to_string() } else { format!("{path}.{written}") };
        Entry {
            name: written.to_lowercase(),
            place: named(&text.place(name.span()), &whole),
            value,
            value_place: named(&text.place(value.span()), &whole),
        }
    };
    entries.into_iter().map(entry).collect()
}

fn unknown(entry: &Entry<'_>, known: &[&str], errors: &mut Errors) {
    let fix = match nearest(known.iter().copied(), &entry.name) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("known here are {}", known.join(", ")),
    };
    errors.add(&entry.place, format!("there is no such key: {fix}"));
}

fn top(text: &Text, table: &DeTable<'_>, import: &mut Import, errors: &mut Errors) {
    for entry in entries(text, "", table) {
        match (entry.name.as_str(), entry.value.get_ref()) {
            ("services", DeValue::Table(services)) => {
                for entry in entries(text, "services", services) {
                    match entry.value.get_ref() {
                        DeValue::Table(keys) => service(text, &entry, keys, import, errors),
                        _ => errors.add(&entry.place, "is a table: write [services.\"name\"]"),
                    }
                }
            }
            ("prometheus", DeValue::Table(table)) => prometheus(text, table, import, errors),
            // Before 1.0 each family had a table of its own.
            (family @ ("ipv4" | "ipv6"), DeValue::Table(table)) => {
                for entry in entries(text, family, table) {
                    let known = ["enable", "configfile", "reloadcommand", "functionname"];
                    match known.contains(&entry.name.as_str()) {
                        true => say(&mut import.said, &entry, Fate::NotNeeded(NO_FILE.to_owned())),
                        false => unknown(&entry, &known, errors),
                    }
                }
            }
            ("services" | "prometheus" | "ipv4" | "ipv6", _) => {
                errors.add(&entry.place, format!("is a table: write [{}]", entry.name));
            }
            ("configfile" | "reloadcommand" | "compatbird213", _) => {
                say(&mut import.said, &entry, Fate::NotNeeded(NO_FILE.to_owned()));
            }
            _ => {
                let known =
                    ["configfile", "reloadcommand", "compatbird213", "prometheus", "services"];
                unknown(&entry, &known, errors);
            }
        }
    }
}

fn prometheus(text: &Text, table: &DeTable<'_>, import: &mut Import, errors: &mut Errors) {
    for entry in entries(text, "prometheus", table) {
        let fate = match (entry.name.as_str(), entry.value.get_ref()) {
            ("enabled", DeValue::Boolean(true)) => Fate::Lost(METRICS.to_owned()),
            ("enabled", DeValue::Boolean(false)) => Fate::NotNeeded("it is off".to_owned()),
            ("enabled", _) => {
                errors.add(&entry.value_place, "is on or off: write true or false");
                continue;
            }
            ("port" | "path", _) => Fate::NotNeeded("it says where prometheus is".to_owned()),
            _ => {
                unknown(&entry, &["enabled", "port", "path"], errors);
                continue;
            }
        };
        say(&mut import.said, &entry, fate);
    }
}

fn say(said: &mut Vec<Said>, entry: &Entry<'_>, fate: Fate) {
    said.push(Said { place: entry.place.clone(), fate });
}

fn service(
    text: &Text,
    at: &Entry<'_>,
    table: &DeTable<'_>,
    import: &mut Import,
    errors: &mut Errors,
) {
    let written = at.place.key.strip_prefix("services.").unwrap_or_default().to_owned();
    let name = import.name(&written);
    let mut said = Vec::new();
    say(&mut said, at, Fate::Taken(format!("name = \"{name}\"")));
    let mut vips: Vec<(std::net::IpAddr, Place)> = Vec::new();
    let (mut line, mut networks, mut given) = (None, false, false);
    let mut pause = Duration::from_secs(1);
    let mut timeout = Duration::from_secs(10);
    let (mut rise, mut fall) = (1, 1);
    for entry in entries(text, &at.place.key, table) {
        let integer = || match entry.value.get_ref() {
            DeValue::Integer(number) => Ok(number.to_string()),
            _ => Err("is a whole number: write for example 3".to_owned()),
        };
        let place = &entry.value_place;
        let fate = match entry.name.as_str() {
            "command" => {
                let Some(command) = entry.value.get_ref().as_str() else {
                    errors.add(place, "is a text: write it in quotes");
                    continue;
                };
                // It splits at each space, and knows no quotes.
                line = Some((
                    command.split(' ').map(str::to_owned).collect::<Vec<_>>(),
                    place.clone(),
                ));
                match command.contains(['"', '\'']) {
                    true => Fate::Taken("command; quotes are given to it as they are".to_owned()),
                    false => Fate::Taken("command".to_owned()),
                }
            }
            "functionname" => Fate::NotNeeded(
                "BIRD can filter what it hears from ha2bgp by prefix, in each protocol".to_owned(),
            ),
            "interval" => {
                let read = |text: String| {
                    let number = super::value::integer(&text)?;
                    // What is not positive is the default.
                    let seconds = u64::try_from(number).ok().filter(|n| *n > 0).unwrap_or(1);
                    short(&text, Duration::from_secs(seconds))
                        .and_then(|time| interval(&text, time))
                };
                let Some(time) = errors.keep(place, integer().and_then(read)) else { continue };
                pause = time;
                Fate::Taken(format!("interval = {}", self::time(pause)))
            }
            "timeout" => {
                let read = match entry.value.get_ref() {
                    DeValue::String(text) => go_duration(text),
                    _ => {
                        Err("is a text with a unit: write for example \"10s\"; a number alone was \
                              seconds in old versions, and is nanoseconds in new ones"
                            .to_owned())
                    }
                };
                let Some(time) = errors.keep(place, read) else { continue };
                timeout = time.unwrap_or(timeout);
                Fate::Taken(format!("timeout = {}", self::time(timeout)))
            }
            key @ ("rise" | "fail") => {
                let read = integer().and_then(|text| count(&text));
                let Some(number) = errors.keep(place, read) else { continue };
                match key {
                    "rise" => {
                        rise = number;
                        Fate::Taken(format!("rise = {rise}"))
                    }
                    _ => {
                        fall = number;
                        Fate::Taken(format!("fall = {fall}"))
                    }
                }
            }
            "prefixes" => {
                given = true;
                let DeValue::Array(list) = entry.value.get_ref() else {
                    errors.add(place, "is a list: write [\"192.0.2.1/32\"]");
                    continue;
                };
                for item in list {
                    let place = named(&text.place(item.span()), &entry.place.key);
                    let read = item
                        .get_ref()
                        .as_str()
                        .ok_or_else(|| "is a text: write for example \"192.0.2.1/32\"".to_owned());
                    let Some(prefix) = errors.keep(&place, read.and_then(cidr)) else { continue };
                    if vips.len() == COUNT_MAX {
                        errors.add(&place, format!("more than {COUNT_MAX} prefixes: import less"));
                        break;
                    }
                    let fate = if prefix.is_host() {
                        let Some(vip) = errors.keep(&place, vip(prefix.address())) else {
                            continue;
                        };
                        vips.push((vip, place.clone()));
                        render::vip_fate(vip)
                    } else {
                        networks = true;
                        Fate::Lost(format!("{prefix}: {PREFIX}"))
                    };
                    said.push(Said { place, fate });
                }
                continue;
            }
            _ => {
                unknown(&entry, &SERVICE, errors);
                continue;
            }
        };
        say(&mut said, &entry, fate);
    }
    if !given || (vips.is_empty() && !networks && errors.0.is_empty()) {
        errors.add(&at.place, "it has no prefixes: write prefixes = [\"192.0.2.1/32\"]");
    }
    let Some((line, place)) = line else {
        return errors.add(&at.place, "it has no command: write command = \"/path/of/it\"");
    };
    let Some(words) = errors.keep(&place, command::of_words(&line)) else { return };
    let addresses: Vec<_> = vips.iter().map(|(vip, _)| *vip).collect();
    let check = Command {
        words,
        instead: suggest::instead(&line, &addresses),
        user: None,
        group: None,
        interval: pause,
        fast_interval: None,
        timeout: Some(timeout),
        splay: None,
        rise,
        fall,
    };
    let only_shown =
        vips.is_empty().then_some("Not imported: none of its prefixes is a host route.");
    import.services.push(Service {
        name,
        place: at.place.clone(),
        vips,
        address: None,
        command: Some(check),
        off_file: None,
        depreference: false,
        only_shown: only_shown.map(str::to_owned),
        said,
    });
}

/// A prefix as Go's `net.ParseCIDR` takes it: with a length, and host bits do not count.
fn cidr(text: &str) -> Result<ha2bgp_core::net::Prefix, String> {
    if let Some((address, length)) = text.split_once('/')
        && let (Ok(address), Ok(length)) = (address.parse(), length.parse())
        && let Some(prefix) = ha2bgp_core::net::Prefix::truncating(address, length)
    {
        return Ok(prefix);
    }
    match prefix(text) {
        Ok(host) => Err(format!("\"{text}\" has no length: write \"{host}\"")),
        Err(error) => Err(error),
    }
}

/// A duration as Go's `time.ParseDuration` reads it; nothing when it is not positive.
fn go_duration(text: &str) -> Result<Option<Duration>, String> {
    let wrong = || format!("\"{text}\" is no duration: write for example \"10s\" or \"500ms\"");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(None);
    }
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, after) = rest.split_at(end);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let unit = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        seconds += number * unit;
        rest = next;
    }
    let time = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    let time = short(text, time)?;
    Ok((!negative && !time.is_zero()).then_some(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_go() {
        for (text, want) in [
            ("10s", Ok(Some(10_000))),
            ("2h45m", Ok(Some(9_900_000))),
            ("1.5s", Ok(Some(1500))),
            ("300ms", Ok(Some(300))),
            ("-5s", Ok(None)),
            ("0", Ok(None)),
            ("0s", Ok(None)),
            ("10", Err(())),
            ("", Err(())),
            ("1d", Err(())),
            ("s", Err(())),
            ("1e9h", Err(())),
            ("999999h", Err(())),
        ] {
            let read = go_duration(text).map_err(drop);
            assert_eq!(read.map(|time| time.map(|time| time.as_millis())), want, "{text}");
        }
    }
}
