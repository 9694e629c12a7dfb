//! The named pipe: whoever opens it gets one whole status, and then its end.
//!
//! What is written into a pipe goes to whoever reads it first. Each dump therefore has a pipe of its
//! own: as soon as a reader has opened the one at the path, a fresh one takes its place there, and
//! later readers open that. Two that come before this thread has woken up share one.
//!
//! A thread waits for readers, in open(2). One that does not read costs a thread for
//! [`READ_TIME`], of which there are [`READERS_MAX`] at most.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, fcntl_setfl, mkfifoat};
use rustix::time::Timespec;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::Source;
use crate::daemon::state_file::beside;

/// Flags of open(2), as std takes them.
const NONBLOCK: i32 = OFlags::NONBLOCK.bits().cast_signed();
/// To know a file without opening it.
const PATH_ONLY: i32 = OFlags::PATH.bits().cast_signed();
/// How long a reader may take for a dump; what it has not read then is lost to it.
const READ_TIME: Duration = Duration::from_secs(10);
/// How many may read at once; then others get an end without a status.
const READERS_MAX: usize = 16;
/// The pause after the pipe could not be made or opened.
const RETRY: Duration = Duration::from_secs(5);

/// The pipe, as others see it.
#[derive(Debug)]
pub(super) struct Pipe {
    path: PathBuf,
    /// What a reader is waited for on.
    waiting: watch::Receiver<Option<Arc<File>>>,
}

/// Serves the pipe from a thread of its own, for as long as the process lives.
pub(super) fn spawn(path: PathBuf, source: Source) -> io::Result<Pipe> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (told, waiting) = watch::channel(None);
    let pipe = Pipe { path: path.clone(), waiting };
    let thread = std::thread::Builder::new().name("status pipe".to_owned());
    thread.spawn(move || serve(&path, &told, &source, &runtime))?;
    Ok(pipe)
}

impl Pipe {
    /// Looks whether the pipe is still at its path. If not, nobody can open what is waited on: the
    /// thread is let go, to make another one.
    pub(super) fn check(&self) {
        let Some(waiting) = self.waiting.borrow().clone() else { return };
        let is_there =
            number(&self.path).ok().flatten() == waiting.metadata().ok().map(|it| it.ino());
        if !is_there {
            // A reader, for a moment.
            let itself = format!("/proc/self/fd/{}", waiting.as_raw_fd());
            drop(OpenOptions::new().read(true).custom_flags(NONBLOCK).open(itself));
        }
    }

    /// Takes the pipe away.
    pub(super) fn remove(&self) {
        for path in [self.path.clone(), beside(&self.path, "new")] {
            if let Ok(Some(_)) = number(&path) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn serve(path: &Path, told: &watch::Sender<Option<Arc<File>>>, source: &Source, runtime: &Runtime) {
    let readers = Arc::new(());
    let mut failed = false;
    loop {
        match next_reader(path, told) {
            Ok(pipe) => {
                if std::mem::take(&mut failed) {
                    tracing::info!("the status pipe is there again: {}", path.display());
                }
                if Arc::strong_count(&readers) > READERS_MAX {
                    continue;
                }
                let Some(text) = runtime.block_on(source.text()) else { continue };
                let place = Arc::clone(&readers);
                let thread = std::thread::Builder::new().name("status reader".to_owned());
                // Without a thread the reader gets an end.
                let _ = thread.spawn(move || {
                    // A reader that has gone, or never reads, is its own affair.
                    let _ = give(pipe, text.as_bytes(), Instant::now() + READ_TIME);
                    drop(place);
                });
            }
            Err(error) => {
                told.send_replace(None);
                if !std::mem::replace(&mut failed, true) {
                    tracing::warn!("no status pipe: {}: {error}", path.display());
                }
                // Made inside of the runtime: it has the clock.
                runtime.block_on(async { tokio::time::sleep(RETRY).await });
            }
        }
    }
}

/// Waits for a reader at the path; the pipe that it has opened is its own.
fn next_reader(path: &Path, told: &watch::Sender<Option<Arc<File>>>) -> io::Result<File> {
    // What a process before this one has left may have readers already.
    if number(path)?.is_none() {
        fs::rename(make(path)?, path)?;
    }
    let next = make(path)?;
    let handle = OpenOptions::new().read(true).custom_flags(PATH_ONLY).open(path)?;
    let itself = format!("/proc/self/fd/{}", handle.as_raw_fd());
    told.send_replace(Some(Arc::new(handle)));
    // It waits for a reader (fifo(7)).
    let pipe = OpenOptions::new().write(true).open(itself)?;
    // From here on others open another one. What somebody has put in its place stays, and is told.
    if number(path)?.is_some() {
        fs::rename(next, path)?;
    }
    Ok(pipe)
}

/// Makes a fresh pipe beside the path.
fn make(path: &Path) -> io::Result<PathBuf> {
    let fresh = beside(path, "new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Each reader costs a look at all services: for the owner and the group.
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP;
    mkfifoat(rustix::fs::CWD, &fresh, mode)?;
    Ok(fresh)
}

/// The number of the pipe at the path, if there is anything.
fn number(path: &Path) -> io::Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Ok(known) if known.file_type().is_fifo() => Ok(Some(known.ino())),
        Ok(_) => Err(io::Error::other("something is there that is no pipe: take it away")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives a reader everything, if it takes it in time.
fn give(mut pipe: File, mut octets: &[u8], until: Instant) -> io::Result<()> {
    fcntl_setfl(&pipe, OFlags::NONBLOCK)?;
    while !octets.is_empty() {
        match pipe.write(octets) {
            Ok(count) => octets = octets.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let left = until.saturating_duration_since(Instant::now());
                let time = Timespec::try_from(left).unwrap_or_default();
                let mut polled = [PollFd::new(&pipe, PollFlags::OUT)];
                if left.is_zero() || poll(&mut polled, Some(&time))? == 0 {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
