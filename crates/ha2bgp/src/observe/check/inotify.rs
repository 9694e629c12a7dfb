//! Doorbells of files: inotify(7) on the directory of a file, one instance for all checks.
//!
//! The directory is watched, not the file: a file comes, goes and is replaced by rename. Where the
//! directory is not there, the nearest one above it is watched. Events say "look now" and nothing
//! else; whoever watches also looks at intervals, and aims again: what inotify does not tell (a
//! network file system, a directory above that was renamed, no watches left) costs time only.
//!
//! One instance, since a user may have only 128 (`fs.inotify.max_user_instances`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

/// What changes the files of a directory, or the directory.
const EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// How far up a directory that exists is looked for.
const DEPTH_MAX: usize = 64;
/// How often a directory that appears meanwhile is followed down at once.
const DOWN_MAX: usize = 8;
/// Octets of events that are read at once.
const BUFFER: usize = 4096;

/// All files that are watched.
#[derive(Debug, Default)]
pub struct Watches {
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The instance, from the first use on.
    fd: Option<Arc<OwnedFd>>,
    /// It could not be had, which was said in the log.
    complained: bool,
    /// Who waits for what in a watched directory, by watch descriptor.
    directories: BTreeMap<i32, BTreeMap<u64, Waiting>>,
    /// The number of the next one who waits.
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    /// The entry of the directory that matters; `None`: every one.
    name: Option<OsString>,
    bell: Rc<Notify>,
}

/// Where a watch points: the directory's watch descriptor, and the entry that matters.
#[derive(Debug)]
struct Aim {
    directory: i32,
    name: Option<OsString>,
    /// False when it is a directory above that of the file.
    exact: bool,
}

/// One file that is watched, until this is dropped.
#[derive(Debug)]
pub struct FileWatch {
    watches: Rc<Watches>,
    path: PathBuf,
    /// Every entry of its directory matters.
    whole: bool,
    number: u64,
    bell: Rc<Notify>,
    aimed: Option<i32>,
}

impl Watches {
    /// Watches a file, which need not be there. Nothing rings before [`FileWatch::aim`].
    pub fn watch(self: &Rc<Self>, path: &Path) -> FileWatch {
        self.ringing(path, &Rc::default())
    }

    /// The same with a bell that others may ring too.
    pub fn ringing(self: &Rc<Self>, path: &Path, bell: &Rc<Notify>) -> FileWatch {
        let mut state = self.state.borrow_mut();
        state.next += 1;
        let (path, bell) = (path.to_owned(), bell.clone());
        let watches = self.clone();
        FileWatch { watches, path, whole: false, number: state.next, bell, aimed: None }
    }

    /// Watches everything in a directory, which need not be there.
    pub fn watch_directory(self: &Rc<Self>, path: &Path, bell: &Rc<Notify>) -> FileWatch {
        // Of whatever name.
        let mut watch = self.ringing(&path.join("*"), bell);
        watch.whole = true;
        watch
    }

    /// The instance and its reader, made when they are first needed.
    fn instance(self: &Rc<Self>) -> Option<Arc<OwnedFd>> {
        let mut state = self.state.borrow_mut();
        if let Some(fd) = &state.fd {
            return Some(fd.clone());
        }
        let opened = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
        let opened = opened.map_err(io::Error::from).and_then(|fd| {
            let fd = Arc::new(fd);
            Ok((fd.clone(), register(fd)?))
        });
        match opened {
            Ok((fd, events)) => {
                state.fd = Some(fd.clone());
                tokio::task::spawn_local(read(events, Rc::downgrade(self)));
                Some(fd)
            }
            Err(error) => {
                if !state.complained {
                    tracing::warn!("no inotify, files are only looked at at intervals: {error}");
                }
                state.complained = true;
                None
            }
        }
    }

