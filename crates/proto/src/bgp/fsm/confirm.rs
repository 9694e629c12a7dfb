//! OpenConfirm: waiting for the peer's first KEEPALIVE.

use ha2bgp_core::time::Instant;

use super::{Action, Event, Fsm, State, TimerKind};
use crate::bgp::event::DownCause;

impl Fsm {
    pub(super) fn in_open_confirm(&mut self, event: Event, now: Instant) {
        if self.ends(&event, now) {
            return;
        }
        match event {
            Event::Start | Event::TcpConnected => {}
            Event::Keepalive => {
                self.start_hold(now);
                self.enter(State::Established, now);
                self.act(Action::Up);
            }
            Event::Timer(TimerKind::Keepalive) => {
                self.act(Action::SendKeepalive);
                self.start_keepalive(now);
            }
            Event::TcpFailed => self.fail(Action::Drop, DownCause::ConnectionClosed, now),
            // A second OPEN on the same connection collides with nothing: it is unexpected.
            Event::Open
            | Event::Update
            | Event::UpdateError(_)
            | Event::RouteRefresh
            | Event::Timer(TimerKind::ConnectRetry | TimerKind::IdleHold) => {
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
