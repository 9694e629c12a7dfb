//! The ExaBGP announcer: a [`Session`] between the desired set and the pipe.
//!
//! One task does everything, so that a change goes from the channel to write(2) without another
//! task in between, and reading answers never waits for writing commands.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ha2bgp_core::route::RouteSet;
use ha2bgp_core::time::Instant;
use ha2bgp_proto::exabgp::{Event, Options, Session};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use super::pipe::{Reader, Stdio, Writer, Wrote};
use super::questions::{Ask, Inbox, Page, Place};
use super::{
    Announcer, CLOSING_TIME, Desired, Ended, PipeState, Report, Reports, RouteState, What,
};
use crate::clock::Clock;
use crate::histogram::Histogram;

/// Writes before other events get their turn.
const WRITES_AT_ONCE: usize = 16;
/// Snapshots are at least this far apart.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(1);

/// Announces through ExaBGP's process API on our standard input and output.
#[derive(Debug)]
pub struct ExaBgp {
    options: Options,
    stdio: Stdio,
    clock: Clock,
    leftovers: RouteSet,
    inbox: Inbox,
}

impl ExaBgp {
    /// An announcer on these descriptors. Answers are read when the input is a FIFO or a socket;
    /// else it behaves as an output without answers.
    pub fn new(options: Options, stdio: Stdio, clock: Clock) -> Self {
        Self { options, stdio, clock, leftovers: RouteSet::new(), inbox: Inbox::default() }
    }

    /// With questions.
    #[must_use]
    pub fn answering(self, inbox: Inbox) -> Self {
        Self { inbox, ..self }
    }

    /// Routes that a process before this one may have announced, and that ExaBGP may still hold:
    /// those that are not wanted once the first look is complete are withdrawn.
    #[must_use]
    pub fn after(self, leftovers: RouteSet) -> Self {
        Self { leftovers, ..self }
    }
}

impl Announcer for ExaBgp {
    fn run(
        self: Box<Self>,
        desired: watch::Receiver<Desired>,
        reports: mpsc::Sender<Report>,
    ) -> Pin<Box<dyn Future<Output = Ended> + Send>> {
        Box::pin(async move {
            let Self { mut options, stdio, clock, leftovers, inbox } = *self;
            let reader = stdio.input.filter(|_| options.answers).and_then(Reader::new);
            options.answers = reader.is_some();
            let task = Task {
                session: Session::new(options),
                writer: Writer::new(stdio.output),
                reports: Reports { channel: reports, lost: 0 },
                clock,
                leftovers,
                routes: RouteSet::new(),
                unsettled: false,
                news: false,
                next_snapshot: Instant::START,
                decided: None,
                decided_to_sent: Histogram::default(),
                sent_to_acknowledged: Histogram::default(),
            };
            task.run(desired, reader, inbox).await
        })
    }
}

/// How far writing got.
#[derive(Debug, Eq, PartialEq)]
enum Progress {
    /// Nothing more to write.
    Idle,
    /// More to write, after others had their turn.
    More,
    /// The pipe takes nothing now.
    Blocked,
}

struct Task {
    session: Session,
    writer: Writer,
    reports: Reports,
    clock: Clock,
    /// To be withdrawn once it is known that it is not wanted.
    leftovers: RouteSet,
    /// What was wanted last, and whether it is not known yet that all of it was taken.
    routes: RouteSet,
    unsettled: bool,
    /// Something happened since the last snapshot.
    news: bool,
    next_snapshot: Instant,
    /// When that was decided which is being written.
    decided: Option<Instant>,
    decided_to_sent: Histogram,
    sent_to_acknowledged: Histogram,
}

impl Task {
    async fn run(
        mut self,
        mut desired: watch::Receiver<Desired>,
        reader: Option<Reader>,
        mut inbox: Inbox,
    ) -> Ended {
        let mut buffer = vec![0; 16 * 1024];
        let mut closing: Option<Instant> = None;
        self.take_routes(&mut desired);
        loop {
            let progress = match self.write() {
                Ok(progress) => progress,
                Err(why) => return self.end(Ended::PeerGone { why }),
            };
            self.tell(false);
            let now = self.clock.now();
            if let Some(deadline) = closing {
                if self.session.is_settled() {
                    return self.end(Ended::Finished);
                }
                if progress == Progress::Blocked && self.session.is_peer_stopping() {
                    let why = "ExaBGP stops and reads no more".to_owned();
                    return self.end(Ended::PeerGone { why });
                }
                if now >= deadline {
                    let prefixes = self.session.unsettled();
                    return self.end(Ended::Unsent { prefixes });
                }
            }
            let wake =
                [self.session.poll_timeout(), closing, self.news.then_some(self.next_snapshot)];
            let wake = wake.into_iter().flatten().min();
            tokio::select! {
                changed = desired.changed(), if closing.is_none() => match changed {
                    Ok(()) => self.take_routes(&mut desired),
                    Err(_) => closing = Some(now + CLOSING_TIME),
                },
                read = read(reader.as_ref(), &mut buffer) => match read {
                    Ok(bytes) => {
                        self.session.handle_bytes(bytes, self.clock.now());
                        self.news = true;
                    }
                    Err(why) => return self.end(Ended::PeerGone { why }),
                },
                question = inbox.next() => question.answer(|ask, limit| self.routes(ask, limit)),
                () = self.writer.writable(), if progress == Progress::Blocked => {}
                () = self.writer.gone() => {
                    let why = "nobody reads standard output any more".to_owned();
                    return self.end(Ended::PeerGone { why });
                }
                () = tokio::task::yield_now(), if progress == Progress::More => {}
                () = sleep_until(self.clock.until(wake.unwrap_or(now))), if wake.is_some() => {}
            }
            let now = self.clock.now();
            if self.session.poll_timeout().is_some_and(|at| at <= now) {
                self.session.handle_timeout(now);
            }
        }
    }

