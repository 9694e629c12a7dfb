//! Datagram sockets of probes: UDP, and the kernel's ping sockets (icmp(7)).
//!
//! Each probe has its own, so that the kernel chooses a random port, or an identifier of ICMP, for
//! each, and nobody gets the answers of another. Whether a message is the answer is not told here.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::net::SourceOptions;

/// No datagram is longer, in octets.
const LONGEST: usize = 65_535;

thread_local! {
    /// Where datagrams are received; one for all probes, for each is judged at once.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; LONGEST]);
}

/// A socket that is connected: only what comes from the other side is received.
#[derive(Debug)]
pub struct Datagram {
    /// A ping socket is in nothing that matters here unlike one of UDP.
    socket: UdpSocket,
}

/// A socket that is not connected yet.
///
/// # Errors
/// Those of socket(2). For a ping socket: `EACCES` where `net.ipv4.ping_group_range` has no group
/// of this process, whoever it is.
pub fn open(target: SocketAddr, protocol: Protocol) -> io::Result<Socket> {
    Socket::new(Domain::for_address(target), Type::DGRAM.nonblocking(), Some(protocol))
}

impl Datagram {
    /// Connects a socket.
    ///
    /// # Errors
    /// Those of connect(2) and the options; where there is no way to the target, too.
    pub fn connect(socket: Socket, source: &SourceOptions, target: SocketAddr) -> io::Result<Self> {
        source.apply(SockRef::from(&socket), target.ip())?;
        ha2bgp_sys::datagram::report_errors(&socket, target.ip())?;
        socket.connect(&target.into())?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())? })
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// Those of send(2), and what ICMP says of an earlier datagram.
    pub async fn send(&self, message: &[u8]) -> io::Result<()> {
        let send = || Ok(rustix::net::send(&self.socket, message, SendFlags::NOSIGNAL)?);
        self.socket.async_io(Interest::WRITABLE, send).await.map(|_| ())
    }

    /// Waits for a datagram and has it looked at.
    ///
    /// # Errors
    /// Those of recv(2), and what ICMP says of what was sent. That a packet was too large for a
    /// router is none: the kernel then sends smaller ones.
    pub async fn receive<T>(&self, mut look: impl FnMut(&[u8]) -> T) -> io::Result<T> {
        let receive = || {
            BUFFER.with_borrow_mut(|buffer| {
                let (_, size) = loop {
                    match rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                        Err(Errno::MSGSIZE) => {}
                        other => break other?,
                    }
                };
                Ok(look(buffer.get(..size).unwrap_or_default()))
            })
        };
        // Errors make a socket of UDP not readable (datagram_poll in net/core/datagram.c).
        self.socket.async_io(Interest::READABLE | Interest::ERROR, receive).await
    }
}
