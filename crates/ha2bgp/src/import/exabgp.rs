//! `exabgp healthcheck`: its command lines, in files of their own or as `run` lines of ExaBGP's
//! configuration, and its `--config` files.
//!
//! As of 4.2.21 and 5.0. What it does on its own: it adds the addresses to the loopback interface,
//! and a service that fails is announced with a worse metric, unless `--withdraw-on-down`.

mod arguments;
mod conf;
mod neighbors;
mod options;
mod service;

use super::model::{COUNT_MAX, Fate, Import, Said};
use super::words::{self, Word};
use super::{Errors, Host, Text, named};
use crate::config::origin::Place;

/// A word of a command line, or half a line of a file.
#[derive(Clone, Debug)]
struct Argument {
    text: String,
    place: Place,
}

/// One healthcheck: what it is called without a name of its own, and its arguments.
struct Process {
    name: String,
    place: Place,
    arguments: Vec<Argument>,
}

/// Reads all files, each by what it looks like.
pub(super) fn read(texts: &[Text], host: &Host<'_>, import: &mut Import, errors: &mut Errors) {
    let mut processes = Vec::new();
    for text in texts {
        let before = (processes.len(), errors.0.len());
        match Shape::of(text.text()) {
            Shape::Conf => conf::read(text, &mut processes, import, errors),
            Shape::Lines => lines(text, &mut processes, errors),
            Shape::Keys => {
                let name = stem(&text.source.name).to_owned();
                let arguments = keys(text, errors);
                if !arguments.is_empty() {
                    processes.push(Process { name, place: text.whole(), arguments });
                }
            }
        }
        if (processes.len(), errors.0.len()) == before {
            let error = "there is no healthcheck in it: give its configuration file, a file with its \
                         command line, or ExaBGP's configuration with `run … healthcheck …`";
            errors.add(&text.whole(), error);
        }
    }
    for process in processes {
        service::read(process, host, import, errors);
    }
}

/// The long names of all options.
#[cfg(test)]
pub(super) fn long_options() -> impl Iterator<Item = &'static str> {
    options::OPTIONS.iter().map(|opt| opt.long)
}

/// What a file looks like.
enum Shape {
    /// ExaBGP's configuration.
    Conf,
    /// Command lines.
    Lines,
    /// A file of `key = value`, as `--config` takes it.
    Keys,
}

impl Shape {
    fn of(text: &str) -> Self {
        let mut lines = text.lines().map(str::trim).filter(|line| !is_comment(line));
        let begins = |line: &str, word: &str| {
            let rest = line.strip_prefix(word);
            rest.is_some_and(|rest| rest.starts_with([' ', '\t', '{']) && rest.contains('{'))
        };
        let sections = ["process", "neighbor", "group", "template"];
        if lines.clone().any(|line| sections.iter().any(|word| begins(line, word))) {
            return Self::Conf;
        }
        match lines.next() {
            Some(line) if line.starts_with('-') => Self::Lines,
            Some(line) if line.split_whitespace().any(is_healthcheck) => Self::Lines,
            Some(_) | None => Self::Keys,
        }
    }
}

fn is_comment(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

/// Whether what follows the word are arguments of healthcheck.
fn is_healthcheck(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or_default();
    matches!(
        name,
        "healthcheck" | "healthcheck.py" | "exabgp-healthcheck" | "exabgp.application.healthcheck"
    )
}

/// The name of a file without directory and extension.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Command lines.
fn lines(text: &Text, processes: &mut Vec<Process>, errors: &mut Errors) {
    let lines = match words::lines(text.text()) {
        Ok(lines) => lines,
        Err(error) => return errors.add(&text.place(error.at..error.at + 1), error.what),
    };
    for line in lines {
        let Some(first) = line.first() else { continue };
        let place = text.place(first.span.clone());
        let arguments = |words: &[Word]| {
            let argument = |word: &Word| Argument {
                text: word.text.clone(),
                place: text.place(word.span.clone()),
            };
            words.iter().map(argument).collect::<Vec<_>>()
        };
        let begin = line.iter().position(|word| is_healthcheck(&word.text));
        let words = match begin {
            Some(begin) => line.get(begin + 1..).unwrap_or_default(),
            None if first.text.starts_with('-') => line.as_slice(),
            None => {
                let error = "is no command line of healthcheck: write exabgp healthcheck --…";
                errors.add(&place, error);
                continue;
            }
        };
        add(
            processes,
            Process { name: "healthcheck".to_owned(), place, arguments: arguments(words) },
            errors,
        );
    }
}

fn add(processes: &mut Vec<Process>, process: Process, errors: &mut Errors) {
    if processes.len() < COUNT_MAX {
        processes.push(process);
    } else {
        errors.add(&process.place, format!("more than {COUNT_MAX} of them: import less"));
    }
}

/// A file as `--config` takes it: what stands in a line is a long option, with or without a value.
fn keys(text: &Text, errors: &mut Errors) -> Vec<Argument> {
    let mut arguments = Vec::new();
    let mut at = 0;
    for whole in text.text().split_inclusive('\n') {
        let start = at + (whole.len() - whole.trim_start().len());
        at += whole.len();
        let line = whole.trim();
        if is_comment(line) {
            continue;
        }
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (line, None),
        };
        let place = text.place(start..start + key.trim_end().len().max(1));
        if key.trim().is_empty() || key.trim_end().contains(char::is_whitespace) {
            errors.add(&place, "a line is an option, or option = value: mend it");
            continue;
        }
        arguments.push(Argument { text: format!("--{}", key.trim()), place });
        if let Some(value) = value {
            let inside = value.len() - value.trim_start().len();
            let begin = start + key.len() + 1 + inside;
            let end = begin + value.trim().len();
            let place = text.place(begin..end.max(begin + 1).min(text.text().len()));
            arguments.push(Argument { text: value.trim().to_owned(), place });
        }
    }
    arguments
}

/// Says what became of what stands at a place.
fn say(said: &mut Vec<Said>, place: &Place, name: &str, fate: Fate) {
    said.push(Said { place: named(place, name), fate });
}
