//! The built-in BGP speaker: one task that drives a [`Session`] for each peer over TCP.
//!
//! All peers share the task, and none can hold it up: sockets do not block, each peer moves a
//! bounded number of bytes before the others get their turn, and what a slow peer does not take
//! waits in its session as a difference of sets, not as bytes.
//!
//! There is no listening socket unless a peer is passive. When the desired channel closes, the
//! last set is sent, its acknowledgement by the peers' kernels is awaited, and every session ends
//! with Cease/2 (RFC 4486, RFC 9003): peers drop all that we announced. Before a restart sessions
//! end without a word instead (RFC 4724): peers that help keep the routes.
//!
//! Doorbells tell of addresses of this host that have come or gone; what is so is then looked up. One
//! brings another configuration, with the keys: what is equal in it is not touched ([`change`] says
//! what is), a peer that is no longer there hears the withdrawals, then Cease/3.

mod difference;
mod doorbells;
mod link;
mod listener;
mod page;
mod peer;

use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::Session;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

pub use self::difference::{Change, Effect, Field, change};
use self::doorbells::Ring;
pub use self::doorbells::{Configuration, Doorbells};
use self::listener::Listeners;
pub use self::peer::{Binding, Peer};
use self::peer::{Running, Tell};
use super::questions::Inbox;
use super::{
    Announcer, CLOSING_TIME, Desired, Ended, Manner, PeerNews, Report, Reports, SpeakerState, What,
};
use crate::bfd::states::States;
use crate::clock::Clock;

/// Of [`CLOSING_TIME`], this much is kept for the goodbyes.
const GOODBYE_TIME: Duration = Duration::from_secs(1);
/// Snapshots are at least this far apart: they cost time with the number of routes.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(1);
/// How often the kernel is asked whether the last bytes were acknowledged; nothing tells.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// How often it is asked at most whether a new set has reached everybody, beyond that.
const ASK_MAX: Duration = Duration::from_millis(500);
/// What is later than this was held up: timers are exact to a millisecond.
const LATE: Duration = Duration::from_millis(50);
/// Bytes read from a connection at once.
const BUFFER_LENGTH: usize = 64 * 1024;

/// The newest changes of all peers together of which it is known when they were told: about 2 MiB.
const CHANGES_MAX: usize = 65_536;
/// And of each peer at least.
const CHANGES_MIN: usize = 256;

/// What is said to routers when the program ends for good.
const GOODBYE: &str = "ha2bgp stops; its routes are withdrawn";

/// Announces straight to routers.
#[derive(Debug)]
pub struct Speaker {
    peers: Vec<Peer>,
    listen: Vec<SocketAddr>,
    clock: Clock,
    seed: u64,
    doorbells: Doorbells,
    inbox: Inbox,
}

impl Speaker {
    /// A speaker to these peers. Passive ones connect to one of the `listen` addresses; they must
    /// have been given then. `seed` spreads timers, so that not all hosts connect at once.
    pub fn new(peers: Vec<Peer>, listen: Vec<SocketAddr>, clock: Clock, seed: u64) -> Self {
        let (doorbells, inbox) = (Doorbells::silent(), Inbox::default());
        Self { peers, listen, clock, seed, doorbells, inbox }
    }

    /// With doorbells.
    #[must_use]
    pub fn with(self, doorbells: Doorbells) -> Self {
        Self { doorbells, ..self }
    }

    /// With questions.
    #[must_use]
    pub fn answering(self, inbox: Inbox) -> Self {
        Self { inbox, ..self }
    }
}

