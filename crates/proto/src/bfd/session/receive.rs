//! Reception of control packets (RFC 5880 section 6.8.6).

use ha2bgp_core::time::Instant;

use super::Session;
use crate::bfd::discard::Discard;
use crate::bfd::packet::{Packet, State};
use crate::bfd::status::{Cause, Event, Remote};

impl Session {
    /// Takes a datagram that belongs to this session (see [`peek`](crate::bfd::peek)) and whose hop
    /// limit was checked.
    pub fn handle(&mut self, datagram: &[u8], now: Instant) -> Result<(), Discard> {
        let result = self.receive(datagram, now);
        match result {
            Ok(()) => self.counters.received = self.counters.received.saturating_add(1),
            Err(reason) => self.counters.discard(reason),
        }
        result
    }

    fn receive(&mut self, datagram: &[u8], now: Instant) -> Result<(), Discard> {
        let (packet, section) = Packet::decode(datagram)?;
        if packet.your_discriminator.is_some_and(|it| it != self.local_discriminator) {
            return Err(Discard::UnknownSession);
        }
        match (&self.auth, packet.authenticated) {
            (None, false) => {}
            (None, true) => return Err(Discard::UnexpectedAuth),
            (Some(_), false) => return Err(Discard::MissingAuth),
            (Some(auth), true) => {
                self.sequence.verify(auth, datagram, section, packet.multiplier.get())?;
            }
        }
        self.note(&packet, now);
        if self.state == State::AdminDown {
            self.pace(now);
            return Err(Discard::AdminDown);
        }
        match self.step(&packet) {
            Some((to, cause)) => self.enter(to, cause, now),
            None => self.pace(now),
        }
        self.final_due |= packet.poll;
        Ok(())
    }

    /// What counts in every state.
    fn note(&mut self, packet: &Packet, now: Instant) {
        let remote = Remote::of(packet);
        let said = (remote.state, remote.diagnostic);
        if self.remote.replace(remote).map(|it| (it.state, it.diagnostic)) != Some(said) {
            self.report(Event::RemoteChanged { remote: Some(said) });
        }
        self.heard = Some(now);
        self.forget_sequence = None;
        if packet.is_final && self.poll.answered(now) {
            self.settle();
        }
    }

    /// The state machine: where a packet leads to, if anywhere.
    fn step(&self, packet: &Packet) -> Option<(State, Cause)> {
        let diagnostic = packet.diagnostic;
        match (self.state, packet.state) {
            (State::Init | State::Up, State::AdminDown) => {
                Some((State::Down, Cause::NeighborAdminDown(diagnostic)))
            }
            (State::Up, State::Down) => Some((State::Down, Cause::NeighborDown(diagnostic))),
            (State::Down, State::Down) => Some((State::Init, Cause::Handshake)),
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                Some((State::Up, Cause::Handshake))
            }
            (State::AdminDown, _)
            | (State::Down, State::AdminDown | State::Up)
            | (State::Init, State::Down)
            | (State::Up, State::Init | State::Up) => None,
        }
    }
}
