//! The tables of sockets as text: what /proc/net tells where netlink is forbidden.
//!
//! It costs more (a millisecond at least, for the kernel looks at each place where a connection might be
//! until it has found some), and tells less: a filter that asks for more than addresses and ports cannot
//! be answered, and whether `[::]` serves IPv4 too has to be guessed (see [`Text::v6only`]).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};

use ha2bgp_core::fact::{Protocol, SocketId};
use ha2bgp_proto::family::Family;
use ha2bgp_proto::filter::{Bytecode, Socket};
use ha2bgp_proto::inet_diag::State;
use ha2bgp_proto::proc_net::{self, ProcSocket};
use ha2bgp_sys::NetlinkError;

use super::mirror::{Endpoint, Endpoints, from};
use super::tables::LookError;
use super::{ListenConfig, MAX_LISTENERS};

/// The longest table that is read: 150 octets a socket, for more than a million.
const TEXT_MAX: usize = 256 * 1024 * 1024;
/// What is read of one at a time; the kernel gives 4096 octets at most.
const PIECE: usize = 4096;

/// The tables as text.
#[derive(Debug, Default)]
pub(super) struct Text {
    buffer: Vec<u8>,
    /// Whether this kernel lists listeners before connections, once that is known.
    listeners_first: Option<bool>,
    /// Which sockets at `[::]` serve IPv6 only, as was once concluded.
    wildcards: BTreeMap<u64, bool>,
    /// What a second look has found, for questions after a first one.
    second: Option<Endpoints>,
}

impl Text {
    /// Before questions that are to be answered by what is true now.
    pub(super) fn look_again(&mut self) {
        self.second = None;
    }

    /// Lists the listeners of a table into `found`, in the kernel's order.
    pub(super) fn read(
        &mut self,
        config: &ListenConfig,
        (protocol, family): (Protocol, Family),
        found: &mut Vec<(SocketId, Endpoint)>,
    ) -> Result<(), LookError> {
        let filter = match config.bytecode.as_slice() {
            [] => None,
            code => Bytecode::audit(code).ok(),
        };
        if let Some(what) = filter.and_then(Bytecode::asks_beyond_addresses) {
            return Err(LookError::Filter { what });
        }
        let (name, state) = match protocol {
            Protocol::Tcp => ("tcp", State::LISTEN),
            Protocol::Udp => ("udp", State::CLOSE),
        };
        let path = path(name, family);
        match self.load(&path, protocol) {
            Ok(()) => {}
            // A kernel without IPv6 has no such table.
            Err(error) if error.kind() == io::ErrorKind::NotFound && family == Family::V6 => {
                return Ok(());
            }
            Err(source) => return Err(LookError::File { path, source }),
        }
        let mut sockets = Vec::new();
        let read = proc_net::sockets(&self.buffer, family, state, &mut |socket| {
            let known = Socket::listening(socket.address, socket.port);
            if filter.is_none_or(|filter| filter.accepts(&known)) {
                sockets.push(socket);
            }
        });
        read.map_err(|source| LookError::Text { path, source })?;
        for socket in sockets {
            if found.len() >= MAX_LISTENERS {
                return Err(NetlinkError::TooMany { limit: MAX_LISTENERS }.into());
            }
            let v6only = self.v6only(protocol, &socket, found);
            found.push(named(protocol, &socket, v6only));
        }
        Ok(())
    }

