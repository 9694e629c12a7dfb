//! What is wrong with the configuration, for a tired engineer: all of it, each with its place.

use std::fmt;

use super::origin::{Origin, Written};

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
        write!(f, "{}: {}", self.origin, self.message)?;
        match &self.origin {
            Origin::File(place) => {
                place.snippet().map_or(Ok(()), |snippet| write!(f, "\n{snippet}"))
            }
            Origin::Flag(_) | Origin::Variable(_) | Origin::Default(_) => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}
