//! Settings as they were written, each with where it was written: flags over environment over
//! configuration files over defaults. This is the one place that knows the precedence.

use super::check;
use super::error::ConfigError;
use super::file::{self, Document, keys};
use super::lint::{self, Warning};
use super::origin::{Origin, Place, Written};
use super::reader::Host;
use super::sources;
use crate::cli::flags::{FLAGS, Flag, Kind};

/// Some settings by their names. What was not given is not there; a list that was given empty is.
#[derive(Clone, Debug, Default)]
pub struct Values {
    given: Vec<(&'static str, Vec<Written>)>,
    /// What was given, and was no value of its kind.
    unreadable: Vec<&'static str>,
}

impl Values {
    /// What was given, if anything was.
    pub fn get(&self, name: &str) -> Option<&[Written]> {
        let found = self.given.iter().find(|(known, _)| *known == name);
        found.map(|(_, values)| values.as_slice())
    }

    /// Every value of a repeatable setting.
    pub fn all(&self, name: &str) -> &[Written] {
        self.get(name).unwrap_or_default()
    }

    /// The value of a setting that has one: the last one given wins, as in Go.
    pub fn one(&self, name: &str) -> Option<&Written> {
        self.all(name).last()
    }

    /// Gives a setting these values, in the place of those that it had.
    pub fn set(&mut self, name: &'static str, values: Vec<Written>) {
        self.given.retain(|(known, _)| *known != name);
        self.given.push((name, values));
    }

    /// Notes that a setting was given, but is no value: that was told, and it is not missing.
    pub fn set_unreadable(&mut self, name: &'static str) {
        self.unreadable.push(name);
    }

    /// Everything that was given, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[Written])> {
        self.given.iter().map(|(name, values)| (*name, values.as_slice()))
    }

    /// True when nobody gave it.
    pub fn is_missing(&self, name: &str) -> bool {
        self.all(name).is_empty() && !self.unreadable.contains(&name)
    }
}

/// One `[[peer]]`, or one `--peer`.
#[derive(Clone, Debug)]
pub struct Section {
    /// Where it stands.
    pub at: Written,
    /// What was given, by the names of the keys without `peer.`.
    pub values: Values,
}

/// One check, in a service or for all of them.
#[derive(Clone, Debug)]
pub struct CheckSection {
    /// Its name and where that stands.
    pub name: Written,
    /// It stands below a service, and is not for all of them.
    pub own: bool,
    /// What is checked.
    pub kind: &'static check::Kind,
    /// What was given, by the names of the keys.
    pub values: Values,
}

/// One `[[service]]`.
#[derive(Clone, Debug)]
pub struct ServiceSection {
    /// What was given, by the names of the keys without `service.`.
    pub section: Section,
    /// Its own checks, in the order of the file.
    pub checks: Vec<CheckSection>,
    /// The names of those that could not be read, which was said.
    pub unread: Vec<String>,
}

/// All settings as they were written.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    /// All but the peers': by the name of the flag, and for keys without one by the whole key.
    pub values: Values,
    /// The peers.
    pub peers: Vec<Section>,
    /// The services.
    pub services: Vec<ServiceSection>,
    /// Checks that every service may use.
    pub checks: Vec<CheckSection>,
    /// The names of those that could not be read, which was said.
    pub unread: Vec<String>,
    /// Some file has peers, whether they count or not.
    pub peers_in_files: bool,
    /// Some of them could not be read, which was told.
    pub has_bad_peers: bool,
    /// What could not be read at all.
    pub errors: Vec<ConfigError>,
    /// What was left out, and may have been meant.
    pub warnings: Vec<Warning>,
    /// The first configuration file, to name it where something is missing.
    file: Option<Place>,
    /// A part of some file is not TOML.
    broken: bool,
}

