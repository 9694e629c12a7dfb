//! Signals: what each asks for stands in [`Signal`].

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Signal {
    /// SIGTERM, SIGINT: withdraw everything and end.
    Stop(&'static str),
    /// SIGUSR2: end, and leave the routes where they are.
    Restart,
    /// SIGHUP: read the configuration and the files that it names again, then as [`Signal::Dump`].
    Reload,
    /// SIGUSR1: print the status to stderr.
    Dump,
}

/// The signals we listen for.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Stream,
    interrupt: Stream,
    hangup: Stream,
    user1: Stream,
    user2: Stream,
}

impl Signals {
    /// Takes over the signals. From now on they do not kill the program.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Signal::Stop("SIGINT"),
            _ = self.user2.recv() => Signal::Restart,
            _ = self.hangup.recv() => Signal::Reload,
            _ = self.user1.recv() => Signal::Dump,
        }
    }

    /// The next signal that asks to end.
    pub(super) async fn stop(&mut self) {
        while !matches!(self.next().await, Signal::Stop(_) | Signal::Restart) {}
    }
}
