//! The pipe to ExaBGP: the one place that writes to standard output.
//!
//! Neither end is set to `O_NONBLOCK`: that flag belongs to the open file description, which a
//! shell or a sibling may share. Instead every read and write is preceded by poll(2) with no
//! time-out, and no write is longer than `PIPE_BUF`, so that neither ever blocks (pipe(7)).
//! Regular files and `/dev/null` always take writes and cannot be registered with epoll.

use std::future::pending;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The two ends that ExaBGP gave us.
#[derive(Debug)]
pub struct Stdio {
    /// Where answers come from.
    pub input: Option<OwnedFd>,
    /// Where commands go.
    pub output: OwnedFd,
}

impl Stdio {
    /// Copies of the descriptors of standard input and output.
    ///
    /// # Errors
    /// When standard output is closed or no descriptor is left.
    pub fn of_process() -> io::Result<Self> {
        Ok(Self {
            input: io::stdin().as_fd().try_clone_to_owned().ok(),
            output: io::stdout().as_fd().try_clone_to_owned()?,
        })
    }
}

/// Waits until standard input, if it is a pipe, is closed; throws away what comes.
pub async fn stdin_closed() {
    let input = io::stdin().as_fd().try_clone_to_owned().ok();
    let Some(reader) = input.and_then(Reader::new) else {
        return pending().await;
    };
    let mut buffer = [0; 4096];
    while reader.read(&mut buffer).await.is_ok() {}
}

/// What a write came to.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Wrote {
    Bytes(usize),
    Full,
    Gone(String),
}

/// The writing end.
#[derive(Debug)]
pub(super) enum Writer {
    Pipe(AsyncFd<OwnedFd>),
    Socket(AsyncFd<OwnedFd>),
    Direct(OwnedFd),
}

impl Writer {
    /// Must be called inside a tokio runtime.
    pub(super) fn new(fd: OwnedFd) -> Self {
        let socket = kind(&fd) == Some(FileType::Socket);
        // Registration eats the descriptor when it fails.
        let Ok(copy) = fd.try_clone() else {
            return Self::Direct(fd);
        };
        match register(copy, Interest::WRITABLE) {
            Ok(polled) if socket => Self::Socket(polled),
            Ok(polled) => Self::Pipe(polled),
            Err(_) => Self::Direct(fd),
        }
    }

    /// False when a write would have to wait. True also when it would fail: it says why.
    pub(super) fn takes_write(&self) -> bool {
        match self {
            Self::Pipe(fd) | Self::Socket(fd) => state(fd.get_ref(), PollFlags::OUT) != State::Wait,
            Self::Direct(_) => true,
        }
    }

    /// Writes at most `PIPE_BUF` bytes; only after [`Writer::takes_write`].
    pub(super) fn write(&self, bytes: &[u8]) -> Wrote {
        debug_assert!(bytes.len() <= ha2bgp_proto::exabgp::MAX_WRITE);
        let result = match self {
            Self::Pipe(fd) => rustix::io::write(fd.get_ref(), bytes),
            Self::Socket(fd) => {
                rustix::net::send(fd.get_ref(), bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
            }
            Self::Direct(fd) => rustix::io::write(fd, bytes),
        };
        match result {
            Ok(count) => Wrote::Bytes(count),
            Err(Errno::AGAIN | Errno::INTR) => Wrote::Full,
            Err(error) => Wrote::Gone(format!("cannot write to standard output: {error}")),
        }
    }

    /// Waits until [`Writer::takes_write`].
    pub(super) async fn writable(&self) {
        let (Self::Pipe(fd) | Self::Socket(fd)) = self else {
            return;
        };
        loop {
            let Ok(mut guard) = fd.writable().await else {
                return;
            };
            if state(fd.get_ref(), PollFlags::OUT) != State::Wait {
                return;
            }
            guard.clear_ready();
        }
    }

    /// Waits until nobody reads any more.
    pub(super) async fn gone(&self) {
        let (Self::Pipe(fd) | Self::Socket(fd)) = self else {
            return pending().await;
        };
        loop {
            let Ok(mut guard) = fd.ready(Interest::ERROR).await else {
                return;
            };
            if state(fd.get_ref(), PollFlags::empty()) == State::Gone {
                return;
            }
            guard.clear_ready();
        }
    }
}

/// The reading end, when there is one that carries answers.
#[derive(Debug)]
pub(super) struct Reader {
    fd: AsyncFd<OwnedFd>,
    socket: bool,
}

impl Reader {
    /// None unless it is a FIFO or a socket: the end of a file or of `/dev/null` means nothing,
    /// and reading a terminal would stop a background job. Must be called inside a tokio runtime.
    pub(super) fn new(fd: OwnedFd) -> Option<Self> {
        let kind = kind(&fd)?;
        if !matches!(kind, FileType::Fifo | FileType::Socket) {
            return None;
        }
        Some(Self { fd: register(fd, Interest::READABLE).ok()?, socket: kind == FileType::Socket })
    }

    /// Waits for bytes. Nothing is lost when the wait is abandoned.
    ///
    /// # Errors
    /// When there will be no more: the text says why.
    pub(super) async fn read(&self, buffer: &mut [u8]) -> Result<usize, String> {
        loop {
            let mut guard = self
                .fd
                .readable()
                .await
                .map_err(|error| format!("cannot wait for standard input: {error}"))?;
            let fd = self.fd.get_ref();
            let result = if self.socket {
                rustix::net::recv(fd, &mut *buffer, RecvFlags::DONTWAIT).map(|(count, _)| count)
            } else if state(fd, PollFlags::IN) == State::Wait {
                Err(Errno::AGAIN)
            } else {
                rustix::io::read(fd, &mut *buffer)
            };
            match result {
                Ok(0) => return Err("standard input is closed".to_owned()),
                Ok(count) => return Ok(count),
                Err(Errno::AGAIN) => guard.clear_ready(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(format!("cannot read standard input: {error}")),
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe: it trusts the type to own one descriptor, which OwnedFd does"
)]
fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, interest)
}

fn kind(fd: &OwnedFd) -> Option<FileType> {
    let stat = fstat(fd).ok()?;
    Some(FileType::from_raw_mode(stat.st_mode))
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Ready,
    Wait,
    /// No reader is left.
    Gone,
}

fn state(fd: &OwnedFd, wanted: PollFlags) -> State {
    let mut fds = [PollFd::new(fd, wanted)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut fds, Some(&now)).is_err() {
        return State::Wait;
    }
    let [polled] = &fds;
    let seen = polled.revents();
    if wanted == PollFlags::IN && !seen.is_empty() {
        // Bytes, or the end: read(2) tells.
        State::Ready
    } else if seen.intersects(PollFlags::ERR | PollFlags::NVAL) {
        State::Gone
    } else if seen.intersects(wanted) {
        State::Ready
    } else {
        State::Wait
    }
}
