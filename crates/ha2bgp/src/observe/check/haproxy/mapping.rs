//! Which frontends serve a VIP, and which backends they use: from HAProxy's configuration files.
//!
//! They are read when a new HAProxy process is met, not whenever they change: what counts is what
//! the running process has read. Files that were changed after it started may say something else.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ha2bgp_proto::haproxy::config::{Config, Context, File};
use ha2bgp_proto::haproxy::stat::Table;

use super::process;

/// A longer file is not read.
const FILE_MAX: u64 = 16 * 1024 * 1024;
/// More files are not read.
const FILES_MAX: usize = 1000;

/// What is known of the configuration of one HAProxy process.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    config: Config,
    /// Some file was read.
    known: bool,
    /// A file was changed after the process started: it may run with another configuration.
    pub(super) edited: bool,
    /// What could not be read or understood.
    pub(crate) notes: Vec<String>,
}

impl Mapping {
    /// Reads the files; without any, those of the command line of the process.
    pub(super) fn read(
        paths: &[PathBuf],
        pid: Option<u32>,
        version: Option<&str>,
        uptime: Option<u32>,
    ) -> Self {
        let found = match (paths, pid) {
            ([], Some(pid)) => process::config_of(pid),
            _ => paths.to_vec(),
        };
        let mut notes = Vec::new();
        let mut texts: Vec<(String, String)> = Vec::new();
        let files = files(&found, &mut notes);
        let edited = uptime.is_some_and(|age| is_newer(found.iter().chain(&files), age));
        for path in files {
            match text(&path) {
                Ok(text) => texts.push((path.display().to_string(), text)),
                Err(error) => notes.push(format!("{}: {error}", path.display())),
            }
        }
        let environment = pid.map(process::environment_of).unwrap_or_default();
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        let context = Context { variable: &variable, version };
        let listed: Vec<File<'_>> = texts.iter().map(|(name, text)| File { name, text }).collect();
        let config = Config::parse(&listed, &context);
        notes.extend(config.notes.iter().map(ToString::to_string));
        Self { known: !listed.is_empty(), edited, config, notes }
    }

    /// The frontends that may take connections to a VIP.
    pub(super) fn frontends_of(
        &self,
        vip: IpAddr,
        port: Option<u16>,
        table: &Table,
    ) -> Vec<String> {
        let mut names: Vec<String> =
            self.config.frontends_of(vip, port).into_iter().map(str::to_owned).collect();
        // Listener rows are there with `option socket-stats` only.
        for name in table.frontends_of(vip, port) {
            if names.iter().all(|known| known != name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// The backends that a frontend uses, and whether it chooses some at run time. Without files, a
    /// `listen` is known by its name: it is a backend too.
    pub(super) fn backends_of(&self, frontend: &str, table: &Table) -> (Vec<String>, bool) {
        match self.config.frontend(frontend) {
            Some(known) => {
                (known.backends().into_iter().map(str::to_owned).collect(), known.dynamic)
            }
            None if table.backend(frontend).is_some() => (vec![frontend.to_owned()], false),
            None => (Vec::new(), false),
        }
    }

    /// True when some file was read.
    pub(crate) const fn is_known(&self) -> bool {
        self.known
    }
}

/// Whether one of these files and directories was changed since a process of that age, in seconds,
/// started. The change time counts (inode(7)): a file that is put in place keeps older ones.
#[expect(clippy::disallowed_methods, reason = "change times of files are of the wall clock")]
fn is_newer<'a>(mut paths: impl Iterator<Item = &'a PathBuf>, age: u32) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // HAProxy cuts off the fraction: it is a little older than it says.
    let started = now.saturating_sub(Duration::from_secs(age.into())).as_secs();
    let changed = |path: &PathBuf| fs::metadata(path).ok().map(|about| about.ctime());
    paths.any(|path| changed(path).and_then(|at| u64::try_from(at).ok()) > Some(started))
}

/// All files, with those of directories as HAProxy takes them: `*.cfg` in the order of their names
/// (management.txt section 3, `-f`).
fn files(paths: &[PathBuf], notes: &mut Vec<String>) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let mut inside: Vec<PathBuf> = match fs::read_dir(path) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(error) => {
                notes.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        inside.retain(|path| is_cfg(path));
        inside.sort();
        all.extend(inside);
    }
    if all.len() > FILES_MAX {
        notes.push(format!("more than {FILES_MAX} files: the others are not read"));
        all.truncate(FILES_MAX);
    }
    all
}

/// Hidden ones are left out, and whatever does not end in `.cfg`.
fn is_cfg(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    path.is_file() && !hidden && path.extension().is_some_and(|end| end == "cfg")
}

fn text(path: &Path) -> Result<String, String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    // A pipe would never end.
    if !about.is_file() || about.len() > FILE_MAX {
        return Err("is no file of at most 16 MiB".to_owned());
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
