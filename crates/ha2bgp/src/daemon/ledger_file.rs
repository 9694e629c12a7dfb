//! The file with the overrides: written whole after every order, in their order; an order is answered
//! when its file is on disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::ledger::Ledger;
use super::safe_file::{Files, RealFiles, SafeFile, make_directory};
use crate::config::settings::StateFile;

/// Where it is when nobody says otherwise; the second where the first cannot be had.
const DIRECTORIES: [&str; 2] = ["/var/lib/ha2bgp", "/run/ha2bgp"];
/// The file's name there.
const NAME: &str = "overrides.json";
/// So many writes may wait.
const WRITES_MAX: usize = 64;
/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// A larger file is none of ours.
const LENGTH_MAX: u64 = 4 << 20;

/// The file of overrides.
pub(super) type LedgerFile<F = RealFiles> = SafeFile<F>;

/// The file at this place.
pub(super) fn file(path: PathBuf) -> LedgerFile {
    SafeFile::new(path, LENGTH_MAX)
}

/// The place that the settings ask for, if there is one.
pub(super) fn place(settings: &StateFile) -> Option<PathBuf> {
    match settings {
        StateFile::Off => None,
        StateFile::Path(path) => Some(path.into()),
        StateFile::Auto => {
            let usable = |directory: &&str| -> bool {
                let path = Path::new(directory);
                make_directory(path)
                    && rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
            };
            // A file that is there counts, also where it cannot be written any more.
            let place = |directory: &str| Path::new(directory).join(NAME);
            let there = DIRECTORIES.into_iter().map(place).find(|path| path.exists());
            there.or_else(|| DIRECTORIES.into_iter().find(usable).map(place))
        }
    }
}

/// Reads what was kept. Whatever is wrong with it, the start goes on.
pub(super) fn read<F: Files>(file: &mut LedgerFile<F>, now: Timestamp) -> Ledger {
    let bytes = match file.read() {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ledger::default(),
        Err(error) => {
            // The next order would write over it.
            let aside = match file.set_aside() {
                Ok(aside) => format!("it is kept as {}", aside.display()),
                Err(error) => format!("and it cannot be set aside: {error}"),
            };
            tracing::error!(%error, "the file of overrides cannot be read: none counts; {aside}");
            return Ledger::default();
        }
    };
    match Ledger::read(&bytes, now) {
        Ok((ledger, over)) => {
            for entry in over {
                tracing::warn!("the time of an override is over: {}", entry.words());
            }
            for entry in ledger.entries() {
                tracing::warn!("an override counts still: {}", entry.words());
            }
            ledger
        }
        Err(error) => {
            let aside = match file.set_aside() {
                Ok(aside) => format!("it is kept as {}", aside.display()),
                Err(error) => format!("and it cannot be set aside: {error}"),
            };
            tracing::error!(%error, "the file of overrides cannot be used: none counts, {aside}");
            Ledger::default()
        }
    }
}

/// What is done once it is on disk, or is not.
type Then = Box<dyn FnOnce(bool) + Send>;

/// The way to the disk.
pub(super) struct Keeper {
    writes: Option<mpsc::Sender<(Vec<u8>, Then)>>,
    /// What was to be kept last is on disk.
    keeps: Arc<AtomicBool>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keeper")
    }
}

impl Keeper {
    /// Begins to keep; without a file nothing is kept.
    pub(super) fn start<F: Files>(file: Option<LedgerFile<F>>) -> Self {
        let keeps = Arc::new(AtomicBool::new(file.is_some()));
        let Some(file) = file else { return Self { writes: None, keeps } };
        let (writes, waiting) = mpsc::channel(WRITES_MAX);
        tokio::spawn(keep(file, waiting, Arc::clone(&keeps)));
        Self { writes: Some(writes), keeps }
    }

    /// True when what was to be kept last is on disk, as far as is known.
    pub(super) fn keeps(&self) -> bool {
        self.keeps.load(Ordering::Relaxed)
    }

    /// Keeps the ledger, then does what is to be done.
    pub(super) fn keep(&self, ledger: &Ledger, then: impl FnOnce(bool) + Send + 'static) {
        let Some(writes) = &self.writes else {
            tracing::warn!(
                "not kept over a restart: overrides-file is \"off\", or neither of {} can be written",
                DIRECTORIES.join(" and ")
            );
            return then(false);
        };
        if let Err(refused) = writes.try_send((ledger.bytes(), Box::new(then))) {
            let (mpsc::error::TrySendError::Full(left) | mpsc::error::TrySendError::Closed(left)) =
                refused;
            self.keeps.store(false, Ordering::Relaxed);
            (left.1)(false);
        }
    }
}

/// Writes one state after the other, each in a thread for blocking work; what could not be written
/// is tried again.
async fn keep<F: Files>(
    mut file: LedgerFile<F>,
    mut waiting: mpsc::Receiver<(Vec<u8>, Then)>,
    keeps: Arc<AtomicBool>,
) {
    let mut unkept: Option<Vec<u8>> = None;
    loop {
        let (bytes, then): (Vec<u8>, Then) = tokio::select! {
            write = waiting.recv() => match write {
                Some(write) => write,
                None => return,
            },
            () = tokio::time::sleep(RETRY), if unkept.is_some() => {
                (unkept.take().unwrap_or_default(), Box::new(|_| {}))
            }
        };
        let failed = !keeps.load(Ordering::Relaxed);
        let written = tokio::task::spawn_blocking(move || {
            let kept = file.replace(&bytes);
            (file, bytes, kept)
        });
        // A thread that panicked has taken the file with it.
        let Ok((back, bytes, kept)) = written.await else {
            keeps.store(false, Ordering::Relaxed);
            return then(false);
        };
        file = back;
        match &kept {
            Err(error) if !failed => tracing::error!(
                %error, "overrides cannot be kept: they are lost at a restart; trying again"
            ),
            Ok(()) if failed => tracing::info!("overrides are kept again"),
            _ => {}
        }
        keeps.store(kept.is_ok(), Ordering::Relaxed);
        unkept = kept.is_err().then_some(bytes);
        then(unkept.is_none());
    }
}

#[cfg(test)]
mod tests;
