//! The backends `test` and `exabgptest`: the lines ExaBGP would get, for people and scripts to
//! see. Nobody answers, standard input is left alone.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;

use ha2bgp_proto::exabgp::Options;
use tokio::sync::{mpsc, watch};

use super::questions::Inbox;
use super::{Announcer, Desired, Ended, ExaBgp, Report, Stdio};
use crate::clock::Clock;

/// Prints commands.
#[derive(Debug)]
pub struct Plain {
    inner: Box<ExaBgp>,
}

impl Plain {
    /// Prints to `output` in the grammar and the rhythm of `options`.
    pub fn new(options: Options, output: OwnedFd, clock: Clock) -> Self {
        let options = Options { answers: false, ..options };
        let stdio = Stdio { input: None, output };
        Self { inner: Box::new(ExaBgp::new(options, stdio, clock)) }
    }

    /// With questions.
    #[must_use]
    pub fn answering(self, inbox: Inbox) -> Self {
        Self { inner: Box::new(self.inner.answering(inbox)) }
    }
}

impl Announcer for Plain {
    fn run(
        self: Box<Self>,
        desired: watch::Receiver<Desired>,
        reports: mpsc::Sender<Report>,
    ) -> Pin<Box<dyn Future<Output = Ended> + Send>> {
        self.inner.run(desired, reports)
    }
}
