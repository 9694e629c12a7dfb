//! Reading settings from text: every error is kept with its place, and reported with the others.

use std::fmt::Display;
use std::io;

use ha2bgp_proto::bgp::PeerAddress;

use super::error::ConfigError;
use super::file::CREDENTIALS;
use super::origin::Written;
use super::raw::Values;

/// What is asked of this host while settings are read.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// Whether an interface of that name is there.
    pub device_exists: &'a dyn Fn(&str) -> bool,
    /// Whether an address is one of this host.
    pub is_own_address: &'a dyn Fn(PeerAddress) -> bool,
    /// What a file holds.
    pub read_file: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
    /// Whether a file may be executed by anybody; an error when it cannot be looked at.
    pub is_executable: &'a dyn Fn(&str) -> io::Result<bool>,
    /// Where systemd keeps credentials (`$CREDENTIALS_DIRECTORY`, systemd.exec(5)), if it does.
    pub credentials: Option<&'a str>,
    /// Its name, with or without a domain.
    pub name: &'a str,
}

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

/// Where a file is whose path may be that of a credential of systemd.
pub(super) fn credential(path: &str, host: &Host<'_>) -> Result<String, String> {
    match (path.strip_prefix(CREDENTIALS), host.credentials) {
        (Some(name), Some(directory)) => Ok(format!("{directory}/{name}")),
        (Some(_), None) => Err(format!(
            "\"{path}\" is a credential of systemd, and $CREDENTIALS_DIRECTORY is not set: add \
             LoadCredential= to the unit, or write the path of a file"
        )),
        (None, _) => Ok(path.to_owned()),
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