impl Announcer for Speaker {
    fn run(
        self: Box<Self>,
        desired: watch::Receiver<Desired>,
        reports: mpsc::Sender<Report>,
    ) -> Pin<Box<dyn Future<Output = Ended> + Send>> {
        Box::pin(async move {
            let Self { peers, listen, clock, seed, doorbells, inbox } = *self;
            let now = clock.now();
            let peers = peers
                .into_iter()
                .zip(0..)
                .map(|(peer, index)| Running::start(peer, seed.wrapping_add(index), now));
            let mut task = Task {
                peers: peers.collect(),
                seed: seed.wrapping_add(1 << 32),
                desired: Desired::default(),
                unsettled: None,
                listeners: Listeners::new(listen),
                reports: Reports { channel: reports, lost: 0 },
                clock,
                buffer: vec![0; BUFFER_LENGTH],
                strangers: 0,
                last_stranger: None,
                news: true,
                next_snapshot: now,
                ways: States::default(),
            };
            task.share_memory();
            task.run(desired, doorbells, inbox).await
        })
    }
}

/// How far the end is.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Not in sight.
    Running,
    /// The last set goes out, until here at the latest.
    Draining(Instant),
    /// Sessions say goodbye, until here at the latest; so many prefixes were left.
    Closing(Instant, usize),
}

struct Task {
    /// In the order of the configuration; those that are taken leave of come last.
    peers: Vec<Running>,
    /// Of the next peer that comes.
    seed: u64,
    /// What peers that come are told.
    desired: Desired,
    /// It is not known that everybody has that: when to ask next, and the pause after that.
    unsettled: Option<(Instant, Duration)>,
    listeners: Listeners,
    reports: Reports,
    clock: Clock,
    buffer: Vec<u8>,
    /// Connections from others than peers, and where the last one came from.
    strangers: u64,
    last_stranger: Option<IpAddr>,
    /// Something happened since the last snapshot.
    news: bool,
    next_snapshot: Instant,
    /// What BFD says.
    ways: States,
}

impl Task {
    async fn run(
        mut self,
        mut desired: watch::Receiver<Desired>,
        mut doorbells: Doorbells,
        mut inbox: Inbox,
    ) -> Ended {
        let mut stage = Stage::Running;
        self.take_routes(&mut desired);
        self.take_ways(doorbells.bfd.borrow_and_update().clone());
        loop {
            self.catch_up().await;
            let more = self.work();
            self.tell_settled();
            self.tell(false);
            let now = self.clock.now();
            match stage {
                Stage::Draining(until) => {
                    if let Some(left) = self.drained(until, now) {
                        for peer in &mut self.peers {
                            peer.stop(GOODBYE, now);
                        }
                        stage = Stage::Closing(now + GOODBYE_TIME, left);
                        continue;
                    }
                }
                Stage::Closing(until, left) => {
                    if now >= until || self.peers.iter().all(Running::is_gone) {
                        self.tell(true);
                        return match left {
                            0 => Ended::Finished,
                            prefixes => Ended::Unsent { prefixes },
                        };
                    }
                }
                Stage::Running => {}
            }
            let wake = self.wake(stage, now);
            let running = matches!(stage, Stage::Running);
            let Self { peers, listeners, clock, .. } = &mut self;
            tokio::select! {
                // A change of routes before anything else.
                biased;
                changed = desired.changed(), if running => match changed {
                    Ok(()) => self.take_routes(&mut desired),
                    Err(_) if desired.borrow().manner == Manner::Restarting => {
                        self.peers.iter_mut().for_each(|peer| peer.restart(now));
                        stage = Stage::Closing(now + GOODBYE_TIME, 0);
                    }
                    Err(_) => stage = Stage::Draining(now + (CLOSING_TIME - GOODBYE_TIME)),
                },
                ring = doorbells.ring(), if running => match ring {
                    Ring::Bfd(states) => self.take_ways(states),
                    Ring::Addresses => self.addresses_changed(),
                    Ring::Configuration(configuration) => self.reconfigure(configuration),
                },
                question = inbox.next() => {
                    question.answer(|ask, limit| page::page(peers, ask, limit));
                }
                () = poll_fn(|cx| poll_ready(peers, listeners, cx)) => {}
                () = tokio::task::yield_now(), if more => {}
                () = sleep_until(clock.until(wake.unwrap_or(now))), if wake.is_some() => {}
            }
        }
    }

