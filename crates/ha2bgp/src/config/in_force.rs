//! The configuration in force, for people: every value with where it was written, and the text of the
//! files. Values that may be secrets are in neither.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::file::keys;
use super::origin::{Origin, Source, Written, may_hold_secret};
use super::raw::{CheckSection, Raw, Values};
use crate::cli::flags::FLAGS;

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden: it may be a secret)";
/// Words in the name of a key whose value may be one.
const SECRET: [&str; 9] =
    ["password", "passwd", "secret", "token", "md5", "header", "environment", "body", "send"];

/// All of it.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct InForce {
    /// Every value.
    pub values: Vec<Value>,
    /// The files as TOML, one behind the other; what flags and variables say in comments before.
    pub toml: String,
}

impl fmt::Debug for InForce {
    /// How it was written is no part of what it comes to.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InForce")
    }
}

/// One value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Value {
    /// The whole key: `defaults.up-delay`, `service.web.vips`, `peer.10.0.0.1.remote-as`.
    pub key: String,
    /// What it is: several of a list.
    pub values: Vec<String>,
    /// Where it was written: `FILE:LINE`, a flag, a variable, or `default`.
    pub from: String,
}

/// Collects.
#[derive(Default)]
struct Collector {
    values: Vec<Value>,
    /// The files by their numbers, each with the octets that are not shown.
    files: BTreeMap<usize, (Arc<Source>, Vec<Range<usize>>)>,
}

impl InForce {
    /// What was written.
    pub fn of(raw: &Raw) -> Self {
        let mut all = Collector::default();
        for (name, written) in raw.values.iter() {
            // What flags say of peers stands in their sections too.
            if FLAGS.iter().any(|flag| flag.long == name && keys::of_peer(flag.key).is_some()) {
                continue;
            }
            let key = FLAGS.iter().find(|flag| flag.long == name).map_or(name, |flag| flag.key);
            all.add(if key.is_empty() { name } else { key }, written);
        }
        for key in keys::KEYS.iter().filter(|key| keys::of_entry(key.path).is_none()) {
            if raw.values.get(key.path).is_none() && !key.default.is_empty() {
                all.values.push(Value {
                    key: key.path.to_owned(),
                    values: vec![key.default.to_owned()],
                    from: "default".to_owned(),
                });
            }
        }
        all.checks("", &raw.checks);
        for service in &raw.services {
            let path = format!("service.{}", name(&service.section.values, "name"));
            all.section(&path, &service.section.values);
            all.checks(&format!("{path}."), &service.checks);
        }
        for peer in &raw.peers {
            all.section(&format!("peer.{}", name(&peer.values, "address")), &peer.values);
        }
        let toml = all.toml();
        Self { values: all.values, toml }
    }
}

fn name<'a>(values: &'a Values, key: &str) -> &'a str {
    values.one(key).map_or("?", |written| &written.text)
}

impl Collector {
    fn section(&mut self, path: &str, values: &Values) {
        for (key, written) in values.iter() {
            self.add(&format!("{path}.{key}"), written);
        }
    }

    fn checks(&mut self, path: &str, checks: &[CheckSection]) {
        for check in checks {
            let path = format!("{path}checks.{}", check.name.text);
            let (key, from) = (format!("{path}.type"), from(&check.name.origin));
            self.values.push(Value { key, values: vec![check.kind.name.to_owned()], from });
            self.section(&path, &check.values);
        }
    }

    fn add(&mut self, key: &str, written: &[Written]) {
        let Some(first) = written.first() else { return };
        let mut values = Vec::with_capacity(written.len());
        for one in written {
            let hidden = is_secret(key, &one.text);
            if let Origin::File(place) = &one.origin {
                let file = self.files.entry(place.source.number);
                let (_, spans) = file.or_insert_with(|| (Arc::clone(&place.source), Vec::new()));
                spans.extend(hidden.then(|| place.span.clone()));
            }
            values.push(if hidden { HIDDEN.to_owned() } else { one.text.clone() });
        }
        self.values.push(Value { key: key.to_owned(), values, from: from(&first.origin) });
    }

