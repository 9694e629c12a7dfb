//! Netlink sockets: request and answer, and multicast events.
//!
//! Requests are synchronous on a blocking socket: the kernel answers inside `sendto`, or inside
//! the `recvfrom` that asks for the next part of a dump, so nothing ever waits for another
//! process. The receive time-out is there for the day when that is not true.

use std::io;
use std::time::Duration;

use ha2bgp_proto::netlink::{Body, Malformed, Messages};
use netlink_sys::{Socket, SocketAddr};
use socket2::SockRef;
use thiserror::Error;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Largest datagram: the kernel builds dumps in pieces of at most 32 KiB (`netlink_dump` in
/// net/netlink/af_netlink.c), and no event is larger.
const BUFFER_LENGTH: usize = 32 * 1024;
/// The most datagrams one answer may have: some four million sockets.
const MAX_DATAGRAMS: usize = 16 * 1024;
/// How long an answer may take that the kernel has ready before `sendto` returns.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a netlink conversation failed.
#[derive(Debug, Error)]
pub enum NetlinkError {
    /// The socket could not be opened or set up.
    #[error("cannot {action} a netlink socket: {source}")]
    Socket {
        /// What was tried, as a verb.
        action: &'static str,
        /// The errno.
        source: io::Error,
    },
    /// The request could not be sent.
    #[error("cannot send a netlink request: {source}")]
    Send {
        /// The errno.
        source: io::Error,
    },
    /// No answer could be received.
    #[error("cannot receive from a netlink socket: {source}")]
    Receive {
        /// The errno; `WouldBlock` is the time-out.
        source: io::Error,
    },
    /// The kernel understood the request and said no.
    #[error("the kernel refuses the request: {source}")]
    Refused {
        /// The errno.
        source: io::Error,
    },
    /// The answer cannot be read.
    #[error("the kernel's answer cannot be read: {0}")]
    Malformed(#[from] Malformed),
    /// A datagram was larger than the buffer.
    #[error("the kernel sent a datagram of {length} bytes, more than {BUFFER_LENGTH}")]
    Truncated {
        /// Its real size.
        length: usize,
    },
    /// The tables changed while they were read; ask again.
    #[error("the tables changed while they were read")]
    Interrupted,
    /// The answer does not end.
    #[error("the answer did not end after {MAX_DATAGRAMS} datagrams")]
    Endless,
    /// More entries than this program is made for.
    #[error("more than {limit} entries")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

impl NetlinkError {
    /// The errno with which the kernel refused the request, if that is what happened.
    pub fn refused(&self) -> Option<i32> {
        match self {
            Self::Refused { source } => source.raw_os_error(),
            _ => None,
        }
    }

    /// Whether this process may never open the socket: by seccomp, or in a kernel without it. What
    /// passes, such as a lack of descriptors, is none of that.
    pub fn is_forbidden(&self) -> bool {
        let Self::Socket { source, .. } = self else { return false };
        matches!(
            source.raw_os_error(),
            Some(
                libc::EPERM
                    | libc::EACCES
                    | libc::EAFNOSUPPORT
                    | libc::EPROTONOSUPPORT
                    | libc::EINVAL
                    | libc::ENOSYS
            )
        )
    }

    fn errno(errno: i32) -> Self {
        Self::Refused { source: io::Error::from_raw_os_error(errno) }
    }
}

/// Adds what was tried to an errno.
pub(crate) fn trying(action: &'static str) -> impl FnOnce(io::Error) -> NetlinkError {
    move |source| NetlinkError::Socket { action, source }
}

/// Receives one datagram of the kernel into `buffer`. `None`: another process sent it.
fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        let mut space = &mut *buffer;
        // MSG_TRUNC makes the real length visible.
        match socket.recv_from(&mut space, libc::MSG_TRUNC) {
            Ok((length, sender)) => return Ok((sender.port_number() == 0).then_some(length)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The part of `buffer` that a datagram filled.
fn filled(buffer: &[u8], length: usize) -> Result<&[u8], NetlinkError> {
    buffer.get(..length).ok_or(NetlinkError::Truncated { length })
}

/// Takes type and payload of a message; what it returns as an error ends the reading.
pub(crate) type Visit<'a> = dyn FnMut(u16, &[u8]) -> Result<(), NetlinkError> + 'a;

/// A blocking socket for requests.
#[derive(Debug)]
pub(crate) struct Exchange {
    protocol: isize,
    socket: Socket,
    buffer: Box<[u8]>,
    sequence: u32,
    /// An answer was not read to its end: its rest must not be taken for the next answer.
    unfinished: bool,
}

impl Exchange {
    /// Opens a socket of a netlink family (`NETLINK_*`).
    pub(crate) fn open(protocol: isize) -> Result<Self, NetlinkError> {
        Ok(Self {
            protocol,
            socket: Self::socket(protocol)?,
            buffer: vec![0; BUFFER_LENGTH].into_boxed_slice(),
            sequence: 0,
            unfinished: false,
        })
    }

    fn socket(protocol: isize) -> Result<Socket, NetlinkError> {
        let mut socket = Socket::new(protocol).map_err(trying("open"))?;
        socket.bind_auto().map_err(trying("bind"))?;
        SockRef::from(&socket)
            .set_read_timeout(Some(ANSWER_TIMEOUT))
            .map_err(trying("set a time-out on"))?;
        // Strict checking makes the kernel refuse what it does not understand instead of
        // answering something else (Linux 4.20). Older kernels live without.
        let _ = socket.set_netlink_get_strict_chk(true);
        Ok(socket)
    }

    /// The number of the next request.
    pub(crate) fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Sends `request` and hands each message of the answer to `visit` until the dump is done.
    pub(crate) fn dump(
        &mut self,
        request: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), NetlinkError> {
        self.send(request)?;
        let mut interrupted = false;
        for _ in 0..MAX_DATAGRAMS {
            let Some(length) = receive(&self.socket, &mut self.buffer)
                .map_err(|source| NetlinkError::Receive { source })?
            else {
                continue;
            };
            for message in Messages::new(filled(&self.buffer, length)?) {
                let message = message?;
                if message.sequence != self.sequence {
                    continue;
                }
                interrupted |= message.dump_interrupted();
                match message.body {
                    Body::Data { kind, payload } => visit(kind, payload)?,
                    Body::Done { errno: 0 } => {
                        self.unfinished = false;
                        return if interrupted { Err(NetlinkError::Interrupted) } else { Ok(()) };
                    }
                    Body::Done { errno } | Body::Error { errno } => {
                        self.unfinished = false;
                        return Err(NetlinkError::errno(errno));
                    }
                    Body::Overrun => return Err(NetlinkError::Interrupted),
                    Body::Nothing => {}
                }
            }
        }
        Err(NetlinkError::Endless)
    }

    /// Sends `request` and parses the one message of the answer.
    pub(crate) fn query<T>(
        &mut self,
        request: &[u8],
        parse: fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, NetlinkError> {
        self.send(request)?;
        for _ in 0..MAX_DATAGRAMS {
            let Some(length) = receive(&self.socket, &mut self.buffer)
                .map_err(|source| NetlinkError::Receive { source })?
            else {
                continue;
            };
            for message in Messages::new(filled(&self.buffer, length)?) {
                let message = message?;
                if message.sequence != self.sequence {
                    continue;
                }
                match message.body {
                    Body::Data { payload, .. } => {
                        self.unfinished = false;
                        return Ok(parse(payload)?);
                    }
                    Body::Done { errno } | Body::Error { errno } => {
                        self.unfinished = false;
                        return Err(NetlinkError::errno(errno));
                    }
                    Body::Overrun | Body::Nothing => {}
                }
            }
        }
        Err(NetlinkError::Endless)
    }

    fn send(&mut self, request: &[u8]) -> Result<(), NetlinkError> {
        if self.unfinished {
            self.socket = Self::socket(self.protocol)?;
        }
        self.unfinished = true;
        let kernel = SocketAddr::new(0, 0);
        self.socket.send_to(request, &kernel, 0).map_err(|source| NetlinkError::Send { source })?;
        Ok(())
    }
}

/// What an event socket has for its reader.
#[derive(Debug)]
pub(crate) enum Received<'a> {
    /// One datagram of the kernel.
    Datagram(&'a [u8]),
    /// ENOBUFS: events were lost after the ones that were read so far.
    Overrun,
}

/// A non-blocking socket that is a member of multicast groups.
#[derive(Debug)]
pub(crate) struct EventSocket {
    fd: AsyncFd<Socket>,
    buffer: Box<[u8]>,
}

impl EventSocket {
    /// Opens a socket and joins `groups` (numbers, not bits), after `prepare` had its way with
    /// it. Needs a tokio runtime.
    pub(crate) fn open(
        protocol: isize,
        receive_buffer: usize,
        groups: &[u32],
        prepare: impl FnOnce(SockRef<'_>) -> Result<(), NetlinkError>,
    ) -> Result<Self, NetlinkError> {
        let mut socket = Socket::new(protocol).map_err(trying("open"))?;
        socket.set_non_blocking(true).map_err(trying("set up as non-blocking"))?;
        // Beyond rmem_max needs CAP_NET_ADMIN; without it the limit is what there is. Either
        // way an overrun is seen and answered by reading everything again.
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, receive_buffer).is_err()
        {
            let _ = SockRef::from(&socket).set_recv_buffer_size(receive_buffer);
        }
        prepare(SockRef::from(&socket))?;
        socket.bind_auto().map_err(trying("bind"))?;
        for &group in groups {
            socket.add_membership(group).map_err(trying("join a multicast group with"))?;
        }
        Ok(Self {
            fd: watch(socket).map_err(trying("watch"))?,
            buffer: vec![0; BUFFER_LENGTH].into_boxed_slice(),
        })
    }

    /// Does something with the socket itself.
    pub(crate) fn with<T>(&self, work: impl FnOnce(SockRef<'_>) -> T) -> T {
        work(SockRef::from(self.fd.get_ref()))
    }

    /// The next datagram. Cancelling it loses nothing.
    pub(crate) async fn receive(&mut self) -> Result<Received<'_>, NetlinkError> {
        let length = loop {
            let mut ready = self.fd.readable().await.map_err(trying("wait for"))?;
            let Ok(result) = ready.try_io(|fd| receive(fd.get_ref(), &mut self.buffer)) else {
                continue;
            };
            match result {
                Ok(Some(length)) => break length,
                Ok(None) => {}
                Err(error) if is_overrun(&error) => return Ok(Received::Overrun),
                Err(source) => return Err(NetlinkError::Receive { source }),
            }
        };
        filled(&self.buffer, length).map(Received::Datagram)
    }

    /// The next datagram if there is one already.
    pub(crate) fn try_receive(&mut self) -> Result<Option<Received<'_>>, NetlinkError> {
        let length = loop {
            match receive(self.fd.get_ref(), &mut self.buffer) {
                Ok(Some(length)) => break length,
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if is_overrun(&error) => return Ok(Some(Received::Overrun)),
                Err(source) => return Err(NetlinkError::Receive { source }),
            }
        };
        filled(&self.buffer, length).map(|bytes| Some(Received::Datagram(bytes)))
    }
}

/// Registers the socket with tokio's reactor.
#[allow(unsafe_code, reason = "tokio cannot check what it asks for")]
fn watch(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: `Socket` owns one open descriptor, returns that one from `as_raw_fd`, and closes it
    // only when dropped. The `AsyncFd` owns the socket, and `EventSocket` keeps it private and
    // uses it by shared reference only, so nothing replaces or closes it before.
    let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
    Ok(registered?)
}

/// The kernel reports the loss once, ahead of the events that are still queued
/// (`netlink_overrun` in net/netlink/af_netlink.c).
fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}
