//! A file that is always whole: written beside its place and renamed.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::daemon::state_file::{beside, rename};

/// The file.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    what: &'static str,
    failed: bool,
}

/// What came of writing.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is written.
    Written,
    /// It is written, and could not be before.
    WrittenAgain,
    /// It cannot be written from now on.
    Fails(io::Error),
    /// It still cannot be written.
    Failed,
}

impl File {
    pub(super) const fn new(path: PathBuf, what: &'static str) -> Self {
        Self { path, what, failed: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What people call it.
    pub(super) const fn what(&self) -> &'static str {
        self.what
    }

    /// Replaces it. Whoever reads it has the old one or the new one.
    pub(super) fn write(&mut self, octets: &[u8]) -> Outcome {
        match (self.replace(octets), self.failed) {
            (Ok(()), false) => Outcome::Written,
            (Ok(()), true) => {
                self.failed = false;
                Outcome::WrittenAgain
            }
            (Err(error), false) => {
                self.failed = true;
                Outcome::Fails(error)
            }
            (Err(_), true) => Outcome::Failed,
        }
    }

    fn replace(&self, octets: &[u8]) -> io::Result<()> {
        if self.path.is_dir() {
            return Err(io::Error::other("it is a directory: write the path of a file"));
        }
        let fresh = beside(&self.path, "new");
        // What an earlier process left, a link to somewhere else for one, is not written through.
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let written = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&fresh)
            .and_then(|mut file| file.write_all(octets))
            .and_then(|()| rename(&fresh, &self.path));
        if written.is_err() {
            // Half a file is of no use, and a full disk has no room for it.
            let _ = fs::remove_file(&fresh);
        }
        written
    }

    /// Takes it away.
    pub(super) fn remove(self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("{} cannot be removed: {}: {error}", self.what, self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(file: &mut File, words: &str) {
        let Outcome::Fails(error) = file.write(b"x") else { panic!("it is written") };
        assert!(error.to_string().contains(words), "{error}");
        assert!(matches!(file.write(b"x"), Outcome::Failed));
    }

    #[test]
    fn it_is_whole_or_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/status");
        let mut file = File::new(path.clone(), "it");
        fails(&mut file, "No such file");
        fs::create_dir(dir.path().join("sub")).unwrap();
        assert!(matches!(file.write(b"one"), Outcome::WrittenAgain));
        assert!(matches!(file.write(b"two"), Outcome::Written));
        assert_eq!(fs::read(&path).unwrap(), b"two");
        // Nothing is left beside it, and a link is replaced, not followed.
        let other = dir.path().join("other");
        fs::write(&other, b"other").unwrap();
        std::os::unix::fs::symlink(&other, beside(&path, "new")).unwrap();
        assert!(matches!(file.write(b"three"), Outcome::Written));
        assert_eq!(fs::read(&other).unwrap(), b"other");
        assert_eq!(fs::read_dir(dir.path().join("sub")).unwrap().count(), 1);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fails(&mut file, "it is a directory");
        fs::remove_dir(&path).unwrap();
        assert!(matches!(file.write(b"four"), Outcome::WrittenAgain));
        file.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_where_it_is_written_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status");
        let mut file = File::new(path.clone(), "it");
        fs::create_dir(beside(&path, "new")).unwrap();
        assert!(matches!(file.write(b"x"), Outcome::Fails(_)));
        assert!(!path.exists());
    }
}
