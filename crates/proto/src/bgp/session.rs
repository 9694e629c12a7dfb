//! The session with one peer: FSM, negotiation, Adj-RIB-Out.
//!
//! `session/`: `link` is one connection's bytes, `negotiate` is OPEN, `receive` the peer's
//! messages, `perform` what the machines want done and the two connections as one session, `change`
//! another configuration, `routes` what the peer has of each prefix.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::route::RouteSet;
use ha2bgp_core::time::Instant;

use super::config::{Mode, PeerConfig};
use super::event::{Counters, DownCause, Event as Report, Negotiated, Others, Snapshot};
use super::export::{self, Export};
use super::fsm::{Event, Fsm, Settings, State, TimerKind};
use super::io::{Connection, Direction, Input, Output, StopReason};
use super::rib::Rib;
use super::wire::{Family, Kind, Notification};
use crate::told::Told;

mod change;
mod link;
mod negotiate;
mod others;
mod perform;
mod receive;
mod routes;

use link::Link;
use negotiate::Refused;
use others::Announcers;
pub use routes::{Announced, PeerRoute, Withheld};

/// The place of a machine. The second one exists while there are two connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Which {
    First = 0,
    Second = 1,
}

impl Which {
    const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// A machine and its connection, open or being opened.
#[derive(Debug)]
struct Slot {
    fsm: Fsm,
    link: Option<Link>,
    dialing: Option<Connection>,
}

impl Slot {
    fn connection(&self) -> Option<Connection> {
        self.link.as_ref().map(|link| link.connection).or(self.dialing)
    }

    fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    fn negotiated(&self) -> Option<&Negotiated> {
        self.link.as_ref()?.negotiated.as_ref()
    }

    fn next_attempt(&self) -> Option<Instant> {
        let timers = self.fsm.timers();
        match self.fsm.state() {
            State::Idle => timers.get(TimerKind::IdleHold),
            State::Active => timers.get(TimerKind::ConnectRetry),
            _ => None,
        }
    }
}

/// The conversation with one peer, over one connection or, while both sides connect, two.
///
/// * It never reads a clock: `now` comes with every call and must not run backwards.
/// * It wants the whole desired set ([`Session::set_routes`]) and sends what differs from what the
///   peer was told: withdrawals first, each prefix in its newest state only.
/// * Output is made when it can be written: [`Session::poll_write`] hands out at most about
///   [`Session::WRITE_MAX`] octets and makes more only when those are written. What was handed
///   out is settled.
/// * No input makes it panic; no state is without a timer or pending IO, except stopped. (With a
///   hold time of zero, which the peer may ask for, an established session has no timer.)
///
/// Limits: [`Session::EVENTS_MAX`] events, two connections, one partial message and
/// [`Session::WRITE_MAX`] octets of output for each, [`PeerConfig::max_prefixes`] prefixes of the
/// peer (none are kept without that limit), 8192 paths of our own prefixes while other announcers
/// are counted.
#[derive(Debug)]
pub struct Session {
    config: PeerConfig,
    seed: u64,
    started: Instant,
    slots: [Option<Slot>; 2],
    rib: Rib,
    /// When the peer was told what it was told last.
    told: Told,
    refused: Refused,
    /// What the peer has announced, with path identifiers, while a limit is set.
    prefixes: BTreeSet<(Prefix, u32)>,
    /// The paths of our prefixes that the peer has announced, while they are counted.
    announcers: Announcers,
    /// Everything was sent once: we no longer restart (RFC 4724 section 4.1).
    recovered: bool,
    next_number: u64,
    next_malformed: Option<Instant>,
    outputs: VecDeque<Output>,
    events: usize,
    shown: State,
    since: Instant,
    last_error: Option<(Instant, DownCause)>,
    counters: Counters,
}

impl Session {
    /// Events kept for the driver; the oldest go first.
    pub const EVENTS_MAX: usize = 1024;
    /// About so many octets wait to be written at most (and one message more).
    pub const WRITE_MAX: usize = 65_536;

