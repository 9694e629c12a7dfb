//! The configuration files, watched where that is asked for: says when they have changed.
//!
//! On a thread of its own, since inotify's reader is one; the thread is there only when it is asked
//! for. What counts is whether the files are others than before, as stat(2) has it: events say only
//! when to look, and where there are none (a network file system) it looks at intervals.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::observe::check::inotify::{FileWatch, Watches};

/// Who writes a file is given this long to write the others; then they are read.
const QUIET: Duration = Duration::from_millis(500);
/// Files that never come to rest are read after so many pauses that were none.
const PAUSES_MAX: usize = 20;
/// How often it looks without being told.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// So many files of a directory count.
const FILES_MAX: usize = 256;

/// The files, watched until this is dropped.
#[derive(Debug)]
pub(super) struct Files {
    paths: Vec<PathBuf>,
    changes: mpsc::Receiver<()>,
}

/// What stat(2) says of a file: another inode, size or change time is another file.
type Seen = (u64, u64, u64, i64, i64);

impl Files {
    /// Watches these files, and the files in those that are directories.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub(super) fn watch(paths: Vec<PathBuf>) -> io::Result<Self> {
        let (changed, changes) = mpsc::channel(1);
        let before = look(&paths);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let watched = paths.clone();
        let work = move || {
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, run(&watched, before, &changed));
            drop(local);
            runtime.shutdown_background();
        };
        std::thread::Builder::new().name("files".to_owned()).spawn(work)?;
        Ok(Self { paths, changes })
    }

    /// What is watched.
    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Waits until something has changed.
    pub(super) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // The thread is gone, which it is only at the end.
            std::future::pending::<()>().await;
        }
    }
}

async fn run(paths: &[PathBuf], before: BTreeMap<PathBuf, Seen>, changed: &mpsc::Sender<()>) {
    let (watches, bell) = (Rc::new(Watches::default()), Rc::new(Notify::new()));
    let mut known = before;
    let mut all: Vec<FileWatch> = paths.iter().map(|path| watches.ringing(path, &bell)).collect();
    all.extend(paths.iter().map(|path| watches.watch_directory(path, &bell)));
    loop {
        for one in &mut all {
            one.aim().await;
        }
        // Once more after the watches were hung up: nothing may happen between them unseen.
        let now = look_apart(paths).await;
        if now != known {
            rest(&bell).await;
            known = look_apart(paths).await;
            if changed.send(()).await.is_err() {
                return;
            }
            continue;
        }
        tokio::select! {
            () = changed.closed() => return,
            () = bell.notified() => rest(&bell).await,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Waits until nothing has rung for a while.
async fn rest(bell: &Notify) {
    for _ in 0..PAUSES_MAX {
        if tokio::time::timeout(QUIET, bell.notified()).await.is_err() {
            return;
        }
    }
}

async fn look_apart(paths: &[PathBuf]) -> BTreeMap<PathBuf, Seen> {
    let paths = paths.to_vec();
    tokio::task::spawn_blocking(move || look(&paths)).await.unwrap_or_default()
}

/// What is there now.
fn look(paths: &[PathBuf]) -> BTreeMap<PathBuf, Seen> {
    let mut seen = BTreeMap::new();
    for path in paths {
        let Ok(metadata) = std::fs::metadata(path) else { continue };
        if metadata.is_dir() {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            let files = entries.map(|entry| entry.path()).filter(|path| is_ours(path));
            for file in files.take(FILES_MAX) {
                if let Ok(metadata) = std::fs::metadata(&file) {
                    seen.insert(file, of(&metadata));
                }
            }
        } else {
            seen.insert(path.clone(), of(&metadata));
        }
    }
    seen
}

/// Editors leave other files beside it.
fn is_ours(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "toml")
}

fn of(metadata: &Metadata) -> Seen {
    (metadata.dev(), metadata.ino(), metadata.size(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time enough on a busy machine.
    const SOON: Duration = Duration::from_secs(20);

    async fn changes(files: &mut Files) {
        tokio::time::timeout(SOON, files.changed()).await.unwrap();
    }

    fn replace(path: &Path, text: &str) {
        let new = path.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, path).unwrap();
    }

    #[tokio::test]
    async fn files_and_directories_change() {
        let dir = tempfile::tempdir().unwrap();
        let (file, conf) = (dir.path().join("a.toml"), dir.path().join("conf.d"));
        std::fs::write(&file, "1").unwrap();
        std::fs::create_dir(&conf).unwrap();
        let mut files = Files::watch(vec![file.clone(), conf.clone()]).unwrap();
        // Written in place, replaced by rename, gone, and there again.
        std::fs::write(&file, "22").unwrap();
        changes(&mut files).await;
        replace(&file, "3");
        changes(&mut files).await;
        std::fs::remove_file(&file).unwrap();
        changes(&mut files).await;
        replace(&file, "4");
        changes(&mut files).await;
        // A file of a directory.
        std::fs::write(conf.join("b.toml"), "1").unwrap();
        changes(&mut files).await;
        // What is none of ours is no news, and several at once are one.
        std::fs::write(conf.join("b.toml~"), "1").unwrap();
        std::fs::write(dir.path().join("other"), "1").unwrap();
        std::fs::remove_file(conf.join("b.toml")).unwrap();
        replace(&file, "5");
        changes(&mut files).await;
        let more = tokio::time::timeout(QUIET * 3, files.changed()).await;
        assert!(more.is_err(), "nothing has changed since");
    }
}
