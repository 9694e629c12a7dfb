//! The session: desired routes and answers in, lines and events out.
//!
//! The driver's loop: feed what arrived (`set_routes`, `handle_bytes`, `handle_timeout`); while
//! [`Session::wants_write`], see whether the pipe takes [`MAX_WRITE`] bytes: then `poll_write`,
//! write, `written`, else `blocked`; drain `poll_event`; sleep until `poll_timeout` or input.
//!
//! Limits: [`WINDOW`] commands and [`WINDOW_BYTES`] in flight, [`EVENTS_MAX`] events not fetched,
//! one write of [`MAX_WRITE`] bytes, one partial line of 64 KiB, 131 072 withdrawn prefixes.
//!
//! Measured with 5 000 routes, one announcement a line (4.2.21 / 5.0.15): window 64: 1.3 s / 1.9 s;
//! one at a time: 3.2 s / 6.4 s; no window at all: 3.5 s / 4.9 s, since ExaBGP then schedules more
//! than it works off. Grouped lines of 100: 1.6 s / 2.2 s, so groups save bytes, not time.
//!
//! [`MAX_WRITE`]: super::MAX_WRITE

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::route::RouteSet;
use ha2bgp_core::time::Instant;

use super::answer::{Line, Reader};
use super::command::Command;
use super::dialect::{ApiVersion, Dialect};
use super::event::{Acks, Event, Snapshot};
use super::flight::{Flight, Matched, Waiting};
use super::last_choice::{Drain, LastChoice, Looks};
use super::liveness::{Liveness, Verdict};
use super::rib::{Lane, Outcome, Rib};
use crate::told::Told;

mod compose;
mod routes;

pub use routes::PipeRoute;

/// Commands that may wait for their answers.
pub(super) const WINDOW: usize = 64;
/// And their bytes. ExaBGP 4.x reads up to 16 384 bytes at once through a buffer that may take
/// more from the pipe than it hands on; what stays in it is seen only when more arrives
/// (`reactor/api/processes.py`, the comment in 5.x). Less than that can never be left behind.
pub(super) const WINDOW_BYTES: usize = 16_000;
/// Events kept for the driver; the oldest go first.
pub(super) const EVENTS_MAX: usize = 4096;
/// The newest changes of which it is known when ExaBGP was told.
const CHANGES_MAX: usize = 4096;

/// How a session behaves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// The grammar, or `Auto`.
    pub version: ApiVersion,
    /// For `Auto`: what [`super::detect`] found.
    pub detected: Option<Dialect>,
    /// False when nobody can answer (output only): no window, no waiting.
    pub answers: bool,
    /// Put routes with equal attributes on one line when at least so many wait.
    pub group_from: Option<usize>,
    /// Say each announcement again after so long, each withdrawal after three times that.
    pub reassert: Option<Duration>,
    /// What else is said of routes that are the last choice.
    pub last_choice: LastChoice,
    /// How routes go out while an operator drains them.
    pub drain: Drain,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: ApiVersion::Auto,
            detected: None,
            answers: true,
            group_from: None,
            reassert: Some(Duration::from_secs(300)),
            last_choice: LastChoice::default(),
            drain: Drain::default(),
        }
    }
}

/// The search for the dialect: one is spoken until a round of commands ends with errors only, then
/// the other.
#[derive(Debug)]
struct Learning {
    errors: u64,
    rounds: u32,
}

/// One conversation with ExaBGP.
#[derive(Debug)]
pub struct Session {
    options: Options,
    rib: Rib,
    /// When ExaBGP was told what it was told last.
    told: Told,
    flight: Flight,
    liveness: Liveness,
    reader: Reader,
    dialect: Dialect,
    learning: Option<Learning>,
    learned: Option<Dialect>,
    probe: bool,
    next_reassert: Instant,
    /// The write under way, how much of it is done, and what it says.
    out: Vec<u8>,
    out_done: usize,
    batch: Vec<(Command, usize)>,
    events: VecDeque<Event>,
    /// What ExaBGP said just before an `error`.
    reason: Option<String>,
    /// ExaBGP said that it stops.
    stops: bool,
    commands: u64,
    done: u64,
    errors: u64,
    /// Errors for commands that were written while answers were absent.
    ghost_errors: u64,
    unexpected: u64,
    ignored: u64,
    lost_events: u64,
}

