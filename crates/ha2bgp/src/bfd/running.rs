//! One session while the program runs: the protocol's part and the socket that it sends with.

use std::io::{self, ErrorKind};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::bfd::{
    Cause, Datagram, Diagnostic, Discard, Event, MULTIHOP_PORT, Options, PORT, Session, State,
};
use ha2bgp_proto::bgp::Zone;
use ha2bgp_sys::bfd::{Arrival, Sender};
use ha2bgp_sys::lookup;

use super::states::SessionState;
use super::target::{SessionConfig, Target};

/// A socket that could not be opened, or sent nothing, is opened anew after so long.
const REOPEN: Duration = Duration::from_secs(1);
/// The last packet of a session that ends is sent again after these times, since one may be lost.
const LAST_WORDS: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(60), Duration::from_millis(150)];

/// A session.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) config: SessionConfig,
    session: Session,
    sender: Option<Sender>,
    /// Which source port to begin with.
    seed: u16,
    /// When the socket is opened, while there is none.
    open_at: Instant,
    /// Why nothing can be sent.
    trouble: Option<Trouble>,
    begun: Instant,
    changed: Option<(Instant, Cause)>,
    too_far: u64,
    /// It ends: the last packet, which is sent again at these times.
    ending: Option<Ending>,
}

/// Why nothing can be sent.
#[derive(Debug, PartialEq)]
struct Trouble {
    why: Arc<str>,
    /// There is no way to the peer.
    no_way: bool,
}

impl Trouble {
    fn of(why: String, error: &io::Error) -> Self {
        let no_way = matches!(
            error.kind(),
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown
        );
        Self { why: why.into(), no_way }
    }

    fn no_interface(name: &str) -> Self {
        Self { why: format!("no interface is called {name}").into(), no_way: true }
    }
}

/// The end of a session.
#[derive(Debug)]
struct Ending {
    last: Option<Datagram>,
    again: std::vec::IntoIter<Instant>,
    next: Option<Instant>,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// It came up.
    Up,
    /// It was up for so long, and is no longer.
    Down(Cause, Duration),
    /// Something else that shows in its state.
    Other,
}

impl Running {
    /// A session that begins. The random number is for nobody to guess.
    pub(super) fn new(
        config: SessionConfig,
        discriminator: NonZeroU32,
        random: u64,
        now: Instant,
    ) -> Self {
        let options = Options {
            local_discriminator: discriminator,
            timers: config.timers,
            auth: config.auth.clone(),
            seed: random,
        };
        let [low, high, ..] = random.to_le_bytes();
        Self {
            session: Session::new(options, now),
            config,
            sender: None,
            seed: u16::from_le_bytes([low, high]),
            open_at: now,
            trouble: None,
            begun: now,
            changed: None,
            too_far: 0,
            ending: None,
        }
    }

    /// True when another configuration can be taken without beginning anew.
    pub(super) fn can_become(&self, config: &SessionConfig) -> bool {
        self.ending.is_none()
            && self.config.target == config.target
            && self.config.auth == config.auth
    }

    /// Takes it.
    pub(super) fn take_over(&mut self, config: SessionConfig, now: Instant) {
        if config.timers != self.config.timers {
            self.session.set_timers(config.timers, now);
        }
        self.config = config;
    }

    /// Begins to end: the peer is told that this is on purpose (RFC 5880 section 6.8.16).
    pub(super) fn end(&mut self, now: Instant) {
        if self.ending.is_some() {
            return;
        }
        self.session.admin_down(Diagnostic::AdministrativelyDown, now);
        let again: Vec<Instant> = LAST_WORDS.iter().map(|pause| now + *pause).collect();
        let mut again = again.into_iter();
        let next = again.next();
        self.ending = Some(Ending { last: None, again, next });
    }

    /// True once everything is said, or the peer has confirmed it.
    pub(super) fn has_ended(&self) -> bool {
        let Some(ending) = &self.ending else { return false };
        let nobody = self.session.remote().is_none() && ending.last.is_some();
        let confirmed = ending.last.is_some() && self.session.is_confirmed();
        ending.next.is_none() || nobody || confirmed || self.sender.is_none()
    }

    /// True while it ends.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// True when a packet that names no session is for this one: from its peer, to our end, through
    /// its interface (RFC 5881 section 3, RFC 5883 section 4).
    pub(super) fn is_between(&self, arrival: &Arrival, multihop: bool) -> bool {
        let Target { peer, local, interface, multihop: far } = &self.config.target;
        let zone = peer.zone();
        let through = interface.as_deref().or(zone.as_ref().map(Zone::as_str));
        *far == multihop
            && self.ending.is_none()
            && peer.ip() == arrival.from.ip()
            && local.is_none_or(|local| local == arrival.to)
            && through.is_none_or(|name| lookup::device_index(name) == Some(arrival.interface))
    }

