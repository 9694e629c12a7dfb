//! Puts records at the end of the history, and goes on when the disk does not take them.

use std::io;

use super::disk::Disk;
use crate::events::Stored;

/// Appends to a [`Disk`].
#[derive(Debug)]
pub(super) struct Appender<D> {
    disk: D,
    /// When the growing file would be longer, it becomes the old one.
    file_max: u64,
    /// How long the growing file is, up to its last whole line.
    length: u64,
    /// Something may stand behind that.
    torn: bool,
    /// Records that were not written since the disk failed; `None` while it works.
    lost: Option<u64>,
}

/// What has changed with some records.
#[derive(Debug)]
pub(super) enum Told {
    /// The disk fails from now on.
    Failed(io::Error),
    /// It works again; so many records were not written.
    Again(u64),
    /// The file was gone or cut by somebody else, and was begun anew.
    Begun,
}

impl<D: Disk> Appender<D> {
    /// Goes on behind the last whole line of the growing file, which is `whole` octets long then.
    pub(super) const fn new(disk: D, file_max: u64, whole: u64) -> Self {
        Self { disk, file_max, length: whole, torn: true, lost: None }
    }

    /// Appends records. Says what changed, not what stays.
    pub(super) fn append(&mut self, records: &[Stored]) -> Option<Told> {
        let mut octets = Vec::new();
        for stored in records {
            octets.extend_from_slice(stored.line.as_bytes());
            octets.push(b'\n');
        }
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        match self.write(&octets) {
            Ok(begun) => {
                let again = self.lost.take().map(Told::Again);
                again.or_else(|| begun.then_some(Told::Begun))
            }
            Err(error) => {
                self.torn = true;
                let first = self.lost.is_none();
                self.lost = Some(self.lost.unwrap_or(0).saturating_add(count));
                first.then_some(Told::Failed(error))
            }
        }
    }

    /// True when the file was begun anew.
    fn write(&mut self, octets: &[u8]) -> io::Result<bool> {
        let length = self.disk.length()?;
        let begun = length < self.length;
        if begun {
            self.length = length;
            if length > 0 {
                // Whatever it ends with, a record is a line of its own.
                self.disk.append(b"\n")?;
                self.length += 1;
            }
        } else if length > self.length || self.torn {
            self.disk.cut(self.length)?;
        }
        self.torn = false;
        let more = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        if self.length > 0 && self.length.saturating_add(more) > self.file_max {
            self.disk.rotate()?;
            // What cannot be begun is told by the next step.
            self.length = 0;
        }
        self.disk.append(octets)?;
        self.length = self.length.saturating_add(more);
        Ok(begun)
    }

    /// Waits until all of it is safe.
    pub(super) fn sync(&mut self) {
        // A disk that fails says so when it is written to.
        let _ = self.disk.sync();
    }

    #[cfg(test)]
    pub(super) const fn disk(&mut self) -> &mut D {
        &mut self.disk
    }

    #[cfg(test)]
    pub(super) fn into_disk(self) -> D {
        self.disk
    }
}
