//! Two sessions and a link between them that loses, delays, reorders and doubles packets; sides
//! that freeze; timers that change.

use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::bfd::timers::Random;

/// What the link does to packets of one direction.
#[derive(Clone, Copy)]
struct Path {
    /// Of a hundred packets, so many are lost.
    lost: u64,
    /// Of a hundred packets, so many come twice.
    doubled: u64,
    /// The least delay.
    delay: Duration,
    /// So much more at most, for each packet anew: packets overtake each other.
    spread: Duration,
}

impl Path {
    fn perfect(delay: Duration) -> Self {
        Self { lost: 0, doubled: 0, delay, spread: Duration::ZERO }
    }

    const CUT: Self = Self { lost: 100, doubled: 0, delay: Duration::ZERO, spread: Duration::ZERO };
}

struct Side {
    session: Session,
    /// What is on its way to this side, and then in the buffer of its socket.
    inbox: Vec<(Instant, Vec<u8>)>,
    /// What happens to packets to this side.
    path: Path,
    /// Its process does nothing.
    frozen: bool,
    changes: Vec<(Instant, State, Cause)>,
}

struct Link {
    sides: [Side; 2],
    now: Instant,
    random: Random,
}

/// Datagrams that a socket keeps for a process that does not read.
const BUFFER: usize = 64;

impl Link {
    fn new(mut random: Random) -> Self {
        let auth = auth(&mut random);
        let sides = [OURS, THEIRS].map(|discriminator| {
            let options = Options {
                local_discriminator: number(discriminator),
                timers: some_timers(&mut random),
                auth: auth.clone(),
                seed: random.next(),
            };
            Side {
                session: Session::new(options, at(1)),
                inbox: Vec::new(),
                path: Path::perfect(ms(0)),
                frozen: false,
                changes: Vec::new(),
            }
        });
        let mut link = Self { sides, now: at(1), random };
        link.perfect();
        link
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.random.next() % below
    }

    fn perfect(&mut self) {
        for side in 0..2 {
            self.sides[side].path = Path::perfect(ms(self.roll(100)));
        }
    }

    fn bad(&mut self) {
        for side in 0..2 {
            self.sides[side].path = Path {
                lost: self.roll(101),
                doubled: self.roll(50),
                delay: ms(self.roll(50)),
                spread: ms(1 + self.roll(100)),
            };
        }
    }

    fn send(&mut self, to: usize, datagram: &[u8]) {
        let path = self.sides[to].path;
        let copies =
            u64::from(self.roll(100) >= path.lost) * (1 + u64::from(self.roll(100) < path.doubled));
        for _ in 0..copies {
            let spread = u64::try_from(path.spread.as_micros()).unwrap();
            let more = Duration::from_micros(self.roll(spread + 1));
            let arrives = self.now + path.delay + more;
            let inbox = &mut self.sides[to].inbox;
            inbox.push((arrives, datagram.to_vec()));
            // Stable: what was sent first is first among equals.
            inbox.sort_by_key(|it| it.0);
        }
    }

    /// One side's process is awake: datagrams, time, packets, events.
    fn wake(&mut self, which: usize) {
        let now = self.now;
        let side = &mut self.sides[which];
        let arrived = side.inbox.iter().take_while(|it| it.0 <= now).count();
        for (_, datagram) in side.inbox.drain(..arrived).take(BUFFER) {
            let _ = side.session.handle(&datagram, now);
        }
        let before = side.session.status();
        side.session.handle_timeout(now);
        while let Some(event) = side.session.poll_event() {
            let Event::StateChanged { to, cause, .. } = event else { continue };
            if cause == Cause::DetectionTimeExpired {
                let deadline = before.last_received.unwrap() + before.detection_time.unwrap();
                assert!(deadline <= now, "too early: {deadline}, now {now}");
            }
            side.changes.push((now, to, cause));
        }
        for count in 0.. {
            let Some(datagram) = self.sides[which].session.poll_transmit(now) else { break };
            assert!(count < 3, "an answer, what is new, what is due: no more at once");
            self.send(1 - which, datagram.as_bytes());
        }
        let next = self.sides[which].session.poll_timeout();
        assert!(next.is_none_or(|at| at > now), "it would never sleep");
    }

    fn next(&self, which: usize) -> Option<Instant> {
        let side = &self.sides[which];
        let arrives = side.inbox.first().map(|it| it.0);
        let wakes = side.session.poll_timeout();
        [arrives, wakes].into_iter().flatten().min().filter(|_| !side.frozen)
    }

