//! Idle: nothing is tried, by order or until the IdleHoldTimer fires.

use ha2bgp_core::time::Instant;

use super::{Action, Event, Fsm, State, TimerKind};

impl Fsm {
    pub(super) fn in_idle(&mut self, event: &Event, now: Instant) {
        match event {
            // While the IdleHoldTimer runs, a start means: do not wait.
            Event::Start => {
                self.wanted = true;
                self.failures = 0;
                self.begin(now);
            }
            // Events 6 and 7 by way of 13.
            Event::Timer(TimerKind::IdleHold) if self.wanted => self.begin(now),
            Event::Stop(_) | Event::Vanish(_) => self.halt(now),
            Event::AutomaticStop(_)
            | Event::Timer(_)
            | Event::TcpConnected
            | Event::TcpFailed
            | Event::Open
            | Event::HeaderError(_)
            | Event::OpenError(_)
            | Event::CollisionDump
            | Event::Replaced
            | Event::Notification(_)
            | Event::Keepalive
            | Event::Update
            | Event::UpdateError(_)
            | Event::RouteRefresh => {}
        }
    }

    /// The first attempt of a round is made at once.
    fn begin(&mut self, now: Instant) {
        self.timers.clear();
        if self.settings.passive {
            // No ConnectRetryTimer: it would open a connection, which a passive peer must not
            // (section 8.2.2 starts it all the same).
            self.enter(State::Active, now);
        } else {
            self.start_connect(now);
        }
    }

    pub(super) fn start_connect(&mut self, now: Instant) {
        self.act(Action::Connect);
        self.start_connect_retry(now);
        self.enter(State::Connect, now);
    }

    pub(super) fn start_connect_retry(&mut self, now: Instant) {
        let (backoff, failures) = (self.settings.connect_retry, self.failures);
        self.timers.start_backoff(TimerKind::ConnectRetry, backoff, failures, now);
    }
}
