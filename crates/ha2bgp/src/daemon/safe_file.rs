//! A file that holds one state or the next one, whenever the power fails: written beside its place,
//! synced, renamed; then the directory is synced, and only then it is said to be kept (open(2), fsync(2),
//! rename(2)). A temporary file that was left is written over.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// The system calls that it takes; tests let the power fail between any two of them, and in each.
pub(super) trait Files: Send + 'static {
    /// What a file holds, up to so many octets.
    fn read(&mut self, path: &Path, most: u64) -> io::Result<Vec<u8>>;
    /// Makes a file anew that holds this.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Brings a file to the disk.
    fn sync(&mut self, path: &Path) -> io::Result<()>;
    /// Gives a file another name, in the place of what has that.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Brings the names in a directory to the disk.
    fn sync_directory(&mut self, path: &Path) -> io::Result<()>;
}

/// Those of the system.
#[derive(Debug)]
pub(super) struct RealFiles;

impl Files for RealFiles {
    fn read(&mut self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // Who writes it decides what is announced: it is nobody else's, and no link is followed.
        let mut new = OpenOptions::new();
        new.write(true).create(true).truncate(true).mode(0o600);
        new.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)?.write_all(bytes)
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        // Any descriptor of a file brings all of it to the disk.
        File::open(path)?.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        super::state_file::rename(from, to)
    }

    fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// One file.
#[derive(Debug)]
pub(super) struct SafeFile<F = RealFiles> {
    files: F,
    path: PathBuf,
    /// A larger file is none of ours.
    most: u64,
}

impl SafeFile {
    /// The file of this path.
    pub(super) fn new(path: PathBuf, most: u64) -> Self {
        Self::with(RealFiles, path, most)
    }
}

impl<F: Files> SafeFile<F> {
    pub(super) fn with(files: F, path: PathBuf, most: u64) -> Self {
        Self { files, path, most }
    }

    /// The system calls that it was made with.
    #[cfg(test)]
    pub(super) fn into_files(self) -> F {
        self.files
    }

    /// What it holds.
    pub(super) fn read(&mut self) -> io::Result<Vec<u8>> {
        self.files.read(&self.path, self.most)
    }

    /// Makes it hold this, all or nothing, whenever the power fails.
    pub(super) fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        let new = self.beside(".new");
        self.files.write(&new, bytes)?;
        self.files.sync(&new)?;
        self.files.rename(&new, &self.path)?;
        self.files.sync_directory(&directory_of(&self.path))
    }

    /// Keeps what cannot be read out of the way; the new name.
    pub(super) fn set_aside(&mut self) -> io::Result<PathBuf> {
        let aside = self.beside(".broken");
        self.files.rename(&self.path, &aside)?;
        Ok(aside)
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(ending);
        name.into()
    }
}

/// The directory that a path is in.
fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        // A path without any directory is in this one.
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => PathBuf::from("/"),
    }
}

/// Makes a directory that is still there after the power has failed. True when it is there.
pub(super) fn make_directory(path: &Path) -> bool {
    path.is_dir()
        || (std::fs::create_dir(path).is_ok()
            && RealFiles.sync_directory(&directory_of(path)).is_ok())
}
