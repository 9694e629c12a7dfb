//! Which files `--config` names: files, and directories of files such as `conf.d`.
//!
//! Of a directory the `*.toml` files count, in the byte order of their names; those below it do not.

use super::error::ConfigError;
use super::origin::Written;
use super::reader::Host;

/// More files are refused: each may have 1 MiB.
const FILES_MAX: usize = 256;
/// What a name ends with that editors and package managers leave behind, or that people give to
/// what shall not count.
const LEFTOVERS: [&str; 14] = [
    "~",
    ".bak",
    ".old",
    ".orig",
    ".rej",
    ".save",
    ".swp",
    ".tmp",
    ".disabled",
    ".off",
    ".dpkg-dist",
    ".dpkg-old",
    ".rpmnew",
    ".rpmsave",
];

/// A file to read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct File {
    /// Its path, and what named it.
    pub(super) at: Written,
    /// Which `--config` it is of: those of one directory do not replace each other's keys.
    pub(super) argument: usize,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// The files, in the order in which they count.
    pub(super) files: Vec<File>,
    /// Paths in directories that look as if they were meant to count, and do not.
    pub(super) ignored: Vec<Written>,
    /// Directories that cannot be read, or have nothing.
    pub(super) errors: Vec<ConfigError>,
}

/// Finds the files that are given.
pub(super) fn find(given: &[Written], host: &Host<'_>) -> Sources {
    let mut sources = Sources::default();
    for (argument, at) in given.iter().enumerate() {
        let named = |text: String| Written { origin: at.origin.clone(), text };
        let names = match (host.list_dir)(&at.text) {
            Ok(None) => {
                sources.add(File { at: at.clone(), argument });
                continue;
            }
            Ok(Some(names)) => names,
            Err(error) => {
                let error = format!(
                    "\"{}\" is a directory that cannot be read: {error}: let the user that ha2bgp \
                     runs as list it",
                    at.text
                );
                sources.errors.push(ConfigError::new(at, error));
                continue;
            }
        };
        let (mut wanted, others): (Vec<_>, Vec<_>) =
            names.into_iter().filter(|name| !is_hidden(name)).partition(|name| is_toml(name));
        wanted.sort_unstable();
        let path = |name: &String| named(format!("{}/{name}", at.text.trim_end_matches('/')));
        sources.ignored.extend(others.iter().filter(|name| !is_leftover(name)).map(path));
        if wanted.is_empty() {
            let error = format!(
                "\"{}\" is a directory without any *.toml file: put one there, or leave it out",
                at.text
            );
            sources.errors.push(ConfigError::new(at, error));
        }
        wanted.iter().for_each(|name| sources.add(File { at: path(name), argument }));
    }
    sources
}

impl Sources {
    fn add(&mut self, file: File) {
        if self.files.len() < FILES_MAX {
            self.files.push(file);
        } else if self.files.len() == FILES_MAX && !self.errors.iter().any(is_too_many) {
            let error = format!("\"{}\" is one too many: {TOO_MANY}", file.at.text);
            self.errors.push(ConfigError::new(&file.at, error));
        }
    }
}

/// The rule that is told once.
const TOO_MANY: &str = "at most 256 configuration files are read: join some of them";

fn is_too_many(error: &ConfigError) -> bool {
    error.message.ends_with(TOO_MANY)
}

/// Whether a file of a directory counts, by its name.
pub fn counts(name: &str) -> bool {
    !is_hidden(name) && is_toml(name)
}

/// Those of editors (`.x.toml.swp`, `.#x.toml`) are too.
fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '#'])
}

fn is_toml(name: &str) -> bool {
    name.ends_with(".toml")
}

fn is_leftover(name: &str) -> bool {
    LEFTOVERS.iter().any(|end| name.ends_with(end)) || name.starts_with("README")
}

#[cfg(test)]
mod tests {
    use super::super::origin::Origin;
    use super::*;
    use std::io;

    fn found(given: &[&str]) -> Sources {
        let host = Host {
            list_dir: &|path| match path {
                "d" | "d/" => Ok(Some(
                    [
                        "b.toml",
                        "a.toml",
                        "B.toml",
                        ".a.toml.swp",
                        ".#a.toml",
                        "a.toml~",
                        "#a.toml#",
                        "c.toml.bak",
                        "README.md",
                        "web.conf",
                        ".hidden.toml",
                    ]
                    .map(str::to_owned)
                    .to_vec(),
                )),
                "empty" => Ok(Some(vec!["a.toml~".to_owned()])),
                "many" => Ok(Some((0..300).map(|n| format!("{n:03}.toml")).collect())),
                "closed" => Err(io::ErrorKind::PermissionDenied.into()),
                _ => Ok(None),
            },
            ..Host::BARE
        };
        let written =
            |text: &&str| Written { origin: Origin::Flag("config"), text: (*text).into() };
        let given: Vec<_> = given.iter().map(written).collect();
        find(&given, &host)
    }

    fn paths(sources: &Sources) -> Vec<(usize, &str)> {
        sources.files.iter().map(|file| (file.argument, file.at.text.as_str())).collect()
    }

    #[test]
    fn directories_hold_files_in_the_order_of_their_names() {
        let sources = found(&["x.toml", "d/", "y.conf"]);
        let want =
            [(0, "x.toml"), (1, "d/B.toml"), (1, "d/a.toml"), (1, "d/b.toml"), (2, "y.conf")];
        assert_eq!(paths(&sources), want);
        let ignored: Vec<_> = sources.ignored.iter().map(|at| at.text.as_str()).collect();
        assert_eq!(ignored, ["d/web.conf"]);
        assert!(sources.errors.is_empty());
    }

    #[test]
    fn what_is_wrong_with_a_directory_is_told() {
        for (path, want) in [
            ("empty", "--config: \"empty\" is a directory without any *.toml file: put one there"),
            (
                "closed",
                "--config: \"closed\" is a directory that cannot be read: permission denied",
            ),
            (
                "many",
                "--config: \"many/256.toml\" is one too many: at most 256 configuration files",
            ),
        ] {
            let sources = found(&[path, "x.toml"]);
            assert_eq!(sources.errors.len(), 1, "{path}");
            let error = sources.errors[0].to_string();
            assert!(error.starts_with(want), "{error}");
            assert!(sources.files.len() <= FILES_MAX);
        }
    }
}
