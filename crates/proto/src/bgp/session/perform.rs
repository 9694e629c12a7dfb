//! What the machines want done, and the two connections as one session.

use alloc::vec::Vec;
use core::mem;

use ha2bgp_core::time::Instant;

use super::link::Link;
use super::negotiate;
use super::others::Announcers;
use super::{Session, Slot, Which};
use crate::bgp::event::Event as Report;
use crate::bgp::export::Export;
use crate::bgp::fsm::{Action, Event, Fsm, State, TimerKind};
use crate::bgp::io::{Connection, Direction, Output};
use crate::bgp::wire::{self, Kind, Notification};

impl Session {
    /// Gives an event to a machine and brings everything in line with what came of it.
    pub(super) fn feed(&mut self, which: Which, event: Event, now: Instant) {
        self.feed_alone(which, event, now);
        self.settle(now);
    }

    /// The same, without the rest: connections keep their places.
    pub(super) fn feed_alone(&mut self, which: Which, event: Event, now: Instant) {
        let Some(slot) = self.slots.get_mut(which as usize).and_then(Option::as_mut) else {
            return;
        };
        let before = slot.fsm.state();
        let actions = slot.fsm.handle(event, now);
        if before == State::Established && slot.fsm.state() != State::Established {
            self.rib.down();
            self.told.clear();
            self.prefixes.clear();
            self.announcers = Announcers::default();
            self.counters.dropped += 1;
            // A peer that was upgraded may like them now.
            self.refused = negotiate::Refused::default();
        }
        let ended = self.connection(which);
        for action in actions {
            self.perform(which, action, (before, ended), now);
        }
        self.watch_writing(which, false, now);
    }

    fn perform(
        &mut self,
        which: Which,
        action: Action,
        (before, ended): (State, Option<Connection>),
        now: Instant,
    ) {
        match action {
            Action::Connect => {
                let connection = Connection::outgoing(self.next_number);
                self.next_number += 1;
                self.counters.attempts += 1;
                if let Some(slot) = self.slot_mut(which) {
                    slot.dialing = Some(connection);
                }
                self.outputs.push_back(Output::Connect { connection });
            }
            Action::SendOpen => {
                if let Some(link) = self.slot_mut(which).and_then(|slot| slot.link.as_mut()) {
                    let open = link.open.clone();
                    open.encode(link.out());
                    self.count_sent(Kind::Open, 1);
                }
            }
            Action::SendKeepalive => {
                let link = self.slot_mut(which).and_then(|slot| slot.link.as_mut());
                if link.is_some_and(Link::keepalive) {
                    self.count_sent(Kind::Keepalive, 1);
                }
            }
            Action::Up => self.up(which),
            Action::Close(notification) => self.close(which, Some(&notification), false),
            Action::Drop => self.close(which, None, false),
            Action::Abort => self.close(which, Some(&Notification::new(8, 0)), true),
            Action::Report(cause) => {
                let lives_on = self.slot(which.other()).is_some_and(Slot::is_connected);
                let retry = self.slot(which).filter(|_| !lives_on).and_then(Slot::next_attempt);
                self.last_error = Some((now, cause.clone()));
                self.report(Report::Down { connection: ended, state: before, cause, retry });
            }
        }
    }

    /// The session is up on this connection.
    fn up(&mut self, which: Which) {
        let Some(agreed) = self.slot(which).and_then(Slot::negotiated).cloned() else {
            return;
        };
        self.counters.established += 1;
        let long = self.config.capabilities.send_extended_messages && agreed.extended_messages;
        let max = if long { wire::MAX_EXTENDED_MESSAGE } else { wire::MAX_MESSAGE };
        let enhanced = agreed.enhanced_route_refresh;
        self.told.clear();
        self.rib.up(Export::new(&self.config, &agreed), max, enhanced);
        self.report(Report::Established { negotiated: agreed });
        self.report_problems();
    }

    pub(super) fn report_problems(&mut self) {
        for (family, reason) in self.rib.take_problems() {
            self.report(Report::Unsendable { family, reason });
        }
    }

    fn close(&mut self, which: Which, notification: Option<&Notification>, abort: bool) {
        let Some(slot) = self.slot_mut(which) else {
            return;
        };
        if let Some(connection) = slot.dialing.take() {
            self.outputs.push_back(Output::Close { connection, last: Vec::new(), abort: false });
            return;
        }
        let Some(link) = slot.link.take() else {
            return;
        };
        let last = notification.map(|notification| link.last_words(notification));
        if last.is_some() {
            self.count_sent(Kind::Notification, 1);
        }
        let (connection, last) = (link.connection, last.unwrap_or_default());
        self.outputs.push_back(Output::Close { connection, last, abort });
    }

