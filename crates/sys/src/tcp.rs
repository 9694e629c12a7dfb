//! TCP sockets for BGP sessions: what must be set before the first packet leaves.
//!
//! Everything here works without privileges (a port below 1024 to listen on aside). Sockets are
//! non-blocking and close on exec. A key that the peer does not have, or a TTL below its minimum,
//! looks alike from here: no answer at all ([`Counters`] tells them apart on our side).

mod counters;
mod key;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use thiserror::Error;

pub use counters::Counters;
pub use key::{Key, KeyError, set_key};

/// Connections that wait to be accepted: each peer has one, or two when both sides connect.
const BACKLOG: i32 = 64;
/// What waits in the kernel without being sent can no longer be taken back: more than this is not
/// taken from the program, whatever the send buffer would hold.
const UNSENT_MAX: u32 = 32 * 1024;
/// Class selector 6, "network control": what BGP is sent with (RFC 4594 section 3.1).
const CS6: u8 = 0xc0;

/// How far away the peer may be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Hops {
    /// The system's default TTL goes out, any comes in.
    #[default]
    Any,
    /// This TTL goes out, any comes in: 1 reaches neighbors only.
    Ttl(u8),
    /// 255 goes out, and only what has passed fewer than this many routers comes in: 1 lets only
    /// neighbors in (GTSM, RFC 5082 section 3).
    Security(u8),
}

/// What a socket is set up with.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// The address to connect from, or to listen on.
    pub local: Option<SocketAddr>,
    /// The interface that the socket is bound to.
    pub device: Option<String>,
    /// The key of the TCP MD5 signatures (RFC 2385).
    pub key: Option<Key>,
    /// How far away the peer may be.
    pub hops: Hops,
    /// How long sent bytes may stay without acknowledgement before the kernel gives up.
    pub user_timeout: Option<Duration>,
}

/// Why a socket could not be set up.
#[derive(Debug, Error)]
#[error("cannot {action}: {source}")]
pub struct TcpError {
    /// What was tried.
    pub action: Action,
    /// The errno.
    pub source: io::Error,
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
    /// `bind(2)`.
    Bind(SocketAddr),
    /// `listen(2)`.
    Listen,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open a TCP socket"),
            Self::Set(option) => write!(f, "set {option} on a TCP socket"),
            Self::BindToDevice(device) => write!(f, "bind a TCP socket to the interface {device}"),
            Self::Bind(address) => write!(f, "bind a TCP socket to {address}"),
            Self::Listen => f.write_str("listen on a TCP socket"),
        }
    }
}

fn trying(action: Action) -> impl FnOnce(io::Error) -> TcpError {
    move |source| TcpError { action, source }
}

/// A socket that is ready to be connected to `peer`, and not connected.
///
/// # Errors
/// When one of the options is refused, such as a local address that this host does not have.
pub fn open(peer: SocketAddr, options: &Options) -> Result<TcpStream, TcpError> {
    let socket = prepare(peer, options)?;
    if let Some(key) = &options.key {
        set_key(&socket, peer.ip(), Some(key)).map_err(trying(Action::Set("TCP_MD5SIG")))?;
    }
    if let Some(local) = options.local {
        // The port is chosen when connecting, so that many sockets may share it.
        if local.port() == 0
            && let Err(source) = late_port(&socket)
        {
            return Err(TcpError { action: Action::Set("IP_BIND_ADDRESS_NO_PORT"), source });
        }
        bind(&socket, local)?;
    }
    Ok(socket.into())
}

/// A socket that listens. Keys of peers are set with [`set_key`], before they connect.
///
/// # Errors
/// When the address is taken or not there, or the port needs a privilege.
pub fn listen(local: SocketAddr, options: &Options) -> Result<TcpListener, TcpError> {
    let socket = prepare(local, options)?;
    if local.is_ipv6() {
        socket.set_only_v6(true).map_err(trying(Action::Set("IPV6_V6ONLY")))?;
    }
    bind(&socket, local)?;
    socket.listen(BACKLOG).map_err(trying(Action::Listen))?;
    Ok(socket.into())
}

/// The options that both kinds of socket have.
fn prepare(address: SocketAddr, options: &Options) -> Result<Socket, TcpError> {
    let domain = Domain::for_address(address);
    let socket =
        Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).map_err(trying(Action::Open))?;
    socket.set_nonblocking(true).map_err(trying(Action::Set("O_NONBLOCK")))?;
    socket.set_reuse_address(true).map_err(trying(Action::Set("SO_REUSEADDR")))?;
    if let Some(device) = &options.device {
        let action = || Action::BindToDevice(device.clone());
        socket.bind_device(Some(device.as_bytes())).map_err(trying(action()))?;
    }
    set_up(&socket, address.ip(), options)?;
    Ok(socket)
}

