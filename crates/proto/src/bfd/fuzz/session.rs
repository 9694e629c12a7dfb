//! A whole session and a peer that does anything.

use alloc::vec::Vec;
use core::num::{NonZeroU8, NonZeroU32};
use core::time::Duration;

use ha2bgp_core::time::Instant;

use crate::bfd::packet::{Diagnostic, Packet, State};
use crate::bfd::{Auth, AuthKind, Event, Interval, Key, Options, Session, Timers};

/// Any bytes as what a peer, time and the operator do: no panic; something wakes the session again;
/// what it sends is right, and not more than it may be; and once a peer behaves, the session
/// comes up.
#[doc(hidden)]
pub fn fuzz_session(input: &[u8]) {
    let Some((&mode, mut script)) = input.split_first() else { return };
    let mut bench = Bench::new(mode);
    while let Some((&choice, rest)) = script.split_first() {
        script = bench.step(choice, rest);
        bench.drain();
    }
    bench.converge();
}

struct Bench {
    session: Session,
    auth: Option<Auth>,
    now: Instant,
    /// Taken and discarded datagrams.
    fed: u64,
    state: State,
}

fn options(mode: u8, discriminator: NonZeroU32) -> Options {
    let kinds = [AuthKind::SimplePassword, AuthKind::KeyedMd5, AuthKind::MeticulousKeyedSha1];
    let key = Key { id: mode, secret: Vec::from(*b"key") };
    let kind = kinds.get(usize::from(mode & 3));
    Options {
        local_discriminator: discriminator,
        timers: timers(mode, mode, 3),
        auth: kind.and_then(|kind| Auth::new(*kind, key, Vec::new()).ok()),
        seed: u64::from(mode),
    }
}

/// 1 ms to about half a minute.
fn timers(tx: u8, rx: u8, multiplier: u8) -> Timers {
    let interval = |choice: u8| {
        let micros = 1000_u64 << (choice & 15);
        Interval::try_from(Duration::from_micros(micros))
    };
    match (interval(tx), interval(rx), NonZeroU8::new(multiplier.max(1))) {
        (Ok(desired_min_tx), Ok(required_min_rx), Some(multiplier)) => {
            Timers { desired_min_tx, required_min_rx, multiplier }
        }
        _ => panic!("such intervals are allowed"),
    }
}

impl Bench {
    fn new(mode: u8) -> Self {
        let now = Instant::from_secs(1);
        let options = options(mode, NonZeroU32::MIN);
        let auth = options.auth.clone();
        let mut bench =
            Self { session: Session::new(options, now), auth, now, fed: 0, state: State::Down };
        bench.drain();
        bench
    }

    fn feed(&mut self, datagram: &[u8]) {
        self.fed += 1;
        let _ = self.session.handle(datagram, self.now);
    }

