//! Listening sockets for passive peers. Without any there is none.

use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use ha2bgp_core::time::Instant;
use ha2bgp_sys::tcp::{self, Hops};
use tokio::net::{TcpListener, TcpStream};

use super::peer::Running;

/// How long after a failure the next attempt to listen is made.
const RETRY: Duration = Duration::from_secs(5);
/// Connections taken in one turn.
const ACCEPT_AT_ONCE: usize = 16;

/// All of them.
pub(super) struct Listeners {
    addresses: Vec<SocketAddr>,
    open: Vec<TcpListener>,
    accepted: Vec<(TcpStream, SocketAddr)>,
    /// When the next attempt to listen is made.
    retry: Option<Instant>,
}

impl Listeners {
    pub(super) fn new(addresses: Vec<SocketAddr>) -> Self {
        let retry = (!addresses.is_empty()).then_some(Instant::START);
        Self { addresses, open: Vec::new(), accepted: Vec::new(), retry }
    }

    /// Opens all of them when that is due; returns why one could not be.
    pub(super) fn open<'a>(
        &mut self,
        peers: impl Iterator<Item = &'a Running>,
        now: Instant,
    ) -> Option<String> {
        self.retry.filter(|at| *at <= now)?;
        let peers: Vec<(IpAddr, &tcp::Options)> =
            peers.map(|peer| (peer.address().ip(), peer.socket_options())).collect();
        self.retry = None;
        self.open.clear();
        for &address in &self.addresses {
            match listen(address, &peers) {
                Ok(listener) => self.open.push(listener),
                Err(error) => {
                    self.open.clear();
                    self.retry = Some(now + RETRY);
                    return Some(error.to_string());
                }
            }
        }
        None
    }

    /// Tries again at once what could not be opened: an address may be there now.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.retry = self.retry.map(|_| now);
    }

    /// Sets the key of a peer; returns what the kernel has against it.
    pub(super) fn set_key(&self, peer: IpAddr, key: &tcp::Key) -> Option<std::io::Error> {
        let same_family = |listener: &&TcpListener| {
            listener.local_addr().is_ok_and(|local| local.is_ipv4() == peer.is_ipv4())
        };
        let set = |listener| tcp::set_key(listener, peer, Some(key)).err();
        self.open.iter().filter(same_family).find_map(set)
    }

    pub(super) fn wake(&self) -> Option<Instant> {
        self.retry
    }

    /// Ready when somebody has connected.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for listener in &self.open {
            while self.accepted.len() < ACCEPT_AT_ONCE {
                match listener.poll_accept(cx) {
                    Poll::Ready(Ok(accepted)) => self.accepted.push(accepted),
                    // Gone before it was accepted, or no descriptor is left: the next one wakes.
                    Poll::Ready(Err(_)) | Poll::Pending => break,
                }
            }
        }
        if self.accepted.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    pub(super) fn accepted(&mut self) -> Option<(TcpStream, SocketAddr)> {
        self.accepted.pop()
    }
}

/// Listens with the keys of those peers that are of its family, and a TTL that those with TTL
/// security accept. What may come in differs by peer and is set on each connection.
fn listen(
    address: SocketAddr,
    peers: &[(IpAddr, &tcp::Options)],
) -> Result<TcpListener, tcp::TcpError> {
    let secured = peers.iter().any(|(_, options)| matches!(options.hops, Hops::Security(_)));
    let hops = if secured { Hops::Ttl(255) } else { Hops::Any };
    let listener = tcp::listen(address, &tcp::Options { hops, ..tcp::Options::default() })?;
    for (peer, options) in peers.iter().filter(|(peer, _)| peer.is_ipv4() == address.is_ipv4()) {
        if let Some(key) = &options.key {
            tcp::set_key(&listener, *peer, Some(key)).map_err(|source| tcp::TcpError {
                action: tcp::Action::Set("TCP_MD5SIG"),
                source,
            })?;
        }
    }
    TcpListener::from_std(listener)
        .map_err(|source| tcp::TcpError { action: tcp::Action::Listen, source })
}