/// The options of one connection. An accepted socket inherits them from its listener, except
/// those that differ by peer: call it for each one.
///
/// # Errors
/// When the kernel refuses an option.
pub fn set_up(socket: &impl AsFd, peer: IpAddr, options: &Options) -> Result<(), TcpError> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true).map_err(trying(Action::Set("TCP_NODELAY")))?;
    socket.set_tcp_notsent_lowat(UNSENT_MAX).map_err(trying(Action::Set("TCP_NOTSENT_LOWAT")))?;
    let timeout = options.user_timeout;
    socket.set_tcp_user_timeout(timeout).map_err(trying(Action::Set("TCP_USER_TIMEOUT")))?;
    set_class(&socket, peer).map_err(trying(Action::Set("IP_TOS")))?;
    set_hops(&socket, peer, options.hops).map_err(trying(Action::Set("the TTL")))
}

fn set_class(socket: &SockRef<'_>, peer: IpAddr) -> io::Result<()> {
    match peer {
        IpAddr::V4(_) => socket.set_tos_v4(CS6.into()),
        IpAddr::V6(_) => socket.set_tclass_v6(CS6.into()),
    }
}

fn set_hops(socket: &SockRef<'_>, peer: IpAddr, hops: Hops) -> io::Result<()> {
    let (ttl, minimum) = match hops {
        Hops::Any => return Ok(()),
        Hops::Ttl(ttl) => (ttl, 0),
        // Each router on the way takes one away: a neighbor's packet still has 255.
        Hops::Security(hops) => (255, 255 - hops.max(1) + 1),
    };
    match peer {
        IpAddr::V4(_) => socket.set_ttl_v4(ttl.into())?,
        IpAddr::V6(_) => socket.set_unicast_hops_v6(ttl.into())?,
    }
    if minimum > 0 { set_minimum(socket, peer, minimum.into()) } else { Ok(()) }
}

/// `IP_MINTTL`, `IPV6_MINHOPCOUNT`: the kernel drops what has a lower one, the SYN too.
fn set_minimum(socket: &SockRef<'_>, peer: IpAddr, minimum: libc::c_int) -> io::Result<()> {
    let (level, option) = match peer {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MINTTL),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT),
    };
    set_option(socket.as_raw_fd(), level, option, &minimum)
}

fn late_port(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    set_option(socket.as_raw_fd(), libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, &on)
}

fn bind(socket: &Socket, local: SocketAddr) -> Result<(), TcpError> {
    socket.bind(&SockAddr::from(local)).map_err(trying(Action::Bind(local)))
}

/// `setsockopt(2)` for a value that the kernel reads as plain bytes.
#[allow(unsafe_code, reason = "neither rustix nor socket2 has these options")]
fn set_option<T: Plain>(
    socket: std::os::fd::RawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: the pointer and the length describe `value`, which lives across the call; `Plain`
    // promises that all of its bytes are initialised. The kernel only reads from it. A descriptor
    // that is not a socket would be an errno.
    let result = unsafe {
        libc::setsockopt(socket, level, option, std::ptr::from_ref(value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A type without padding: every byte of it may be read.
///
/// # Safety
/// It must be so.
#[allow(unsafe_code, reason = "a promise that the compiler cannot check")]
unsafe trait Plain {}

#[allow(unsafe_code, reason = "a promise that the compiler cannot check")]
// SAFETY: an integer has no padding.
unsafe impl Plain for libc::c_int {}

/// Bytes that were written and that the peer's kernel has not acknowledged (`SIOCOUTQ`, tcp(7)).
/// A connection that has failed has none.
///
/// # Errors
/// When it is a listener, or no TCP socket.
#[allow(unsafe_code, reason = "neither rustix nor socket2 has this ioctl")]
pub fn unacknowledged(socket: &impl AsFd) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ, whose number is that of TIOCOUTQ (linux/sockios.h), writes one int to the
    // address it is given, which is that of `bytes`. The borrowed descriptor is open.
    let result = unsafe {
        libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, std::ptr::from_mut(&mut bytes))
    };
    if result == 0 {
        Ok(usize::try_from(bytes).unwrap_or(0))
    } else {
        Err(io::Error::last_os_error())
    }
}
