//! Reading settings from text: every error is kept with its place, and reported with the others.

use std::fmt::Display;

use super::error::ConfigError;
pub use super::host::Host;
use super::origin::Written;
use super::raw::Values;

/// Collects errors, so that all are reported at once.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) errors: Vec<ConfigError>,
}

impl Reader {
    /// Keeps the error of `result` with its place.
    pub(super) fn keep<T, E: Display>(&mut self, at: &Written, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.errors.push(ConfigError::new(at, error));
                None
            }
        }
    }

    /// Reads a setting, if it has a value.
    pub(super) fn one<T, E: Display>(
        &mut self,
        values: &Values,
        name: &str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let at = values.one(name)?;
        self.keep(at, read(&at.text))
    }

    pub(super) fn switch(&mut self, values: &Values, name: &str) -> bool {
        self.one(values, name, go_bool).unwrap_or(false)
    }
}

/// Go's strconv.ParseBool, whose spellings the original took.
pub(super) fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => Err(format!("\"{other}\" is neither on nor off: write true or false")),
    }
}