    fn toml(&self) -> String {
        let mut text = String::new();
        for value in &self.values {
            let is_file = value.from.contains(':');
            if !is_file && value.from != "default" {
                text.push_str(&format!("# {}: {}\n", value.from, value.values.join(", ")));
            }
        }
        for (source, hidden) in self.files.values() {
            text.push_str(&format!("# {}\n", source.name));
            let mut start = 0;
            for line in source.text.split_inclusive('\n') {
                let end = start + line.len();
                let secret = hidden.iter().any(|span| span.start < end && start < span.end);
                // Also in a comment, or where a key has several lines.
                let named = line.split_once('=').is_some_and(|(key, value)| is_secret(key, value));
                if secret || named || may_hold_secret(line) {
                    text.push_str(&format!("# {HIDDEN}\n"));
                } else {
                    text.push_str(line);
                }
                start = end;
            }
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        text
    }
}

fn is_secret(key: &str, value: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default().trim();
    let named = !last.ends_with("-file") && SECRET.iter().any(|word| last.contains(word));
    // `http://user:password@host/`
    let in_url = value.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    named || in_url
}

fn from(origin: &Origin) -> String {
    match origin {
        Origin::File(place) => format!("{}:{}", place.source.name, place.line()),
        Origin::Default(_) => "default".to_owned(),
        Origin::Flag(_) | Origin::Variable(_) => origin.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::raw::Given;
    use crate::config::reader::Host;

    #[test]
    fn every_value_has_a_place_and_no_secret_is_shown() {
        let file = "networks = [\"10.0.0.0/8\"]\n[defaults]\nup-delay = \"1s\"\n\
                    [[service]]\nname = \"web\"\nvips = [\"10.0.0.1\"]\nrule = \"all(listen, page)\"\n\
                    [service.checks.page]\ntype = \"http\"\nurl = \"http://u:hunter2@{vip}/\"\n\
                    request-headers = [\"Authorization: Bearer hunter2\"]\n# the password is hunter2\n\
                    [[peer]]\naddress = \"10.9.9.9\"\nremote-as = 65001\n";
        let host = Host { read_file: &|_| Ok(file.as_bytes().to_vec()), ..Host::BARE };
        let flag = |name| match name {
            "config" => vec!["a.toml".to_owned()],
            "down-delay" => vec!["7s".to_owned()],
            _ => Vec::new(),
        };
        let variable = |name: &str| (name == "HA2BGP_DEVICE").then(|| "lo".to_owned());
        let raw = Raw::collect(&Given { flag: &flag, variable: &variable }, &host);
        let shown = InForce::of(&raw);
        let find = |key: &str| {
            let value = shown.values.iter().find(|value| value.key == key);
            let value = value.unwrap_or_else(|| panic!("no {key} in {:#?}", shown.values));
            (value.values.join(" "), value.from.clone())
        };
        let pair = |value: &str, from: &str| (value.to_owned(), from.to_owned());
        assert_eq!(find("networks"), pair("10.0.0.0/8", "a.toml:1"));
        assert_eq!(find("defaults.up-delay"), pair("1s", "a.toml:3"));
        assert_eq!(find("defaults.down-delay"), pair("7s", "--down-delay"));
        assert_eq!(find("discover.devices"), pair("lo", "HA2BGP_DEVICE"));
        assert_eq!(find("service.web.vips"), pair("10.0.0.1", "a.toml:6"));
        assert_eq!(find("service.web.checks.page.type").0, "http");
        assert_eq!(find("service.web.checks.page.url"), pair(HIDDEN, "a.toml:10"));
        assert_eq!(find("peer.10.9.9.9.remote-as"), pair("65001", "a.toml:15"));
        assert_eq!(find("defaults.damping.reuse").1, "default");
        let all = format!("{:#?}\n{}", shown.values, shown.toml);
        assert!(!all.contains("hunter2"), "{all}");
        assert!(shown.toml.starts_with("# ") && shown.toml.contains("# --down-delay: 7s\n"));
        assert!(shown.toml.contains("\n# a.toml\nnetworks = [\"10.0.0.0/8\"]\n"), "{}", shown.toml);
        // It is TOML still: our own reader takes it, but for what is hidden.
        let again = Host { read_file: &|_| Ok(shown.toml.clone().into_bytes()), ..host };
        let raw = Raw::collect(&Given { flag: &flag, variable: &variable }, &again);
        assert!(raw.is_whole() && raw.peers.len() == 1, "{:?}\n{}", raw.errors, shown.toml);
    }
}
