//! One TCP connection of a session: from the attempt to open it to its last byte.
//!
//! Nothing here waits: what is not ready is tried again when [`Link::poll_ready`] says so.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::Connection;
use ha2bgp_sys::tcp;
use tokio::net::{TcpSocket, TcpStream};

/// How long the last words of a connection may take.
const CLOSING_TIME: Duration = Duration::from_secs(1);

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

enum Phase {
    /// The SYN is out. The socket, once more, to change its key.
    Connecting(Connecting, Option<std::net::TcpStream>),
    /// The attempt has ended; to be fetched.
    Ended(io::Result<TcpStream>),
    /// Bytes flow.
    Open(TcpStream),
    /// The session has forgotten it: this is written, then the peer's end is awaited, because
    /// closing with unread bytes would make the kernel reset the connection (RFC 2525 section
    /// 2.17) and the peer lose what it has not read.
    Closing { stream: TcpStream, last: Vec<u8>, written: usize, until: Instant },
    /// Nothing left to do.
    Done,
}

/// A connection, named as the session names it.
pub(super) struct Link {
    pub(super) connection: Connection,
    phase: Phase,
    /// It may be written to, as far as is known.
    writable: bool,
    /// It may have something to read.
    readable: bool,
}

/// What a write or a read came to.
pub(super) enum Moved {
    /// So many bytes.
    Bytes(usize),
    /// Not now.
    Blocked,
    /// The connection is at its end.
    Gone,
}

impl Link {
    /// Starts to open a connection. Needs a tokio runtime.
    pub(super) fn connect(
        connection: Connection,
        peer: SocketAddr,
        options: &tcp::Options,
    ) -> Result<Self, tcp::TcpError> {
        let socket = tcp::open(peer, options)?;
        // Without a descriptor to spare, the attempt goes on with the key that it has.
        let same = socket.try_clone().ok();
        let socket = TcpSocket::from_std_stream(socket);
        let phase = Phase::Connecting(Box::pin(socket.connect(peer)), same);
        Ok(Self { connection, phase, writable: true, readable: true })
    }

    /// A connection that the peer opened.
    pub(super) fn accepted(connection: Connection, stream: TcpStream) -> Self {
        Self { connection, phase: Phase::Open(stream), writable: true, readable: true }
    }

    /// Ready when something can be done that could not be done before.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut ready = false;
        match &mut self.phase {
            Phase::Connecting(attempt, _) => {
                if let Poll::Ready(result) = attempt.as_mut().poll(cx) {
                    self.phase = Phase::Ended(result);
                    ready = true;
                }
            }
            Phase::Open(stream) | Phase::Closing { stream, .. } => {
                // An error shows when the bytes are moved.
                if !self.writable && stream.poll_write_ready(cx).is_ready() {
                    self.writable = true;
                    ready = true;
                }
                if !self.readable && stream.poll_read_ready(cx).is_ready() {
                    self.readable = true;
                    ready = true;
                }
            }
            Phase::Ended(_) | Phase::Done => ready = true,
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The end of the attempt to connect, once: both addresses, or why not.
    pub(super) fn connected(&mut self) -> Option<io::Result<(SocketAddr, SocketAddr)>> {
        if !matches!(self.phase, Phase::Ended(_)) {
            return None;
        }
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Ended(Ok(stream)) => {
                let ends = stream
                    .local_addr()
                    .and_then(|local| stream.peer_addr().map(|remote| (local, remote)));
                self.phase = Phase::Open(stream);
                Some(ends)
            }
            Phase::Ended(Err(error)) => Some(Err(error)),
            _ => None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Whether a write is worth a try.
    pub(super) fn takes_write(&self) -> bool {
        self.is_open() && self.writable
    }

    /// Whether a read is worth a try.
    pub(super) fn has_read(&self) -> bool {
        self.is_open() && self.readable
    }

    /// Writes what fits.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Moved {
        let Phase::Open(stream) = &self.phase else { return Moved::Blocked };
        let moved = moved(stream.try_write(bytes));
        self.writable = !matches!(moved, Moved::Blocked);
        moved
    }

    /// Reads what is there.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Moved {
        let Phase::Open(stream) = &self.phase else { return Moved::Blocked };
        let moved = match moved(stream.try_read(buffer)) {
            Moved::Bytes(0) => Moved::Gone,
            other => other,
        };
        self.readable = !matches!(moved, Moved::Blocked);
        moved
    }

