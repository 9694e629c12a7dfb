//! The one task that owns the engine: it feeds it, lets it sleep, and hands out what it decides.
//!
//! ```text
//! observers ──mpsc──► engine task ──watch(Desired)───► announcer, state file
//! probes                  ▲  │   ├──watch(RouteSet)──► observers
//!                         │  │   ├──watch(CheckKey…)─► probes
//!                         │  │   └──doorbells────────► announcer
//!              signals ───┘  └──Teller──────────► log, history, stream of events
//! ```
//! The watch channel holds only the newest set: a slow or stuck announcer costs the engine nothing.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use ha2bgp_core::check::CheckKey;
use ha2bgp_core::engine::{Engine, Input, Output};
use ha2bgp_core::event::Event;
use ha2bgp_core::fact::Observation;
use ha2bgp_core::route::RouteSet;
use ha2bgp_core::time::Instant;
use tokio::sync::{mpsc, watch};

use super::drain::Drains;
use super::ledger::Ledger;
use super::ledger_file::Keeper;
use super::measures::Meter;
use super::readers::Readers;
use super::reload::{Configuration, News};
use super::{dump, signals};
use crate::announce::{Desired, Manner, Progress};
use crate::bfd::states::States;
use crate::clock::Clock;
use crate::config::duration;
use crate::control::orders::{Author, Reload};
use crate::control::questions::Question;
use crate::events::{Teller, from_engine};
use crate::log::LevelHandle;
use crate::observe::Seen;
use crate::observe::listen::Looks;
use crate::record::Recorder;

/// How many observations are taken in one go before the timers are looked at again.
const BATCH_MAX: usize = 1024;

/// A timer this late means that the whole program was frozen (SIGSTOP, a suspended VM).
const FROZEN_AFTER: Duration = Duration::from_millis(500);

/// After a freeze the observers get this long to say what happened meanwhile, before timers that
/// became due during the freeze may fire: twice the interval of the reconcile dump.
const THAW: Duration = Duration::from_millis(250);

/// What observations made the engine say is told so much later: when the announcer has done its work,
/// and whoever waits on this host for what it wrote has had the processor. With the second look of the
/// listen observer it costs no wake-up of its own.
const TELL_AFTER: Duration = Duration::from_millis(1);

/// While more and more happens, that begins no later than this after the first of it,
const TELL_LATEST: Duration = Duration::from_millis(20);

/// and goes on in pieces of so many events, between which observations are taken first.
const TELL_AT_ONCE: usize = 64;

/// No more is kept back than this.
const UNTOLD_MAX: usize = 16_384;

/// The engine with its surroundings.
#[derive(Debug)]
pub(super) struct EngineTask {
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) observations: mpsc::Receiver<Seen>,
    pub(super) ends: Ends,
    /// Stopping was asked for: until here the routes are announced as the last choice.
    pub(super) draining: Option<Instant>,
    pub(super) configuration: Configuration,
    pub(super) ledger: Ledger,
    pub(super) keeper: Keeper,
    pub(super) drains: Drains,
    pub(super) recorder: Option<Recorder>,
    pub(super) meter: Meter,
    /// Changes which lines the log has.
    pub(super) levels: Option<LevelHandle>,
    /// When the next question may be answered.
    pub(super) readers: Readers,
    /// Timers wait until here after a freeze.
    timers_from: Option<Instant>,
    /// What is to be told a moment later.
    untold: Untold,
    /// An operator wants it to end for another process.
    pub(super) restart: bool,
}

/// Where the engine task hands out what others need, and gets what it shows.
#[derive(Debug)]
pub(super) struct Ends {
    /// To the announcer.
    pub(super) desired: watch::Sender<Desired>,
    /// To the observers: what is announced.
    pub(super) routes: watch::Sender<RouteSet>,
    /// To the probes: the checks that are to be made.
    pub(super) checks: watch::Sender<BTreeSet<CheckKey>>,
    /// Counts the changes of this host's addresses.
    pub(super) addresses: watch::Sender<u64>,
    /// The newest set that every router has.
    pub(super) told: watch::Receiver<RouteSet>,
    /// What the announcer last said of itself.
    pub(super) announcer: watch::Receiver<Option<Progress>>,
    /// What is known of BFD sessions.
    pub(super) bfd: watch::Receiver<States>,
    /// Where it is told what happens.
    pub(super) teller: Teller,
    /// How listeners are noticed, in words.
    pub(super) notice: watch::Receiver<String>,
    /// How often the listen observer looked.
    pub(super) looks: Looks,
    /// What the control interface wants to know.
    pub(super) questions: mpsc::Receiver<Question>,
}

