//! One session: the state machine, what it tells the peer, what it hears.
//!
//! `session/`: `receive` is RFC 5880 section 6.8.6, `transmit` section 6.8.7. Here is what both
//! share: states, timers, time.

use alloc::collections::VecDeque;
use core::num::NonZeroU32;
use core::time::Duration;

use ha2bgp_core::time::Instant;

use super::auth::{Auth, Sequence};
use super::packet::{Diagnostic, State};
use super::poll::Poll;
use super::status::{Cause, Counters, Event, Remote, Status};
use super::timers::{Interval, Random, Timers};

mod receive;
mod transmit;

/// What a session is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names the session in what the peer sends: unique on this host, and random (RFC 5880 section
    /// 6.8.1).
    pub local_discriminator: NonZeroU32,
    /// Timing while the session is up.
    pub timers: Timers,
    /// How packets are authenticated, if they are.
    pub auth: Option<Auth>,
    /// Randomness: jitter, and the first sequence number of authentication. With authentication
    /// it must not be guessable.
    pub seed: u64,
}

/// The session with one peer over one path.
///
/// * It never reads a clock: `now` comes with every call and must not run backwards.
/// * No input makes it panic, and none makes it send more than one packet for each that came,
///   besides those that are due.
/// * A session that was just made sends at once.
///
/// Limits: [`Session::EVENTS_MAX`] events; nothing else grows.
#[derive(Debug)]
pub struct Session {
    local_discriminator: NonZeroU32,
    auth: Option<Auth>,
    sequence: Sequence,
    random: Random,
    state: State,
    since: Instant,
    diagnostic: Diagnostic,
    /// What is configured.
    wanted: Timers,
    /// What our packets say; differs from `wanted` while a poll sequence must end first.
    told: Timers,
    /// What we send by, while it is not yet what `told` says (RFC 5880 section 6.8.3).
    counting_tx: Interval,
    /// What we judge the peer by, likewise.
    counting_rx: Interval,
    poll: Poll,
    /// What the peer said last, until nothing was heard for a detection time.
    remote: Option<Remote>,
    /// When the last packet came that was authentic.
    heard: Option<Instant>,
    /// When the sequence number of the peer is forgotten; set when the peer is.
    forget_sequence: Option<Instant>,
    /// The peer asked with a poll.
    final_due: bool,
    /// What we say has changed: it goes out at once.
    urgent: bool,
    /// The peer that was silent for too long, until it was told.
    silent: Option<NonZeroU32>,
    sent: Option<Instant>,
    /// The interval that `next` was made from.
    interval: Option<Duration>,
    next: Option<Instant>,
    events: VecDeque<Event>,
    counters: Counters,
}

impl Session {
    /// Events kept for the driver; the oldest go first.
    pub const EVENTS_MAX: usize = 64;

    /// A session in state Down, which sends its first packet now.
    pub fn new(options: Options, now: Instant) -> Self {
        let Options { local_discriminator, timers, auth, seed } = options;
        let mut random = Random::new(seed);
        let mut session = Self {
            local_discriminator,
            auth,
            sequence: Sequence::new(random.next_u32()),
            random,
            state: State::Down,
            since: now,
            diagnostic: Diagnostic::None,
            wanted: timers,
            told: timers,
            counting_tx: timers.desired_min_tx.slow(),
            counting_rx: timers.required_min_rx,
            poll: Poll::new(),
            remote: None,
            heard: None,
            forget_sequence: None,
            final_due: false,
            urgent: false,
            silent: None,
            sent: None,
            interval: None,
            next: None,
            events: VecDeque::new(),
            counters: Counters::default(),
        };
        session.pace(now);
        session
    }

    /// Our state.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Our discriminator.
    pub const fn local_discriminator(&self) -> NonZeroU32 {
        self.local_discriminator
    }

    /// What the peer said last; `None` before the first packet, and when nothing was heard for a
    /// detection time.
    pub const fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// True when the peer has confirmed what we told it last, by the end of a poll sequence. After
    /// [`Session::admin_down`]: it knows, and this program may end.
    pub fn is_confirmed(&self) -> bool {
        !self.is_polling()
    }

    /// The peer has not yet confirmed all there is.
    fn is_polling(&self) -> bool {
        self.poll.is_running() || self.wanted != self.told
    }

    /// The state in one piece.
    pub fn status(&self) -> Status {
        Status {
            state: self.state,
            since: self.since,
            diagnostic: self.diagnostic,
            local_discriminator: self.local_discriminator,
            remote: self.remote,
            timers: self.wanted,
            transmit_interval: self.interval,
            detection_time: self.detection_time(),
            last_received: self.heard,
            polling: self.is_polling(),
            authenticated: self.auth.is_some(),
            counters: self.counters,
        }
    }

    /// Changes the timing without touching the state (RFC 5880 section 6.8.3). While the session is up,
    /// a longer transmit interval or a shorter receive interval counts when the peer has
    /// confirmed it, and a change during a poll sequence waits for its end.
    pub fn set_timers(&mut self, timers: Timers, now: Instant) {
        self.wanted = timers;
        self.tell(now);
    }