    /// Bytes that the peer's kernel has not acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        match &self.phase {
            // One that cannot say so has failed: there is nothing to wait for.
            Phase::Open(stream) => tcp::unacknowledged(stream).unwrap_or(0),
            _ => 0,
        }
    }

    /// Ends it, with last words or with a reset.
    pub(super) fn close(&mut self, last: Vec<u8>, abort: bool, now: Instant) {
        let Phase::Open(stream) = std::mem::replace(&mut self.phase, Phase::Done) else { return };
        if abort {
            // Closing then sends a reset and forgets what is unsent. When it cannot be set, an
            // ordinary close does the same more slowly.
            let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
        } else if !last.is_empty() {
            let until = now + CLOSING_TIME;
            self.phase = Phase::Closing { stream, last, written: 0, until };
            (self.readable, self.writable) = (true, true);
        }
    }

    /// Ends it without a word: what was written still goes out, and is followed by a FIN.
    pub(super) fn hang_up(&mut self, now: Instant) {
        let Phase::Open(stream) = std::mem::replace(&mut self.phase, Phase::Done) else { return };
        // Fails when the peer was faster.
        let _ = rustix::net::shutdown(&stream, rustix::net::Shutdown::Write);
        let until = now + CLOSING_TIME;
        self.phase = Phase::Closing { stream, last: Vec::new(), written: 0, until };
        self.readable = true;
    }

    /// Changes what of its options can change while it is open.
    pub(super) fn set_up(&self, peer: IpAddr, options: &tcp::Options) -> Result<(), tcp::TcpError> {
        match &self.phase {
            Phase::Open(stream) => tcp::set_up(stream, peer, options),
            _ => Ok(()),
        }
    }

    /// Changes, or takes away, the key of the TCP MD5 signatures.
    pub(super) fn set_key(&self, peer: IpAddr, key: Option<&tcp::Key>) -> io::Result<()> {
        match &self.phase {
            Phase::Open(stream) | Phase::Closing { stream, .. } => tcp::set_key(stream, peer, key),
            Phase::Connecting(_, Some(socket)) => tcp::set_key(socket, peer, key),
            Phase::Connecting(_, None) | Phase::Ended(_) | Phase::Done => Ok(()),
        }
    }

    /// Goes on with closing.
    pub(super) fn work(&mut self, buffer: &mut [u8], now: Instant) {
        let Phase::Closing { stream, last, written, until } = &mut self.phase else { return };
        let mut gone = now >= *until;
        while !gone && self.writable && *written < last.len() {
            match moved(stream.try_write(last.get(*written..).unwrap_or_default())) {
                Moved::Bytes(count) => *written += count,
                Moved::Blocked => self.writable = false,
                Moved::Gone => gone = true,
            }
            if *written >= last.len() {
                // Fails when the peer was faster.
                let _ = rustix::net::shutdown(&*stream, rustix::net::Shutdown::Write);
            }
        }
        while !gone && self.readable {
            match moved(stream.try_read(buffer)) {
                Moved::Bytes(0) | Moved::Gone => gone = true,
                Moved::Bytes(_) => {}
                Moved::Blocked => self.readable = false,
            }
        }
        if gone {
            self.phase = Phase::Done;
        }
    }

    /// Closing can go on at once.
    pub(super) fn has_last_words(&self) -> bool {
        let waits = |last: &[u8], written| self.writable && written < last.len();
        matches!(&self.phase, Phase::Closing { last, written, .. } if waits(last, *written))
    }

    /// When closing must end.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Closing { until, .. } => Some(*until),
            _ => None,
        }
    }
}

fn moved(result: io::Result<usize>) -> Moved {
    match result {
        Ok(count) => Moved::Bytes(count),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Moved::Blocked,
            _ => Moved::Gone,
        },
    }
}
