//! The history's two files: one that grows, and the one before it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What the history needs of a disk. Tests put one in its place that fails at any octet.
pub(super) trait Disk: Send {
    /// How long the growing file is; begins it where there is none.
    fn length(&mut self) -> io::Result<u64>;
    /// Cuts it.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Puts something at its end. After an error some of it may be there.
    fn append(&mut self, octets: &[u8]) -> io::Result<()>;
    /// Makes it the old one, in the place of the one before.
    fn rotate(&mut self) -> io::Result<()>;
    /// Waits until it is safe from a power loss.
    fn sync(&mut self) -> io::Result<()>;
}

/// Files.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    file: Option<File>,
}

/// The name of the old file.
pub(super) fn old(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    PathBuf::from(name)
}

impl Files {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// The open file, if it is still what the path names.
    fn file(&mut self) -> io::Result<&mut File> {
        let is_there = match (&self.file, fs::metadata(&self.path)) {
            (Some(file), Ok(named)) => {
                let open = file.metadata()?;
                (open.dev(), open.ino()) == (named.dev(), named.ino())
            }
            _ => false,
        };
        if !is_there {
            self.file = None;
            regular(&self.path)?;
            let mut options = OpenOptions::new();
            self.file = Some(options.append(true).create(true).mode(0o640).open(&self.path)?);
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("it is not open"))
    }
}

impl Disk for Files {
    fn length(&mut self) -> io::Result<u64> {
        Ok(self.file()?.metadata()?.len())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file()?.set_len(length)
    }

    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.file()?.write_all(octets)
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        fs::rename(&self.path, old(&self.path))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }
}

/// Refuses what is there and no file, a FIFO that nobody writes to for instance.
fn regular(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(known) if !known.is_file() => Err(io::Error::other("it is no regular file")),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens both files for reading, the old one first; one that is not there is left out.
///
/// Between the two steps the growing file may have become the old one: then that is opened once.
pub(super) fn open_both(path: &Path) -> io::Result<Vec<BufReader<File>>> {
    let open = |path: &Path| {
        regular(path)?;
        match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    };
    let growing = open(path)?;
    let before = open(&old(path))?;
    let number = |file: &File| file.metadata().map(|known| (known.dev(), known.ino()));
    let same = match (&growing, &before) {
        (Some(growing), Some(before)) => number(growing)? == number(before)?,
        _ => false,
    };
    let before = before.filter(|_| !same);
    Ok([before, growing].into_iter().flatten().map(BufReader::new).collect())
}
