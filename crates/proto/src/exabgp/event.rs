//! What a session reports: events for the log, a snapshot for the status.

use alloc::string::String;
use core::time::Duration;

use ha2bgp_core::net::Prefix;

use super::command::Command;
use super::dialect::Dialect;

/// Something happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A command was written.
    Sent {
        /// The command.
        command: Command,
    },
    /// ExaBGP answered `done`.
    Acknowledged {
        /// The command.
        command: Command,
        /// From write to answer.
        latency: Duration,
    },
    /// ExaBGP answered `error`. Reported once; it is tried again until it is accepted or no longer
    /// wanted.
    Rejected {
        /// The prefix concerned.
        prefix: Prefix,
        /// The line that was refused, in the dialect spoken now.
        line: String,
        /// What ExaBGP said about it, if anything.
        reason: Option<String>,
    },
    /// A prefix that was rejected was accepted.
    Accepted {
        /// The prefix concerned.
        prefix: Prefix,
    },
    /// The first `done`: ExaBGP understands this dialect.
    DialectLearned {
        /// The dialect.
        dialect: Dialect,
    },
    /// ExaBGP does not answer commands: only the pipe tells how fast it takes them.
    AcksAbsent,
    /// An answer came after all.
    AcksPresent,
    /// Commands wait for their answers and none has come for a while.
    Stalled {
        /// Commands that wait.
        in_flight: usize,
    },
    /// Answers come again.
    Resumed {
        /// How long there was none.
        after: Duration,
    },
    /// ExaBGP said that it stops; no answers are waited for any more.
    PeerStops,
    /// Answers were lost: the commands that waited for them are sent again.
    Resynchronised {
        /// Prefixes to send again.
        prefixes: usize,
    },
}

/// Does ExaBGP answer commands?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Acks {
    /// Too early to tell; treated as yes.
    Unknown,
    /// Yes.
    Present,
    /// No: switched off (`exabgp.api.ack=false`), or too old (3.x).
    Absent,
}

/// The state of a session in numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    /// Routes that should be announced.
    pub intended: usize,
    /// Routes for which an announcement was the last thing sent.
    pub sent: usize,
    /// Those of them that ExaBGP acknowledged.
    pub acknowledged: usize,
    /// Prefixes whose last command was answered `error`.
    pub rejected: usize,
    /// Prefixes that wait to be sent.
    pub pending: usize,
    /// Commands that wait for an answer.
    pub in_flight: usize,
    /// Withdrawn prefixes that are remembered, to say it again.
    pub withdrawn: usize,
    /// Commands written so far.
    pub commands: u64,
    /// Answers `done` so far.
    pub done: u64,
    /// Answers `error` so far.
    pub errors: u64,
    /// Answers that belong to no command.
    pub unexpected: u64,
    /// Lines that were not answers.
    pub ignored_lines: u64,
    /// Lines that were too long.
    pub skipped_lines: u64,
    /// Events that nobody fetched in time.
    pub lost_events: u64,
    /// The dialect spoken now.
    pub dialect: Dialect,
    /// True while the dialect is a guess.
    pub learning: bool,
    /// Does ExaBGP answer?
    pub acks: Acks,
    /// No answer for a while although commands wait.
    pub stalled: bool,
}
