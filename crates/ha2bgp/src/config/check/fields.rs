//! The keys of one check while they are read: the value that was written, else the default of the
//! table.

use std::fmt::Display;

use super::super::error::ConfigError;
use super::super::origin::Written;
use super::super::raw::CheckSection;
use super::super::reader::{Host, Reader, go_bool};

/// One check that is being read.
pub(in crate::config) struct Fields<'a> {
    pub(super) reader: &'a mut Reader,
    #[allow(dead_code, reason = "kinds that read files use it")]
    pub(super) host: &'a Host<'a>,
    pub(super) section: &'a CheckSection,
    /// The service that uses it.
    pub(super) service: Option<&'a str>,
}

impl Fields<'_> {
    /// The value of a key, else its default; nothing when it has none, or what was written is wrong.
    pub(super) fn get<T, E: Display>(
        &mut self,
        name: &str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let values = &self.section.values;
        if !values.is_missing(name) {
            return self.reader.one(values, name, read);
        }
        let default = self.section.kind.find(name).map_or("", |key| key.default);
        // The table's own values are good: a test reads them all.
        (!default.is_empty()).then(|| read(default).ok()).flatten()
    }

    /// The value of a key that must be given.
    pub(super) fn required<T, E: Display>(
        &mut self,
        name: &str,
        example: &str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.section.values.is_missing(name) && self.section.name.origin.is_whole() {
            let kind = self.section.kind.name;
            let message = format!(
                "{name} is missing, which a check of type \"{kind}\" needs: write for example \
                 {name} = {example}"
            );
            self.fail_at(&self.section.name.clone(), message);
        }
        self.get(name, read)
    }

    /// Every value of a list; empty when it was not given.
    pub(super) fn all<T, E: Display>(
        &mut self,
        name: &str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let given = self.section.values.all(name);
        given.iter().filter_map(|at| self.reader.keep(at, read(&at.text))).collect()
    }

    /// Whether a switch is on.
    pub(super) fn on(&mut self, name: &str) -> bool {
        self.get(name, go_bool).unwrap_or(false)
    }

    /// True when somebody wrote the key.
    pub(super) fn is_given(&self, name: &str) -> bool {
        !self.section.values.is_missing(name)
    }

    /// Says what is wrong with a key, at its value where it has one.
    pub(super) fn fail(&mut self, name: &str, message: impl Display) {
        let at = self.section.values.one(name).unwrap_or(&self.section.name).clone();
        self.fail_at(&at, message);
    }

    fn fail_at(&mut self, at: &Written, message: impl Display) {
        self.reader.errors.push(ConfigError::new(at, message));
    }
}
