//! One peer: its session and the connections that belong to it.

mod change;
mod leave;
mod measure;
mod tell;
mod way;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::wire::Families;
use ha2bgp_proto::bgp::{Connection, Input, Mode, Output, PeerConfig, Session, Zone};
use ha2bgp_sys::lookup;
use ha2bgp_sys::tcp::{self, Counters};
use tokio::net::TcpStream;

use self::leave::Leaving;
use self::measure::Measure;
pub(super) use self::tell::Tell;
use self::tell::Trouble;
pub use self::way::Binding;
use self::way::Way;
use super::link::{Link, Moved};
use crate::clock::Clock;

/// Reads and writes before other peers get their turn.
const MOVES_AT_ONCE: usize = 16;
/// How long after connecting a peer may say nothing before that is told.
const SILENCE: Duration = Duration::from_secs(3);
/// Connections of one peer beyond its session's two: those that are closing.
const LINKS_MAX: usize = 8;

/// A router to announce to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// The session.
    pub config: PeerConfig,
    /// The port to connect to; 179 by convention.
    pub port: u16,
    /// How its sockets are set up. The local address is the session's.
    pub socket: tcp::Options,
    /// Which BFD session says whether the way to it works.
    pub bfd: Option<Binding>,
    /// For how long End-of-RIB is kept back after the start at most, so that a peer that kept our
    /// routes over a restart (RFC 4724) drops none before its service was judged
    /// ([`Desired::complete`](crate::announce::Desired::complete)).
    pub defer_end_of_rib: Duration,
}

/// A peer while the program runs.
pub(super) struct Running {
    peer: Peer,
    session: Session,
    links: Vec<Link>,
    /// The number of the next connection that the peer opens.
    accepted: u64,
    /// When End-of-RIB may go; until then it is kept back.
    release_at: Option<Instant>,
    /// Families that were agreed on while the session is up.
    families: Families,
    up: bool,
    /// A connection is there; the peer must say something until here.
    silent_until: Option<Instant>,
    /// When the session was last lost: the peer may have kept our routes.
    lost_at: Option<Instant>,
    /// What was last found wrong.
    trouble: Trouble,
    /// Our end of the session, when it is known to be an address of this host.
    end: Option<IpAddr>,
    /// What of ours is gone from this host, or was not there to connect from.
    missing: Option<Missing>,
    /// Connections end without a word.
    silent: bool,
    /// The session begins again when the connections of the one before are gone.
    begins_again: bool,
    /// The last choice of everything is announced.
    draining: bool,
    /// It is no longer in the configuration.
    leaving: Option<Leaving>,
    /// What BFD says.
    way: Way,
    measure: Measure,
    /// The kernel's counters when the attempt to connect began.
    dropped_before: Option<Counters>,
}

/// What no session can be without.
#[derive(Clone, Copy, Debug)]
enum Missing {
    /// This address of ours.
    Address(IpAddr),
    /// The interface of a link-local peer, or an address on it that counts.
    Link,
}

impl Running {
    pub(super) fn start(peer: Peer, seed: u64, now: Instant) -> Self {
        // A process before this one has just ended: the peer may have kept its routes.
        let kept = peer.config.graceful_restart.is_some_and(|restart| restart.restarting);
        let config = PeerConfig { hold_end_of_rib: true, ..peer.config.clone() };
        let release_at = Some(now + peer.defer_end_of_rib);
        let mut session = Session::new(config, seed, now);
        let way = Way::begin(peer.bfd.as_ref());
        if !way.is_held() {
            session.handle(Input::Start, now);
        }
        Self {
            peer,
            session,
            links: Vec::new(),
            accepted: 0,
            release_at,
            families: Families::NONE,
            up: false,
            silent_until: None,
            lost_at: kept.then_some(now),
            trouble: Trouble::default(),
            end: None,
            missing: None,
            silent: false,
            begins_again: false,
            draining: false,
            leaving: None,
            way,
            measure: Measure::default(),
            dropped_before: None,
        }
    }

    /// True when connections of the peer are welcome.
    pub(super) fn is_passive(&self) -> bool {
        self.peer.config.mode != Mode::Active && self.leaving.is_none()
    }