/// Where settings come from.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// The values of a flag on the command line.
    pub flag: &'a dyn Fn(&'static str) -> Vec<String>,
    /// The value of a variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Raw {
    /// Collects the settings: a flag replaces its variable, a variable the key in a file, and a
    /// key the default. What a later `--config` names replaces the keys of earlier ones, but the
    /// files of one directory may not replace each other's; sections of which there may be many add
    /// up.
    ///
    /// An empty variable counts as not set, as an empty `Environment=` line would mean it.
    pub fn collect(given: &Given<'_>, host: &Host<'_>) -> Self {
        let mut raw = Self::default();
        let sources = sources::find(&written(named("config"), given), host);
        raw.errors = sources.errors;
        raw.warnings = sources.ignored.iter().map(lint::ignored_file).collect();
        let mut documents: Vec<Document> = Vec::new();
        // Each document's argument.
        let mut arguments = Vec::new();
        for (file, number) in sources.files.iter().zip(1..) {
            match file::read(&file.at, number, host) {
                Ok(document) => {
                    raw.compare(&document, file.argument, documents.iter().zip(&arguments));
                    documents.push(document);
                    arguments.push(file.argument);
                }
                Err(error) => raw.errors.push(error),
            }
        }
        raw.file = documents.first().map(Document::whole);
        raw.has_bad_peers = documents.iter().any(|document| document.has_bad_peers);
        raw.peers_in_files =
            raw.has_bad_peers || documents.iter().any(|document| !document.peers.is_empty());
        raw.broken = documents.iter().any(Document::is_broken);
        for flag in FLAGS {
            raw.values.set(flag.long, value(flag, given, &documents));
            if documents.iter().any(|document| document.values.unreadable.contains(&flag.key)) {
                raw.values.set_unreadable(flag.long);
            }
        }
        for key in keys::KEYS.iter().filter(|key| keys::of_entry(key.path).is_none()) {
            let found = documents.iter().rev().find_map(|document| document.values.get(key.path));
            if let Some(values) = found {
                raw.values.set(key.path, values.to_vec());
            }
        }
        raw.peers = peers(given, &documents, &mut raw.errors);
        for document in documents {
            raw.services.extend(document.services);
            for check in document.checks {
                let before = raw.checks.iter().find(|before| before.name.text == check.name.text);
                match before.map(|before| before.name.origin.first_for(&check.name.origin)) {
                    None => raw.checks.push(check),
                    Some(first) => {
                        let name = &check.name.text;
                        let error = format!("\"{name}\" is given twice{first}: rename one");
                        raw.errors.push(ConfigError::new(&check.name, error));
                    }
                }
            }
            raw.unread.extend(document.unread);
            raw.errors.extend(document.errors);
        }
        raw
    }

    /// Finds the keys of a document that earlier ones have too.
    fn compare<'a>(
        &mut self,
        document: &Document,
        argument: usize,
        before: impl Iterator<Item = (&'a Document, &'a usize)> + Clone,
    ) {
        for (name, values) in document.values.iter() {
            let found = before.clone().find_map(|(other, of)| {
                other.values.get(name).and_then(<[Written]>::first).map(|first| (first, *of))
            });
            let (Some((first, of)), Some(at)) = (found, values.first()) else { continue };
            // A section that is there switches on, and may stand in several files.
            let is_switch = keys::find(name).is_some_and(|key| key.kind == keys::Kind::Switch);
            if is_switch && first.text == at.text {
                continue;
            }
            if of == argument {
                let error = format!(
                    "is given twice{}: files of one directory do not replace each other's keys, so \
                     leave one out",
                    first.origin.first_for(&at.origin)
                );
                self.errors.push(ConfigError::new(at, error));
            } else if keys::find(name).is_some_and(|key| key.kind.is_list()) {
                self.warnings.push(lint::replaced_list(at, first));
            }
        }
    }

    /// Where something is missing: in the file if there is one, else on the command line.
    pub fn missing(&self, name: &'static str) -> Origin {
        match (&self.file, FLAGS.iter().find(|flag| flag.long == name)) {
            (Some(file), Some(flag)) => {
                Origin::File(Place { key: flag.key.to_owned(), ..file.clone() })
            }
            _ => Origin::Flag(name),
        }
    }

    /// False when a part of a file is not TOML: what seems to be missing may stand there.
    pub const fn is_whole(&self) -> bool {
        !self.broken
    }

    /// True when a configuration file was read.
    pub const fn has_file(&self) -> bool {
        self.file.is_some()
    }
}

