//! A configuration file: TOML to [`Values`], each with its place.
//!
//! It knows which keys there are and the shape of their values, not what the values mean. Nothing
//! is left out silently: what is not known, or not of the right shape, is an error.

pub mod example;
pub mod keys;
pub mod reference;
pub mod schema;
mod syntax;

use std::io;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use self::keys::{Key, Kind};
use super::check;
use super::error::{ConfigError, ERRORS_MAX};
use super::host::CREDENTIALS;
use super::origin::{Origin, Place, Source, Written};
use super::raw::{CheckSection, Section, ServiceSection, Values};
use super::reader::Host;
use crate::near::nearest;

/// A longer file is refused: it cannot be meant.
pub const LENGTH_MAX: usize = 1024 * 1024;
/// More peers are refused.
const PEERS_MAX: usize = 1024;
/// More services are refused.
const SERVICES_MAX: usize = 16_384;
/// More checks in one place are refused.
const CHECKS_MAX: usize = 256;

/// A file that was read.
#[derive(Debug)]
pub struct Document {
    source: Arc<Source>,
    /// All but the peers', by the whole key.
    pub values: Values,
    /// The `[[peer]]` entries.
    pub peers: Vec<Section>,
    /// There are peers that could not be read, which was told.
    pub has_bad_peers: bool,
    /// The `[[service]]` entries.
    pub services: Vec<ServiceSection>,
    /// The `[checks.NAME]` sections.
    pub checks: Vec<CheckSection>,
    /// The names of those that could not be read.
    pub unread: Vec<String>,
    /// Everything that is wrong so far.
    pub errors: Vec<ConfigError>,
}

/// Reads the file that `at` names. It is the `number`th of all.
///
/// # Errors
/// When there is no such file, it cannot be read, is too long or is not text.
pub fn read(at: &Written, number: usize, host: &Host<'_>) -> Result<Document, ConfigError> {
    let path = &at.text;
    let bytes = (host.read_file)(path).map_err(|error| {
        let fix = match error.kind() {
            io::ErrorKind::PermissionDenied => "let the user that ha2bgp runs as read it",
            _ => "write the path of a configuration file",
        };
        ConfigError::new(at, format_args!("\"{path}\" cannot be read: {error}: {fix}"))
    })?;
    if bytes.len() > LENGTH_MAX {
        let error = format!("\"{path}\" is longer than 1 MiB: is it a configuration file?");
        return Err(ConfigError::new(at, error));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let read = String::from_utf8_lossy(error.as_bytes().get(..valid).unwrap_or_default());
        let (line, column) = end(&read);
        let fix = match error.as_bytes() {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it looks like UTF-16: save it as UTF-8",
            _ => "save it as UTF-8, or mend it there",
        };
        let error =
            format!("\"{path}\" is not UTF-8 text from line {line}, column {column} on: {fix}");
        ConfigError::new(at, error)
    })?;
    if let Some((before, _)) = text.split_once('\0') {
        let (line, column) = end(before);
        let error = format!(
            "\"{path}\" has a NUL octet in line {line}, column {column}: is it a configuration file?"
        );
        return Err(ConfigError::new(at, error));
    }
    Ok(Document::parse(number, path, &text))
}

/// Line and column behind a text, from 1 on.
fn end(text: &str) -> (usize, usize) {
    let lines = text.matches('\n').count();
    let last = text.rsplit('\n').next().unwrap_or_default();
    (lines + 1, last.chars().count() + 1)
}