    /// The newest changes of which it is known when they were told, unless
    /// [`Session::remember`] says otherwise.
    pub const CHANGES_MAX: usize = 4096;

    /// A session that does nothing until [`Input::Start`]. `seed` spreads timers.
    ///
    /// `config` must have passed [`PeerConfig::validate`]; where it did not, the session works as
    /// far as it can, and the peer will refuse it.
    pub fn new(config: PeerConfig, seed: u64, now: Instant) -> Self {
        let mut session = Self {
            rib: Rib::new(config.hold_end_of_rib),
            told: Told::new(Self::CHANGES_MAX),
            config,
            seed,
            started: now,
            slots: [None, None],
            refused: Refused::default(),
            prefixes: BTreeSet::new(),
            announcers: Announcers::default(),
            recovered: false,
            next_number: 0,
            next_malformed: None,
            outputs: VecDeque::new(),
            events: 0,
            shown: State::Idle,
            since: now,
            last_error: None,
            counters: Counters::default(),
        };
        let fsm = Fsm::new(session.settings(), seed);
        session.slots[0] = Some(Slot { fsm, link: None, dialing: None });
        session
    }

    /// What is spoken to the peer.
    pub fn config(&self) -> &PeerConfig {
        &self.config
    }

    /// The state of the connection that is furthest.
    pub fn state(&self) -> State {
        let states = self.slots.iter().flatten().map(|slot| slot.fsm.state());
        states.max().unwrap_or(State::Idle)
    }

    /// In Established: what was agreed on.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        let slot = self.slot(Which::First)?;
        slot.negotiated().filter(|_| slot.fsm.state() == State::Established)
    }

    /// Takes the whole desired set. Prefixes outside of the policy's networks stay out.
    pub fn set_routes(&mut self, routes: &RouteSet, _now: Instant) {
        self.rib.set(routes);
        self.report_problems();
    }

    /// Lets End-of-RIB go out for this family, on this session and all later ones.
    pub fn release_end_of_rib(&mut self, family: Family, _now: Instant) {
        self.rib.release(family);
    }