/// The value that counts.
fn value(flag: &Flag, given: &Given<'_>, documents: &[Document]) -> Vec<Written> {
    let values = written(flag, given);
    if !values.is_empty() || keys::of_peer(flag.key).is_some() {
        return values;
    }
    let key = || documents.iter().rev().find_map(|document| document.values.get(flag.key));
    key().map_or_else(|| default(flag), <[Written]>::to_vec)
}

/// What flag or variable say.
fn written(flag: &Flag, given: &Given<'_>) -> Vec<Written> {
    let values = (given.flag)(flag.long).into_iter();
    let mut values: Vec<Written> = values
        .flat_map(|text| parts(flag.kind, &text))
        .map(|text| Written { origin: Origin::Flag(flag.long), text })
        .collect();
    if values.is_empty()
        && let Some(name) = flag.env
        && let Some(text) = (given.variable)(name).filter(|text| !text.trim().is_empty())
    {
        let parts = parts(flag.kind, &text).into_iter();
        values = parts.map(|text| Written { origin: Origin::Variable(name), text }).collect();
    }
    if flag.kind == Kind::Value {
        values = values.pop().into_iter().collect();
    }
    values
}

fn default(flag: &Flag) -> Vec<Written> {
    let text = (!flag.default.is_empty()).then(|| flag.default.to_owned());
    let written = |text| Written { origin: Origin::Default(flag.long), text };
    text.map(written).into_iter().collect()
}

fn named(name: &str) -> &'static Flag {
    let found = FLAGS.iter().find(|flag| flag.long == name);
    debug_assert!(found.is_some(), "no flag is called {name}");
    found.unwrap_or(&FLAGS[0])
}

fn parts(kind: Kind, text: &str) -> Vec<String> {
    match kind {
        Kind::List => text.split(',').map(|part| part.trim().to_owned()).collect(),
        Kind::Value | Kind::Repeated | Kind::Switch => vec![text.to_owned()],
    }
}

/// The peers: those of `--peer` replace those of the files. What other flags say of peers counts
/// for every peer, over what a file says.
fn peers(given: &Given<'_>, documents: &[Document], errors: &mut Vec<ConfigError>) -> Vec<Section> {
    let by_flag = written(named("peer"), given);
    let mut peers: Vec<Section> = if by_flag.is_empty() {
        documents.iter().flat_map(|document| document.peers.clone()).collect()
    } else {
        let section = |at: Written| {
            let mut values = Values::default();
            values.set("address", vec![at.clone()]);
            Section { at, values }
        };
        by_flag.into_iter().map(section).collect()
    };
    let count = peers.len();
    for flag in FLAGS {
        let Some(key) = keys::of_peer(flag.key).filter(|key| *key != "address") else { continue };
        let values = written(flag, given);
        if values.len() > 1 && values.len() != count && count > 0 {
            errors.extend(values.last().map(|last| {
                let error = format!(
                    "there are {} AS numbers for {count} peers: write one for all, or one for \
                     each in the same order",
                    values.len()
                );
                ConfigError::new(last, error)
            }));
        }
        for (index, peer) in peers.iter_mut().enumerate() {
            // One for all, or one for each.
            if let Some(value) = values.get(index).or(values.last()) {
                peer.values.set(key, vec![value.clone()]);
            } else if peer.values.get(key).is_none() && !flag.default.is_empty() {
                peer.values.set(key, default(flag));
            }
        }
    }
    peers
}