    /// Rings for one event: `directory` below zero is an overflow, which may be anything.
    fn ring(&self, directory: i32, events: ReadFlags, name: Option<&OsStr>) {
        let mut state = self.state.borrow_mut();
        let own = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT;
        let whole = events.intersects(own | ReadFlags::IGNORED | ReadFlags::QUEUE_OVERFLOW);
        let rings = |waiting: &&Waiting| {
            whole || waiting.name.as_deref().is_none_or(|wanted| name.is_none_or(|n| n == wanted))
        };
        if events.contains(ReadFlags::QUEUE_OVERFLOW) {
            state.directories.values().flat_map(BTreeMap::values).for_each(|w| w.bell.notify_one());
        } else if let Some(waiting) = state.directories.get(&directory) {
            waiting.values().filter(rings).for_each(|waiting| waiting.bell.notify_one());
        }
        // The kernel has removed the watch.
        if events.contains(ReadFlags::IGNORED) {
            state.directories.remove(&directory);
        }
    }

    /// Takes one out of a directory; the last one takes the kernel's watch with it.
    fn leave(&self, directory: i32, number: u64) {
        let mut state = self.state.borrow_mut();
        let Some(waiting) = state.directories.get_mut(&directory) else { return };
        waiting.remove(&number);
        if waiting.is_empty() {
            state.directories.remove(&directory);
            if let Some(fd) = &state.fd {
                // It may be gone with its directory.
                let _ = inotify::remove_watch(fd, directory);
            }
        }
    }
}

impl FileWatch {
    /// Watches the directory that now leads to the file. To be called before each look, so that
    /// nothing can happen between them unseen.
    pub async fn aim(&mut self) {
        for _ in 0..DOWN_MAX {
            let Some(fd) = self.watches.instance() else { return };
            let path = self.path.clone();
            let Ok(found) = tokio::task::spawn_blocking(move || find(&fd, &path)).await else {
                return;
            };
            let Some(aim) = found else { return self.leave() };
            let before = self.aimed;
            if before != Some(aim.directory) {
                self.leave();
            }
            let name = aim.name.filter(|_| !(self.whole && aim.exact));
            let waiting = Waiting { name, bell: self.bell.clone() };
            let mut state = self.watches.state.borrow_mut();
            state.directories.entry(aim.directory).or_default().insert(self.number, waiting);
            drop(state);
            self.aimed = Some(aim.directory);
            // The next directory down may have appeared before this one was watched.
            if aim.exact || before == self.aimed {
                return;
            }
        }
    }

    /// Waits until something may have happened to the file since the last call.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    fn leave(&mut self) {
        if let Some(directory) = self.aimed.take() {
            self.watches.leave(directory, self.number);
        }
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Watches the directory of a file, or the nearest one above it that exists.
fn find(fd: &OwnedFd, path: &Path) -> Option<Aim> {
    let mut name = path.file_name()?;
    let mut directory = path.parent()?;
    for depth in 0..DEPTH_MAX {
        let open = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        match inotify::add_watch(fd, open, EVENTS) {
            Ok(number) => {
                // What a symbolic link leads to changes under another name.
                let link = std::fs::symlink_metadata(open.join(name));
                let link = link.is_ok_and(|link| link.is_symlink());
                let name = (!link).then(|| name.to_owned());
                return Some(Aim { directory: number, name, exact: depth == 0 });
            }
            // No watches left, or no memory.
            Err(Errno::NOSPC | Errno::NOMEM) => return None,
            Err(_) => {}
        }
        name = directory.file_name()?;
        directory = directory.parent()?;
    }
    None
}

/// Waits for a descriptor to be readable.
#[expect(
    deprecated,
    reason = "its successor is unsafe: it trusts the type to own one descriptor, which OwnedFd does"
)]
pub(super) fn register(fd: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// Reads events until the last watch is gone.
async fn read(events: AsyncFd<Arc<OwnedFd>>, watches: Weak<Watches>) {
    let mut buffer = [MaybeUninit::<u8>::uninit(); BUFFER];
    while let Ok(mut ready) = events.readable().await {
        let mut reader = inotify::Reader::new(events.get_ref(), &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let Some(watches) = watches.upgrade() else { return };
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    watches.ring(event.wd(), event.events(), name);
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        ready.clear_ready();
    }
}
