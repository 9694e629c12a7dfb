//! What happened, kept on disk: JSON Lines in two files of limited size.
//!
//! `scan` reads whatever is in a file, `appender` puts records at its end and survives a disk that
//! does not take them, `disk` is that disk, a fake one in tests. The thread of [`History`] writes;
//! [`Reader`] reads from any other. The history never prevents a start, and nobody waits for it.

mod appender;
mod disk;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

pub use self::scan::Query;

use self::appender::{Appender, Told};
use self::disk::{Disk, Files};
use crate::daemon::state_file::{directory, lock};
use crate::events::{Id, RECORDS_MAX, Stored};

/// The file's name in a directory that the system gives.
const NAME: &str = "history.jsonl";
/// Where a package may have made a place that outlives a reboot.
const LASTING: &str = "/var/lib/ha2bgp";
/// Pieces that may wait for the disk. With those that are in work they are far less than what is
/// kept in memory: a reader finds every record in one or the other.
const PIECES_MAX: usize = 4;
/// The most records of a piece.
const PIECE_RECORDS: usize = 128;
/// And the most octets, but for the last record.
const PIECE_OCTETS: usize = 64 * 1024;
/// How long one piece may wait for a slow disk; then pieces are left out until it goes on.
const SLOW_AFTER: Duration = Duration::from_secs(1);
/// What was written is made safe from a power loss when nothing waits, this often at most.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Where the history is kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum HistoryFile {
    /// Where the system has a place for it; nowhere when it has none.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// In this file and the one beside it.
    Path(PathBuf),
}

/// What is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HistorySettings {
    /// Where.
    pub file: HistoryFile,
    /// The octets of both files.
    pub size: u64,
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self { file: HistoryFile::Auto, size: 4 * 1024 * 1024 }
    }
}

/// Reads the history. Cheap to clone; a read takes milliseconds and belongs on a thread for
/// blocking work.
#[derive(Clone, Debug)]
pub struct Reader {
    path: PathBuf,
}

impl Reader {
    /// Hands out every record, the oldest one first.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn each(&self, take: &mut dyn FnMut(Stored)) -> io::Result<()> {
        let mut newest = None;
        for file in disk::open_both(&self.path)? {
            scan::scan(file, &mut newest, take)?;
        }
        Ok(())
    }

    /// The records behind `after` and before `end`, `limit` at most, and the one of `after` itself
    /// where it is there.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn between(
        &self,
        after: Id,
        end: Id,
        limit: usize,
    ) -> io::Result<(Option<Stored>, Vec<Stored>)> {
        let (mut known, mut found) = (None, Vec::new());
        self.each(&mut |stored| {
            if stored.id == after {
                known = Some(stored);
            } else if stored.id > after && stored.id < end && found.len() < limit {
                found.push(stored);
            }
        })?;
        Ok((known, found))
    }
}

/// What was found at the start.
#[derive(Debug)]
pub struct Found {
    /// The newest records, the oldest of them first.
    pub newest: VecDeque<Stored>,
    /// Reads all of them.
    pub reader: Reader,
    /// Writes more.
    pub history: History,
}

/// The way to the thread that writes.
#[derive(Debug)]
pub struct History {
    pieces: mpsc::Sender<Message>,
    /// Records that were left out because the disk is too slow; `None` while it is not.
    slow: Option<u64>,
}

enum Message {
    Append(Vec<Stored>),
    /// Answered when everything before it is written and safe.
    Flush(oneshot::Sender<()>),
}

/// Opens the history that the settings ask for, if there can be one; says why not.
pub fn open(settings: &HistorySettings) -> Option<Found> {
    let (path, asked) = match &settings.file {
        HistoryFile::Off => return None,
        HistoryFile::Path(path) => (path.clone(), true),
        HistoryFile::Auto => match place() {
            Ok(directory) => (directory.join(NAME), false),
            Err(error) => {
                tracing::info!("no history on disk: {error} (systemd: StateDirectory=ha2bgp)");
                return None;
            }
        },
    };
    let opened = open_at(&path, settings.size);
    match opened {
        Ok(found) => Some(found),
        Err(error) if asked => {
            tracing::error!("no history on disk: --history-file: {}: {error}", path.display());
            None
        }
        Err(error) => {
            tracing::info!("no history on disk: {}: {error}", path.display());
            None
        }
    }
}

