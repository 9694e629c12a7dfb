//! The one task that owns the engine: it feeds it, lets it sleep, and hands out what it decides.
//!
//! ```text
//! observers ──mpsc──► engine task ──watch(RouteSet)──► announcer, observers
//!                         ▲  │
//!              signals ───┘  └──► journal (log)
//! ```
//! The watch channel holds only the newest set: a slow or stuck announcer costs the engine nothing.

use std::time::Duration;

use ha2bgp_core::config::EngineConfig;
use ha2bgp_core::engine::{Engine, Input, Output};
use ha2bgp_core::fact::Observation;
use ha2bgp_core::route::RouteSet;
use ha2bgp_core::time::Instant;
use ha2bgp_proto::exabgp::Snapshot;
use tokio::sync::{mpsc, watch};

use super::journal::Journal;
use super::{dump, signals};
use crate::clock::Clock;

/// How many observations are taken in one go before the timers are looked at again.
const BATCH_MAX: usize = 1024;

/// A timer this late means that the whole program was frozen (SIGSTOP, a suspended VM).
const FROZEN_AFTER: Duration = Duration::from_millis(500);

/// After a freeze the observers get this long to say what happened meanwhile, before timers that
/// became due during the freeze may fire: twice the interval of the reconcile dump.
const THAW: Duration = Duration::from_millis(250);

/// The engine with its surroundings.
#[derive(Debug)]
pub(super) struct EngineTask {
    engine: Engine,
    clock: Clock,
    journal: Journal,
    observations: mpsc::Receiver<Observation>,
    routes: watch::Sender<RouteSet>,
    /// What the announcer last said of itself.
    announcer: watch::Receiver<Option<Snapshot>>,
    /// Timers wait until here after a freeze.
    timers_from: Option<Instant>,
}

impl EngineTask {
    pub(super) fn new(
        config: EngineConfig,
        clock: Clock,
        observations: mpsc::Receiver<Observation>,
        routes: watch::Sender<RouteSet>,
        announcer: watch::Receiver<Option<Snapshot>>,
    ) -> Self {
        Self {
            engine: Engine::new(config, clock.now()),
            clock,
            journal: Journal::new(clock),
            observations,
            routes,
            announcer,
            timers_from: None,
        }
    }

    /// Decides until a signal asks to stop or `until` is ready; then withdraws everything.
    ///
    /// Dropping the returned task closes the routes channel: announcers then finish and end.
    pub(super) async fn run(
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
            tokio::select! {
                biased;
                () = &mut until => return Stop::AnnouncerEnded,
                count = self.observations.recv_many(&mut batch, BATCH_MAX) => {
                    if count == 0 {
                        // Observers run as long as the program.
                        return Stop::ObserversEnded;
                    }
                    self.handle_all(batch.drain(..).map(Input::Observation));
                }
                signal = signals.next() => match signal {
                    signals::Signal::Stop(name) => {
                        tracing::info!(signal = name, "stopping: withdrawing everything");
                        self.handle_all([Input::Shutdown]);
                        return Stop::Asked;
                    }
                    signals::Signal::Dump => {
                        let announcer = self.announcer.borrow().clone();
                        dump::log(&self.engine, announcer.as_ref(), self.clock.now());
                    }
                },
                () = timer => self.timeout(),
            }
        }
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
    fn handle_all(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let mut changed = false;
        let mut events = Vec::new();
        for input in inputs {
            self.engine.handle(input, self.clock.now());
            while let Some(output) = self.engine.poll_output() {
                match output {
                    Output::SetRoutes(_) => changed = true,
                    Output::Event(event) => events.push(event),
                }
            }
        }
        if changed {
            self.routes.send_replace(self.engine.routes().clone());
        }
        // Announcing is urgent, telling is not.
        for event in &events {
            self.journal.event(event);
        }
    }
}

/// Why the engine task stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stop {
    /// By a signal.
    Asked,
    /// The announcer is gone: nobody to announce to.
    AnnouncerEnded,
    /// No observer is left.
    ObserversEnded,
}