impl EngineTask {
    pub(super) fn new(
        configuration: Configuration,
        (ledger, keeper): (Ledger, Keeper),
        recorder: Option<Recorder>,
        clock: Clock,
        observations: mpsc::Receiver<Seen>,
        ends: Ends,
    ) -> Self {
        let mut task = Self {
            engine: Engine::new(configuration.settings.engine.clone(), clock.now()),
            configuration,
            ledger,
            keeper,
            drains: Drains::new(ends.told.clone(), clock.now()),
            recorder,
            meter: Meter::new(),
            levels: None,
            readers: Readers::default(),
            clock,
            observations,
            ends,
            draining: None,
            timers_from: None,
            untold: Untold::default(),
            restart: false,
        };
        // What the configuration alone makes of the engine, and what operators said before.
        let overrides = task.ledger.for_engine(jiff::Timestamp::now(), clock.now());
        task.handle_all([Input::SetOverrides(overrides)]);
        task
    }

    /// Hands an input to the engine before [`EngineTask::run`].
    pub(super) fn prime(&mut self, input: Input) {
        self.handle_all([input]);
    }

    /// Decides until a signal asks to end or `until` is ready. When asked to stop, it withdraws
    /// everything first, after the drain time.
    ///
    /// Dropping the returned task closes the routes channel: announcers then finish and end.
    pub(super) async fn run(
        &mut self,
        signals: &mut signals::Signals,
        until: impl Future<Output = ()>,
    ) -> Stop {
        let stop = self.decide(signals, until).await;
        self.tell_untold();
        stop
    }

