//! Configurations of other programs as ours: `ha2bgp import`.
//!
//! Pure: text in, TOML and a report out. A reader for each program (`exabgp`, `anycast`,
//! `birdwatcher`) says of every option what became of it (`model::Fate`); what it does not know is
//! an error with its place. `render` writes both.

mod anycast;
mod birdwatcher;
mod command;
mod exabgp;
mod fuzz;
mod model;
mod render;
mod suggest;
#[cfg(test)]
mod tests;
mod value;
mod words;

use std::io;
use std::sync::Arc;

use ha2bgp_core::net::Prefix;

pub use self::fuzz::{fuzz_anycast, fuzz_birdwatcher, fuzz_exabgp};
use self::model::Import;
use crate::config::error::{self, ConfigError};
use crate::config::file::LENGTH_MAX;
use crate::config::origin::{Origin, Place, Source};

/// So many files at most.
pub const FILES_MAX: usize = 1024;

/// Whose configuration it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Program {
    /// `exabgp healthcheck`: command lines, its own files, or the `run` lines of ExaBGP's.
    Exabgp,
    /// anycast-healthchecker.
    Anycast,
    /// birdwatcher.
    Birdwatcher,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Exabgp, Self::Anycast, Self::Birdwatcher];

    /// As it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exabgp => "exabgp-healthcheck",
            Self::Anycast => "anycast-healthchecker",
            Self::Birdwatcher => "birdwatcher",
        }
    }
}

/// A file that is imported.
#[derive(Clone, Debug)]
pub struct File {
    /// What it is called in messages.
    pub name: String,
    /// What it holds.
    pub octets: Vec<u8>,
}

/// An address on the loopback interface.
#[derive(Clone, Debug)]
pub struct Loopback {
    /// The address with the length that it was given.
    pub prefix: Prefix,
    /// Its label, such as `lo:web`; IPv4 only.
    pub label: Option<String>,
}

/// What is asked of this host.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// What a file holds that another one names.
    pub read_file: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
    /// The addresses of the loopback interface, for services that take all that are there.
    pub loopback: &'a dyn Fn() -> Result<Vec<Loopback>, String>,
}

/// What an import comes to.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The configuration file.
    pub toml: String,
    /// A line for each option, then a summary.
    pub report: String,
    /// So many options have no counterpart.
    pub lost: usize,
}

/// Imports files, which make one configuration together.
///
/// # Errors
/// Everything in the files that their program would not take, or that is not known here.
pub fn import(
    program: Program,
    files: &[File],
    host: &Host<'_>,
) -> Result<Imported, Vec<ConfigError>> {
    read(program, files, host).map(|import| Imported {
        toml: render::toml(&import),
        report: render::report(&import),
        lost: import.lost(),
    })
}

fn read(program: Program, files: &[File], host: &Host<'_>) -> Result<Import, Vec<ConfigError>> {
    let mut errors = Errors::default();
    let mut texts = Vec::new();
    for (file, number) in files.iter().zip(1..) {
        texts.extend(text_of(number, &file.name, file.octets.clone(), &mut errors));
    }
    let mut import = Import::new(program, files.iter().map(|file| file.name.clone()).collect());
    match program {
        Program::Exabgp => exabgp::read(&texts, host, &mut import, &mut errors),
        Program::Anycast => anycast::read(&texts, &mut import, &mut errors),
        Program::Birdwatcher => birdwatcher::read(&texts, &mut import, &mut errors),
    }
    import.check_vips(&mut errors);
    if errors.0.is_empty() { Ok(import) } else { Err(error::in_order(errors.0)) }
}

/// A file as text.
fn text_of(number: usize, name: &str, octets: Vec<u8>, errors: &mut Errors) -> Option<Text> {
    let whole = |text: &str| Text { source: Arc::new(Source::new(number, name, text, None)) };
    if octets.len() > LENGTH_MAX {
        errors.add(&whole("").whole(), "is longer than 1 MiB: is it a configuration file?");
        return None;
    }
    let text = match String::from_utf8(octets) {
        Ok(text) => text,
        Err(error) => {
            let octet = error.utf8_error().valid_up_to();
            let error = format!("is not UTF-8 text from octet {octet} on: mend it there");
            errors.add(&whole("").whole(), error);
            return None;
        }
    };
    let text = whole(&text);
    if let Some(at) = text.text().find('\0') {
        errors.add(&text.place(at..at + 1), "there is a NUL character here: remove it");
        return None;
    }
    Some(text)
}

/// A text that places point into.
#[derive(Clone, Debug)]
struct Text {
    source: Arc<Source>,
}

impl Text {
    fn text(&self) -> &str {
        &self.source.text
    }

    /// The place of these octets.
    fn place(&self, span: std::ops::Range<usize>) -> Place {
        Place { source: Arc::clone(&self.source), key: String::new(), span }
    }

    /// The file as a whole.
    fn whole(&self) -> Place {
        self.place(0..0)
    }
}

/// A place, with the name of what stands there.
fn named(place: &Place, name: &str) -> Place {
    Place { key: name.to_owned(), ..place.clone() }
}

/// Everything that is wrong.
#[derive(Debug, Default)]
struct Errors(Vec<ConfigError>);

impl Errors {
    fn add(&mut self, place: &Place, message: impl std::fmt::Display) {
        // Who has mended so many asks again; a hostile file shall not fill the memory.
        if self.0.len() <= error::ERRORS_MAX {
            let origin = Origin::File(place.clone());
            // A value may go over several lines; a message has one.
            let plain = |c: char| if c.is_control() { ' ' } else { c };
            let message = message.to_string().chars().map(plain).collect();
            self.0.push(ConfigError { origin, message });
        }
    }

    /// The value, or nothing and its error.
    fn keep<T>(&mut self, place: &Place, result: Result<T, impl std::fmt::Display>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(place, error);
                None
            }
        }
    }
}