    fn run_until(&mut self, end: Instant, mut done: impl FnMut(&Self) -> bool) -> bool {
        for _ in 0..1_000_000 {
            if done(self) {
                return true;
            }
            let next = [self.next(0), self.next(1)].into_iter().flatten().min();
            let Some(next) = next.filter(|it| *it <= end) else {
                self.now = end;
                return done(self);
            };
            self.now = self.now.max(next);
            for which in 0..2 {
                if self.next(which).is_some_and(|it| it <= self.now) {
                    self.wake(which);
                }
            }
        }
        panic!("too much happens");
    }

    fn run(&mut self, time: Duration) {
        self.run_until(self.now + time, |_| false);
    }

    fn states(&self) -> [State; 2] {
        [self.sides[0].session.state(), self.sides[1].session.state()]
    }

    /// The longest that coming up may take, whatever was before: a peer is believed after twice
    /// its detection time, which is at most ten times a second here; then the handshake.
    fn come_up(&mut self) {
        let end = self.now + Duration::from_secs(25);
        let up = self.run_until(end, |it| it.states() == [State::Up; 2]);
        let status = || self.sides.each_ref().map(|it| it.session.status());
        assert!(up, "{:#?}", status());
    }

    /// So long until both have confirmed everything.
    fn calm(&mut self) {
        let end = self.now + Duration::from_secs(60);
        let all = |it: &Self| it.sides.iter().all(|side| side.session.is_confirmed());
        assert!(self.run_until(end, all), "a poll sequence never ends");
    }

    fn downs(&self) -> [u64; 2] {
        self.sides.each_ref().map(|it| it.session.status().counters.downs)
    }
}

fn auth(random: &mut Random) -> Option<Auth> {
    let key = Key { id: 1, secret: b"key".to_vec() };
    let kind = AuthKind::ALL.get(usize::try_from(random.next() % 10).unwrap())?;
    Some(Auth::new(*kind, key, vec![]).unwrap())
}