    /// When this task, or the whole process, was held up: has the system tell what has happened meanwhile,
    /// so that it counts before what has timed out meanwhile.
    async fn catch_up(&mut self) {
        let now = self.clock.now();
        let due = self.peers.iter().filter_map(|peer| peer.wake(now)).min();
        if due.is_none_or(|due| now < due + LATE) {
            return;
        }
        // Tasks that give way come back after the sockets were looked at.
        tokio::task::yield_now().await;
        let Self { peers, listeners, .. } = self;
        poll_fn(|cx| {
            let _ = poll_ready(peers, listeners, cx);
            Poll::Ready(())
        })
        .await;
    }

    fn take_routes(&mut self, desired: &mut watch::Receiver<Desired>) {
        // A clone is a reference count; the lock of the channel is not held meanwhile.
        self.desired = desired.borrow_and_update().clone();
        let now = self.clock.now();
        for peer in &mut self.peers {
            peer.take(&self.desired, now);
        }
        // Nobody acknowledges sooner, and asking is not on the way of a withdrawal.
        self.unsettled = Some((now + ASK_EVERY, ASK_EVERY));
        self.news = true;
    }

    /// Says so when everybody has the newest set. No kernel tells when a peer has acknowledged
    /// something: it is asked, less and less often.
    fn tell_settled(&mut self) {
        let now = self.clock.now();
        let Some((_, pause)) = self.unsettled.filter(|(at, _)| *at <= now) else { return };
        let settled = self.peers.iter().all(|peer| peer.is_quiet(now))
            && self.reports.send(now, What::Settled(self.desired.routes.clone()));
        self.unsettled = (!settled).then_some((now + pause, (pause * 2).min(ASK_MAX)));
    }

    /// Takes what BFD says.
    fn take_ways(&mut self, states: States) {
        self.ways = states;
        self.look_at_ways();
    }

    fn look_at_ways(&mut self) {
        let now = self.clock.now();
        let Self { peers, ways, reports, news, .. } = self;
        for peer in peers {
            let mut tell = Tell { reports: &mut *reports, news: &mut *news };
            peer.look_at_way(ways, now, &mut tell);
        }
    }

    /// Makes another configuration so.
    fn reconfigure(&mut self, configuration: Configuration) {
        let now = self.clock.now();
        let Configuration { peers, listen } = configuration;
        let mut before = std::mem::take(&mut self.peers);
        for peer in peers {
            let address = peer.config.peer;
            let news = match before.iter().position(|it| it.address() == address) {
                Some(index) => {
                    let mut running = before.remove(index);
                    let mut tell = Tell { reports: &mut self.reports, news: &mut self.news };
                    let news = running.change(peer, now, &mut tell);
                    self.peers.push(running);
                    news
                }
                None => {
                    let running = self.start(peer, now);
                    self.peers.push(running);
                    Some(PeerNews::Added)
                }
            };
            if let Some(news) = news {
                self.news = true;
                self.reports.send(now, What::PeerConfiguration { peer: address, news });
            }
        }
        for mut peer in before {
            if peer.leave(now) {
                self.news = true;
                let (peer, news) = (peer.address(), PeerNews::Removed);
                self.reports.send(now, What::PeerConfiguration { peer, news });
            }
            self.peers.push(peer);
        }
        self.share_memory();
        self.look_at_ways();
        let passive = self.peers.iter().filter(|peer| peer.is_passive());
        if let Some(error) = self.listeners.set(listen, passive, now) {
            self.reports.send(now, What::CannotListen { error });
        }
    }

    /// When something was told is remembered for fewer routes where there are many peers.
    fn share_memory(&mut self) {
        let each = (CHANGES_MAX / self.peers.len().max(1)).clamp(CHANGES_MIN, Session::CHANGES_MAX);
        self.peers.iter_mut().for_each(|peer| peer.remember(each));
    }

    /// A peer that comes while the others are there.
    fn start(&mut self, mut peer: Peer, now: Instant) -> Running {
        if let Some(restart) = &mut peer.config.graceful_restart {
            // This process told it nothing yet, and did not restart meanwhile.
            restart.restarting = false;
        }
        self.seed = self.seed.wrapping_add(1);
        let mut running = Running::start(peer, self.seed, now);
        running.take(&self.desired, now);
        running
    }

