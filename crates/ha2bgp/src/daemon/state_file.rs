//! The file with the state: where it is, who may write it, and the task that keeps it fresh.
//!
//! It is written whole beside its place and renamed, at once when the announced set changes and
//! then at most once a second, and its time is written over every two seconds, all in a thread for
//! blocking work. It is never synced: after a crash of the kernel it is worth nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ha2bgp_core::route::RouteSet;
use rustix::fs::{FlockOperation, flock};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use tokio::time::Instant;

use super::state::{self, BYTES_MAX, Place, State};
use crate::announce::{Desired, Manner};
use crate::config::settings::StateFile;

/// Where state is kept when the system names no place.
const DIRECTORY: &str = "/run/ha2bgp";
/// The file's name there.
const NAME: &str = "state";
/// Whole writes are at least this far apart.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// How often the time is written over.
const TOUCH_EVERY: Duration = Duration::from_secs(2);

/// The time since the kernel started, with the time that it slept (`CLOCK_BOOTTIME`).
pub(super) fn uptime() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Where this process runs.
fn place() -> io::Result<Place> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    let namespace = fs::metadata("/proc/self/ns/net")?.ino();
    Ok(Place { boot, namespace })
}

/// The file, which nobody else writes.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    place: Place,
    /// Held as long as this process lives.
    _lock: File,
    /// The file as it was written last, and where in it the time stands.
    file: Option<(File, u64)>,
}

impl Store {
    /// The store that the settings ask for, if there can be one; says why not.
    pub(super) fn open(settings: &StateFile) -> Option<Self> {
        let path = match settings {
            StateFile::Off => return None,
            StateFile::Path(path) => PathBuf::from(path),
            StateFile::Auto => match directory() {
                Ok(directory) => directory.join(NAME),
                Err(error) => {
                    tracing::info!(
                        "no state file: {DIRECTORY}: {error} (systemd: RuntimeDirectory=ha2bgp)"
                    );
                    return None;
                }
            },
        };
        let opened = place().and_then(|place| Ok((place, lock(&path, "--state-file")?)));
        match opened {
            Ok((place, lock)) => Some(Self { path, place, _lock: lock, file: None }),
            Err(error) if *settings == StateFile::Auto => {
                tracing::info!("no state file: {}: {error}", path.display());
                None
            }
            Err(error) => {
                tracing::error!("no state file: --state-file: {}: {error}", path.display());
                None
            }
        }
    }

    /// Where this process runs.
    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// What the process before has left; what is damaged counts as nothing.
    pub(super) fn read(&self) -> Option<State> {
        let path = self.path.display();
        let text = match read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("the state file is not used: {path}: {error}");
                return None;
            }
        };
        let state = State::parse(&text);
        state.map_err(|error| tracing::warn!("the state file is not used: {path}: {error}")).ok()
    }

    /// Writes all of it.
    fn write(&mut self, routes: &RouteSet) -> io::Result<()> {
        let (text, at) = State::text(&self.place, uptime(), routes);
        let fresh = beside(&self.path, "new");
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        rename(&fresh, &self.path)?;
        self.file = Some((file, at));
        Ok(())
    }

    /// Writes the time only.
    fn touch(&self) -> io::Result<()> {
        match &self.file {
            Some((file, at)) => file.write_all_at(state::digits(uptime()).as_bytes(), *at),
            None => Ok(()),
        }
    }

    /// Leaves nothing: nobody holds routes of ours any more.
    pub(super) fn clear(self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("the state file cannot be removed: {}: {error}", self.path.display());
        }
    }

    /// Keeps the file fresh until the program stops or the channel closes. `before` is what
    /// routers may hold of the process before; it counts until the first look is complete.
    pub(super) async fn keep(
        mut self,
        mut desired: watch::Receiver<Desired>,
        before: RouteSet,
    ) -> Self {
        let mut written: Option<RouteSet> = None;
        let mut failed = false;
        loop {
            let Desired { routes, complete, manner, .. } = desired.borrow_and_update().clone();
            if manner == Manner::Stopping {
                // What could not be withdrawn is still there.
                return self;
            }
            let routes = if complete { routes } else { union(&before, &routes) };
            let whole = written.as_ref() != Some(&routes);
            let job = routes.clone();
            let done = tokio::task::spawn_blocking(move || {
                let result = if whole { self.write(&job) } else { self.touch() };
                (self, result)
            });
            let result = match done.await {
                Ok((store, result)) => {
                    self = store;
                    result
                }
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            match result {
                Ok(()) => (written, failed) = (Some(routes), false),
                Err(error) => {
                    if !failed {
                        let path = self.path.display();
                        tracing::warn!("the state file cannot be written: {path}: {error}");
                    }
                    (written, failed) = (None, true);
                }
            }
            if manner == Manner::Restarting {
                return self;
            }
            if !rest(&mut desired, if whole { WRITE_EVERY } else { Duration::ZERO }).await {
                return self;
            }
        }
    }
}