    /// Holds the session down on purpose (RFC 5880 section 6.8.16): the peer is told at once, and
    /// again about every second for as long as the session is driven. It is asked to confirm, see
    /// [`Session::is_confirmed`].
    pub fn admin_down(&mut self, diagnostic: Diagnostic, now: Instant) {
        if self.state == State::AdminDown && self.diagnostic == diagnostic {
            return;
        }
        self.poll.request();
        self.enter(State::AdminDown, Cause::AdminDown(diagnostic), now);
    }

    /// Ends [`Session::admin_down`].
    pub fn admin_up(&mut self, now: Instant) {
        if self.state == State::AdminDown {
            self.enter(State::Down, Cause::AdminUp, now);
        }
    }

    /// Lets time pass. All datagrams that wait go to [`Session::handle`] first.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.detection_deadline().is_some_and(|at| at <= now) {
            self.expire(now);
        }
        if self.forget_sequence.is_some_and(|at| at <= now) {
            self.forget_sequence = None;
            self.sequence.forget();
        }
        if self.poll.rest(now) {
            self.tell(now);
        }
    }

    /// When [`Session::handle_timeout`] and then [`Session::poll_transmit`] are due at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let times =
            [self.next, self.detection_deadline(), self.forget_sequence, self.poll.rests_until()];
        times.into_iter().flatten().min()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn report(&mut self, event: Event) {
        if self.events.len() >= Self::EVENTS_MAX {
            self.events.pop_front();
            self.counters.lost_events = self.counters.lost_events.saturating_add(1);
        }
        self.events.push_back(event);
    }

    fn enter(&mut self, to: State, cause: Cause, now: Instant) {
        let from = core::mem::replace(&mut self.state, to);
        self.diagnostic = match cause {
            // What ended the last time Up is told until the next one.
            Cause::Handshake if to == State::Up => Diagnostic::None,
            Cause::Handshake | Cause::AdminUp => self.diagnostic,
            Cause::DetectionTimeExpired => Diagnostic::DetectionTimeExpired,
            Cause::NeighborDown(_) | Cause::NeighborAdminDown(_) => Diagnostic::NeighborDown,
            Cause::AdminDown(diagnostic) => diagnostic,
        };
        self.urgent = true;
        let count = |counter: &mut u64, yes| *counter = counter.saturating_add(u64::from(yes));
        let went_down = from == State::Up && to != State::Up;
        count(&mut self.counters.ups, from != State::Up && to == State::Up);
        count(&mut self.counters.downs, went_down);
        count(&mut self.counters.failures, went_down && cause.is_failure());
        if from != to {
            self.since = now;
            self.report(Event::StateChanged { from, to, cause });
        }
        if (from == State::Up) != (to == State::Up) {
            if self.told.desired_min_tx != self.told.desired_min_tx.slow() {
                self.poll.request();
            }
            self.settle();
        }
        self.tell(now);
    }

    /// Says what is wanted as soon as that may be said.
    fn tell(&mut self, now: Instant) {
        if self.wanted != self.told && !(self.state == State::Up && self.poll.is_frozen()) {
            let before = core::mem::replace(&mut self.told, self.wanted);
            let tx = |timers: Timers| self.said_tx(timers);
            let differs = tx(before) != tx(self.told)
                || before.required_min_rx != self.told.required_min_rx
                || (before.multiplier != self.told.multiplier && self.is_silenced());
            if differs {
                self.poll.request();
            }
            if self.state == State::Up {
                self.counting_tx = self.counting_tx.min(self.told.desired_min_tx);
                self.counting_rx = self.counting_rx.max(self.told.required_min_rx);
            } else {
                self.settle();
            }
        }
        self.pace(now);
    }

    /// What was told counts from now on.
    fn settle(&mut self) {
        self.counting_tx = self.said_tx(self.told);
        self.counting_rx = self.told.required_min_rx;
    }

    /// What packets say of our transmit interval in the present state.
    fn said_tx(&self, timers: Timers) -> Interval {
        match self.state {
            State::Up => timers.desired_min_tx,
            _ => timers.desired_min_tx.slow(),
        }
    }

    /// The peer is in demand mode and both sides are up: we send only what it must confirm.
    fn is_silenced(&self) -> bool {
        let remote = |remote: &Remote| remote.demand && remote.state == State::Up;
        self.state == State::Up && self.remote.as_ref().is_some_and(remote)
    }

    /// RFC 5880 section 6.8.4, asynchronous mode.
    fn detection_time(&self) -> Option<Duration> {
        let remote = self.remote.as_ref()?;
        let interval = remote.desired_min_tx.max(self.counting_rx.as_duration());
        Some(interval.saturating_mul(u32::from(remote.multiplier.get())))
    }

    fn detection_deadline(&self) -> Option<Instant> {
        Some(self.heard? + self.detection_time()?)
    }

    /// Nothing was heard for the detection time.
    fn expire(&mut self, now: Instant) {
        let time = self.detection_time().unwrap_or_default();
        self.forget_sequence = self.heard.map(|heard| heard + time.saturating_mul(2));
        let told = matches!(self.state, State::Init | State::Up);
        self.silent = self.remote.take().map(|it| it.discriminator).filter(|_| told);
        self.report(Event::RemoteChanged { remote: None });
        match self.state {
            State::Init | State::Up => self.enter(State::Down, Cause::DetectionTimeExpired, now),
            State::AdminDown | State::Down => self.pace(now),
        }
    }
}