    fn addresses_changed(&mut self) {
        self.listeners.hurry(self.clock.now());
        for peer in &mut self.peers {
            let mut tell = Tell { reports: &mut self.reports, news: &mut self.news };
            peer.addresses_changed(self.clock, &mut tell);
        }
    }

    /// Every peer does what it can; true when one has more to do.
    fn work(&mut self) -> bool {
        let mut more = false;
        let passive = self.peers.iter().filter(|peer| peer.is_passive());
        if let Some(error) = self.listeners.open(passive, self.clock.now()) {
            self.reports.send(self.clock.now(), What::CannotListen { error });
        }
        while let Some((stream, from)) = self.listeners.accepted() {
            let mut peers = self.peers.iter_mut().filter(|peer| peer.is_passive());
            if let Some(peer) = peers.find(|peer| peer.is_at(from)) {
                peer.accept(stream, self.clock.now());
            } else {
                // Closed without a word.
                self.strangers += 1;
                self.last_stranger = Some(from.ip());
                self.news = true;
            }
        }
        for peer in &mut self.peers {
            let mut tell = Tell { reports: &mut self.reports, news: &mut self.news };
            more |= peer.work(&mut self.buffer, self.clock, &mut tell);
        }
        self.see_off() || more
    }

    /// Forgets peers that have left; one that is to come back begins. True when one does.
    fn see_off(&mut self) -> bool {
        if !self.peers.iter().any(Running::has_left) {
            return false;
        }
        self.news = true;
        let now = self.clock.now();
        let (left, mut stay): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.peers).into_iter().partition(Running::has_left);
        let back: Vec<Peer> = left.into_iter().filter_map(Running::successor).collect();
        let begins = !back.is_empty();
        stay.extend(back.into_iter().map(|peer| self.start(peer, now)));
        self.peers = stay;
        self.look_at_ways();
        begins
    }

    /// When to look again without being asked.
    fn wake(&self, stage: Stage, now: Instant) -> Option<Instant> {
        let own = match stage {
            Stage::Running => None,
            Stage::Draining(until) => Some(until.min(now + ASK_EVERY)),
            Stage::Closing(until, _) => Some(until),
        };
        let peers = self.peers.iter().map(|peer| peer.wake(now));
        let snapshot = self.news.then_some(self.next_snapshot);
        let settled = self.unsettled.map(|(at, _)| at);
        peers.chain([own, snapshot, settled, self.listeners.wake()]).flatten().min()
    }

    /// Once every peer has the last set, or time is up: how many prefixes are left.
    fn drained(&self, until: Instant, now: Instant) -> Option<usize> {
        let noisy: Vec<&Running> = self.peers.iter().filter(|peer| !peer.is_quiet(now)).collect();
        if !noisy.is_empty() && now < until {
            return None;
        }
        let left = noisy.iter().map(|peer| peer.state().session.pending.max(1)).sum();
        Some(left)
    }

    /// Tells the state, from time to time.
    fn tell(&mut self, last: bool) {
        let now = self.clock.now();
        if self.news && (last || now >= self.next_snapshot) {
            self.news = false;
            self.next_snapshot = now + SNAPSHOT_EVERY;
            let state = SpeakerState {
                peers: self.peers.iter().map(Running::state).collect(),
                strangers: self.strangers,
                last_stranger: self.last_stranger,
            };
            self.reports.send(now, What::Speaker(state));
        }
    }
}

/// Ready when a connection or a listener is.
fn poll_ready(peers: &mut [Running], listeners: &mut Listeners, cx: &mut Context<'_>) -> Poll<()> {
    let mut ready = listeners.poll_ready(cx).is_ready();
    for peer in peers {
        ready |= peer.poll_ready(cx).is_ready();
    }
    if ready { Poll::Ready(()) } else { Poll::Pending }
}