    /// Takes a packet.
    pub(super) fn take(&mut self, arrival: &Arrival, packet: &[u8], now: Instant) {
        if arrival.ttl.is_none_or(|ttl| ttl < self.config.minimum_ttl) {
            self.too_far = self.too_far.saturating_add(1);
            return;
        }
        // What is wrong with it is counted there.
        let _: Result<(), Discard> = self.session.handle(packet, now);
    }

    /// Does what is due. All that has come must have been taken.
    pub(super) fn work(&mut self, now: Instant) -> bool {
        self.session.handle_timeout(now);
        let mut news = false;
        if self.sender.is_none() && self.open_at <= now {
            news |= self.open(now);
        }
        while let Some(packet) = self.session.poll_transmit(now) {
            news |= self.send(&packet, now);
            if let Some(ending) = &mut self.ending {
                ending.last = Some(packet);
            }
        }
        let again = self.ending.as_mut().filter(|it| it.next.is_some_and(|at| at <= now));
        if let Some(ending) = again {
            ending.next = ending.again.next();
            if let Some(last) = ending.last {
                news |= self.send(&last, now);
            }
        }
        news
    }

    /// When there is something to do.
    pub(super) fn wake(&self) -> Option<Instant> {
        let open = self.sender.is_none().then_some(self.open_at);
        let again = self.ending.as_ref().and_then(|ending| ending.next);
        [self.session.poll_timeout(), open, again].into_iter().flatten().min()
    }

    /// The next thing that happened.
    pub(super) fn next(&mut self, now: Instant) -> Option<Step> {
        let Event::StateChanged { from, to, cause } = self.session.poll_event()? else {
            return Some(Step::Other);
        };
        if from != State::Up && to != State::Up {
            return Some(Step::Other);
        }
        let before = self.changed.replace((now, cause));
        let lasted = before.map(|(at, _)| now.since(at)).unwrap_or_default();
        Some(if to == State::Up { Step::Up } else { Step::Down(cause, lasted) })
    }

    /// What users see of it. `shut`: why nothing can come.
    pub(super) fn state(&self, shut: Option<&Arc<str>>) -> SessionState {
        SessionState {
            status: self.session.status(),
            begun: self.begun,
            local: self.sender.as_ref().map(Sender::local),
            changed: self.changed,
            trouble: shut.or(self.trouble.as_ref().map(|trouble| &trouble.why)).cloned(),
            no_way: shut.is_none() && self.trouble.as_ref().is_some_and(|trouble| trouble.no_way),
            too_far: self.too_far,
        }
    }

    /// Opens the socket. True when what is known of it has changed.
    fn open(&mut self, now: Instant) -> bool {
        self.open_at = now + REOPEN;
        let Target { peer, local, interface, multihop } = &self.config.target;
        let zone = peer.zone();
        let device = zone.as_ref().map(Zone::as_str);
        let port = if *multihop { MULTIHOP_PORT } else { PORT };
        let Some(to) = lookup::socket_address(peer.ip(), port, device) else {
            let trouble = Trouble::no_interface(device.unwrap_or_default());
            return self.note(Some(trouble));
        };
        match Sender::open(to, *local, interface.as_deref(), self.seed) {
            Ok(sender) => {
                self.sender = Some(sender);
                self.note(None);
                // Our address is known.
                true
            }
            Err(error) => {
                let trouble = Trouble::of(error.to_string(), &error.source);
                self.note(Some(trouble))
            }
        }
    }

    /// Sends a packet; one that cannot be sent is lost, as on the way. True when what is known has
    /// changed.
    fn send(&mut self, packet: &Datagram, now: Instant) -> bool {
        let Some(sender) = &self.sender else { return false };
        let Err(error) = sender.send(packet.as_bytes()) else { return false };
        if error.kind() == ErrorKind::ConnectionRefused {
            // Of an earlier packet, and this one did not go: once more.
            let _ = sender.send(packet.as_bytes());
            return false;
        }
        if error.kind() == ErrorKind::WouldBlock {
            return false;
        }
        // The address or the interface may be gone, and may come back as another one.
        self.sender = None;
        self.open_at = now + REOPEN;
        let trouble = Trouble::of(format!("cannot send: {error}"), &error);
        self.note(Some(trouble))
    }

    /// Notes why nothing can be sent. True when that is news.
    fn note(&mut self, trouble: Option<Trouble>) -> bool {
        let news = self.trouble != trouble;
        self.trouble = trouble;
        news
    }
}
