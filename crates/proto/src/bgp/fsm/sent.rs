//! OpenSent: waiting for the peer's OPEN.
//!
//! Not as in section 8.2.2: a NOTIFICATION (event 25) is not answered with a finite state machine
//! error, since NOTIFICATIONs are never answered. With hold time zero, OpenConfirm keeps the large
//! hold time, where the RFC stops the timer.

use ha2bgp_core::time::Instant;

use super::{Action, Event, Fsm, LARGE_HOLD, State, TimerKind};
use crate::bgp::event::DownCause;

impl Fsm {
    pub(super) fn in_open_sent(&mut self, event: Event, now: Instant) {
        if self.ends(&event, now) {
            return;
        }
        match event {
            // The connection is there; a second one has a machine of its own.
            Event::Start | Event::TcpConnected => {}
            Event::Open => {
                self.act(Action::SendKeepalive);
                self.start_hold(now);
                if self.hold_time.is_zero() {
                    // Else a peer that goes silent here would be waited for without end.
                    self.timers.set(TimerKind::Hold, Some(now + LARGE_HOLD));
                }
                self.start_keepalive(now);
                self.enter(State::OpenConfirm, now);
            }
            Event::TcpFailed => {
                // Back to Active; a passive peer waits, the others try again after the pause.
                self.act(Action::Drop);
                self.act(Action::Report(DownCause::ConnectionClosed));
                self.timers.clear();
                if !self.settings.passive {
                    self.start_connect_retry(now);
                }
                self.failures = self.failures.saturating_add(1);
                self.enter(State::Active, now);
            }
            Event::Keepalive
            | Event::Update
            | Event::UpdateError(_)
            | Event::RouteRefresh
            | Event::Timer(TimerKind::ConnectRetry | TimerKind::Keepalive | TimerKind::IdleHold) => {
                self.unexpected(&event, now);
            }
            // `ends` has seen to these.
            Event::Stop(_)
            | Event::Vanish(_)
            | Event::AutomaticStop(_)
            | Event::HeaderError(_)
            | Event::OpenError(_)
            | Event::CollisionDump
            | Event::Replaced
            | Event::Notification(_)
            | Event::Timer(TimerKind::Hold | TimerKind::SendHold) => {}
        }
    }
}