    /// Takes one thing that happened.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Start => self.feed(Which::First, Event::Start, now),
            Input::Stop { reason, communication } => {
                let cease = Notification::cease(reason.cease(), &communication);
                let restart = self.negotiated().and_then(|it| it.peer_graceful_restart);
                let keeps = restart.is_some_and(|it| it.notification)
                    && self.config.graceful_restart.is_some_and(|it| it.notification);
                let for_good = matches!(reason, StopReason::Shutdown | StopReason::Deconfigured);
                // The peer would keep our routes over a plain Cease (RFC 8538).
                let cease = if keeps && for_good { cease.hard() } else { cease };
                self.stop(&Event::Stop(cease), now);
            }
            Input::Restart => self.stop(&Event::Vanish(DownCause::Restart), now),
            Input::AddressGone => self.stop(&Event::Vanish(DownCause::AddressGone), now),
            Input::TcpConnected { connection, local, remote } => {
                self.connected(connection, local, remote, now);
            }
            Input::TcpFailed { connection } | Input::TcpClosed { connection } => {
                self.lost(connection, now);
            }
            Input::Received { connection, bytes } => self.received(connection, bytes, now),
            Input::Written { connection, bytes } => self.written(connection, bytes, now),
            Input::Timeout => {
                for which in [Which::Second, Which::First] {
                    self.fire(which, now);
                }
            }
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front()?;
        if matches!(output, Output::Event(_)) {
            self.events = self.events.saturating_sub(1);
        }
        Some(output)
    }

    /// What to write to a connection now: at most about [`Session::WRITE_MAX`] octets, the same
    /// ones until [`Input::Written`] reports them.
    pub fn poll_write(&mut self, connection: Connection, now: Instant) -> Option<&[u8]> {
        let which = self.which(connection)?;
        if which == Which::First && self.negotiated().is_some() {
            self.compose(now);
        }
        let link = self.slot(which)?.link.as_ref()?;
        Some(link.unwritten()).filter(|bytes| !bytes.is_empty())
    }

    /// True when [`Session::poll_write`] has something.
    pub fn wants_write(&self, connection: Connection) -> bool {
        let Some(which) = self.which(connection) else {
            return false;
        };
        let waits = self.slot(which).and_then(|slot| slot.link.as_ref());
        waits.is_some_and(|link| !link.unwritten().is_empty())
            || (which == Which::First && self.negotiated().is_some() && self.rib.has_work())
    }

    /// When [`Input::Timeout`] is due at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.slots.iter().flatten().filter_map(|slot| slot.fsm.timers().next()).min()
    }

    /// True when the session is up and the peer was told everything that is wanted and can be
    /// sent, and all of it was written to the kernel.
    pub fn is_settled(&self) -> bool {
        let link = self.slot(Which::First).and_then(|slot| slot.link.as_ref());
        self.negotiated().is_some()
            && !self.rib.has_work()
            && link.is_some_and(|link| link.unwritten().is_empty())
    }

    /// How many others announce this prefix, as far as the peer tells. Announcers are told apart
    /// by their next hops; ours do not count, nor do paths of those that are gone (LLGR_STALE). Those
    /// that announce it as the last choice are counted apart. Unknown without [`PeerConfig::count_announcers`], and for prefixes outside of
    /// the policy's networks.
    pub fn other_announcers(&self, prefix: Prefix) -> Others {
        let Some(agreed) = self.negotiated() else { return Others::UNKNOWN };
        let export = Export::new(&self.config, agreed);
        let sent = export.sent(prefix, self.rib.desired().get(prefix));
        let own: Vec<IpAddr> =
            sent.map(|it| it.next_hop).into_iter().chain([agreed.local]).collect();
        self.announcers.others(prefix, &own, agreed.add_path_receive)
    }

    /// The same for the first `max` prefixes of the desired set; none without
    /// [`PeerConfig::count_announcers`] or a session.
    pub fn others(&self, max: usize) -> Vec<(Prefix, Others)> {
        let mut others = Vec::new();
        if self.config.count_announcers && self.negotiated().is_some() {
            self.rib.desired().for_each(&mut |prefix, _| {
                if others.len() < max {
                    others.push((prefix, self.other_announcers(prefix)));
                }
            });
        }
        others
    }

    /// Paths that are kept for [`Session::other_announcers`].
    #[cfg(test)]
    pub(super) fn announced_paths(&self) -> usize {
        self.announcers.len()
    }

    /// The state in one piece. Costs time with the number of routes; for status, not for loops.
    pub fn snapshot(&self) -> Snapshot {
        let mut wanted = 0;
        self.rib.desired().for_each(&mut |prefix, _| {
            wanted += usize::from(export::is_allowed(&self.config.policy, prefix));
        });
        let first = self.slot(Which::First);
        let link = first.and_then(|slot| slot.link.as_ref());
        Snapshot {
            state: self.state(),
            since: self.since,
            negotiated: self.negotiated().cloned(),
            wanted,
            told: self.rib.told(),
            pending: self.rib.pending(),
            unwritten: link.map_or(0, |link| link.unwritten().len()),
            last_error: self.last_error.clone(),
            failures: first.map_or(0, |slot| slot.fsm.failures()),
            next_attempt: first.and_then(Slot::next_attempt),
            counters: self.counters,
        }
    }

    /// Makes messages when what was made before is written.
    fn compose(&mut self, now: Instant) {
        let Some(slot) = self.slots[0].as_mut() else {
            return;
        };
        let Some(link) = slot.link.as_mut() else {
            return;
        };
        if !link.unwritten().is_empty() || !self.rib.has_work() {
            return;
        }
        let composed = self.rib.compose(link.out(), Self::WRITE_MAX, &mut self.told);
        if composed.announced + composed.withdrawn > 0 {
            self.told.close(link.end());
        }
        if composed.updates > 0 {
            slot.fsm.sent(now);
        }
        self.counters.announced += composed.announced;
        self.counters.withdrawn += composed.withdrawn;
        self.count_sent(Kind::Update, composed.updates);
        self.count_sent(Kind::RouteRefresh, composed.refreshes);
        for family in composed.end_of_rib.iter() {
            self.report(Report::EndOfRibSent { family });
        }
        self.recovered |= self.rib.is_ended();
        self.report_problems();
        self.watch_writing(Which::First, false, now);
    }

    fn written(&mut self, connection: Connection, bytes: usize, now: Instant) {
        let Some(which) = self.which(connection) else {
            return;
        };
        if let Some(link) = self.slot_mut(which).and_then(|slot| slot.link.as_mut()) {
            link.written(bytes);
            let through = link.written;
            if which == Which::First {
                self.told.written(through, now);
            }
        }
        self.counters.sent_bytes = self.counters.sent_bytes.saturating_add(bytes as u64);
        self.watch_writing(which, bytes > 0, now);
    }

    fn fire(&mut self, which: Which, now: Instant) {
        // Each timer fires once at most; what it starts is due later.
        for _ in TimerKind::ALL {
            let Some(slot) = self.slot_mut(which) else {
                return;
            };
            let Some(kind) = slot.fsm.take_due(now) else {
                return;
            };
            self.feed(which, Event::Timer(kind), now);
        }
    }

    /// The R bit of an OPEN that goes out now.
    fn is_restarting(&self, now: Instant) -> bool {
        self.config.graceful_restart.is_some_and(|restart| {
            restart.restarting
                && !self.recovered
                && now < self.started + restart.restart_time.min(Duration::from_secs(4095))
        })
    }

    const fn accepts_incoming(&self) -> bool {
        matches!(self.config.mode, Mode::Passive | Mode::Both)
    }

    fn settings(&self) -> Settings {
        Settings {
            passive: self.config.mode == Mode::Passive,
            connect_retry: self.config.connect_retry,
            idle_hold: self.config.idle_hold,
            stable_after: self.config.stable_after,
        }
    }

    fn slot(&self, which: Which) -> Option<&Slot> {
        self.slots.get(which as usize)?.as_ref()
    }

    fn slot_mut(&mut self, which: Which) -> Option<&mut Slot> {
        self.slots.get_mut(which as usize)?.as_mut()
    }

    fn connection(&self, which: Which) -> Option<Connection> {
        self.slot(which)?.connection()
    }

    fn direction(&self, which: Which) -> Option<Direction> {
        Some(self.connection(which)?.direction)
    }

    fn which(&self, connection: Connection) -> Option<Which> {
        [Which::First, Which::Second]
            .into_iter()
            .find(|which| self.connection(*which) == Some(connection))
    }

    fn link_of(&mut self, connection: Connection) -> Option<&mut Link> {
        let which = self.which(connection)?;
        self.slot_mut(which)?.link.as_mut()
    }

    fn count_sent(&mut self, kind: Kind, count: u64) {
        if let Some(counter) = self.counters.sent.get_mut(kind.index()) {
            *counter += count;
        }
    }

    fn report(&mut self, event: Report) {
        if self.events >= Self::EVENTS_MAX {
            let oldest = self.outputs.iter().position(|it| matches!(it, Output::Event(_)));
            if let Some(oldest) = oldest {
                self.outputs.remove(oldest);
                self.events -= 1;
                self.counters.lost_events += 1;
            }
        }
        self.events += 1;
        self.outputs.push_back(Output::Event(event));
    }
}
