//! The router of the demonstration: ha2bgp's own BGP session, passive, on a loopback port.
//!
//! The session keeps no routes; what it was told is read from the same bytes beside it.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ha2bgp_core::net::Prefix;
use ha2bgp_core::time::Instant as Moment;
use ha2bgp_proto::bgp::wire::{Asn, Context, Framer, Kind, inspect_update};
use ha2bgp_proto::bgp::{Connection, Event, Input, Mode, Output, PeerConfig, Session};

/// The AS of the router.
pub(super) const ASN: u32 = 65_001;
/// The AS that it expects.
pub(super) const PEER_ASN: u32 = 65_000;

/// The header of a message (RFC 4271 section 4.1).
const HEADER_LENGTH: usize = 19;

/// Things seen that nobody has asked for yet.
const SEEN_MAX: usize = 64;

/// What happened at the router.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    /// The session is established.
    Up,
    /// A route came, with its next hop.
    Announced(Prefix, IpAddr),
    /// A route went.
    Withdrawn(Prefix),
    /// The session ended.
    Down(String),
}

impl Seen {
    /// What comes first when they come at once.
    const fn rank(&self) -> u8 {
        match self {
            Self::Up => 0,
            Self::Announced(..) | Self::Withdrawn(_) => 1,
            Self::Down(_) => 2,
        }
    }
}

/// A router in a thread of its own.
pub(super) struct Router {
    address: SocketAddr,
    seen: Receiver<(Instant, Seen)>,
}

impl Router {
    /// Listens on a free port of 127.0.0.1, for one connection.
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (tell, seen) = sync_channel(SEEN_MAX);
        std::thread::spawn(move || {
            // The other end of the channel learns of it: nothing more will be seen.
            let _ = serve(&listener, &tell);
        });
        Ok(Self { address, seen })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next thing that is seen, and when.
    pub(super) fn next(&self, patience: Duration) -> io::Result<(Instant, Seen)> {
        self.seen.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => io::Error::from(io::ErrorKind::TimedOut),
            RecvTimeoutError::Disconnected => io::Error::other("the session is over"),
        })
    }
}

/// The session's driver. It reads and waits in turn: one connection needs no more.
fn serve(listener: &TcpListener, tell: &SyncSender<(Instant, Seen)>) -> io::Result<()> {
    let start = Instant::now();
    let now = || Moment::START + start.elapsed();
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let router_id = Ipv4Addr::new(192, 0, 2, 1);
    let mut config = PeerConfig::new(Asn(ASN), router_id, peer, Asn(PEER_ASN));
    config.mode = Mode::Passive;
    let mut session = Session::new(config, 0, now());
    session.handle(Input::Start, now());

    let (mut stream, from) = listener.accept()?;
    stream.set_nodelay(true)?;
    let connection = Connection::incoming(0);
    let (local, remote) = (stream.local_addr()?.ip(), from.ip());
    session.handle(Input::TcpConnected { connection, local, remote }, now());
    let mut routes = Routes::default();
    let mut buffer = [0; 4096];
    let mut seen = Vec::new();
    loop {
        let at = Instant::now();
        let over = obey(&mut session, &mut stream, &mut seen)?;
        // One read may bring the start of the session, routes, and its end.
        seen.sort_by_key(Seen::rank);
        for seen in seen.drain(..) {
            // Nobody asks any more: the demonstration is over.
            tell.send((at, seen)).map_err(io::Error::other)?;
        }
        if over {
            return Ok(());
        }
        while let Some(bytes) = session.poll_write(connection, now()) {
            stream.write_all(bytes)?;
            let bytes = bytes.len();
            session.handle(Input::Written { connection, bytes }, now());
        }
        let wait = session.poll_timeout().map(|at| at.since(now()));
        stream.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        match stream.read(&mut buffer) {
            Ok(0) => session.handle(Input::TcpClosed { connection }, now()),
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                session.handle(Input::Received { connection, bytes }, now());
                routes.read(&session, bytes, &mut seen);
            }
            Err(error) if is_time_out(&error) => session.handle(Input::Timeout, now()),
            Err(error) => return Err(error),
        }
    }
}

fn is_time_out(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// Does what the session asks for; true when it is over.
fn obey(session: &mut Session, stream: &mut TcpStream, seen: &mut Vec<Seen>) -> io::Result<bool> {
    let mut over = false;
    while let Some(output) = session.poll_output() {
        match output {
            Output::Event(Event::Established { .. }) => seen.push(Seen::Up),
            Output::Event(Event::Down { cause, .. }) => {
                over = true;
                seen.push(Seen::Down(cause.to_string()));
            }
            Output::Close { last, .. } => stream.write_all(&last)?,
            Output::Connect { .. } | Output::Event(_) => {}
        }
    }
    Ok(over)
}

/// Reads routes from what the session gets.
#[derive(Default)]
struct Routes {
    framer: Framer,
    /// What was agreed on, kept: one read may bring the last route and the end of the session.
    context: Option<Context>,
}

impl Routes {
    /// To be called behind the session, which judges what is read here.
    fn read(&mut self, session: &Session, mut bytes: &[u8], seen: &mut Vec<Seen>) {
        if let Some(agreed) = session.negotiated() {
            self.context = Some(Context {
                local_as: session.config().local_as,
                internal: session.config().is_internal(),
                four_octet_as: agreed.four_octet_as,
                families: agreed.families,
                extended_next_hop: agreed.extended_next_hop,
                add_path: agreed.add_path_receive,
            });
        }
        self.framer.allow_extended();
        while let Ok(Some((kind, message))) = self.framer.next(&mut bytes) {
            let Some(context) = self.context.filter(|_| kind == Kind::Update) else { continue };
            let body = message.get(HEADER_LENGTH..).unwrap_or_default();
            // What is malformed has ended the session already.
            let _ = inspect_update(body, &context, &mut |heard| {
                seen.push(match heard.path {
                    Some(path) => Seen::Announced(heard.prefix, path.next_hop),
                    None => Seen::Withdrawn(heard.prefix),
                });
            });
        }
    }
}
