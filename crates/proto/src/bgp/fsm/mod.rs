//! The finite state machine of RFC 4271 section 8.
//!
//! One machine drives one connection and, between connections, the attempts to get one. It takes
//! an [`Event`] and answers with [`Action`]s; it knows timers, not bytes. Each state has a file.
//!
//! Mandatory session attributes (section 8): State, ConnectRetryCounter ([`Fsm::failures`]),
//! ConnectRetryTimer/Time, HoldTimer/Time, KeepaliveTimer/Time. Of the optional ones: IdleHoldTimer
//! with DampPeerOscillations, PassiveTcpEstablishment, and the SendHoldTimer of RFC 9687. There is
//! no DelayOpen: its timer and events 12 and 20 do not exist.
//!
//! Where the RFC is not followed, the state's file says so and why.

mod confirm;
mod connecting;
mod established;
mod idle;
mod sent;
mod state;
#[cfg(test)]
mod tests;
mod timers;

use alloc::vec::Vec;
use core::time::Duration;

use ha2bgp_core::time::Instant;

use super::config::Backoff;
use super::event::DownCause;
use super::wire::{Cease, Kind, Notification};

pub use state::{Event, State, TimerKind};
pub use timers::Timers;

/// HoldTimer before the peer's OPEN: "a large value", 4 minutes (RFC 4271 section 8.2.2).
pub const LARGE_HOLD: Duration = Duration::from_secs(240);

/// What the machine wants done, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// Open a connection.
    Connect,
    /// Send OPEN.
    SendOpen,
    /// Send KEEPALIVE.
    SendKeepalive,
    /// The session is up: send everything.
    Up,
    /// Send this, then close the connection.
    Close(Notification),
    /// Close the connection, or give up the attempt, without a word.
    Drop,
    /// Close with a reset: nothing can be sent.
    Abort,
    /// The connection or the attempt ended, for this reason.
    Report(DownCause),
}

/// How the machine behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Wait for the peer to connect.
    pub passive: bool,
    /// Pause between attempts to connect.
    pub connect_retry: Backoff,
    /// Pause after a session ended.
    pub idle_hold: Backoff,
    /// A session that stood so long ends the back-off.
    pub stable_after: Duration,
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Fsm {
    settings: Settings,
    state: State,
    /// False: stopped. It stays in Idle until a start.
    wanted: bool,
    timers: Timers,
    failures: u32,
    established: Option<Instant>,
    hold_time: Duration,
    keepalive: Duration,
    actions: Vec<Action>,
}