impl Document {
    /// Reads a text. What is wrong is in `errors`; the rest counts as it stands.
    pub fn parse(number: usize, name: &str, text: &str) -> Self {
        // Editors of other systems begin with one; it would shift the columns.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        // Without a place it is the end of the file.
        let spans = errors.iter().map(|error| error.span().unwrap_or(text.len()..text.len()));
        let spans: Vec<_> = spans.collect();
        let broken_at = spans.iter().map(|span| span.start).min();
        let source = Source::new(number, name, text, broken_at);
        let mut walk = Walk::new(source);
        for (error, span) in errors.iter().zip(spans) {
            let told = syntax::explain(error.message(), text, &span);
            walk.fail("", span, told);
        }
        // What follows on a line is mostly a consequence.
        walk.errors.sort_by_key(|error| error.origin.position());
        walk.errors.dedup_by_key(|error| error.origin.line());
        let mut values = Values::default();
        let told = walk.errors.len();
        walk.table("", table.get_ref(), &mut values);
        let Walk { source, peers, has_bad_peers, services, checks, unread, mut errors, .. } = walk;
        let guessed = errors.split_off(told).into_iter();
        errors.extend(guessed.filter(|error| error.origin.is_sure()));
        Self { source, values, peers, has_bad_peers, services, checks, unread, errors }
    }

    /// True when a part of it is not TOML.
    pub fn is_broken(&self) -> bool {
        self.source.broken_at.is_some()
    }

    /// The file as a whole.
    pub fn whole(&self) -> Place {
        Place { source: Arc::clone(&self.source), key: String::new(), span: 0..0 }
    }
}

struct Walk {
    source: Arc<Source>,
    peers: Vec<Section>,
    has_bad_peers: bool,
    services: Vec<ServiceSection>,
    /// Of the section that is read: of the top, or of a service.
    checks: Vec<CheckSection>,
    unread: Vec<String>,
    /// What keys stand below that are named without it.
    prefix: String,
    errors: Vec<ConfigError>,
}

impl Walk {
    fn new(source: Source) -> Self {
        Self {
            source: Arc::new(source),
            peers: Vec::new(),
            has_bad_peers: false,
            services: Vec::new(),
            checks: Vec::new(),
            unread: Vec::new(),
            prefix: String::new(),
            errors: Vec::new(),
        }
    }

    fn place(&self, key: &str, span: std::ops::Range<usize>) -> Origin {
        let key = match self.prefix.as_str() {
            "" => key.to_owned(),
            prefix => format!("{prefix}.{key}"),
        };
        Origin::File(Place { source: Arc::clone(&self.source), key, span })
    }

    fn fail(&mut self, key: &str, span: std::ops::Range<usize>, message: String) {
        if self.errors.len() <= ERRORS_MAX {
            let origin = self.place(key, span);
            self.errors.push(ConfigError { origin, message });
        }
    }

