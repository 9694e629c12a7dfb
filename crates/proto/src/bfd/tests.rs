//! Sessions against hand-made packets and against each other, over virtual time.

use alloc::vec::Vec;
use core::num::{NonZeroU8, NonZeroU32};
use core::time::Duration;

use ha2bgp_core::time::Instant;

use super::*;

mod auth;
mod clauses;
mod link;
mod machine;
mod negotiation;
mod packet;

const OURS: u32 = 0x0102_0304;
const THEIRS: u32 = 0x0a0b_0c0d;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn timers(tx: u32, rx: u32, multiplier: u8) -> Timers {
    Timers {
        desired_min_tx: Interval::from_millis(tx).unwrap(),
        required_min_rx: Interval::from_millis(rx).unwrap(),
        multiplier: NonZeroU8::new(multiplier).unwrap(),
    }
}

fn options() -> Options {
    Options { local_discriminator: number(OURS), timers: timers(50, 60, 3), auth: None, seed: 7 }
}

/// A peer's packet: 100 ms, multiplier 3, knows us.
fn packet(state: State) -> Packet {
    Packet {
        diagnostic: Diagnostic::None,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        authenticated: false,
        demand: false,
        multiplier: NonZeroU8::new(3).unwrap(),
        my_discriminator: number(THEIRS),
        your_discriminator: Some(number(OURS)),
        desired_min_tx: 100_000,
        required_min_rx: 100_000,
        required_min_echo_rx: 0,
    }
}

fn bytes(packet: Packet) -> Vec<u8> {
    packet.encode(0).to_vec()
}

/// A session with a peer that is spoken by hand.
struct Talk {
    session: Session,
    now: Instant,
}

impl Talk {
    fn new(options: Options) -> Self {
        let now = at(1000);
        Self { session: Session::new(options, now), now }
    }

    /// A session in this state, with everything said that it had to say.
    fn in_state(state: State) -> Self {
        let mut talk = Self::new(options());
        match state {
            State::AdminDown => {
                talk.session.admin_down(Diagnostic::AdministrativelyDown, talk.now);
            }
            State::Down => {}
            State::Init => talk.take(packet(State::Down)),
            State::Up => talk.take(packet(State::Init)),
        }
        assert_eq!(talk.session.state(), state);
        talk.sent();
        talk.events();
        talk
    }

    /// A session that is up, whose first poll sequence is over.
    fn up() -> Self {
        let mut talk = Self::in_state(State::Up);
        assert!(talk.run(ms(90)).iter().all(|(_, it)| it.poll));
        talk.take(Packet { is_final: true, ..packet(State::Up) });
        assert!(talk.session.is_confirmed());
        talk.run(ms(90));
        talk.take(packet(State::Up));
        talk
    }

    fn take(&mut self, packet: Packet) {
        self.session.handle(&bytes(packet), self.now).unwrap();
    }

    /// All that goes out now.
    fn sent(&mut self) -> Vec<Packet> {
        let mut sent = Vec::new();
        while let Some(datagram) = self.session.poll_transmit(self.now) {
            assert!(sent.len() < 10, "it sends without end");
            sent.push(Packet::decode(datagram.as_bytes()).unwrap().0);
        }
        sent
    }

    fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// Lets time pass, waking the session when it wants to be. All that was sent, and when.
    fn run(&mut self, time: Duration) -> Vec<(Instant, Packet)> {
        let end = self.now + time;
        let mut sent = Vec::new();
        for _ in 0..100_000 {
            let Some(next) = self.session.poll_timeout().filter(|it| *it <= end) else {
                self.now = end;
                return sent;
            };
            self.now = self.now.max(next);
            self.session.handle_timeout(self.now);
            let now = self.now;
            sent.extend(self.sent().into_iter().map(|packet| (now, packet)));
        }
        panic!("it never sleeps");
    }
}
