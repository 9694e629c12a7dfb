//! The environment while the files are read: the process's, changed by `setenv` and the like.

use alloc::collections::BTreeMap;
use alloc::string::String;

/// Most variables that the files may change.
const CHANGES_MAX: usize = 10_000;

/// Variables, as the next line sees them.
pub(super) struct Environment<'a> {
    process: &'a dyn Fn(&str) -> Option<String>,
    /// After `resetenv`, only these of the process's are left.
    kept: Option<BTreeMap<String, String>>,
    changes: BTreeMap<String, Option<String>>,
    /// The three names that start with a dot.
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) section: String,
}

impl<'a> Environment<'a> {
    pub(super) fn new(process: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            process,
            kept: None,
            changes: BTreeMap::new(),
            file: String::new(),
            line: 0,
            section: String::new(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        match name {
            ".FILE" => return Some(self.file.clone()),
            ".LINE" => return Some(alloc::format!("{}", self.line)),
            ".SECTION" => return Some(self.section.clone()),
            _ => {}
        }
        if let Some(change) = self.changes.get(name) {
            return change.clone();
        }
        match &self.kept {
            Some(kept) => kept.get(name).cloned(),
            None => (self.process)(name),
        }
    }

    fn change(&mut self, name: &str, value: Option<&str>) {
        if self.changes.len() < CHANGES_MAX {
            self.changes.insert(name.into(), value.map(String::from));
        }
    }

    /// Does what the line says; false when it is none of the four statements.
    pub(super) fn statement(&mut self, words: &[String]) -> bool {
        let arguments = words.get(1..).unwrap_or_default();
        match (words.first().map(String::as_str), arguments) {
            (Some("setenv"), [name, value, ..]) => self.change(name, Some(value)),
            (Some("presetenv"), [name, value, ..]) => {
                if self.get(name).is_none() {
                    self.change(name, Some(value));
                }
            }
            (Some("unsetenv"), names) => names.iter().for_each(|it| self.change(it, None)),
            (Some("resetenv"), names) => {
                let keep = |it: &String| Some((it.clone(), self.get(it)?));
                self.kept = Some(names.iter().filter_map(keep).collect());
                self.changes.clear();
            }
            _ => return false,
        }
        true
    }
}
