//! Writes a record to disk: one file and the one before it. Nothing that happens to the disk holds up
//! anybody; what could not be written is told once.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use ha2bgp_core::record::HEAD;
use ha2bgp_core::time::Instant;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::daemon::state_file::rename;

/// Text for the file.
#[derive(Debug)]
pub struct Chunk {
    /// Whole lines.
    pub text: String,
    /// They begin a new file.
    pub new: bool,
}

/// What stands at the beginning of each file.
#[derive(Clone, Debug)]
pub struct Head {
    /// What the moments in the file are counted from.
    pub clock: Clock,
    /// The listen filter: what it does not match is not in the record.
    pub listen_filter: String,
}

impl Head {
    /// The lines, for a file that begins now.
    pub fn text(&self, now: Instant) -> String {
        // One line, whatever the filter is written like.
        let filter: Vec<&str> = self.listen_filter.split_whitespace().collect();
        format!(
            "{HEAD}\n# clock {} {}\n# version {}\n# listen-filter {}\n",
            now.as_micros(),
            Timestamp::now(),
            env!("CARGO_PKG_VERSION"),
            filter.join(" ")
        )
    }
}

/// The name of the file before this one.
pub fn before(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

/// Writes chunks until their senders are gone. Blocks.
pub(super) fn write(path: &Path, mut chunks: mpsc::Receiver<Chunk>) {
    let mut file: Option<BufWriter<File>> = None;
    let mut failed = false;
    while let Some(chunk) = chunks.blocking_recv() {
        let mut step = || -> io::Result<()> {
            if chunk.new {
                file = None;
                if path.exists() {
                    rename(path, &before(path))?;
                }
                file = Some(BufWriter::new(create(path)?));
            }
            let Some(file) = &mut file else { return Ok(()) };
            file.write_all(chunk.text.as_bytes())?;
            // Once nothing waits any more, all of it is in the file.
            if chunks.is_empty() { file.flush() } else { Ok(()) }
        };
        match step() {
            Ok(()) => {}
            Err(error) => {
                // The rest of this file would have a hole in it.
                file = None;
                if !std::mem::replace(&mut failed, true) {
                    let path = path.display();
                    tracing::error!(%error, "cannot record to {path}: nothing is until it is begun anew");
                }
                continue;
            }
        }
        if chunk.new && std::mem::replace(&mut failed, false) {
            tracing::info!("recording again");
        }
    }
}

/// For its owner only: names of services and details of checks are in it.
fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(path)
}
