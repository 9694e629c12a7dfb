//! INI as Python's `configparser` reads it: `[section]`, `key = value` or `key: value`, lines that are
//! further in go on, `#` and `;` begin lines of comment, `%(name)s` stands for another value.

use std::collections::BTreeSet;

use super::super::model::{Fate, Said};
use super::super::{Errors, Text, named};
use crate::config::origin::Place;

/// `%(name)s` in what `%(name)s` stands for, and so on: so deep at most.
const DEPTH_MAX: usize = 10;
/// The longest value with everything filled in: each depth could double it.
const VALUE_MAX: usize = 65_536;
/// So many sections and so many options in each, at most.
const COUNT_MAX: usize = 16_384;

/// An option.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) name_place: Place,
    /// As it is written, without what `%` stands for.
    pub(super) written: String,
    /// Where the value stands, with the name as its key.
    pub(super) place: Place,
}

/// A section.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) entries: Vec<Entry>,
}

impl Section {
    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

/// All files together.
#[derive(Debug, Default)]
pub(super) struct Ini {
    pub(super) daemon: Option<Section>,
    pub(super) defaults: Option<Section>,
    services: Vec<Section>,
    /// The names in `%(name)s`.
    variables: BTreeSet<String>,
}

impl Ini {
    /// The sections of services, in their order.
    pub(super) fn services(&self) -> impl Iterator<Item = &Section> {
        self.services.iter()
    }

    /// Whether some value names that option.
    pub(super) fn is_variable(&self, name: &str) -> bool {
        self.variables.contains(name)
    }

    /// Reads one more file; what it says again counts in the place of what was said.
    pub(super) fn add(&mut self, text: &Text, errors: &mut Errors, said: &mut Vec<Said>) {
        for section in sections(text, errors) {
            for entry in &section.entries {
                self.variables.extend(names(&entry.written));
            }
            let known = match section.name.as_str() {
                "DEFAULT" => &mut self.defaults,
                "daemon" => &mut self.daemon,
                name => match self.services.iter_mut().find(|known| known.name == name) {
                    Some(known) => {
                        replace(known, section, said);
                        continue;
                    }
                    None => {
                        if self.services.len() == COUNT_MAX {
                            let error = format!("more than {COUNT_MAX} sections: import less");
                            return errors.add(&section.place, error);
                        }
                        self.services.push(section);
                        continue;
                    }
                },
            };
            match known {
                Some(known) => replace(known, section, said),
                None => *known = Some(section),
            }
        }
    }

    /// A value with everything filled in, for the section that it counts for.
    pub(super) fn value(
        &self,
        entry: &Entry,
        section: Option<&Section>,
        errors: &mut Errors,
    ) -> Option<String> {
        errors.keep(&entry.place, self.fill(&entry.written, section, 0))
    }

    fn fill(
        &self,
        written: &str,
        section: Option<&Section>,
        depth: usize,
    ) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = written;
        while let Some((before, after)) = rest.split_once('%') {
            filled.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                filled.push('%');
                rest = after;
                continue;
            }
            let Some((name, after)) =
                after.strip_prefix('(').and_then(|after| after.split_once(")s"))
            else {
                return Err("% stands before %, or in %(name)s: write %% for one".to_owned());
            };
            let name = name.to_lowercase();
            let found = section.and_then(|section| section.get(&name));
            let found = found.or_else(|| self.defaults.as_ref()?.get(&name));
            let value = match (found, super::service::default(&name)) {
                (Some(entry), _) => entry.written.clone(),
                (None, Some(default)) => default.to_owned(),
                (None, None) => return Err(format!("%({name})s stands for nothing: give it")),
            };
            if depth == DEPTH_MAX {
                return Err(format!("%({name})s is filled in too deep: write what it is"));
            }
            filled.push_str(&self.fill(&value, section, depth + 1)?);
            if filled.len() > VALUE_MAX {
                return Err(format!("it has more than {VALUE_MAX} octets: write less"));
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

/// The names in `%(name)s`.
fn names(written: &str) -> impl Iterator<Item = String> + '_ {
    let after = written.split("%(").skip(1);
    after.filter_map(|rest| Some(rest.split_once(")s")?.0.to_lowercase()))
}

fn replace(known: &mut Section, section: Section, said: &mut Vec<Said>) {
    for entry in section.entries {
        match known.entries.iter_mut().find(|before| before.name == entry.name) {
            Some(before) => {
                let fate = Fate::NotNeeded(format!("it is given again at {}", entry.name_place));
                said.push(Said { place: named(&before.name_place, &before.name), fate });
                *before = entry;
            }
            None => known.entries.push(entry),
        }
    }
}

/// The sections of one file.
fn sections(text: &Text, errors: &mut Errors) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    // How far in the option stands whose value may go on.
    let mut indent = 0;
    let mut goes_on = false;
    let mut at = 0;
    for whole in text.text().split_inclusive('\n') {
        let start = at;
        at += whole.len();
        let line = whole.trim();
        let inside = whole.len() - whole.trim_start().len();
        let begin = start + inside;
        let span = begin..begin + line.len();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if goes_on && inside > indent {
            let entry = sections.last_mut().and_then(|section| section.entries.last_mut());
            if let Some(entry) = entry {
                entry.written.push('\n');
                entry.written.push_str(line);
            }
            continue;
        }
        indent = inside;
        goes_on = false;
        if let Some(name) = line.strip_prefix('[').and_then(|rest| Some(rest.rsplit_once(']')?.0)) {
            let place = text.place(span);
            let known = sections.iter().position(|section| section.name == name);
            // This one may go on; what is said twice in it is told all the same.
            if let Some(known) = known.filter(|_| name == "DEFAULT") {
                let defaults = sections.remove(known);
                sections.push(defaults);
                continue;
            }
            if known.is_some() {
                errors.add(&place, format!("[{name}] is there twice in this file: make it one"));
            }
            if sections.len() == COUNT_MAX {
                errors.add(&place, format!("more than {COUNT_MAX} sections: import less"));
                return sections;
            }
            sections.push(Section { name: name.to_owned(), place, entries: Vec::new() });
            continue;
        }
        let Some((name, value)) = line.split_once(['=', ':']) else {
            errors.add(&text.place(span), "neither a [section] nor a key = value: mend the line");
            continue;
        };
        let Some(section) = sections.last_mut() else {
            errors.add(&text.place(span), "stands before the first [section]: write one above it");
            continue;
        };
        let lower = name.trim().to_lowercase();
        let name_place = text.place(begin..begin + name.trim_end().len().max(1));
        let value_at = begin + name.len() + 1 + (value.len() - value.trim_start().len());
        let place = text.place(value_at..begin + line.len());
        let place = named(if place.span.is_empty() { &name_place } else { &place }, &lower);
        if section.get(&lower).is_some() {
            errors
                .add(&named(&name_place, &lower), "is given twice in this section: leave one out");
            continue;
        }
        if section.entries.len() == COUNT_MAX {
            errors.add(&place, format!("more than {COUNT_MAX} options: import less"));
            return sections;
        }
        let written = value.trim().to_owned();
        section.entries.push(Entry { name: lower, name_place, written, place });
        goes_on = true;
    }
    sections
}

/// On or off, as `configparser` has it.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Ok(true),
        "0" | "no" | "false" | "off" => Ok(false),
        _ => Err(format!("\"{text}\" is neither on nor off: write true or false")),
    }
}
