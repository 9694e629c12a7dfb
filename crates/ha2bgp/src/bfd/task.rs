//! All sessions in one task: what comes, what is due, what has changed.
//!
//! Nothing here waits for anybody: news that find no place are dropped and counted, states are levels.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::bfd::peek;
use ha2bgp_sys::bfd::Arrival;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use super::ports::{self, Place, Ports, RECEIVES_AT_ONCE};
use super::running::{Running, Step};
use super::states::{SessionState, States};
use super::target::{SessionConfig, Target};
use super::{News, What};
use crate::clock::Clock;

/// Numbers that nobody waits for are shown so often.
const SHOW_EVERY: Duration = Duration::from_secs(1);
/// So often everything that waits in a socket is taken before what is due is done: about 500
/// datagrams, more than its buffer holds. Whoever sends more delays nothing but himself.
const ROUNDS: usize = 512 / RECEIVES_AT_ONCE;
/// A pause for the rest of the host when more has come than that: this thread goes before all others,
/// and a flood must not make it keep the processor. What does not fit into the socket meanwhile is lost.
const BREATH: Duration = Duration::from_millis(2);
/// Random numbers tried before the next free discriminator is taken.
const DRAWS: usize = 8;

/// What shall be.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// The sessions.
    pub(super) sessions: Arc<Vec<SessionConfig>>,
    /// All of them end, for good.
    pub(super) ends: bool,
}

/// Where it is told what is.
#[derive(Debug)]
pub(super) struct Out {
    /// What changed.
    pub(super) states: watch::Sender<States>,
    /// The same with newer numbers; nobody waits for it.
    pub(super) latest: watch::Sender<States>,
    /// What happened.
    pub(super) news: mpsc::Sender<News>,
}

/// Runs until everything has ended that shall end, or nobody can want anything any more.
pub(super) async fn run(mut wanted: watch::Receiver<Wanted>, out: Out, clock: Clock) {
    let mut task = Task {
        sessions: BTreeMap::new(),
        schedule: BTreeSet::new(),
        due: BTreeMap::new(),
        ports: Ports::default(),
        strangers: 0,
        out,
        changed: false,
        show_at: clock.now(),
        troubles: BTreeMap::new(),
    };
    task.set(&wanted.borrow_and_update().clone(), clock.now());
    loop {
        let flooded = task.work(clock);
        let now = clock.now();
        if wanted.borrow().ends && task.sessions.is_empty() {
            task.show(now);
            return;
        }
        let wake = if flooded { now + BREATH } else { task.wake() };
        tokio::select! {
            biased;
            // First: it is rare, and must be heard beside a flood.
            changed = wanted.changed() => match changed {
                Ok(()) => task.set(&wanted.borrow_and_update().clone(), clock.now()),
                Err(_) => return,
            },
            () = poll_fn(|cx| task.ports.poll_ready(cx)), if !flooded => {}
            () = sleep_until(clock.until(wake)) => {}
        }
    }
}

struct Task {
    /// By our discriminators.
    sessions: BTreeMap<NonZeroU32, Running>,
    /// When each has something to do: in order of time, and each one's.
    schedule: BTreeSet<(Instant, NonZeroU32)>,
    due: BTreeMap<NonZeroU32, Instant>,
    ports: Ports,
    /// Datagrams that are no packets, or of no session.
    strangers: u64,
    out: Out,
    /// Something has changed that users wait for.
    changed: bool,
    show_at: Instant,
    /// What was told of each.
    troubles: BTreeMap<Target, Arc<str>>,
}

impl Task {
    /// Makes it so that these sessions are there, and no others. What is the same is not touched.
    fn set(&mut self, wanted: &Wanted, now: Instant) {
        let none = Vec::new();
        let configs = if wanted.ends { &none } else { &*wanted.sessions };
        let ids: Vec<NonZeroU32> = self.sessions.keys().copied().collect();
        for id in ids {
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            match configs.iter().find(|config| session.can_become(config)) {
                Some(config) if session.config == *config => continue,
                Some(config) => session.take_over(config.clone(), now),
                None => session.end(now),
            }
            self.changed = true;
            self.reschedule(id, Some(now));
        }
        for config in configs {
            if self.sessions.values().any(|it| !it.is_ending() && it.config == *config) {
                continue;
            }
            let id = self.discriminator();
            let session = Running::new(config.clone(), id, random(), now);
            self.sessions.insert(id, session);
            self.changed = true;
            self.reschedule(id, Some(now));
        }
        self.set_ports(now);
    }

    /// Opens the ports that are needed: for what ends, too.
    fn set_ports(&mut self, now: Instant) {
        let places = self.sessions.values().map(|session| ports::place(&session.config.target));
        self.changed |= self.ports.set(places, now);
    }

    /// A discriminator that nobody can guess, and no session has.
    fn discriminator(&self) -> NonZeroU32 {
        let mut draw = NonZeroU32::MIN;
        for _ in 0..DRAWS {
            let [a, b, c, d, ..] = random().to_le_bytes();
            draw = NonZeroU32::new(u32::from_le_bytes([a, b, c, d])).unwrap_or(draw);
            if !self.sessions.contains_key(&draw) {
                return draw;
            }
        }
        while self.sessions.contains_key(&draw) {
            draw = draw.checked_add(1).unwrap_or(NonZeroU32::MIN);
        }
        draw
    }