    /// Brings the two places in line: the first one has the connection that counts, the second
    /// one exists only while there are two.
    pub(super) fn settle(&mut self, now: Instant) {
        let second = self.slot(Which::Second).map(|slot| slot.fsm.state());
        match second {
            // It ended; the first one goes on as it is.
            Some(State::Idle | State::Connect | State::Active) => self.slots[1] = None,
            Some(State::Established) => {
                // It has won: whatever the first one was about is over.
                let first = self.slot(Which::First).map(|slot| slot.fsm.state());
                if first == Some(State::Connect) {
                    self.close(Which::First, None, false);
                } else {
                    self.feed_alone(Which::First, Event::CollisionDump, now);
                }
                self.promote();
            }
            Some(State::OpenSent | State::OpenConfirm) => {
                // A first place between attempts has nothing to lose.
                let first = self.slot(Which::First).map(|slot| slot.fsm.state());
                if matches!(first, Some(State::Idle | State::Active)) {
                    self.promote();
                }
            }
            None => {}
        }
        let first = self.slot(Which::First).map(|slot| slot.fsm.state());
        if first == Some(State::Established) && self.slots[1].is_some() {
            // A second connection that has not shown an OPEN is tracked until it does (RFC 4271
            // section 8.2.2, Established); one that has is one too many.
            let second = self.slot(Which::Second).map(|slot| slot.fsm.state());
            if second == Some(State::OpenConfirm) {
                self.feed_alone(Which::Second, Event::CollisionDump, now);
                self.slots[1] = None;
            }
        }
        self.show_state(now);
    }

    fn promote(&mut self) {
        if let Some(mut slot) = self.slots[1].take() {
            if let Some(first) = &self.slots[0] {
                slot.fsm.inherit(&first.fsm);
            }
            self.slots[0] = Some(slot);
        }
    }

    fn show_state(&mut self, now: Instant) {
        let state = self.state();
        if state != self.shown {
            let from = mem::replace(&mut self.shown, state);
            self.since = now;
            self.report(Report::StateChanged { from, to: state });
        }
    }

    /// A connection is there.
    pub(super) fn connected(
        &mut self,
        connection: Connection,
        local: core::net::IpAddr,
        remote: core::net::IpAddr,
        now: Instant,
    ) {
        let which = match connection.direction {
            Direction::Outgoing => {
                let Some(which) = self.which(connection) else {
                    return;
                };
                which
            }
            Direction::Incoming => {
                let Some(which) = self.place(remote, local, now) else {
                    self.outputs.push_back(Output::Close {
                        connection,
                        last: Vec::new(),
                        abort: false,
                    });
                    self.report(Report::Refused { connection });
                    return;
                };
                which
            }
        };
        let restarting = self.is_restarting(now);
        let open = negotiate::open(&self.config, &self.refused, restarting);
        let mut link = Link::new(connection, local, open);
        if link.open.has(&wire::Capability::ExtendedMessages) {
            link.framer.allow_extended();
        }
        if let Some(slot) = self.slot_mut(which) {
            slot.dialing = None;
            slot.link = Some(link);
        }
        self.feed(which, Event::TcpConnected, now);
    }

    /// Where an accepted connection goes; nowhere when it is not wanted.
    fn place(
        &mut self,
        remote: core::net::IpAddr,
        local: core::net::IpAddr,
        now: Instant,
    ) -> Option<Which> {
        let welcome = self.accepts_incoming()
            && remote == self.config.peer.ip()
            && self.config.local.is_none_or(|configured| configured == local);
        let state = self.slot(Which::First).map(|slot| slot.fsm.state())?;
        if !welcome || state == State::Idle {
            return None;
        }
        if state == State::Active {
            return Some(Which::First);
        }
        match self.slot(Which::Second).map(|slot| slot.fsm.state()) {
            None => {}
            // The peer has given that one up and tries again.
            Some(State::OpenSent) => {
                self.feed_alone(Which::Second, Event::CollisionDump, now);
            }
            Some(_) => return None,
        }
        self.seed = self.seed.wrapping_add(1);
        let mut fsm = Fsm::new(self.settings(), self.seed);
        fsm.await_peer();
        self.slots[1] = Some(Slot { fsm, link: None, dialing: None });
        Some(Which::Second)
    }

    /// Runs the SendHoldTimer while something waits to be written (RFC 9687); `progress` starts
    /// it again.
    pub(super) fn watch_writing(&mut self, which: Which, progress: bool, now: Instant) {
        let least = self.config.send_hold;
        let Some(slot) = self.slot_mut(which) else {
            return;
        };
        let waits = slot.link.as_ref().is_some_and(|link| !link.unwritten().is_empty());
        let runs = slot.fsm.timers().get(TimerKind::SendHold).is_some();
        if waits && (progress || !runs) {
            let hold = slot.negotiated().map(|agreed| agreed.hold_time).unwrap_or_default();
            let at = now + least.max(hold.saturating_mul(2));
            slot.fsm.set_send_hold(Some(at));
        } else if !waits && runs {
            slot.fsm.set_send_hold(None);
        }
    }

    /// The connection is gone without our doing.
    pub(super) fn lost(&mut self, connection: Connection, now: Instant) {
        let Some(which) = self.which(connection) else {
            return;
        };
        // Kept until the machine has reported, so that the report names it; nobody needs to close
        // it.
        let outputs = self.outputs.len();
        self.feed_alone(which, Event::TcpFailed, now);
        if let Some(slot) = self.slot_mut(which) {
            if slot.dialing == Some(connection) {
                slot.dialing = None;
            }
            if slot.link.as_ref().is_some_and(|link| link.connection == connection) {
                slot.link = None;
            }
        }
        let mut index = 0;
        self.outputs.retain(|output| {
            index += 1;
            index <= outputs
                || !matches!(output, Output::Close { connection: it, .. } if *it == connection)
        });
        self.settle(now);
    }

    /// Ends everything by order.
    pub(super) fn stop(&mut self, event: &Event, now: Instant) {
        self.feed_alone(Which::Second, event.clone(), now);
        self.slots[1] = None;
        self.feed(Which::First, event.clone(), now);
    }
}
