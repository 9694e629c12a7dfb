//! The socket file: made so that nobody who may not can open it for a moment, put in its place at
//! once, and removed at the end. What a dead process left is replaced; a live one's is not.
//!
//! Two processes that start in the same instant may both take the place of a dead one: the later
//! one has the file then, and the other notices nothing. Whoever starts two of them at once with the
//! same path gets that; nothing else is shared.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, chownat, fchmod};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
    sockopt,
};

use crate::config::control::UnixSettings;

/// How many connections the kernel may keep before we take them.
const BACKLOG: i32 = 128;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody listens there.
    #[error(
        "{path}: another process answers there{by}: stop it, or give this one another path with \
         [control] unix = …"
    )]
    InUse {
        /// The socket file.
        path: PathBuf,
        /// ` (process 123)`, where the kernel tells.
        by: String,
    },
    /// Something else has the name.
    #[error("{path}: there is something that is no socket: remove it, or write another path")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// A system call failed.
    #[error("{path}: cannot {what}: {error}: {fix}")]
    Io {
        /// The socket file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the kernel says.
        error: io::Error,
        /// What helps.
        fix: &'static str,
    },
}

/// A socket that is listened on; its file is removed when this is dropped.
#[derive(Debug)]
pub struct Bound {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file, to know it again.
    file: (u64, u64),
}

impl Bound {
    /// Opens the socket.
    ///
    /// # Errors
    /// When another process listens there, something else has the name, or the system refuses.
    pub fn open(settings: &UnixSettings) -> Result<Self, SocketError> {
        let path = settings.path.as_path();
        make_directory(path)?;
        replaceable(path)?;
        // A name that nobody knows yet, and only ours to open until all is set.
        let fresh = beside(path);
        let io = |what, fix| {
            move |error: io::Error| SocketError::Io { path: path.to_owned(), what, error, fix }
        };
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io("replace the socket beside it", "let ha2bgp write there")(error));
            }
            _ => {}
        }
        let made = || -> io::Result<OwnedFd> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            // The file gets this mode without what the umask takes away (unix_bind in
            // net/unix/af_unix.c), never more.
            fchmod(&socket, Mode::from_raw_mode(0o600))?;
            bind(&socket, &SocketAddrUnix::new(&fresh)?)?;
            Ok(socket)
        };
        let fix = "let the user that ha2bgp runs as write in its directory (systemd: \
                   RuntimeDirectory=ha2bgp)";
        let socket = made().map_err(io("make the socket", fix))?;
        // From here on the file goes when something fails.
        let mut bound = Self { listener: socket.into(), path: fresh.clone(), file: (0, 0) };
        bound.file = fs::symlink_metadata(&fresh)
            .map(|file| (file.dev(), file.ino()))
            .map_err(io("look at the socket", fix))?;
        if let Some(group) = settings.group {
            let group = rustix::fs::Gid::from_raw(group);
            chownat(CWD, &fresh, None, Some(group), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(io::Error::from)
                .map_err(io("give the socket its group", "ha2bgp must be in it, or run as root"))?;
        }
        fs::set_permissions(&fresh, fs::Permissions::from_mode(settings.mode))
            .map_err(io("give the socket its mode", fix))?;
        listen(&bound.listener, BACKLOG)
            .map_err(io::Error::from)
            .map_err(io("listen", "is there memory left?"))?;
        fs::rename(&fresh, path).map_err(io("put the socket in its place", fix))?;
        bound.path = path.to_owned();
        Ok(bound)
    }

    /// The listening socket, which does not block.
    ///
    /// # Errors
    /// When it cannot be shared.
    pub fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Another process may have its own there by now.
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|file| (file.dev(), file.ino()) == self.file || self.file == (0, 0));
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("the control socket stays: {}: {error}", self.path.display());
        }
    }
}

/// Makes the directory, where only that is missing.
fn make_directory(path: &Path) -> Result<(), SocketError> {
    let Some(directory) = path.parent().filter(|it| !it.as_os_str().is_empty()) else {
        return Ok(());
    };
    match fs::DirBuilder::new().mode(0o755).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(SocketError::Io {
            path: path.to_owned(),
            what: "make its directory",
            error,
            fix: "make it for the user that ha2bgp runs as (systemd: RuntimeDirectory=ha2bgp)",
        }),
        _ => Ok(()),
    }
}

/// Whether the name is free, or has what a dead process left.
fn replaceable(path: &Path) -> Result<(), SocketError> {
    let io = |error: io::Error| SocketError::Io {
        path: path.to_owned(),
        what: "look whether somebody listens there",
        error,
        fix: "let ha2bgp open it, or remove it",
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(SocketError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    let ask = || -> rustix::io::Result<OwnedFd> {
        // One that is too busy to take connections says so at once.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(socket)
    };
    let in_use = |by| SocketError::InUse { path: path.to_owned(), by };
    match ask() {
        Ok(socket) => {
            let by = sockopt::socket_peercred(&socket).map(|peer| peer.pid.as_raw_pid());
            Err(in_use(by.map_or(String::new(), |pid| format!(" (process {pid})"))))
        }
        Err(Errno::AGAIN) => Err(in_use(String::new())),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(()),
        Err(error) => Err(io(error.into())),
    }
}

/// The name that the socket has until it is complete.
fn beside(path: &Path) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(path: PathBuf, mode: u32) -> UnixSettings {
        UnixSettings { path, mode, group: None, writers: Vec::new() }
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_socket_has_its_mode_and_goes_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/x.sock");
        for mode in [0o600, 0o660, 0o666] {
            let bound = Bound::open(&settings(path.clone(), mode)).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
            assert_eq!(names(&dir.path().join("new")), ["x.sock"]);
            std::os::unix::net::UnixStream::connect(&path).unwrap();
            drop(bound);
            assert_eq!(names(&dir.path().join("new")), [""; 0]);
        }
    }

    #[test]
    fn a_dead_one_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves the file");
        let bound = Bound::open(&settings(path.clone(), 0o660)).unwrap();
        let error = Bound::open(&settings(path.clone(), 0o660)).unwrap_err().to_string();
        assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn one_that_is_too_busy_to_answer_is_alive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        let bound = Bound::open(&settings(path.clone(), 0o660)).unwrap();
        listen(&bound.listener, 0).unwrap();
        let _fill = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let error = Bound::open(&settings(path, 0o660)).unwrap_err();
        assert!(matches!(error, SocketError::InUse { .. }), "{error}");
    }

    #[test]
    fn what_is_no_socket_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        fs::write(&path, "precious").unwrap();
        let error = Bound::open(&settings(path.clone(), 0o660)).unwrap_err();
        assert!(matches!(error, SocketError::NotASocket { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let error = Bound::open(&settings(dir.path().join("a/b/x"), 0o660)).unwrap_err();
        assert!(error.to_string().contains("cannot make its directory"), "{error}");
    }

    #[test]
    fn another_one_s_file_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        let bound = Bound::open(&settings(path.clone(), 0o660)).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(bound);
        assert!(path.exists());
    }
}