    async fn decide(
        &mut self,
        signals: &mut signals::Signals,
        until: impl Future<Output = ()>,
    ) -> Stop {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        tokio::pin!(until);
        loop {
            let wake = self.wake();
            let timer = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(self.clock.until(at)).await,
                    None => std::future::pending().await,
                }
            };
            let drained = async {
                match self.draining {
                    Some(at) => tokio::time::sleep_until(self.clock.until(at)).await,
                    None => std::future::pending().await,
                }
            };
            let tell_at = self.untold.at;
            let telling = async {
                match tell_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let trial = self.configuration.trial.as_ref().map(|trial| trial.until);
            let clock = self.clock;
            let trial_over = async {
                match trial {
                    Some(at) => tokio::time::sleep_until(clock.until(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut until => return Stop::AnnouncerEnded,
                count = self.observations.recv_many(&mut batch, BATCH_MAX) => {
                    if count == 0 {
                        // Observers run as long as the program.
                        return Stop::ObserversEnded;
                    }
                    let events = self.handle_each(batch.drain(..).map(|seen| {
                        let Seen { at, took, what } = seen;
                        (Input::Observation(what), Some(Times { at, took }))
                    }));
                    self.tell_later(events);
                }
                signal = signals.next() => match signal {
                    signals::Signal::Stop(name) if self.drain(name) => {}
                    signals::Signal::Stop(name) => {
                        tracing::info!(signal = name, "stopping: withdrawing everything");
                        self.withdraw_all();
                        return Stop::Asked;
                    }
                    signals::Signal::Restart => return self.leave_routes(),
                    signals::Signal::Reload => {
                        let author = Author("SIGHUP".to_owned());
                        self.reload(Reload { author, force: false, confirm: None }, None);
                        self.dump();
                    }
                    signals::Signal::Dump => self.dump(),
                },
                () = drained => {
                    tracing::info!("the drain time is over: withdrawing everything");
                    self.withdraw_all();
                    return Stop::Asked;
                }
                () = timer => self.timeout(),
                () = telling => {
                    self.tell_some(TELL_AT_ONCE);
                    tokio::task::yield_now().await;
                }
                news = self.configuration.next() => match news {
                    News::Loaded(Ok(load)) => self.loaded(*load),
                    News::Loaded(Err(error)) => {
                        tracing::error!(%error, "the configuration was not read");
                    }
                    News::FilesChanged => {
                        let author = Author("watch-config".to_owned());
                        self.reload(Reload { author, force: false, confirm: None }, None);
                    }
                },
                () = trial_over => self.roll_back(),
                woken = self.drains.next(clock) => self.drains_woken(woken),
                Some(question) = self.readers.next(&mut self.ends.questions) => {
                    self.tell_untold();
                    self.answer(question);
                }
            }
            if self.restart {
                return self.leave_routes();
            }
        }
    }

    /// Begins to drain. False when there is nothing to drain, or no time, or it drains already.
    fn drain(&mut self, signal: &str) -> bool {
        let speaker = self.configuration.settings.speaker.as_ref();
        let time = speaker.map(|speaker| speaker.drain_time).unwrap_or_default();
        let routes = self.engine.routes().len();
        if self.draining.is_some() || time.is_zero() || routes == 0 {
            return false;
        }
        tracing::info!(
            signal,
            routes,
            "draining for {}: routes are announced as the last choice (GRACEFUL_SHUTDOWN), then \
             withdrawn; the same signal again withdraws them now",
            duration::show(time)
        );
        self.draining = Some(self.clock.now() + time);
        self.publish(Manner::Draining);
        true
    }

    /// Ends for another process. That one reads the files as they are, on trial or not.
    fn leave_routes(&mut self) -> Stop {
        self.publish(Manner::Restarting);
        Stop::Restart
    }

    fn withdraw_all(&mut self) {
        self.handle_all([Input::Shutdown]);
        self.publish(Manner::Stopping);
    }

    fn dump(&self) {
        let announcer = self.ends.announcer.borrow().clone();
        let notice = self.ends.notice.borrow().clone();
        let bfd = self.ends.bfd.borrow().clone();
        let (now, draining) = (self.clock.now(), self.draining);
        let at = dump::At { now, draining, notice: &notice, bfd: &bfd };
        dump::log(&self.engine, announcer.as_ref(), &at);
        self.dump_overrides();
    }

    /// When to wake up for a timer.
    fn wake(&self) -> Option<Instant> {
        let due = self.engine.poll_timeout()?;
        Some(self.timers_from.map_or(due, |from| due.max(from)))
    }

    fn timeout(&mut self) {
        let now = self.clock.now();
        let late = self.engine.poll_timeout().map_or(Duration::ZERO, |due| now - due);
        if self.timers_from.is_none() && late > FROZEN_AFTER {
            tracing::warn!(?late, "was frozen: looking again before late timers fire");
            self.timers_from = Some(now + THAW);
            return;
        }
        self.timers_from = None;
        self.handle_all([Input::Timeout]);
    }

    /// Hands inputs to the engine and passes on what it wants; the newest set goes out once.
    pub(super) fn handle_all(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let events = self.handle_each(inputs.into_iter().map(|input| (input, None)));
        self.untold.events.extend(events);
        self.tell_untold();
    }

    /// Announcing is urgent, telling is not.
    fn tell_later(&mut self, events: Vec<Event>) {
        self.untold.events.extend(events);
        let too_many = self.untold.events.len().saturating_sub(UNTOLD_MAX);
        if too_many > 0 {
            self.tell_some(too_many);
        }
        if !self.untold.is_empty() {
            self.untold.put_off(tokio::time::Instant::now());
        }
    }

    /// Tells all that was kept back.
    fn tell_untold(&mut self) {
        self.tell_some(usize::MAX);
    }

    /// Tells so many of the events that were kept back, the oldest first.
    fn tell_some(&mut self, most: usize) {
        if std::mem::take(&mut self.untold.routes) {
            self.ends.routes.send_replace(self.engine.routes().clone());
        }
        let count = self.untold.events.len().min(most);
        if count > 0 {
            let events = self.untold.events.drain(..count).collect();
            self.tell_events(events);
        }
        if self.untold.is_empty() {
            self.untold = Untold::default();
        }
    }

    /// The same, with what was measured of an observation. What happened is to be told.
    fn handle_each(&mut self, inputs: impl Iterator<Item = (Input, Option<Times>)>) -> Vec<Event> {
        let mut changed = false;
        let mut addresses = false;
        let mut checks = false;
        let mut events = Vec::new();
        let judged = self.engine.has_first_verdicts();
        self.drain_outputs(&mut changed, &mut checks, &mut events);
        for (input, times) in inputs {
            addresses |= matches!(
                input,
                Input::Observation(Observation::AddressChanged(_) | Observation::AddressRemoved(_))
            );
            let now = self.clock.now();
            if let Some(recorder) = &mut self.recorder {
                recorder.input(&self.engine, now, &input);
            }
            let took = times.and_then(|times| times.took);
            if let (Some(took), Input::Observation(Observation::Probed { check, .. })) =
                (took, &input)
            {
                self.meter.probed(check.check, took);
            }
            self.engine.handle(input, now);
            let before = std::mem::take(&mut changed);
            self.drain_outputs(&mut changed, &mut checks, &mut events);
            if let (true, Some(times)) = (changed, times) {
                self.meter.decided(times.at.elapsed());
            }
            changed |= before;
        }
        if changed || judged != self.engine.has_first_verdicts() {
            let manner = self.ends.desired.borrow().manner;
            self.publish(manner);
        }
        if checks {
            self.ends.checks.send_replace(self.engine.checks().collect());
        }
        if addresses {
            self.ends.addresses.send_modify(|changes| *changes = changes.wrapping_add(1));
        }
        events
    }

    /// Tells what happened.
    fn tell_events(&mut self, events: Vec<Event>) {
        for event in &events {
            if let Event::OverrideEnded(over) = event {
                self.override_ended(over.id);
            }
        }
        let engine = &self.engine;
        // What is known of an override is told above.
        let events = events.into_iter().filter(|it| !matches!(it, Event::OverrideEnded(_)));
        let named = events.map(|event| {
            let name = from_engine::vip(&event).map(|vip| engine.service_name(vip));
            (event, name.unwrap_or_default())
        });
        self.ends.teller.engine(named);
    }

    fn drain_outputs(&mut self, routes: &mut bool, checks: &mut bool, events: &mut Vec<Event>) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::SetRoutes(_) => *routes = true,
                Output::SetChecks => *checks = true,
                Output::Event(event) => {
                    if let Some(recorder) = &mut self.recorder {
                        recorder.event(self.clock.now(), &event);
                    }
                    events.push(event);
                }
            }
        }
    }

    /// Hands out what is wanted now.
    fn publish(&mut self, manner: Manner) {
        let routes = self.engine.routes().clone();
        let complete = self.engine.has_first_verdicts();
        let decided_at = self.clock.now();
        self.ends.desired.send_replace(Desired { routes, complete, manner, decided_at });
        self.untold.routes = true;
    }
}

