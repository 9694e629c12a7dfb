//! What others ask an announcer: bounded questions, answered from its own task.

use std::time::Duration;

use ha2bgp_core::net::Prefix;
use ha2bgp_proto::bgp::PeerAddress;
use tokio::sync::{mpsc, oneshot};

use super::RouteState;

/// Routes in an answer at most.
pub const PAGE_MAX: usize = 256;
/// How many questions may wait for an announcer; then whoever asks waits.
const QUESTIONS_MAX: usize = 4;
/// How long an answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Which routes are asked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ask {
    /// This one only, known or not.
    pub prefix: Option<Prefix>,
    /// At this peer only.
    pub peer: Option<PeerAddress>,
    /// Those behind this place: where the page before has ended.
    pub after: Option<Place>,
    /// So many at most, 1 to [`PAGE_MAX`].
    pub limit: usize,
}

/// A place in the list of all routes: by peer, then by prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The peer; none: the pipe to ExaBGP.
    pub peer: Option<PeerAddress>,
    /// The prefix.
    pub prefix: Prefix,
}

/// A part of the list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// The routes.
    pub routes: Vec<RouteState>,
    /// Where to go on; none: this is the end. A peer that is gone meanwhile ends the list.
    pub next: Option<Place>,
}

/// One question.
#[derive(Debug)]
pub struct Question {
    /// What is asked.
    ask: Ask,
    /// Where the answer goes.
    answer: oneshot::Sender<Page>,
}

impl Question {
    /// Answers it. Nobody may be interested any more.
    pub(super) fn answer(self, page: impl FnOnce(&Ask, usize) -> Page) {
        let limit = self.ask.limit.clamp(1, PAGE_MAX);
        let _ = self.answer.send(page(&self.ask, limit));
    }
}

/// The way to an announcer.
#[derive(Clone, Debug)]
pub struct Questions(mpsc::Sender<Question>);

impl Questions {
    /// The way, and the end that the announcer listens at.
    pub fn channel() -> (Self, Inbox) {
        let (sender, receiver) = mpsc::channel(QUESTIONS_MAX);
        (Self(sender), Inbox(Some(receiver)))
    }

    /// A part of the routes; nothing when the announcer does not answer in time.
    pub async fn routes(&self, ask: Ask) -> Option<Page> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.0.send(Question { ask, answer }).await.ok()?;
            answered.await.ok()
        };
        tokio::time::timeout(ANSWER_TIME, asked).await.ok().flatten()
    }
}

/// Where an announcer listens.
#[derive(Debug, Default)]
pub struct Inbox(Option<mpsc::Receiver<Question>>);

impl Inbox {
    /// The next question; waits for ever when nobody can ask.
    pub(super) async fn next(&mut self) -> Question {
        if let Some(receiver) = &mut self.0 {
            match receiver.recv().await {
                Some(question) => return question,
                None => self.0 = None,
            }
        }
        std::future::pending().await
    }
}