    /// Takes what has come, then does what is due: a process that was frozen hears its peers before it
    /// finds them silent. True when more has come than can be taken at once.
    fn work(&mut self, clock: Clock) -> bool {
        let mut touched = BTreeSet::new();
        let flooded = (0..ROUNDS).all(|_| self.receive(&mut touched, clock.now()));
        let now = clock.now();
        if self.ports.wake().is_some_and(|at| at <= now) {
            self.changed |= self.ports.retry(now);
        }
        while let Some((at, id)) = self.schedule.first().copied().filter(|(at, _)| *at <= now) {
            self.schedule.remove(&(at, id));
            self.due.remove(&id);
            touched.insert(id);
        }
        let mut ended = false;
        for id in touched {
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            self.changed |= session.work(now);
            while let Some(step) = session.next(now) {
                self.changed = true;
                let what = match step {
                    Step::Up => What::Up,
                    Step::Down(cause, lasted) => What::Down { cause, lasted },
                    Step::Other => continue,
                };
                // Lost ones show in the states all the same.
                let target = session.config.target.clone();
                let _ = self.out.news.try_send(News { at: now, target, what });
            }
            if session.has_ended() {
                self.sessions.remove(&id);
                self.reschedule(id, None);
                (self.changed, ended) = (true, true);
            } else {
                let wake = session.wake();
                self.reschedule(id, wake);
            }
        }
        if ended {
            self.set_ports(now);
        }
        if self.changed || self.show_at <= now {
            self.show(now);
        }
        flooded
    }

    /// Takes what has come. True when there may be more.
    fn receive(&mut self, touched: &mut BTreeSet<NonZeroU32>, now: Instant) -> bool {
        let Self { ports, sessions, strangers, .. } = self;
        ports.receive(|place, arrival, packet| match find(sessions, place, arrival, packet) {
            Some((id, session)) => {
                session.take(arrival, packet, now);
                touched.insert(id);
            }
            None => *strangers = strangers.saturating_add(1),
        })
    }

    fn reschedule(&mut self, id: NonZeroU32, at: Option<Instant>) {
        if let Some(before) = self.due.remove(&id) {
            self.schedule.remove(&(before, id));
        }
        if let Some(at) = at {
            self.due.insert(id, at);
            self.schedule.insert((at, id));
        }
    }

    /// When there is something to do at the latest.
    fn wake(&self) -> Instant {
        let first = self.schedule.first().map(|(at, _)| *at);
        [first, self.ports.wake()].into_iter().flatten().fold(self.show_at, Instant::min)
    }

    /// Shows what is; those who wait hear of it when it has changed.
    fn show(&mut self, now: Instant) {
        let shown = self.sessions.values().filter(|session| !session.is_ending());
        let shown = shown.map(|session| {
            let target = &session.config.target;
            let shut = self.ports.trouble(ports::place(target));
            (target.clone(), session.state(shut))
        });
        let shown: BTreeMap<Target, SessionState> = shown.collect();
        let troubles = shown.iter().filter_map(|(target, state)| {
            Some((target.clone(), Arc::clone(state.trouble.as_ref()?)))
        });
        let troubles: BTreeMap<Target, Arc<str>> = troubles.collect();
        for (target, trouble) in &troubles {
            if self.troubles.get(target) != Some(trouble) {
                let (target, what) = (target.clone(), What::Trouble(Arc::clone(trouble)));
                let _ = self.out.news.try_send(News { at: now, target, what });
            }
        }
        self.troubles = troubles;
        let states = States::new(shown, self.strangers);
        self.out.latest.send_replace(states.clone());
        if std::mem::take(&mut self.changed) {
            self.out.states.send_replace(states);
        }
        self.show_at = now + SHOW_EVERY;
    }
}

/// The session of a packet (RFC 5880 section 6.3): by our discriminator alone when it is there, else by
/// where it comes from. None when it is no packet, or nobody's.
fn find<'a>(
    sessions: &'a mut BTreeMap<NonZeroU32, Running>,
    (_, multihop): Place,
    arrival: &Arrival,
    packet: &[u8],
) -> Option<(NonZeroU32, &'a mut Running)> {
    let looked = peek(packet).ok()?;
    let Some(id) = looked.your_discriminator else {
        let found = sessions.iter_mut().find(|(_, it)| it.is_between(arrival, multihop));
        return found.map(|(id, session)| (*id, session));
    };
    let session = sessions.get_mut(&id)?;
    (session.config.target.multihop == multihop).then_some((id, session))
}

/// A number that nobody can guess (getrandom(2)).
fn random() -> u64 {
    let mut octets = [0; 8];
    match rustix::rand::getrandom(&mut octets, rustix::rand::GetRandomFlags::empty()) {
        Ok(_) => u64::from_le_bytes(octets),
        // A kernel without it; the library's own keys are the best that is left.
        Err(_) => {
            use std::hash::{BuildHasher as _, Hasher as _};
            std::collections::hash_map::RandomState::new().build_hasher().finish()
        }
    }
}