fn some_timers(random: &mut Random) -> Timers {
    let mut interval = || {
        // Short and long ones alike: 10 ms to about 1.3 s.
        let base = 10_u32 << (random.next() % 7);
        base + u32::try_from(random.next() % u64::from(base)).unwrap()
    };
    let (tx, rx) = (interval(), interval());
    timers(tx, rx, u8::try_from(1 + random.next() % 7).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sessions_come_up_and_stay_when_loss_ends(seed: u64) {
        let mut link = Link::new(Random::new(seed));
        link.bad();
        let time = ms(link.roll(20_000));
        link.run(time);
        link.perfect();
        // What the bad link still holds back may come late once more; and where too many numbers
        // of authentication were lost, a session that is up has to go down first.
        let detection = |side: &Side| side.session.status().detection_time.unwrap_or_default();
        let longest = link.sides.each_ref().map(detection).into_iter().max();
        link.run(longest.unwrap() + ms(200));
        link.come_up();
        let downs = link.downs();
        link.run(Duration::from_secs(20));
        prop_assert_eq!(link.downs(), downs);
        prop_assert_eq!(link.states(), [State::Up; 2]);
    }

    #[test]
    fn a_cut_is_seen_after_the_detection_time_exactly(seed: u64, both: bool) {
        let mut link = Link::new(Random::new(seed));
        link.come_up();
        link.calm();
        let time = ms(link.roll(2000));
        link.run(time);
        prop_assert_eq!(link.downs(), [0; 2]);
        link.sides[0].path = Path::CUT;
        if both {
            link.sides[1].path = Path::CUT;
        }
        let deaf = |side: &Side| {
            let status = side.session.status();
            status.last_received.unwrap() + status.detection_time.unwrap()
        };
        // What is on its way may still come.
        link.run(ms(100));
        if link.states()[0] == State::Up {
            let deadline = deaf(&link.sides[0]);
            link.run_until(deadline + ms(1000), |it| it.states()[0] != State::Up);
            let expected = (deadline, State::Down, Cause::DetectionTimeExpired);
            prop_assert_eq!(link.sides[0].changes.last(), Some(&expected));
        } else {
            let last = link.sides[0].changes.last().copied();
            prop_assert_eq!(last.map(|it| it.2), Some(Cause::DetectionTimeExpired));
        }
        link.run(ms(10_000));
        let cause = link.sides[1].changes.last().unwrap().2;
        if both {
            prop_assert_eq!(cause, Cause::DetectionTimeExpired);
        } else {
            let told = Cause::NeighborDown(Diagnostic::DetectionTimeExpired);
            prop_assert!(link.sides[1].changes.iter().any(|it| it.2 == told), "{:?}", cause);
        }
        link.perfect();
        link.come_up();
    }

    #[test]
    fn a_frozen_side_is_given_up_and_comes_back(seed: u64) {
        let mut link = Link::new(Random::new(seed));
        link.come_up();
        link.calm();
        let detection = link.sides[1].session.status().detection_time.unwrap();
        link.sides[0].frozen = true;
        // Long enough for what is on its way.
        link.run(detection + ms(100));
        let change = *link.sides[1].changes.last().unwrap();
        prop_assert_eq!((change.1, change.2), (State::Down, Cause::DetectionTimeExpired));
        let time = ms(link.roll(20_000));
        link.run(time);
        link.sides[0].frozen = false;
        link.come_up();
        let downs = link.downs();
        link.run(Duration::from_secs(5));
        prop_assert_eq!(link.downs(), downs);
    }

    #[test]
    fn a_short_freeze_does_no_harm(seed: u64) {
        let mut link = Link::new(Random::new(seed));
        link.come_up();
        link.calm();
        for which in [0, 1, 0, 1] {
            // The other side must hear in time what comes after it: the packet that is late by so
            // much was due within one interval, and three quarters of the last one are over.
            let of_other = link.sides[1 - which].session.status();
            let multiplier = of_other.remote.unwrap().multiplier.get();
            let margin = of_other.detection_time.unwrap() / u32::from(multiplier) / 11;
            link.sides[which].frozen = true;
            link.run(if multiplier == 1 { margin } else { margin * 10 });
            link.sides[which].frozen = false;
            let time = ms(link.roll(3000));
            link.run(time);
        }
        prop_assert_eq!(link.downs(), [0; 2]);
    }

    #[test]
    fn changing_timers_never_takes_a_session_down(seed: u64) {
        let mut link = Link::new(Random::new(seed));
        link.come_up();
        for _ in 0..30 {
            let which = usize::try_from(link.roll(2)).unwrap();
            let timers = some_timers(&mut link.random);
            let now = link.now;
            link.sides[which].session.set_timers(timers, now);
            link.wake(which);
            let time = ms(link.roll(600));
            link.run(time);
        }
        prop_assert_eq!(link.downs(), [0; 2]);
        link.calm();
        // A multiplier is told without a poll sequence.
        link.run(Duration::from_secs(3));
        for which in 0..2 {
            let (ours, theirs) = (&link.sides[which].session, &link.sides[1 - which].session);
            let (ours, theirs) = (ours.status(), theirs.status());
            let agreed = ours.timers.required_min_rx.max(theirs.timers.desired_min_tx);
            prop_assert_eq!(theirs.transmit_interval, Some(agreed.as_duration()));
            let multiplier = u32::from(theirs.timers.multiplier.get());
            prop_assert_eq!(ours.detection_time, Some(agreed.as_duration() * multiplier));
        }
        prop_assert_eq!(link.downs(), [0; 2]);
    }

    #[test]
    fn a_planned_end_is_no_failure(seed: u64) {
        let mut link = Link::new(Random::new(seed));
        link.come_up();
        link.calm();
        let now = link.now;
        link.sides[0].session.admin_down(Diagnostic::AdministrativelyDown, now);
        link.wake(0);
        // The peer asks in vain whether its slower packets were noted: AdminDown discards.
        let end = link.now + Duration::from_secs(10);
        let confirmed = |it: &Link| it.sides[0].session.is_confirmed();
        prop_assert!(link.run_until(end, confirmed));
        let told = Cause::NeighborAdminDown(Diagnostic::AdministrativelyDown);
        prop_assert_eq!(link.sides[1].changes.last().map(|it| it.2), Some(told));
        link.run(Duration::from_secs(30));
        prop_assert_eq!(link.states(), [State::AdminDown, State::Down]);
        prop_assert_eq!(link.sides[1].session.status().counters.failures, 0);
        let now = link.now;
        link.sides[0].session.admin_up(now);
        link.wake(0);
        link.come_up();
    }
}
