//! What is wrong with the configuration, for a tired engineer: all of it, each with its place.

use std::collections::BTreeSet;
use std::fmt;

use super::origin::{Origin, Written};

/// More are not told: whoever has mended so many asks again.
pub const ERRORS_MAX: usize = 100;

/// One thing that is wrong: where it was written, and a text that names value, rule and fix.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    /// Where it was written.
    pub origin: Origin,
    /// The value, the rule, the fix.
    pub message: String,
}

impl ConfigError {
    /// An error about a written value.
    pub fn new(at: &Written, message: impl fmt::Display) -> Self {
        Self { origin: at.origin.clone(), message: message.to_string() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(f, &self.origin, &self.message)
    }
}

/// A place, what is said of it, and its line with carets.
pub(super) fn shown(
    f: &mut fmt::Formatter<'_>,
    origin: &Origin,
    message: &dyn fmt::Display,
) -> fmt::Result {
    write!(f, "{origin}: {message}")?;
    match origin {
        Origin::File(place) => place.snippet().map_or(Ok(()), |snippet| write!(f, "\n{snippet}")),
        Origin::Flag(_) | Origin::Variable(_) | Origin::Default(_) => Ok(()),
    }
}

impl std::error::Error for ConfigError {}

/// Those of flags first, then those of files by position; each once, although what a flag says of
/// all peers is read for each of them.
pub(crate) fn in_order(mut errors: Vec<ConfigError>) -> Vec<ConfigError> {
    errors.sort_by_key(|error| error.origin.position());
    let mut known = BTreeSet::new();
    errors.retain(|error| {
        // The position says which place in a file it is; its line need not be looked up.
        let flag = match &error.origin {
            Origin::File(place) => place.key.clone(),
            other => other.to_string(),
        };
        known.insert((error.origin.position(), flag, error.message.clone()))
    });
    if let Some(first) = errors.get(ERRORS_MAX) {
        let origin = first.origin.clone();
        let more = errors.len() - ERRORS_MAX;
        errors.truncate(ERRORS_MAX);
        let message = format!("here and below are {more} more mistakes: mend those above first");
        errors.push(ConfigError { origin, message });
    }
    errors
}
