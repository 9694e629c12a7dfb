//! UDP sockets for BFD: what RFC 5881 and RFC 5883 ask of them, and nothing of the protocol.
//!
//! One [`Receiver`] for each family and port takes what comes for every session, with what only the
//! kernel knows of it: the TTL, the address it was sent to, the interface. One [`Sender`] for each
//! session sends from a port of its own. Both are non-blocking, and tell a runtime when they are ready.
//!
//! A receiver shares its port with nobody: two programs with `SO_REUSEADDR` would take each other's
//! packets, and neither would know.

mod ancillary;
mod priority;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::task::{Context, Poll};

use ha2bgp_proto::family::Family;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use thiserror::Error;
use tokio::net::UdpSocket;

pub use self::ancillary::Arrival;
pub use self::priority::{Priority, PriorityError, real_time};

/// Control packets of sessions with neighbors (RFC 5881 section 4).
pub const SINGLE_HOP: u16 = 3784;
/// Control packets of sessions over several hops (RFC 5883 section 5).
pub const MULTIHOP: u16 = 4784;
/// What every packet is sent with, so that the receiver can tell that it comes from a neighbor (RFC
/// 5881 section 5).
pub const TTL: u8 = 255;
/// Where the ports begin that sessions send from, up to 65535 (RFC 5881 section 4).
pub const SOURCE_PORTS: u16 = 49_152;
/// Class selector 6, "network control" (RFC 4594 section 3.1).
const CS6: u8 = 0xc0;
/// So many ports are tried before a sender gives up.
const PORTS_TRIED: u16 = 512;

/// Why a socket could not be set up.
#[derive(Debug, Error)]
#[error("cannot {action}: {source}")]
pub struct BfdError {
    /// What was tried.
    pub action: Action,
    /// The errno.
    pub source: io::Error,
}

impl BfdError {
    /// True when another program of this host has the port.
    pub fn is_taken(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

/// What is tried with a socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// `socket(2)`.
    Open,
    /// One of the options.
    Set(&'static str),
    /// `SO_BINDTODEVICE`.
    BindToDevice(String),
    /// `bind(2)` for what comes.
    Listen(SocketAddr),
    /// `bind(2)` for what is sent.
    SendFrom(IpAddr),
    /// `connect(2)`: to choose the way.
    Reach(SocketAddr),
    /// To give it to the runtime.
    Register,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open a UDP socket"),
            Self::Set(option) => write!(f, "set {option} on a UDP socket"),
            Self::BindToDevice(device) => write!(f, "bind a UDP socket to the interface {device}"),
            Self::Listen(address) => write!(f, "receive on UDP {address}"),
            Self::SendFrom(address) => write!(f, "send from {address}"),
            Self::Reach(address) => write!(f, "find the way to {address}"),
            Self::Register => f.write_str("watch a UDP socket"),
        }
    }
}

fn trying(action: Action) -> impl FnOnce(io::Error) -> BfdError {
    move |source| BfdError { action, source }
}

/// Takes what comes to a port.
#[derive(Debug)]
pub struct Receiver(UdpSocket);

impl Receiver {
    /// Receives on all addresses of this host. Needs a tokio runtime.
    ///
    /// # Errors
    /// When somebody has the port ([`BfdError::is_taken`]), or the family is not there.
    pub fn open(family: Family, port: u16) -> Result<Self, BfdError> {
        let local = SocketAddr::new(family.unspecified(), port);
        let socket = open(local)?;
        match family {
            Family::V4 => {
                set(&socket, libc::IPPROTO_IP, libc::IP_RECVTTL, "IP_RECVTTL")?;
                set(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO, "IP_PKTINFO")?;
            }
            Family::V6 => {
                socket.set_only_v6(true).map_err(trying(Action::Set("IPV6_V6ONLY")))?;
                let level = libc::IPPROTO_IPV6;
                set(&socket, level, libc::IPV6_RECVHOPLIMIT, "IPV6_RECVHOPLIMIT")?;
                set(&socket, level, libc::IPV6_RECVPKTINFO, "IPV6_RECVPKTINFO")?;
            }
        }
        socket.bind(&SockAddr::from(local)).map_err(trying(Action::Listen(local)))?;
        Ok(Self(register(socket)?))
    }

