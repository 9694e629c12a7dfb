//! One way in: opened, tried again where that fails, and its connections until it is closed.
//!
//! A way in that cannot be opened ends nothing: the log says why, and it is tried again. Under
//! ExaBGP an end would be followed by a new start, and ExaBGP gives up after a few.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::access::Who;
use super::api::{Code, Refusal};
use super::connection::{self, HEAD_TIME};
use super::places::{CONNECTIONS_MAX, Place};
use super::request::{Context, Way};
use super::server::Shared;
use super::socket::Bound;
use crate::config::control::UnixSettings;

/// So many more may be about to end, since a newer one took their place.
const LEAVING_MAX: usize = 16;
/// How long connections may take to end with their way in.
const END_TIME: Duration = Duration::from_millis(600);
/// The pause after the kernel gave no connection: no descriptor is free, mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The pause before what could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// How many connections the kernel may keep before we take them.
const BACKLOG: i32 = 128;

/// Where somebody can come in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Spot {
    /// A socket file. Who may write is no part of it.
    Unix(UnixSettings),
    /// A port.
    Tcp(SocketAddr),
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(unix) => unix.path.display().fmt(f),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// What is listened on. The file of a socket goes with it.
enum Listener {
    Unix { listener: UnixListener, _file: Bound },
    Tcp(TcpListener),
}

/// A connection that nobody has said anything over.
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Listener {
    fn open(spot: &Spot) -> Result<Self, String> {
        match spot {
            Spot::Unix(settings) => {
                let file = Bound::open(settings).map_err(|error| error.to_string())?;
                let listener = file.listener().and_then(UnixListener::from_std);
                let listener = listener.map_err(|error| format!("{spot}: {error}"))?;
                Ok(Self::Unix { listener, _file: file })
            }
            Spot::Tcp(address) => open(*address).map(Self::Tcp).map_err(|error| {
                let fix = match error.kind() {
                    io::ErrorKind::AddrInUse => {
                        "stop the process that listens there (ss -ltnp shows it), or write another \
                         port in [control] http"
                    }
                    io::ErrorKind::AddrNotAvailable => {
                        "give this host the address, or write another one in [control] http"
                    }
                    io::ErrorKind::PermissionDenied => "write a port from 1024 in [control] http",
                    _ => "write another address in [control] http",
                };
                format!("{address}: cannot listen: {error}: {fix}")
            }),
        }
    }

    async fn accept(&self) -> io::Result<(Stream, Who)> {
        match self {
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                // A client that is gone already has no name; it costs a place all the same.
                let peer = stream.peer_cred();
                let uid = peer.as_ref().map_or(u32::MAX, |peer| peer.uid());
                let mut groups = ha2bgp_sys::peer::groups(&stream).unwrap_or_default();
                groups.extend(peer.map(|peer| peer.gid()));
                Ok((Stream::Unix(stream), Who::User(uid, groups)))
            }
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Who::Host(from.ip())))
            }
        }
    }
}

/// Listens on a port, of one family only.
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(OwnedFd::from(socket).into())
}

/// A way in that is kept open.
pub(super) struct Kept {
    pub(super) spot: Spot,
    /// A word ends all its connections; nothing else.
    connections: Rc<watch::Sender<()>>,
    /// Dropped to close it.
    stop: oneshot::Sender<()>,
    closed: oneshot::Receiver<()>,
}

impl Kept {
    /// Keeps a way in open, on a task of its own. It ends after it was closed.
    pub(super) fn open(spot: Spot, shared: Rc<Shared>, tasks: &mut JoinSet<()>) -> Self {
        let connections = Rc::new(watch::channel(()).0);
        let (stop, stopped) = oneshot::channel();
        let (closing, closed) = oneshot::channel();
        let (own, goes_on) = (spot.clone(), Rc::clone(&connections));
        tasks.spawn_local(async move { keep(&own, &shared, &goes_on, stopped, closing).await });
        Self { spot, connections, stop, closed }
    }

