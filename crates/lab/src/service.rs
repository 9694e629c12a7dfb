//! Services: listening sockets, in a process of their own or in this one.

use crate::child::Child;
use crate::netns::Netns;
use crate::{LabError, Result, tools, wait};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long an address may seem to be taken.
pub(crate) const TAKEN: Duration = Duration::from_secs(1);

/// Options of a listening socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `SO_REUSEPORT`.
    pub reuse_port: bool,
    /// `IPV6_V6ONLY`; the system's default is off.
    pub only_v6: bool,
    /// The accept queue; 0 means 16.
    pub backlog: i32,
}

/// Opens a listening TCP socket, or a bound UDP one, in the namespace of the calling thread.
pub fn open(address: SocketAddr, kind: Type, options: Options) -> std::io::Result<Socket> {
    let protocol = if kind == Type::DGRAM { Protocol::UDP } else { Protocol::TCP };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(options.only_v6)?;
    }
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    if options.reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&SockAddr::from(address))?;
    if kind == Type::STREAM {
        socket.listen(if options.backlog == 0 { 16 } else { options.backlog })?;
    }
    Ok(socket)
}

/// [`open`] for TCP on a host.
pub fn listen(host: &Netns, address: &str) -> Result<Socket> {
    listen_with(host, address, Options::default())
}

/// [`open`] for TCP on a host, with options.
pub fn listen_with(host: &Netns, address: &str, options: Options) -> Result<Socket> {
    on_host(host, address, Type::STREAM, options)
}

/// [`open`] for UDP on a host.
pub fn bind_udp(host: &Netns, address: &str) -> Result<Socket> {
    on_host(host, address, Type::DGRAM, Options::default())
}

fn on_host(host: &Netns, address: &str, kind: Type, options: Options) -> Result<Socket> {
    let parsed: SocketAddr =
        address.parse().map_err(|_| LabError::Missing(format!("{address} is no address")))?;
    // A child that another test is just starting holds copies of all our sockets between its
    // fork and its exec: a listener that was closed may live on for that moment.
    let what = format!("listen on {address}");
    wait::until(TAKEN, &what, || {
        host.within(|| open(parsed, kind, options)).map_err(text)?.map_err(text)
    })
}

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A listening socket held by another process, so that `kill -9` is a real one.
#[derive(Debug)]
pub struct Service {
    child: Child,
}

impl Service {
    /// Starts it and waits until it listens.
    pub fn start(host: &Netns, name: &str, dir: &Path, address: &str) -> Result<Self> {
        let program = tools::own("lab-service")
            .ok_or_else(|| LabError::Missing("lab-service is not built".to_owned()))?;
        let child = host.start(name, Command::new(program).arg(address), dir)?;
        wait::until(Duration::from_secs(10), &format!("{address} listens"), || {
            if child.stdout().contains("listening") { Ok(()) } else { Err(child.tail()) }
        })?;
        Ok(Self { child })
    }

    /// `kill -9`.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()
    }
}