impl Session {
    /// A session that has sent nothing yet.
    pub fn new(options: Options) -> Self {
        let fixed = options.version.dialect();
        let answers = options.answers && fixed != Some(Dialect::V3);
        let acks = if answers { Acks::Unknown } else { Acks::Absent };
        Self {
            rib: Rib::new(
                options.reassert,
                Looks::new(options.last_choice.clone(), options.drain.clone()),
            ),
            told: Told::new(CHANGES_MAX),
            flight: Flight::default(),
            liveness: Liveness::new(acks),
            reader: Reader::default(),
            dialect: fixed.or(options.detected).unwrap_or(Dialect::V4),
            learning: (fixed.is_none() && answers).then_some(Learning { errors: 0, rounds: 0 }),
            learned: None,
            options,
            probe: false,
            next_reassert: Instant::START,
            out: Vec::new(),
            out_done: 0,
            batch: Vec::new(),
            events: VecDeque::new(),
            reason: None,
            stops: false,
            commands: 0,
            done: 0,
            errors: 0,
            ghost_errors: 0,
            unexpected: 0,
            ignored: 0,
            lost_events: 0,
        }
    }

    /// Takes the whole desired set. Only the newest state of each prefix is ever sent.
    pub fn set_routes(&mut self, routes: &RouteSet, now: Instant) {
        let serial = self.serial();
        self.rib.set(routes, serial);
        self.rib.release_retries(now, serial);
    }

    /// Withdraws what a process before this one may have announced, unless it is wanted: ExaBGP
    /// keeps the routes of a helper that was killed, and starts a new one.
    pub fn withdraw_leftovers(&mut self, routes: &RouteSet) {
        let serial = self.serial();
        self.rib.adopt(routes, serial);
    }