    /// Reads what stands in a section.
    fn table(&mut self, section: &str, table: &DeTable<'_>, values: &mut Values) {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let path = match section {
                "" => name.get_ref().to_string(),
                _ => format!("{section}.{}", name.get_ref()),
            };
            let refused = keys::REFUSED.iter().find(|(known, _)| *known == path);
            match (value.get_ref(), keys::find(&path)) {
                _ if refused.is_some() => {
                    let why = refused.map_or("", |(_, why)| why);
                    self.fail(&path, name.span(), why.to_owned());
                }
                (DeValue::Array(entries), _) if matches!(path.as_str(), "peer" | "service") => {
                    self.entries(if path == "peer" { "peer" } else { "service" }, entries);
                }
                (_, _) if matches!(path.as_str(), "peer" | "service") => {
                    self.has_bad_peers |= path == "peer";
                    let fix = format!("is a list of sections: write [[{path}]] with two brackets");
                    self.fail(&path, name.span(), fix);
                }
                (DeValue::Table(inner), _) if is_checks(&path) => self.checks(&path, inner),
                (_, _) if is_checks(&path) => {
                    let fix = format!("holds sections: write [{path}.NAME], and its keys below");
                    self.fail(&path, name.span(), fix);
                }
                (DeValue::Table(inner), known) if keys::is_section(&path) => {
                    // A table of settings switches on what they are of.
                    if let Some(key) = known {
                        let origin = self.place(&path, name.span());
                        let on = vec![Written { origin, text: "true".to_owned() }];
                        values.set(strip(key.path), on);
                    }
                    self.table(&path, inner, values);
                }
                (_, Some(key)) => self.value(key, value, values),
                (_, None) if keys::is_section(&path) => {
                    let fix = format!("is a section: write [{path}], and its keys below");
                    self.fail(&path, name.span(), fix);
                }
                // Nobody is told what is left out here: see `fail`.
                (_, None) if self.errors.len() > ERRORS_MAX => {}
                (_, None) => self.fail(&path, name.span(), unknown(section, name.get_ref())),
            }
        }
    }

    fn entries(&mut self, what: &'static str, entries: &DeArray<'_>) {
        for entry in entries {
            let DeValue::Table(table) = entry.get_ref() else {
                self.has_bad_peers |= what == "peer";
                let fix = format!("is not a section: write [[{what}]], and its keys below");
                self.fail(what, entry.span(), fix);
                continue;
            };
            let (count, limit) = match what {
                "peer" => (self.peers.len(), PEERS_MAX),
                _ => (self.services.len(), SERVICES_MAX),
            };
            if count == limit {
                let error = format!("there are more than {limit} {what}s: leave some out");
                self.fail(what, entry.span(), error);
                return;
            }
            let at = Written { origin: self.place(what, entry.span()), text: String::new() };
            let mut values = Values::default();
            let outer = (std::mem::take(&mut self.checks), std::mem::take(&mut self.unread));
            self.table(what, table, &mut values);
            let checks = std::mem::replace(&mut self.checks, outer.0);
            let unread = std::mem::replace(&mut self.unread, outer.1);
            let section = Section { at, values };
            match what {
                "peer" => self.peers.push(section),
                _ => self.services.push(ServiceSection { section, checks, unread }),
            }
        }
    }

    /// Reads the sections of checks below `path`.
    fn checks(&mut self, path: &str, table: &DeTable<'_>) {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let whole = format!("{path}.{}", name.get_ref());
            let DeValue::Table(keys) = value.get_ref() else {
                let fix = format!("is a section: write [{whole}], and its keys below");
                self.fail(&whole, name.span(), fix);
                self.unread.push(name.get_ref().to_string());
                continue;
            };
            if self.checks.len() == CHECKS_MAX {
                let error = format!("there are more than {CHECKS_MAX} checks here: leave some out");
                self.fail(path, name.span(), error);
                return;
            }
            if let Err(error) = check::name(name.get_ref()) {
                self.fail(&whole, name.span(), error);
                self.unread.push(name.get_ref().to_string());
                continue;
            }
            let text = name.get_ref().to_string();
            let written = Written { origin: self.place(&whole, name.span()), text };
            self.prefix = whole;
            let section = self.check(written, path != "checks", keys);
            self.prefix = String::new();
            if section.is_none() {
                self.unread.push(name.get_ref().to_string());
            }
            self.checks.extend(section);
        }
    }

    /// Reads the keys of one check. Which there are depends on its type.
    fn check(&mut self, name: Written, own: bool, table: &DeTable<'_>) -> Option<CheckSection> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let given =
            entries.iter().find(|(key, _)| key.get_ref() == "type").map(|(_, value)| *value);
        let kind = match given.map(|value| (value.get_ref(), value.span())) {
            Some((DeValue::String(text), span)) => check::kind(text).map_err(|error| (span, error)),
            Some((_, span)) => Err((span, check::types("this is no type"))),
            None => check::kind(&name.text).map_err(|_| {
                let span = name.origin.span();
                (span, check::types("type is missing"))
            }),
        };
        let kind = match kind {
            Ok(kind) => kind,
            Err((span, error)) => {
                self.fail("type", span, error);
                return None;
            }
        };
        let mut values = Values::default();
        for (key, value) in entries {
            match (key.get_ref().as_ref(), kind.find(key.get_ref())) {
                ("type", _) => {}
                (_, Some(known)) => self.value(known, value, &mut values),
                (_, None) if self.errors.len() > ERRORS_MAX => {}
                (other, None) => self.fail(other, key.span(), kind.unknown(other)),
            }
        }
        Some(CheckSection { name, own, kind, values })
    }

    /// Reads the value of a key, or says what to write.
    fn value(&mut self, key: Key, value: &Spanned<DeValue<'_>>, values: &mut Values) {
        let name = strip(key.path);
        match value.get_ref() {
            DeValue::Array(list) if key.kind.is_list() => {
                let mut all = Vec::new();
                for item in list {
                    all.extend(self.scalar(key, item));
                }
                // Only "no communities" says something that leaving the key out does not.
                let may_be_empty = key.path.ends_with("communities");
                if list.is_empty() && !may_be_empty {
                    let error = "the list is empty: leave the key out, or write what belongs in it";
                    self.fail(key.path, value.span(), error.to_owned());
                }
                if all.is_empty() && !(list.is_empty() && may_be_empty) {
                    values.set_unreadable(name);
                } else {
                    values.set(name, all);
                }
            }
            _ => match self.scalar(key, value) {
                Some(written) => values.set(name, vec![written]),
                None => values.set_unreadable(name),
            },
        }
    }

    fn scalar(&mut self, key: Key, value: &Spanned<DeValue<'_>>) -> Option<Written> {
        let kind = key.kind;
        let text = match value.get_ref() {
            DeValue::Boolean(false) if kind == Kind::NumberOrOff => "off".to_owned(),
            DeValue::Boolean(on) if kind.takes_bool() => on.to_string(),
            DeValue::Integer(number) if kind.takes_number() => decimal(number),
            DeValue::String(text) if kind == Kind::Path => self.path(text),
            DeValue::String(text) if kind.takes_text() => text.to_string(),
            other => {
                let error =
                    format!("this is {}: write {}", with_article(other.type_str()), kind.text());
                self.fail(key.path, value.span(), error);
                return None;
            }
        };
        Some(Written { origin: self.place(key.path, value.span()), text })
    }

    /// A relative path begins where the file is.
    fn path(&self, text: &str) -> String {
        if text.starts_with(CREDENTIALS) {
            return text.to_owned();
        }
        let directory = Path::new(&self.source.name).parent().unwrap_or(Path::new(""));
        directory.join(text).to_string_lossy().into_owned()
    }
}