/// The directory that the system has for it.
fn place() -> io::Result<PathBuf> {
    if let Some(given) = std::env::var_os("STATE_DIRECTORY") {
        // Several are separated by colons (systemd.exec(5)).
        let given = given.to_string_lossy().into_owned();
        let first = given.split(':').next().unwrap_or_default();
        if first.starts_with('/') {
            return Ok(PathBuf::from(first));
        }
    }
    let lasting = Path::new(LASTING);
    if lasting.is_dir() { Ok(lasting.to_owned()) } else { directory() }
}

fn open_at(path: &Path, size: u64) -> io::Result<Found> {
    let lock = lock(path, "--history-file")?;
    let (mut newest, mut last) = (VecDeque::new(), None);
    let mut whole = 0;
    let mut keep = |stored| {
        newest.push_back(stored);
        if newest.len() > RECORDS_MAX {
            newest.pop_front();
        }
    };
    for file in disk::open_both(path)? {
        whole = scan::scan(file, &mut last, &mut keep)?;
    }
    if !path.exists() {
        whole = 0;
    }
    let appender = Appender::new(Files::new(path.to_owned()), size / 2, whole);
    let history = History::start(appender, path.to_owned(), lock)?;
    Ok(Found { newest, reader: Reader { path: path.to_owned() }, history })
}

impl History {
    fn start<D: Disk + 'static>(
        appender: Appender<D>,
        path: PathBuf,
        lock: File,
    ) -> io::Result<Self> {
        let (pieces, waiting) = mpsc::channel(PIECES_MAX);
        let thread = std::thread::Builder::new().name("history".to_owned());
        thread.spawn(move || {
            write_all(waiting, appender, &path);
            // Nobody else writes before the last piece is written.
            drop(lock);
        })?;
        Ok(Self { pieces, slow: None })
    }

    /// Hands records to the disk. Waits for a slow one, but not for long and not again.
    pub(crate) async fn append(&mut self, records: Vec<Stored>) {
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let piece = Message::Append(records);
        let sent = match self.slow {
            None => self.pieces.send_timeout(piece, SLOW_AFTER).await.is_ok(),
            Some(_) => self.pieces.try_send(piece).is_ok(),
        };
        match (sent, self.slow) {
            (true, None) => {}
            (true, Some(lost)) => {
                tracing::warn!(lost, "the history is written again: events are missing in it");
                self.slow = None;
            }
            (false, lost) => {
                if lost.is_none() {
                    tracing::warn!("the disk is too slow for the history: events are left out");
                }
                self.slow = Some(lost.unwrap_or(0).saturating_add(count));
            }
        }
    }

    /// Waits until everything is on disk, for as long as the caller likes.
    pub(crate) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.pieces.send(Message::Flush(done)).await.is_ok() {
            let _ = flushed.await;
        }
    }
}

/// Cuts records into pieces that may wait for the disk.
pub(crate) fn pieces(records: Vec<Stored>) -> Vec<Vec<Stored>> {
    let mut pieces = Vec::new();
    let (mut piece, mut octets) = (Vec::new(), 0);
    for stored in records {
        octets += stored.line.len();
        piece.push(stored);
        if piece.len() >= PIECE_RECORDS || octets >= PIECE_OCTETS {
            pieces.push(std::mem::take(&mut piece));
            octets = 0;
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

fn write_all<D: Disk>(
    mut waiting: mpsc::Receiver<Message>,
    mut appender: Appender<D>,
    path: &Path,
) {
    let path = path.display();
    let mut synced: Option<Instant> = None;
    while let Some(message) = waiting.blocking_recv() {
        match message {
            Message::Append(records) => match appender.append(&records) {
                None => {}
                Some(Told::Failed(error)) => {
                    tracing::warn!("the history cannot be written: {path}: {error}");
                }
                Some(Told::Again(lost)) => {
                    tracing::info!(lost, "the history is written again: {path}");
                }
                Some(Told::Begun) => {
                    tracing::warn!("somebody took the history file away: begun anew: {path}");
                }
            },
            Message::Flush(done) => {
                appender.sync();
                let _ = done.send(());
            }
        }
        if waiting.is_empty() && synced.is_none_or(|synced| synced.elapsed() >= SYNC_EVERY) {
            appender.sync();
            synced = Some(Instant::now());
        }
    }
}