    /// True when this is the address of the peer, on its interface.
    pub(super) fn is_at(&self, from: SocketAddr) -> bool {
        let peer = self.address();
        let same_link = |zone: Zone| match from {
            SocketAddr::V6(from) => lookup::device_index(zone.as_str()) == Some(from.scope_id()),
            SocketAddr::V4(_) => false,
        };
        peer.ip() == from.ip() && peer.zone().is_none_or(same_link)
    }

    pub(super) fn socket_options(&self) -> &tcp::Options {
        &self.peer.socket
    }

    /// Takes a connection that the peer opened.
    pub(super) fn accept(&mut self, stream: TcpStream, now: Instant) {
        let ends = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?)));
        let Ok((local, remote)) = ends else { return };
        if self.links.len() >= LINKS_MAX
            || tcp::set_up(&stream, remote.ip(), &self.peer.socket).is_err()
        {
            return;
        }
        let connection = Connection::incoming(self.accepted);
        self.accepted += 1;
        self.links.push(Link::accepted(connection, stream));
        let (local, remote) = (local.ip(), remote.ip());
        self.session.handle(Input::TcpConnected { connection, local, remote }, now);
    }

    /// Ready when there is something to do.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut ready = false;
        for link in &mut self.links {
            ready |= link.poll_ready(cx).is_ready();
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }

    /// When there is something to do at the latest.
    pub(super) fn wake(&self, now: Instant) -> Option<Instant> {
        let links = self.links.iter().map(Link::deadline);
        let own =
            [self.session.poll_timeout(), self.release_at, self.silent_until, self.way.wake()];
        links.chain(own).chain([self.leaves_at(now)]).flatten().min()
    }

    /// Does what can be done now; true when there is more, after others had their turn.
    pub(super) fn work(&mut self, buffer: &mut [u8], clock: Clock, tell: &mut Tell<'_>) -> bool {
        let now = clock.now();
        if self.release_at.is_some_and(|at| at <= now) {
            self.release_at = None;
            self.release_end_of_rib(now);
        }
        if self.measure.is_due(now) {
            *tell.news |= self.ask_acknowledged(now);
        }
        let mut more = false;
        // Writing first: a withdrawal waits for nothing.
        self.obey(clock, tell);
        for index in 0..self.links.len() {
            more |= self.write(index, clock);
            self.finish_connecting(index, clock, tell);
            more |= self.read(index, buffer, clock, tell);
            if let Some(link) = self.links.get_mut(index) {
                link.work(buffer, now);
            }
        }
        self.time_out(clock.now(), tell);
        self.obey(clock, tell);
        for index in 0..self.links.len() {
            more |= self.write(index, clock);
        }
        self.go_on_leaving(clock.now());
        self.obey(clock, tell);
        self.links.retain(|link| !link.is_done());
        // What was said last in this turn is written in the next one.
        more |= self.links.iter().any(Link::has_last_words);
        more | self.begin_again(clock.now())
    }

    /// What should have happened by now. What has happened counts before that.
    fn time_out(&mut self, now: Instant, tell: &mut Tell<'_>) {
        if self.silent_until.is_some_and(|at| at <= now) {
            self.silent_until = None;
            self.no_answer("connected, but nothing comes", now, tell);
        }
        self.go_on_waiting(now);
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.handle(Input::Timeout, now);
        }
    }

    /// Does what the session asks for.
    fn obey(&mut self, clock: Clock, tell: &mut Tell<'_>) {
        while let Some(output) = self.session.poll_output() {
            let now = clock.now();
            match output {
                Output::Connect { connection } => self.connect(connection, now, tell),
                Output::Close { connection, last, abort } => {
                    let links = &mut self.links;
                    if let Some(link) = links.iter_mut().find(|link| link.connection == connection)
                    {
                        if self.silent {
                            link.hang_up(now);
                        } else {
                            link.close(last, abort, now);
                        }
                    }
                }
                Output::Event(event) => self.event(event, now, tell),
            }
        }
    }

    fn connect(&mut self, connection: Connection, now: Instant, tell: &mut Tell<'_>) {
        let PeerConfig { peer, local, .. } = self.peer.config;
        let zone = peer.zone();
        let device = zone.as_ref().map(Zone::as_str);
        let Some(to) = lookup::socket_address(peer.ip(), self.peer.port, device) else {
            self.missing = Some(Missing::Link);
            self.say(format!("no interface is called {}", device.unwrap_or_default()), now, tell);
            self.session.handle(Input::TcpFailed { connection }, now);
            return;
        };
        let local = local.and_then(|local| lookup::socket_address(local, 0, device));
        let options = tcp::Options { local, ..self.peer.socket.clone() };
        self.missing = self.missing.filter(|missing| !matches!(missing, Missing::Link));
        self.dropped_before = Counters::read().ok();
        match Link::connect(connection, to, &options) {
            Ok(link) => self.links.push(link),
            Err(error) => {
                if error.source.kind() == io::ErrorKind::AddrNotAvailable {
                    self.missing = local.map(|local| Missing::Address(local.ip()));
                }
                self.say(error.to_string(), now, tell);
                self.session.handle(Input::TcpFailed { connection }, now);
            }
        }
    }

    fn finish_connecting(&mut self, index: usize, clock: Clock, tell: &mut Tell<'_>) {
        let Some(link) = self.links.get_mut(index) else { return };
        let connection = link.connection;
        let Some(result) = link.connected() else { return };
        let now = clock.now();
        match result {
            Ok((local, remote)) => {
                let (local, remote) = (local.ip(), remote.ip());
                self.silent_until = Some(now + SILENCE);
                self.session.handle(Input::TcpConnected { connection, local, remote }, now);
            }
            Err(error) => {
                // The interface is down, or has no address that counts yet.
                let ours = matches!(
                    error.kind(),
                    io::ErrorKind::AddrNotAvailable | io::ErrorKind::NetworkUnreachable
                );
                if ours && self.missing.is_none() && self.address().is_link_local() {
                    self.missing = Some(Missing::Link);
                }
                self.say(format!("cannot connect: {error}"), now, tell);
                self.session.handle(Input::TcpFailed { connection }, now);
            }
        }
    }

    fn write(&mut self, index: usize, clock: Clock) -> bool {
        let Some(link) = self.links.get_mut(index) else { return false };
        for _ in 0..MOVES_AT_ONCE {
            if !link.takes_write() {
                return false;
            }
            let connection = link.connection;
            let Some(bytes) = self.session.poll_write(connection, clock.now()) else {
                return false;
            };
            match link.write(bytes) {
                Moved::Bytes(bytes) => {
                    let now = clock.now();
                    self.session.handle(Input::Written { connection, bytes }, now);
                    self.measure.written(&self.session, now);
                }
                Moved::Blocked => return false,
                // Reading finds the end, behind what the peer said last.
                Moved::Gone => return false,
            }
        }
        true
    }

    fn read(&mut self, index: usize, buffer: &mut [u8], clock: Clock, tell: &mut Tell<'_>) -> bool {
        for _ in 0..MOVES_AT_ONCE {
            let Some(link) = self.links.get_mut(index).filter(|link| link.has_read()) else {
                return false;
            };
            let connection = link.connection;
            match link.read(buffer) {
                Moved::Bytes(count) => {
                    self.silent_until = None;
                    // It may be of other announcers, which the state shows and no event tells.
                    *tell.news |= self.peer.config.count_announcers;
                    let bytes = buffer.get(..count).unwrap_or_default();
                    self.session.handle(Input::Received { connection, bytes }, clock.now());
                }
                Moved::Blocked => return false,
                Moved::Gone => {
                    self.silent_until = None;
                    link.close(Vec::new(), false, clock.now());
                    self.session.handle(Input::TcpClosed { connection }, clock.now());
                    return false;
                }
            }
        }
        true
    }

    /// End-of-RIB is for the families that were agreed on.
    fn release_end_of_rib(&mut self, now: Instant) {
        for family in self.families.iter() {
            self.session.release_end_of_rib(family, now);
        }
    }

    /// True when the peer has everything: nothing is left to write, and its kernel has
    /// acknowledged all that was written. A peer that lost its session moments ago may have kept
    /// our routes, and is not quiet before it has another session or has dropped them.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        if self.up {
            let unacknowledged = self.links.iter().any(|link| link.unacknowledged() > 0);
            return self.session.is_settled() && !unacknowledged;
        }
        let kept = self.peer.config.graceful_restart.map(|restart| restart.restart_time);
        self.lost_at.zip(kept).is_none_or(|(at, kept)| now >= at + kept)
    }

    /// True when no connection is left.
    pub(super) fn is_gone(&self) -> bool {
        self.links.is_empty()
    }
}