    /// Ready when something may have come.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        // An error shows when it is received.
        self.0.poll_recv_ready(cx).map(|_| ())
    }

    /// The next datagram, and what the kernel knows of it; nothing when none is there. What is longer
    /// than the buffer is cut; [`Arrival::length`] says how long it was.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Arrival>> {
        let socket = self.0.as_raw_fd();
        let received = self
            .0
            .try_io(tokio::io::Interest::READABLE, || ancillary::receive(socket, &mut *buffer));
        match received {
            Ok(arrival) => Ok(Some(arrival)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The port; for tests, which let the kernel choose it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.0.local_addr()?.port())
    }
}

/// Sends the packets of one session.
#[derive(Debug)]
pub struct Sender {
    socket: UdpSocket,
    local: IpAddr,
}

impl Sender {
    /// Sends to `peer` from `local`, or from what the kernel chooses now, through `device` or wherever
    /// the way leads. `seed` says at which of the ports to begin. Needs a tokio runtime.
    ///
    /// # Errors
    /// When `local` is not an address of this host, the interface is not there, or there is no way.
    pub fn open(
        peer: SocketAddr,
        local: Option<IpAddr>,
        device: Option<&str>,
        seed: u16,
    ) -> Result<Self, BfdError> {
        let socket = open(peer)?;
        if let Some(device) = device {
            let bound = socket.bind_device(Some(device.as_bytes()));
            bound.map_err(trying(Action::BindToDevice(device.to_owned())))?;
        }
        let hops = trying(Action::Set("the TTL"));
        let class = trying(Action::Set("IP_TOS"));
        match peer {
            SocketAddr::V4(_) => {
                socket.set_ttl_v4(TTL.into()).map_err(hops)?;
                socket.set_tos_v4(CS6.into()).map_err(class)?;
            }
            SocketAddr::V6(_) => {
                socket.set_unicast_hops_v6(TTL.into()).map_err(hops)?;
                socket.set_tclass_v6(CS6.into()).map_err(class)?;
            }
        }
        let from = local.unwrap_or_else(|| Family::of(peer.ip()).unspecified());
        bind_to_source_port(&socket, from, peer, seed)?;
        socket.connect(&SockAddr::from(peer)).map_err(trying(Action::Reach(peer)))?;
        let socket = register(socket)?;
        let local = socket.local_addr().map_err(trying(Action::Reach(peer)))?.ip();
        Ok(Self { socket, local })
    }

    /// The address that it sends from.
    pub const fn local(&self) -> IpAddr {
        self.local
    }

    /// Sends a packet, or says at once why not. An earlier one that came back (`ECONNREFUSED`: nobody
    /// listens there) is told here too, and then the packet was not sent.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        // Not through the runtime, which would first have to hear that there is room.
        rustix::net::send(&self.socket, packet, rustix::net::SendFlags::DONTWAIT)?;
        Ok(())
    }
}

fn open(address: SocketAddr) -> Result<Socket, BfdError> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP));
    let socket = socket.map_err(trying(Action::Open))?;
    socket.set_nonblocking(true).map_err(trying(Action::Set("O_NONBLOCK")))?;
    Ok(socket)
}

fn register(socket: Socket) -> Result<UdpSocket, BfdError> {
    UdpSocket::from_std(socket.into()).map_err(trying(Action::Register))
}

/// Binds to the first port from the seed's on that is free.
fn bind_to_source_port(
    socket: &Socket,
    from: IpAddr,
    peer: SocketAddr,
    seed: u16,
) -> Result<(), BfdError> {
    let count = u16::MAX - SOURCE_PORTS + 1;
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for step in 0..PORTS_TRIED {
        let mut local = SocketAddr::new(from, SOURCE_PORTS + (seed % count + step) % count);
        if let (SocketAddr::V6(local), SocketAddr::V6(peer)) = (&mut local, peer)
            && local.ip().is_unicast_link_local()
        {
            local.set_scope_id(peer.scope_id());
        }
        match socket.bind(&SockAddr::from(local)) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            Err(source) => return Err(BfdError { action: Action::SendFrom(from), source }),
        }
    }
    Err(BfdError { action: Action::SendFrom(from), source: last })
}

/// Switches an option on.
#[allow(unsafe_code, reason = "neither rustix nor socket2 has all of these options")]
fn set(
    socket: &Socket,
    level: libc::c_int,
    option: libc::c_int,
    name: &'static str,
) -> Result<(), BfdError> {
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&on)).unwrap_or(0);
    let socket = socket.as_raw_fd();
    // SAFETY: the pointer and the length describe `on`, an integer that lives across the call. The
    // kernel only reads from it. A descriptor that is not a socket would be an errno.
    let result =
        unsafe { libc::setsockopt(socket, level, option, std::ptr::from_ref(&on).cast(), length) };
    let done = if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    done.map_err(trying(Action::Set(name)))
}