impl Fsm {
    /// A machine in Idle.
    pub const fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            state: State::Idle,
            wanted: false,
            timers: Timers::new(seed),
            failures: 0,
            established: None,
            hold_time: Duration::ZERO,
            keepalive: Duration::ZERO,
            actions: Vec::new(),
        }
    }

    /// The state.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Failures in a row: ConnectRetryCounter.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// The timers.
    pub const fn timers(&self) -> &Timers {
        &self.timers
    }

    /// A timer that is due; it is stopped with that, and wants to be handled as an event.
    pub fn take_due(&mut self, now: Instant) -> Option<TimerKind> {
        self.timers.take_due(now)
    }

    /// True between a start and a stop.
    pub const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Starts in Active, for a connection of the peer beside the one that another machine has.
    pub const fn await_peer(&mut self) {
        self.wanted = true;
        self.state = State::Active;
    }

    /// Behaves otherwise from now on. Timers that run do so to their end.
    pub const fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Takes the place of another machine.
    pub const fn inherit(&mut self, other: &Self) {
        self.failures = other.failures;
    }

    /// Sets what was agreed on, before [`Event::Open`].
    pub const fn agree(&mut self, hold_time: Duration, keepalive: Duration) {
        self.hold_time = hold_time;
        self.keepalive = keepalive;
    }

    /// Notes that an UPDATE or a KEEPALIVE went out: the next KEEPALIVE can wait (RFC 4271
    /// section 8.2.2, Established).
    pub fn sent(&mut self, now: Instant) {
        if matches!(self.state, State::OpenConfirm | State::Established) {
            self.start_keepalive(now);
        }
    }

    /// Starts the SendHoldTimer when there is something to write, stops it when not (RFC 9687).
    pub fn set_send_hold(&mut self, at: Option<Instant>) {
        self.timers.set(TimerKind::SendHold, at);
    }

    /// Takes an event; the actions are for the caller to do at once, in order.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match self.state {
            State::Idle => self.in_idle(&event, now),
            State::Connect => self.in_connect(event, now),
            State::Active => self.in_active(event, now),
            State::OpenSent => self.in_open_sent(event, now),
            State::OpenConfirm => self.in_open_confirm(event, now),
            State::Established => self.in_established(event, now),
        }
        core::mem::take(&mut self.actions)
    }

    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn enter(&mut self, state: State, now: Instant) {
        self.state = state;
        if state == State::Established {
            self.established = Some(now);
        }
    }

    /// A TCP connection is there, in Connect or Active: events 16 and 17.
    fn connected(&mut self, now: Instant) {
        self.timers.clear();
        self.act(Action::SendOpen);
        self.timers.set(TimerKind::Hold, Some(now + LARGE_HOLD));
        self.enter(State::OpenSent, now);
    }

    /// To Idle after a failure, with the pause that damps oscillation.
    fn fail(&mut self, last: Action, cause: DownCause, now: Instant) {
        let stood = self.established.take().map(|since| now.since(since));
        if stood.is_some_and(|stood| stood >= self.settings.stable_after) {
            self.failures = 0;
        }
        self.act(last);
        self.act(Action::Report(cause));
        self.timers.clear();
        self.timers.start_backoff(TimerKind::IdleHold, self.settings.idle_hold, self.failures, now);
        self.failures = self.failures.saturating_add(1);
        self.enter(State::Idle, now);
    }

    /// Sends a NOTIFICATION and fails.
    fn refuse(&mut self, notification: Notification, now: Instant) {
        let cause = DownCause::Sent(notification.clone());
        self.fail(Action::Close(notification), cause, now);
    }

    /// Something that has no place in this state; a message is named by its type (RFC 6608 sections
    /// 3 and 4).
    fn unexpected(&mut self, event: &Event, now: Instant) {
        let subcode = match self.state {
            State::OpenSent => 1,
            State::OpenConfirm => 2,
            State::Established => 3,
            State::Idle | State::Connect | State::Active => 0,
        };
        let message = match event {
            Event::Open => Some(Kind::Open),
            Event::Update | Event::UpdateError(_) => Some(Kind::Update),
            Event::Keepalive => Some(Kind::Keepalive),
            Event::RouteRefresh => Some(Kind::RouteRefresh),
            _ => None,
        };
        let notification = match message {
            Some(kind) => Notification::with_data(5, subcode, &[kind as u8]),
            None => Notification::new(5, subcode),
        };
        self.refuse(notification, now);
    }

    /// The operator stops: counters go to zero, and nothing is tried again (event 2).
    fn stop(&mut self, last: Action, cause: DownCause, now: Instant) {
        self.act(last);
        self.act(Action::Report(cause));
        self.halt(now);
    }

    fn halt(&mut self, now: Instant) {
        self.wanted = false;
        self.timers.clear();
        self.failures = 0;
        self.established = None;
        self.enter(State::Idle, now);
    }

    fn start_hold(&mut self, now: Instant) {
        let at = (!self.hold_time.is_zero()).then(|| now + self.hold_time);
        self.timers.set(TimerKind::Hold, at);
    }

    fn start_keepalive(&mut self, now: Instant) {
        let pause = if self.hold_time.is_zero() { Duration::ZERO } else { self.keepalive };
        self.timers.start_jittered(TimerKind::Keepalive, pause, now);
        // At most one a second, whatever the jitter (RFC 4271 section 4.4).
        let at = self.timers.get(TimerKind::Keepalive);
        self.timers.set(TimerKind::Keepalive, at.map(|at| at.max(now + Duration::from_secs(1))));
    }

    /// What ends any connection that has come as far as OpenSent; true when it did.
    fn ends(&mut self, event: &Event, now: Instant) -> bool {
        match event {
            Event::Stop(notification) => {
                let cause = DownCause::Sent(notification.clone());
                self.stop(Action::Close(notification.clone()), cause, now);
            }
            Event::Vanish(cause) => self.stop(Action::Drop, cause.clone(), now),
            Event::AutomaticStop(notification)
            | Event::HeaderError(notification)
            | Event::OpenError(notification) => self.refuse(notification.clone(), now),
            Event::CollisionDump => self.refuse(Notification::cease(Cease::Collision, ""), now),
            Event::Replaced => self.fail(Action::Drop, DownCause::Replaced, now),
            Event::Timer(TimerKind::Hold) => self.refuse(Notification::new(4, 0), now),
            Event::Timer(TimerKind::SendHold) => {
                self.fail(Action::Abort, DownCause::SendHoldExpired, now);
            }
            // Never answered with another one, not even when it is wrong (RFC 4271 section 6.4).
            Event::Notification(notification) => {
                self.fail(Action::Drop, DownCause::Received(notification.clone()), now);
            }
            _ => return false,
        }
        true
    }
}