    /// Ends what goes on over its connections, after the answers that are in work.
    pub(super) fn end_connections(&self) {
        let _ = self.connections.send(());
    }

    /// Closes it, and waits until its place is free.
    pub(super) async fn close(self) {
        drop(self.stop);
        let _ = self.closed.await;
    }
}

/// Keeps a way in open until `stopped`.
async fn keep(
    spot: &Spot,
    shared: &Rc<Shared>,
    goes_on: &Rc<watch::Sender<()>>,
    mut stopped: oneshot::Receiver<()>,
    closing: oneshot::Sender<()>,
) {
    let mut said = String::new();
    let listener = loop {
        match Listener::open(spot) {
            Ok(listener) => break listener,
            Err(error) => {
                shared.tell(spot, Err(error.clone()));
                if error != said {
                    tracing::error!(
                        "the control interface is not there, and is tried again every {} s: {error}",
                        RETRY.as_secs()
                    );
                    said = error;
                }
            }
        }
        tokio::select! {
            _ = &mut stopped => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    };
    shared.tell(spot, Ok(()));
    tracing::info!("control socket: {spot}");
    let mut connections = JoinSet::new();
    let mut refused = false;
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => break,
            _ = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX + LEAVING_MAX => {
                accepted
            }
        };
        match accepted {
            Ok((stream, who)) => {
                refused = false;
                take(stream, who, shared, goes_on, &mut connections);
            }
            Err(error) => {
                if !std::mem::replace(&mut refused, true) {
                    tracing::warn!(%error, "the control socket {spot} gets no connection");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    drop(closing);
    let _ = goes_on.send(());
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(END_TIME, all).await;
    connections.shutdown().await;
}

/// Serves a connection on a task of its own, if there is a place for it.
fn take(
    stream: Stream,
    who: Who,
    shared: &Rc<Shared>,
    goes_on: &watch::Sender<()>,
    connections: &mut JoinSet<()>,
) {
    let shared = Rc::clone(shared);
    let tls = matches!(stream, Stream::Tcp(_)).then(|| shared.tls.borrow().clone()).flatten();
    let way = shared.way(&who);
    if tls.is_some() && !way.handshakes.borrow_mut().take(Instant::now()) {
        return;
    }
    let Some(place) = way.places.borrow_mut().enter(who.source()) else {
        match stream {
            Stream::Unix(stream) => turn_away(|octets| stream.try_write(octets)),
            Stream::Tcp(stream) if tls.is_none() => turn_away(|octets| stream.try_write(octets)),
            Stream::Tcp(_) => {}
        }
        return;
    };
    let ending = goes_on.subscribe();
    connections.spawn_local(async move {
        let way = shared.way(&who);
        match (stream, tls) {
            (Stream::Unix(stream), _) => serve(stream, &shared, way, &place, &who, ending).await,
            (Stream::Tcp(stream), None) => serve(stream, &shared, way, &place, &who, ending).await,
            (Stream::Tcp(stream), Some(tls)) => {
                let agreed = tokio::select! {
                    agreed = timeout(HEAD_TIME, tls.accept(stream)) => agreed,
                    () = place.leave.notified() => Ok(Err(io::ErrorKind::Interrupted.into())),
                };
                // What a client does wrong is its own affair.
                if let Ok(Ok(stream)) = agreed {
                    serve(stream, &shared, way, &place, &who, ending).await;
                }
            }
        }
        way.places.borrow_mut().leave(&place);
    });
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    shared: &Shared,
    way: &Way,
    place: &Place,
    who: &Who,
    ending: watch::Receiver<()>,
) {
    let context = Context { shared, way, place, who, ending: &ending };
    let answer = |request, in_rate| context.answer(request, in_rate);
    connection::serve(stream, place, ending.clone(), answer).await;
}

/// Says that there is no place. The answer fits into any buffer.
fn turn_away(write: impl FnOnce(&[u8]) -> io::Result<usize>) {
    let body = Refusal::new(Code::Busy, "too many requests are in work: try again").body();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = write(&[head.as_bytes(), &body].concat());
}
