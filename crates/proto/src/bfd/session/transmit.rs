//! Transmission of control packets (RFC 5880 section 6.8.7).

use core::time::Duration;

use ha2bgp_core::time::Instant;

use super::Session;
use crate::bfd::packet::{Datagram, Packet};
use crate::bfd::status::Remote;
use crate::bfd::timers::Interval;

impl Session {
    /// The next packet to send now. What is handed out counts as sent.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Datagram> {
        if core::mem::take(&mut self.final_due) {
            // It says what is new just as well.
            self.urgent = false;
            return Some(self.compose(false, true));
        }
        let due = self.urgent || self.next.is_some_and(|at| at <= now);
        self.urgent = false;
        // None: the peer wants silence, also of what is new.
        let interval = self.interval.filter(|_| due)?;
        let poll = self.poll.is_active();
        if poll {
            self.poll.sent(now);
        }
        self.sent = Some(now);
        self.next = Some(now + self.random.jitter(interval, self.told.multiplier));
        Some(self.compose(poll, false))
    }

    fn compose(&mut self, poll: bool, is_final: bool) -> Datagram {
        self.counters.sent = self.counters.sent.saturating_add(1);
        // RFC 5880 section 6.8.1 wants zero as soon as the detection time is over. The one packet that
        // tells of that still names the peer: FRR, until the end of 2025, takes zero for an
        // attack while its own side is up, and would find out only when we are silent, too.
        let told = self.silent.take();
        let packet = Packet {
            diagnostic: self.diagnostic,
            state: self.state,
            poll,
            is_final,
            // We end together with what controls us.
            control_plane_independent: false,
            authenticated: self.auth.is_some(),
            demand: false,
            multiplier: self.told.multiplier,
            my_discriminator: self.local_discriminator,
            your_discriminator: self.remote.map(|it| it.discriminator).or(told),
            desired_min_tx: self.said_tx(self.told).as_micros(),
            required_min_rx: self.told.required_min_rx.as_micros(),
            required_min_echo_rx: 0,
        };
        let Some(auth) = &self.auth else {
            return Datagram::new(&packet.encode(0), &[]);
        };
        let header = packet.encode(auth.section_len());
        let section = self.sequence.sign(auth, &header);
        Datagram::new(&header, section.as_bytes())
    }

    /// Adapts the time of the next packet to an interval that has changed. It runs from the last packet: a shorter
    /// interval that is already over means now (RFC 5880 section 6.8.3).
    pub(super) fn pace(&mut self, now: Instant) {
        let interval = self.transmit_interval();
        if interval == self.interval {
            return;
        }
        self.interval = interval;
        self.next = interval.map(|interval| match self.sent {
            Some(sent) => sent + self.random.jitter(interval, self.told.multiplier),
            None => now,
        });
    }

    /// How often we send, without jitter; `None`: not at all.
    fn transmit_interval(&self) -> Option<Duration> {
        let ours = Interval::as_duration(self.counting_tx);
        // Nothing known of the peer: it takes everything (RFC 5880 section 6.8.18).
        let Some(remote) = &self.remote else { return Some(ours) };
        let Remote { required_min_rx, .. } = *remote;
        let silent = required_min_rx.is_zero() || (self.is_silenced() && !self.poll.is_active());
        (!silent).then(|| ours.max(required_min_rx))
    }
}