    /// One thing that happens; what is left of the script.
    fn step<'a>(&mut self, choice: u8, rest: &'a [u8]) -> &'a [u8] {
        let take = |count: usize| rest.split_at_checked(count).unwrap_or((rest, &[]));
        let argument = |at: usize| rest.get(at).copied().unwrap_or(0);
        match choice {
            // Any octets.
            0..=31 => {
                let (datagram, rest) = take(usize::from(choice) * 2);
                self.feed(datagram);
                rest
            }
            // The mandatory section as it comes, with what lets it pass, for this session.
            32..=127 => {
                let (octets, rest) = take(24);
                let mut datagram = [0; 24];
                for (place, octet) in datagram.iter_mut().zip(octets) {
                    *place = *octet;
                }
                datagram[0] = 0x20 | (datagram[0] & 0x1f);
                datagram[1] &= 0xfa;
                datagram[2] |= 1;
                datagram[3] = 24;
                datagram[4] |= 1;
                datagram[8..12].copy_from_slice(&[0, 0, 0, choice & 1]);
                if choice & 2 != 0 {
                    // A password that anybody on the path can read.
                    datagram[1] |= 4;
                    datagram[3] = 30;
                    let id = self.auth.as_ref().map_or(0, |_| choice);
                    let section = [1, 6, id, b'k', b'e', b'y'];
                    self.feed(&[&datagram[..], &section].concat());
                } else {
                    self.feed(&datagram);
                }
                rest
            }
            // Time passes, asleep or awake.
            128..=159 => {
                self.now = self.now + Duration::from_millis(1 << (choice & 15));
                rest
            }
            160..=223 => {
                self.run(Duration::from_millis(u64::from(argument(0)) << (choice & 3)));
                take(1).1
            }
            224..=239 => {
                let timers = timers(argument(0), argument(1), choice & 7);
                self.session.set_timers(timers, self.now);
                take(2).1
            }
            240..=247 => {
                self.session.admin_down(Diagnostic::from_number(choice & 7), self.now);
                rest
            }
            _ => {
                self.session.admin_up(self.now);
                rest
            }
        }
    }

    /// What the driver does after everything.
    fn drain(&mut self) -> Vec<Vec<u8>> {
        self.session.handle_timeout(self.now);
        while let Some(event) = self.session.poll_event() {
            if let Event::StateChanged { from, to, .. } = event {
                assert!(from == self.state && to != from, "{from} to {to} in {}", self.state);
                self.state = to;
            }
        }
        assert_eq!(self.state, self.session.state());
        let mut sent = Vec::new();
        while let Some(datagram) = self.session.poll_transmit(self.now) {
            assert!(sent.len() < 3, "an answer, what is new, what is due: no more at once");
            self.check(datagram.as_bytes());
            sent.push(datagram.as_bytes().to_vec());
        }
        let next = self.session.poll_timeout();
        assert!(next.is_none_or(|at| at > self.now), "it would never sleep");
        let status = self.session.status();
        let silent = status.transmit_interval.is_none();
        assert!(next.is_some() || silent && status.remote.is_some(), "nothing wakes it");
        let counters = status.counters;
        assert_eq!(counters.received + counters.discarded_total(), self.fed);
        sent
    }

    fn check(&self, datagram: &[u8]) {
        let (packet, section) = match Packet::decode(datagram) {
            Ok(found) => found,
            Err(error) => panic!("we sent what nobody takes: {error}"),
        };
        assert_eq!(datagram.len(), usize::from(datagram.get(3).copied().unwrap_or(0)));
        assert_eq!(packet.state, self.session.state());
        assert!(!(packet.poll && packet.is_final), "a poll that is an answer");
        assert!(packet.state == State::Up || packet.desired_min_tx >= 1_000_000, "too quick");
        assert!(!packet.demand && packet.required_min_echo_rx == 0);
        assert_eq!(packet.authenticated, !section.is_empty());
        assert_eq!(packet.authenticated, self.auth.is_some());
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        // The shortest interval is a millisecond, less jitter.
        for _ in 0..20_000 {
            let Some(next) = self.session.poll_timeout().filter(|at| *at <= end) else { break };
            self.now = next;
            self.drain();
        }
        self.now = end;
        self.drain();
    }

    /// A peer as it should be, from now on.
    fn converge(&mut self) {
        self.session.admin_up(self.now);
        self.session.set_timers(timers(7, 7, 3), self.now);
        let mode = match &self.auth {
            Some(auth) => self.mode_of(auth),
            None => 0xff,
        };
        let Some(discriminator) = NonZeroU32::new(0x0700_0000) else { return };
        let options = Options { timers: timers(7, 7, 3), ..options(mode, discriminator) };
        let mut peer = Session::new(options, self.now);
        let end = self.now + Duration::from_secs(20);
        while self.now < end {
            for datagram in self.drain() {
                let _ = peer.handle(&datagram, self.now);
            }
            peer.handle_timeout(self.now);
            while let Some(datagram) = peer.poll_transmit(self.now) {
                self.feed(datagram.as_bytes());
            }
            if (self.session.state(), peer.state()) == (State::Up, State::Up) {
                return;
            }
            self.now = self.now + Duration::from_millis(1);
        }
        panic!("{:?}", self.session.status());
    }

    /// The mode that made this authentication.
    fn mode_of(&self, auth: &Auth) -> u8 {
        let same = |mode: &u8| options(*mode, NonZeroU32::MIN).auth.as_ref() == Some(auth);
        (0..=u8::MAX).find(same).unwrap_or(0)
    }
}