    /// Takes bytes from ExaBGP, cut anywhere.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        if !self.options.answers {
            return;
        }
        let mut reader = mem::take(&mut self.reader);
        reader.feed(bytes, &mut |line| match line {
            Line::Done => self.answer(true, now),
            Line::Error => self.answer(false, now),
            Line::Reason(reason) => self.reason = Some(reason),
            Line::Stops => self.peer_stops(),
            Line::Other => self.ignored += 1,
        });
        self.reader = reader;
        let serial = self.serial();
        self.rib.release_retries(now, serial);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let serial = self.serial();
        self.rib.release_retries(now, serial);
        if self.may_reassert() && now >= self.next_reassert {
            let (gap, count) = self.reassert_pace();
            if self.rib.next_reassert().is_some_and(|at| at <= now) {
                self.rib.release_reasserts(now, count, serial);
                self.next_reassert = now + gap;
            }
        }
        match self.liveness.judge(self.flight.commands(), now) {
            Verdict::Fine => {}
            Verdict::NoAnswers => self.give_up(false),
            Verdict::GiveUp => self.give_up(true),
            Verdict::Stalled => {
                self.probe = true;
                let in_flight = self.flight.commands();
                self.report(Event::Stalled { in_flight });
            }
            Verdict::Lost => {
                let lost = self.flight.clear(false);
                let prefixes = self.release(lost, true);
                self.report(Event::Resynchronised { prefixes });
            }
        }
    }

    /// When [`Session::handle_timeout`] must be called at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let reassert = self
            .rib
            .next_reassert()
            .filter(|_| self.may_reassert())
            .map(|at| at.max(self.next_reassert));
        [self.rib.next_retry(), reassert, self.liveness.due(self.flight.commands())]
            .into_iter()
            .flatten()
            .min()
    }

    /// True when [`Session::poll_write`] has something.
    pub fn wants_write(&self) -> bool {
        !self.out.is_empty() || self.probe || (self.open() && self.next_lane().is_some())
    }

    /// The bytes to write now, at most [`MAX_WRITE`](super::MAX_WRITE). Call it only when the pipe takes them: what
    /// is handed out is settled and does not follow later changes.
    pub fn poll_write(&mut self, now: Instant) -> Option<&[u8]> {
        self.liveness.writable(now);
        if self.out.is_empty() {
            self.compose(now);
        }
        self.out.get(self.out_done..).filter(|rest| !rest.is_empty())
    }

    /// Notes that so many bytes of [`Session::poll_write`] were written.
    pub fn written(&mut self, count: usize, now: Instant) {
        self.out_done += count;
        if self.out_done < self.out.len() {
            return;
        }
        self.out.clear();
        self.out_done = 0;
        let mut batch = mem::take(&mut self.batch);
        for (command, bytes) in batch.drain(..) {
            self.commands += 1;
            command.prefixes.iter().for_each(|prefix| self.told.push(*prefix));
            self.told.close(self.commands);
            self.told.written(self.commands, now);
            self.report(Event::Sent { command: command.clone() });
            if self.liveness.acks() == Acks::Absent {
                if self.options.answers {
                    self.flight.push_ghost();
                }
                self.release(Vec::from([command]), false);
            } else {
                self.liveness.written(self.flight.commands(), now);
                self.flight.push(command, self.commands, bytes, now);
            }
        }
        self.batch = batch;
        self.rib.trim();
    }

    /// Notes that the pipe does not take more now.
    pub fn blocked(&mut self) {
        self.liveness.block();
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// True when everything was sent and, where answers come, accepted.
    pub fn is_settled(&self) -> bool {
        self.unsettled() == 0
    }

    /// True when ExaBGP has said that it stops: what the pipe does not take now, it never takes.
    pub const fn is_peer_stopping(&self) -> bool {
        self.stops
    }

    /// Prefixes that are not settled: not sent, not answered, or rejected.
    pub fn unsettled(&self) -> usize {
        let in_flight = self.flight.prefixes();
        let retrying = if self.stops { 0 } else { self.rib.retrying() };
        let batch: usize = self.batch.iter().map(|(it, _)| it.prefixes.len()).sum();
        self.rib.waiting(Lane::Withdraw)
            + self.rib.waiting(Lane::Announce)
            + retrying
            + in_flight
            + batch
    }

    /// The state in numbers.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            intended: self.rib.intended(),
            sent: self.rib.sent,
            acknowledged: self.rib.acknowledged,
            rejected: self.rib.rejected,
            pending: self.rib.waiting(Lane::Withdraw) + self.rib.waiting(Lane::Announce),
            in_flight: self.flight.commands(),
            withdrawn: self.rib.withdrawn(),
            commands: self.commands,
            done: self.done,
            errors: self.errors,
            unexpected: self.unexpected,
            ignored_lines: self.ignored,
            skipped_lines: self.reader.skipped,
            lost_events: self.lost_events,
            dialect: self.dialect,
            learning: self.learning.is_some(),
            acks: self.liveness.acks(),
            stalled: self.liveness.is_stalled(),
        }
    }

    fn answer(&mut self, done: bool, now: Instant) {
        let count = if done { &mut self.done } else { &mut self.errors };
        *count += 1;
        let reason = self.reason.take();
        let (were_absent, silence) = self.liveness.answered(now);
        if were_absent {
            self.report(Event::AcksPresent);
        }
        if let Some(after) = silence {
            self.report(Event::Resumed { after });
        }
        match self.flight.answer() {
            Matched::Nothing => self.unexpected += 1,
            Matched::Ghost if done => {}
            Matched::Ghost => self.ghost_errors += 1,
            Matched::Command(waiting) if done => self.accepted(waiting, now),
            Matched::Command(waiting) => self.refused(&waiting.command, reason.as_ref(), now),
        }
        if self.flight.commands() == 0 {
            self.liveness.idle();
            self.probe = false;
        }
        if self.flight.is_empty() {
            self.all_answered();
        }
    }

    fn all_answered(&mut self) {
        let ghost_errors = mem::take(&mut self.ghost_errors);
        if let Some(learning) = &mut self.learning
            && learning.errors + ghost_errors > 0
        {
            learning.errors = 0;
            learning.rounds = learning.rounds.saturating_add(1);
            self.dialect = self.dialect.other();
        }
        let all_refused = self.rib.acknowledged == 0 && self.rib.rejected > 0;
        if self.options.version == ApiVersion::Auto && self.learning.is_none() && all_refused {
            // What was learned is worth nothing: answers may have been matched wrongly.
            self.learning = Some(Learning { errors: 0, rounds: 1 });
        }
        if ghost_errors > 0 {
            // Whose errors they were nobody knows.
            let serial = self.serial();
            self.rib.repeat_unsure(serial);
        }
    }

    fn accepted(&mut self, waiting: Waiting, now: Instant) {
        if self.learning.take().is_some() && self.learned != Some(self.dialect) {
            let dialect = self.dialect;
            self.learned = Some(dialect);
            self.report(Event::DialectLearned { dialect });
        }
        self.told.answered(waiting.number, now);
        let command = waiting.command;
        for &prefix in &command.prefixes {
            if self.conclude(prefix, &command, true, false, now) == Outcome::Accepted {
                self.report(Event::Accepted { prefix });
            }
        }
        self.report(Event::Acknowledged { command, latency: now.since(waiting.written) });
    }

    fn refused(&mut self, command: &Command, reason: Option<&String>, now: Instant) {
        let guessing = self.learning.as_mut().is_some_and(|learning| {
            learning.errors += 1;
            // The first round may be the wrong grammar; the second is no longer excused.
            learning.rounds == 0
        });
        for &prefix in &command.prefixes {
            if self.conclude(prefix, command, false, guessing, now) == Outcome::Rejected {
                let line =
                    Command { prefixes: Vec::from([prefix]), ..command.clone() }.text(self.dialect);
                self.report(Event::Rejected { prefix, line, reason: reason.cloned() });
            }
        }
    }

    fn conclude(
        &mut self,
        prefix: Prefix,
        command: &Command,
        done: bool,
        guessing: bool,
        now: Instant,
    ) -> Outcome {
        let outcome = self.rib.answered(prefix, command.verb, done, guessing, now);
        let serial = self.serial();
        self.rib.plan(prefix, serial);
        outcome
    }

    fn give_up(&mut self, resend: bool) {
        self.expect_nothing(resend);
        self.report(Event::AcksAbsent);
    }

    /// A stopping ExaBGP answers nothing, and waits for its helpers to end: 4.2.21 for ever, 5.0.15
    /// for two seconds before it kills them.
    fn peer_stops(&mut self) {
        if !mem::replace(&mut self.stops, true) {
            self.expect_nothing(false);
            self.report(Event::PeerStops);
        }
    }

    fn expect_nothing(&mut self, resend: bool) {
        self.liveness.give_up();
        self.probe = false;
        let waiting = self.flight.clear(true);
        self.release(waiting, resend);
    }

    fn release(&mut self, commands: Vec<Command>, resend: bool) -> usize {
        let serial = self.serial();
        let mut count = 0;
        for prefix in commands.into_iter().flat_map(|it| it.prefixes) {
            self.rib.released(prefix, resend, serial);
            count += 1;
        }
        count
    }

    /// One command per prefix at a time. Only where answers are sure to come: else the first
    /// change of a prefix could wait for an answer that no version gives.
    fn serial(&self) -> bool {
        self.liveness.acks() == Acks::Present
    }

    fn report(&mut self, event: Event) {
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
            self.lost_events += 1;
        }
        self.events.push_back(event);
    }
}