/// What is kept back for a moment.
#[derive(Debug, Default)]
struct Untold {
    events: VecDeque<Event>,
    /// Observers do not know yet what is announced.
    routes: bool,
    /// When it is told.
    at: Option<tokio::time::Instant>,
    /// When it is told although more happens.
    latest: Option<tokio::time::Instant>,
}

impl Untold {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.routes
    }

    /// More has happened now.
    fn put_off(&mut self, now: tokio::time::Instant) {
        let latest = *self.latest.get_or_insert(now + TELL_LATEST);
        self.at = Some(latest.min(now + TELL_AFTER));
    }
}

/// What was measured of an observation.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// When it was made.
    at: tokio::time::Instant,
    /// How long the probe took.
    took: Option<Duration>,
}

/// Why the engine task stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stop {
    /// By a signal, for good.
    Asked,
    /// By a signal, to start again.
    Restart,
    /// The announcer is gone: nobody to announce to.
    AnnouncerEnded,
    /// No observer is left.
    ObserversEnded,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telling_waits_while_more_happens_but_not_for_long() {
        let start = tokio::time::Instant::now();
        let mut untold = Untold::default();
        untold.put_off(start);
        assert_eq!(untold.at, Some(start + TELL_AFTER));
        let later = start + TELL_AFTER / 2;
        untold.put_off(later);
        assert_eq!(untold.at, Some(later + TELL_AFTER));
        untold.put_off(start + 3 * TELL_LATEST);
        assert_eq!(untold.at, Some(start + TELL_LATEST));
    }
}