/// Waits for the next change, or until the time is to be written, but for the `pause` at least;
/// the end of the program is no reason to wait. False when the channel is closed.
async fn rest(desired: &mut watch::Receiver<Desired>, pause: Duration) -> bool {
    let begun = Instant::now();
    tokio::select! {
        changed = desired.changed() => if changed.is_err() { return false },
        () = tokio::time::sleep(TOUCH_EVERY) => return true,
    }
    let ends = |desired: &Desired| matches!(desired.manner, Manner::Stopping | Manner::Restarting);
    tokio::select! {
        ended = desired.wait_for(ends) => ended.is_ok(),
        () = tokio::time::sleep_until(begun + pause) => true,
    }
}

fn union(before: &RouteSet, routes: &RouteSet) -> RouteSet {
    let mut all = before.clone();
    routes.for_each(&mut |prefix, route| {
        all.insert(prefix, *route);
    });
    all
}

/// The directory that the system gave us, or our own.
pub(crate) fn directory() -> io::Result<PathBuf> {
    if let Some(given) = std::env::var_os("RUNTIME_DIRECTORY") {
        // Several are separated by colons (systemd.exec(5)).
        let given = given.to_string_lossy().into_owned();
        let first = given.split(':').next().unwrap_or_default();
        if first.starts_with('/') {
            return Ok(PathBuf::from(first));
        }
    }
    match fs::create_dir(DIRECTORY) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(PathBuf::from(DIRECTORY)),
    }
}

/// Makes sure that nobody else writes the file.
pub(crate) fn lock(path: &Path, flag: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let lock = options.write(true).create(true).truncate(false).open(beside(path, "lock"))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
        if error == rustix::io::Errno::WOULDBLOCK {
            io::Error::other(format!("another ha2bgp uses it: give each its own with {flag}"))
        } else {
            error.into()
        }
    })?;
    Ok(lock)
}

/// Gives a file another name, in the place of a file that has that. Neither may be anything else: a
/// mistaken `/dev/null` in a configuration must not cost this host its device.
///
/// # Errors
/// When one of them is no file, or those of rename(2).
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    for path in [from, to] {
        match fs::symlink_metadata(path) {
            Ok(there) if !there.is_file() && !there.is_symlink() => {
                let text = format!("{} is no file: name another place", path.display());
                return Err(io::Error::other(text));
            }
            _ => {}
        }
    }
    fs::rename(from, to)
}

/// A name beside a file.
pub(crate) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{what}"));
    PathBuf::from(name)
}

fn read(path: &Path) -> io::Result<String> {
    // Not a FIFO that nobody writes to, for instance.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX);
    File::open(path)?.take(limit.saturating_add(1)).read_to_string(&mut text)?;
    if text.len() > BYTES_MAX {
        return Err(io::Error::other("it is too long"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
