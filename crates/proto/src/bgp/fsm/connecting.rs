//! Connect and Active: no connection yet.
//!
//! Not as in section 8.2.2: when an attempt fails (event 18 in Connect), the RFC goes to Idle,
//! where the peer's connections are refused. We go to Active, as the RFC does while its
//! DelayOpenTimer runs: the peer may connect while we wait for the ConnectRetryTimer.

use ha2bgp_core::time::Instant;

use super::{Action, Event, Fsm, State, TimerKind};
use crate::bgp::event::DownCause;

impl Fsm {
    pub(super) fn in_connect(&mut self, event: Event, now: Instant) {
        match event {
            Event::Start => {}
            Event::TcpConnected => self.connected(now),
            Event::TcpFailed => {
                self.act(Action::Report(DownCause::ConnectFailed));
                self.start_connect_retry(now);
                self.failures = self.failures.saturating_add(1);
                self.enter(State::Active, now);
            }
            Event::Timer(TimerKind::ConnectRetry) => {
                self.act(Action::Drop);
                self.act(Action::Report(DownCause::ConnectTimeout));
                self.failures = self.failures.saturating_add(1);
                self.start_connect(now);
            }
            event => self.without_connection(event, now),
        }
    }

    pub(super) fn in_active(&mut self, event: Event, now: Instant) {
        match event {
            Event::Start => {}
            Event::TcpConnected => self.connected(now),
            Event::Timer(TimerKind::ConnectRetry) if !self.settings.passive => {
                self.start_connect(now);
            }
            // Restarted by mistake at most: a passive peer never runs it.
            Event::Timer(TimerKind::ConnectRetry) => {}
            Event::TcpFailed => self.fail(Action::Drop, DownCause::ConnectFailed, now),
            event => self.without_connection(event, now),
        }
    }

    /// Nobody is there to be told anything.
    fn without_connection(&mut self, event: Event, now: Instant) {
        match event {
            Event::Stop(_) => self.stop(Action::Drop, DownCause::Stopped, now),
            Event::Vanish(cause) => self.stop(Action::Drop, cause, now),
            Event::Notification(notification) => {
                self.fail(Action::Drop, DownCause::Received(notification), now);
            }
            // "In response to any other event": drop, and Idle.
            Event::Start
            | Event::AutomaticStop(_)
            | Event::Timer(_)
            | Event::TcpConnected
            | Event::TcpFailed
            | Event::Open
            | Event::HeaderError(_)
            | Event::OpenError(_)
            | Event::CollisionDump
            | Event::Replaced
            | Event::Keepalive
            | Event::Update
            | Event::UpdateError(_)
            | Event::RouteRefresh => {
                self.fail(Action::Drop, DownCause::ConnectFailed, now);
            }
        }
    }
}
