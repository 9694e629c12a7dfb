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
    /// Those that are open, and for which address.
    open: Vec<(SocketAddr, TcpListener)>,
    /// Peers whose keys they have.
    keyed: Vec<IpAddr>,
    accepted: Vec<(TcpStream, SocketAddr)>,
    /// When the next attempt to listen is made.
    retry: Option<Instant>,
}

impl Listeners {
    pub(super) fn new(addresses: Vec<SocketAddr>) -> Self {
        let retry = (!addresses.is_empty()).then_some(Instant::START);
        Self { addresses, open: Vec::new(), keyed: Vec::new(), accepted: Vec::new(), retry }
    }

    /// Opens those that are not open when that is due; returns why one could not be.
    pub(super) fn open<'a>(
        &mut self,
        peers: impl Iterator<Item = &'a Running>,
        now: Instant,
    ) -> Option<String> {
        self.retry.filter(|at| *at <= now)?;
        let peers = known(peers);
        self.retry = None;
        self.keyed = peers.iter().map(|(peer, _)| *peer).collect();
        for &address in &self.addresses {
            if self.open.iter().any(|(open, _)| *open == address) {
                continue;
            }
            match listen(address, &peers) {
                Ok(listener) => self.open.push((address, listener)),
                Err(error) => {
                    self.retry = Some(now + RETRY);
                    return Some(error.to_string());
                }
            }
        }
        None
    }

    /// Listens at these addresses, to these peers. Sockets that stay are not opened anew: whoever
    /// is connecting to them does not notice. Returns what the kernel has against it.
    pub(super) fn set<'a>(
        &mut self,
        addresses: Vec<SocketAddr>,
        peers: impl Iterator<Item = &'a Running>,
        now: Instant,
    ) -> Option<String> {
        self.open.retain(|(address, _)| addresses.contains(address));
        self.addresses = addresses;
        if self.open.len() < self.addresses.len() {
            self.retry = Some(now);
        }
        let peers = known(peers);
        let before = std::mem::take(&mut self.keyed);
        self.keyed = peers.iter().map(|(peer, _)| *peer).collect();
        let gone = before.into_iter().filter(|peer| !self.keyed.contains(peer));
        let keys = peers.iter().map(|(peer, options)| (*peer, options.key.as_ref()));
        let keys: Vec<_> = keys.chain(gone.map(|peer| (peer, None))).collect();
        let hops = hops(&peers);
        let mut failed = None;
        for (address, listener) in &self.open {
            let of_family = |peer: &IpAddr| peer.is_ipv4() == address.is_ipv4();
            for (peer, key) in keys.iter().filter(|(peer, _)| of_family(peer)) {
                failed = tcp::set_key(listener, *peer, *key).err().or(failed);
            }
            if hops != Hops::Any {
                let options = tcp::Options { hops, ..tcp::Options::default() };
                let result = tcp::set_up(listener, address.ip(), &options);
                failed = result.err().map(|error| error.source).or(failed);
            }
        }
        failed.map(|error| format!("a listening socket cannot be changed: {error}"))
    }

    /// Tries again at once what could not be opened: an address may be there now.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.retry = self.retry.map(|_| now);
    }

    pub(super) fn wake(&self) -> Option<Instant> {
        self.retry
    }

    /// Ready when somebody has connected.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for (_, listener) in &self.open {
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

/// Peers as listening sockets know them.
fn known<'a>(peers: impl Iterator<Item = &'a Running>) -> Vec<(IpAddr, &'a tcp::Options)> {
    peers.map(|peer| (peer.address().ip(), peer.socket_options())).collect()
}

/// What listening sockets answer with.
fn hops(peers: &[(IpAddr, &tcp::Options)]) -> Hops {
    let secured = peers.iter().any(|(_, options)| matches!(options.hops, Hops::Security(_)));
    if secured { Hops::Ttl(255) } else { Hops::Any }
}

/// Listens with the keys of those peers that are of its family, and a TTL that those with TTL
/// security accept. What may come in differs by peer and is set on each connection.
fn listen(
    address: SocketAddr,
    peers: &[(IpAddr, &tcp::Options)],
) -> Result<TcpListener, tcp::TcpError> {
    let options = tcp::Options { hops: hops(peers), ..tcp::Options::default() };
    let listener = tcp::listen(address, &options)?;
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
