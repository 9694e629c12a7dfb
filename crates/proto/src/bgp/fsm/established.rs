//! Established: routes go out, the peer is watched.

use ha2bgp_core::time::Instant;

use super::{Action, Event, Fsm, TimerKind};
use crate::bgp::event::DownCause;

impl Fsm {
    pub(super) fn in_established(&mut self, event: Event, now: Instant) {
        if self.ends(&event, now) {
            return;
        }
        match event {
            // ROUTE-REFRESH does not restart the HoldTimer: section 8.2.2 names only the two.
            Event::Start | Event::TcpConnected | Event::RouteRefresh => {}
            Event::Keepalive | Event::Update => self.start_hold(now),
            Event::Timer(TimerKind::Keepalive) => {
                self.act(Action::SendKeepalive);
                self.start_keepalive(now);
            }
            Event::UpdateError(notification) => self.refuse(notification, now),
            Event::TcpFailed => self.fail(Action::Drop, DownCause::ConnectionClosed, now),
            Event::Open | Event::Timer(TimerKind::ConnectRetry | TimerKind::IdleHold) => {
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