    /// Reads a table, of TCP as far as it has listeners: connections may be many, and the kernel takes
    /// microseconds for each.
    fn load(&mut self, path: &str, protocol: Protocol) -> io::Result<()> {
        let first = protocol == Protocol::Tcp && self.listeners_first();
        self.buffer.clear();
        let mut file = File::open(path)?;
        while self.buffer.len() < TEXT_MAX {
            let old = self.buffer.len();
            self.buffer.resize(old + PIECE, 0);
            let piece = self.buffer.get_mut(old..).unwrap_or_default();
            let read = file.read(piece);
            self.buffer.truncate(old + read.as_ref().copied().unwrap_or_default());
            match read {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if first && self.buffer.get(old..).is_some_and(proc_net::has_connections_only) {
                break;
            }
        }
        Ok(())
    }

    fn listeners_first(&mut self) -> bool {
        if self.listeners_first.is_none() {
            let mut table = [0; PIECE];
            let file = File::open(path("tcp", Family::V4));
            let read = file.and_then(|mut file| file.read(&mut table)).unwrap_or_default();
            self.listeners_first = table.get(..read).and_then(proc_net::lists_listeners_first);
        }
        self.listeners_first == Some(true)
    }

    /// Whether a socket serves IPv6 only, which the text does not tell: one at `[::]` does when
    /// another one is at `0.0.0.0` and the same port, for both cannot be there otherwise. What was
    /// concluded once stays: the other one may close.
    fn v6only(
        &mut self,
        protocol: Protocol,
        socket: &ProcSocket,
        found: &[(SocketId, Endpoint)],
    ) -> bool {
        if !socket.address.is_ipv6() || !socket.address.is_unspecified() {
            return false;
        }
        if self.wildcards.len() > MAX_LISTENERS {
            self.wildcards.clear();
        }
        *self.wildcards.entry(socket.inode).or_insert_with(|| {
            let v4 = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
            let (_, other) = named(protocol, &ProcSocket { address: v4, ..*socket }, false);
            found.iter().any(|(_, endpoint)| *endpoint == other)
        })
    }

    /// See [`super::tables::Tables::find`].
    pub(super) fn find(
        &mut self,
        config: &ListenConfig,
        id: Option<SocketId>,
        endpoint: Endpoint,
    ) -> Result<Option<u64>, LookError> {
        let second = match self.second.take() {
            Some(second) => second,
            None => {
                let mut found = Vec::new();
                for &protocol in &config.protocols {
                    for &family in &config.families {
                        self.read(config, (protocol, family), &mut found)?;
                    }
                }
                found.into_iter().map(|(id, endpoint)| (endpoint, id)).collect()
            }
        };
        let own = id.filter(|id| second.contains(&(endpoint, *id)));
        let any = from(&second, endpoint).take_while(|(at, _)| *at == endpoint).map(|(_, id)| id);
        let found = own.or_else(|| any.min());
        self.second = Some(second);
        Ok(found.map(|id| id.cookie))
    }
}

/// Of this thread: /proc/net is the namespace of the first one.
fn path(name: &str, family: Family) -> String {
    let six = if family == Family::V6 { "6" } else { "" };
    format!("/proc/thread-self/net/{name}{six}")
}

/// A socket as the mirror knows it: by its inode instead of its cookie.
fn named(protocol: Protocol, socket: &ProcSocket, v6only: bool) -> (SocketId, Endpoint) {
    let address = ha2bgp_core::fact::ListenAddress::new(socket.address, v6only);
    let id = SocketId { protocol, cookie: socket.inode };
    (id, Endpoint { address, protocol, port: socket.port, interface: None })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn connections_are_not_read() {
        let listener = TcpListener::bind("127.83.66.93:0").unwrap();
        let place = listener.local_addr().unwrap();
        let pairs: Vec<_> = (0..100)
            .map(|_| (TcpStream::connect(place).unwrap(), listener.accept().unwrap()))
            .collect();
        // Of any state: many wait for their end.
        let connections = |table: &[u8]| {
            let table = String::from_utf8_lossy(table);
            table.lines().skip(1).filter(|line| !line.contains(" 0A ")).count()
        };
        let mut text = Text::default();
        assert!(text.listeners_first(), "this is Linux");
        let mut found = Vec::new();
        let config = ListenConfig::everything(&[Protocol::Tcp]);
        text.read(&config, (Protocol::Tcp, Family::V4), &mut found).unwrap();
        let here = |(_, at): &(SocketId, Endpoint)| at.port == place.port();
        assert_eq!(found.iter().filter(|it| here(it)).count(), 1);
        // A piece has 27 lines: at most one with the last listeners, and one without.
        let read = connections(&text.buffer);
        assert!((1..55).contains(&read), "{read} connections");
        let whole = std::fs::read(path("tcp", Family::V4)).unwrap();
        assert!(connections(&whole) >= 200, "the table has them");
        drop(pairs);
    }
}