/// Values of peers and services are kept by their names within the section.
fn strip(path: &'static str) -> &'static str {
    keys::of_entry(path).unwrap_or(path)
}

/// Whether sections of checks stand below that name.
fn is_checks(path: &str) -> bool {
    matches!(path, "checks" | "service.checks")
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// In decimal digits, whatever it was written in. What is too large stays as it is, for whoever
/// reads it to refuse.
fn decimal(number: &DeInteger<'_>) -> String {
    i128::from_str_radix(number.as_str(), number.radix())
        .map_or_else(|_| number.to_string(), |number| number.to_string())
}

/// An unknown key: what was meant, or where it belongs.
fn unknown(section: &str, name: &str) -> String {
    let place = match section {
        "" => "at the top of the file".to_owned(),
        "peer" | "service" => format!("in [[{section}]]"),
        _ => format!("in [{section}]"),
    };
    let mut here = keys::within(section);
    if matches!(section, "" | "service") {
        here.push("checks");
        here.sort_unstable();
    }
    if let Some(nearest) = nearest(here.iter().copied(), name) {
        let meant = match (section, nearest) {
            ("", "peer" | "service") => format!("[[{nearest}]]"),
            ("", _) if keys::find(nearest).is_none() => format!("[{nearest}]"),
            _ => nearest.to_owned(),
        };
        return format!("there is no such key {place}: did you mean {meant}?");
    }
    let elsewhere = keys::all()
        .filter_map(|key| key.path.rsplit_once('.').or(Some(("", key.path))))
        .find(|(_, last)| *last == name);
    match elsewhere {
        Some(("", _)) => {
            format!("there is no such key {place}: it belongs to the top, before any [section]")
        }
        Some((list @ ("peer" | "service"), _)) => {
            format!("there is no such key {place}: it belongs into [[{list}]]")
        }
        Some((other, _)) => format!("there is no such key {place}: it belongs into [{other}]"),
        None => format!("there is no such key {place}: known here are {}", here.join(", ")),
    }
}

#[cfg(test)]
mod tests;
