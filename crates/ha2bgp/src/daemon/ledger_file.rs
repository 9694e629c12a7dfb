//! The file with the overrides: written whole beside its place, synced, and renamed, in the order of
//! the orders; an order is answered when its file is on disk.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::ledger::Ledger;
use crate::config::settings::StateFile;

/// Where it is when nobody says otherwise; the second where the first cannot be had.
const DIRECTORIES: [&str; 2] = ["/var/lib/ha2bgp", "/run/ha2bgp"];
/// The file's name there.
const NAME: &str = "overrides.json";
/// So many writes may wait.
const WRITES_MAX: usize = 64;
/// A larger file is none of ours.
const LENGTH_MAX: u64 = 4 << 20;

/// What a file layer can do; tests let it fail at any step.
pub(super) trait Disk: Send + 'static {
    /// What the file holds.
    fn read(&mut self) -> io::Result<Vec<u8>>;
    /// Makes it hold this, all or nothing, whenever the power fails.
    fn replace(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Keeps what cannot be read out of the way.
    fn set_aside(&mut self) -> io::Result<()>;
}

/// The real one.
#[derive(Debug)]
pub(super) struct RealDisk(pub(super) PathBuf);

impl RealDisk {
    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.0.as_os_str().to_owned();
        name.push(ending);
        name.into()
    }
}

impl Disk for RealDisk {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        use std::io::Read as _;
        let mut bytes = Vec::new();
        std::fs::File::open(&self.0)?.take(LENGTH_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        let new = self.beside(".new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, &self.0)?;
        let directory = self.0.parent().unwrap_or(Path::new("/"));
        std::fs::File::open(directory)?.sync_all()
    }

    fn set_aside(&mut self) -> io::Result<()> {
        std::fs::rename(&self.0, self.beside(".broken"))
    }
}

/// The place that the settings ask for, if there is one.
pub(super) fn place(settings: &StateFile) -> Option<PathBuf> {
    match settings {
        StateFile::Off => None,
        StateFile::Path(path) => Some(path.into()),
        StateFile::Auto => {
            let usable = |directory: &&str| -> bool {
                let path = Path::new(directory);
                (path.is_dir() || std::fs::create_dir(path).is_ok())
                    && rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
            };
            DIRECTORIES.into_iter().find(usable).map(|directory| Path::new(directory).join(NAME))
        }
    }
}

/// Reads what was kept. Whatever is wrong with it, the start goes on.
pub(super) fn read(disk: &mut impl Disk, now: Timestamp) -> Ledger {
    let bytes = match disk.read() {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ledger::default(),
        Err(error) => {
            tracing::error!(%error, "the file of overrides cannot be read: none counts");
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
            tracing::error!(%error, "the file of overrides is broken: set aside, none counts");
            if let Err(error) = disk.set_aside() {
                tracing::error!(%error, "it cannot be set aside either");
            }
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
    /// Begins to keep; without a disk nothing is kept.
    pub(super) fn start(disk: Option<impl Disk>) -> Self {
        let keeps = Arc::new(AtomicBool::new(disk.is_some()));
        let Some(mut disk) = disk else { return Self { writes: None, keeps } };
        let kept_now = Arc::clone(&keeps);
        let (writes, mut waiting) = mpsc::channel::<(Vec<u8>, Then)>(WRITES_MAX);
        tokio::task::spawn_blocking(move || {
            let mut failed = false;
            while let Some((bytes, then)) = waiting.blocking_recv() {
                let kept = disk.replace(&bytes);
                match &kept {
                    Err(error) if !failed => tracing::error!(
                        %error, "overrides cannot be kept: they are lost at a restart"
                    ),
                    Ok(()) if failed => tracing::info!("overrides are kept again"),
                    _ => {}
                }
                failed = kept.is_err();
                kept_now.store(!failed, Ordering::Relaxed);
                then(!failed);
            }
        });
        Self { writes: Some(writes), keeps }
    }

    /// True when what was to be kept last is on disk, as far as is known.
    pub(super) fn keeps(&self) -> bool {
        self.keeps.load(Ordering::Relaxed)
    }

    /// Keeps the ledger, then does what is to be done.
    pub(super) fn keep(&self, ledger: &Ledger, then: impl FnOnce(bool) + Send + 'static) {
        let Some(writes) = &self.writes else { return then(false) };
        if let Err(refused) = writes.try_send((ledger.bytes(), Box::new(then))) {
            let (mpsc::error::TrySendError::Full(left) | mpsc::error::TrySendError::Closed(left)) =
                refused;
            self.keeps.store(false, Ordering::Relaxed);
            (left.1)(false);
        }
    }
}