    fn take_routes(&mut self, desired: &mut watch::Receiver<Desired>) {
        // A clone is a reference count; the lock of the channel is not held meanwhile.
        let Desired { routes, complete, decided_at, .. } = desired.borrow_and_update().clone();
        self.session.set_routes(&routes, self.clock.now());
        (self.routes, self.unsettled) = (routes, true);
        if self.session.wants_write() {
            self.decided.get_or_insert(decided_at);
        }
        if complete {
            self.session.withdraw_leftovers(&std::mem::take(&mut self.leftovers));
        }
        self.news = true;
    }

    fn write(&mut self) -> Result<Progress, String> {
        for _ in 0..WRITES_AT_ONCE {
            if !self.session.wants_write() {
                if let Some(decided) = self.decided.take() {
                    self.decided_to_sent.record(self.clock.now() - decided);
                }
                return Ok(Progress::Idle);
            }
            if !self.writer.takes_write() {
                self.session.blocked();
                return Ok(Progress::Blocked);
            }
            let Some(bytes) = self.session.poll_write(self.clock.now()) else {
                return Ok(Progress::Idle);
            };
            match self.writer.write(bytes) {
                Wrote::Bytes(count) => self.session.written(count, self.clock.now()),
                Wrote::Full => {
                    self.session.blocked();
                    return Ok(Progress::Blocked);
                }
                Wrote::Gone(why) => return Err(why),
            }
        }
        Ok(Progress::More)
    }

    /// Passes on what happened.
    fn tell(&mut self, last: bool) {
        let now = self.clock.now();
        if self.unsettled && self.session.is_settled() {
            self.unsettled = !self.reports.send(now, What::Settled(self.routes.clone()));
        }
        while let Some(event) = self.session.poll_event() {
            self.news = true;
            if let Event::Acknowledged { latency, .. } = &event {
                self.sent_to_acknowledged.record(*latency);
            }
            self.reports.send(now, What::ExaBgp(event));
        }
        if self.news && (last || now >= self.next_snapshot) {
            self.news = false;
            self.next_snapshot = now + SNAPSHOT_EVERY;
            let state = PipeState {
                session: self.session.snapshot(),
                decided_to_sent: self.decided_to_sent.clone(),
                sent_to_acknowledged: self.sent_to_acknowledged.clone(),
            };
            self.reports.send(now, What::Snapshot(Box::new(state)));
        }
    }

    /// A part of the routes. The pipe is nobody's peer.
    fn routes(&self, ask: &Ask, limit: usize) -> Page {
        let now = self.clock.now();
        let state = |route| RouteState::of_pipe(route, &self.session, now);
        match (ask.peer, ask.prefix) {
            (Some(_), _) => Page::default(),
            (None, Some(_)) if ask.after.is_some() => Page::default(),
            (None, Some(prefix)) => {
                Page { routes: vec![state(self.session.route(prefix))], next: None }
            }
            (None, None) => {
                let after = ask.after.map(|place| place.prefix);
                let (routes, more) = self.session.routes(after, limit);
                let next = more.map(|prefix| Place { peer: None, prefix });
                Page { routes: routes.into_iter().map(state).collect(), next }
            }
        }
    }

    fn end(mut self, ended: Ended) -> Ended {
        self.tell(true);
        ended
    }
}

/// Never done when there is nothing to read from.
async fn read<'a>(reader: Option<&Reader>, buffer: &'a mut [u8]) -> Result<&'a [u8], String> {
    let Some(reader) = reader else {
        return std::future::pending().await;
    };
    let count = reader.read(buffer).await?;
    Ok(buffer.get(..count).unwrap_or_default())
}
