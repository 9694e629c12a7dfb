//! The conversation with a stats socket on one kept connection, without IO.
//!
//! The driver's loop: [`Session::start_poll`] when it is time; write what [`Session::poll_write`]
//! gives and say [`Session::written`]; hand in what arrives with [`Session::handle_bytes`] and the
//! end with [`Session::handle_close`]; drain [`Session::poll_event`]. The driver keeps the
//! deadline of a poll. After [`Session::is_over`], close the connection and make a new one with a
//! new session: also after a picture of a process that is stopping, since that process answers on
//! this connection for ever, while a new connection reaches the one that took over (and our
//! connection would keep the old one from ending).
//!
//! What is said (management.txt sections 9.3 and 9.4, observed with 2.6): `prompt` once, which
//! keeps the connection open between commands; then per poll `show info` and `show stat`, one at a
//! time. The prompt tells which socket this is: `> ` or `master> `. On the master socket commands
//! go to `@1`, the current worker, never to an old one (`@!PID`). The master closes its
//! connections at each reload.
//!
//! An answer ends at a prompt at the start of a line after an empty line. A prompt is `> ` or
//! `master> ` with flags and state, as `master[ReloadFailed](xed)> `.
//!
//! Not used: `show stat typed` and `json` (bigger), `;` between commands (the master sends only
//! the first to the worker), `set severity-output` (off by default), `prompt i` and `prompt timed`
//! (new in 3.x and 2.9; a plain `prompt` works in all).
//!
//! Limits: those of [`stat`] and [`info`], [`GREETING_MAX`], one command
//! in flight, three events not fetched.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;
use core::ops::ControlFlow;

use thiserror::Error;

use super::info::{self, Info, InfoError, InfoReader};
use super::scan::Lines;
use super::stat::{self, Content, StatError, Table, excerpt};

#[cfg(test)]
mod tests;

/// The most octets before the first prompt.
pub const GREETING_MAX: usize = 4096;

/// The longest prompt; `master[ReloadFailed](xed)> ` has 27.
const PROMPT_MAX: usize = 64;

/// Something happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A poll is done.
    Picture {
        /// `show info`.
        info: Info,
        /// `show stat`.
        table: Table,
    },
    /// A poll failed, or the connection did between polls; the session is over.
    Failed(SessionError),
}

/// Why a session is over.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum SessionError {
    /// The socket has another level or is another program.
    #[error("HAProxy refused `{command}`: {answer:?}; give the socket `level user` or higher")]
    Refused {
        /// What was asked.
        command: &'static str,
        /// The first line of the answer.
        answer: Box<str>,
    },
    /// The connection ended before the answer did.
    #[error("the connection closed before `{command}` was answered; it said {said:?} last")]
    Closed {
        /// What was asked.
        command: &'static str,
        /// The line that was begun, or the last whole one of an answer of one line.
        said: Box<str>,
    },
    /// The connection ended while nothing was asked: a reload of the master, a stop, or the
    /// socket's own timeout (`stats timeout`, 10 s by default). Connect again.
    #[error("the connection closed between polls")]
    ClosedIdle,
    /// Something came that was not asked for.
    #[error("{said:?} arrived although nothing was asked")]
    Unasked {
        /// What, shortened.
        said: Box<str>,
    },
    /// No prompt came.
    #[error("no prompt in the first {GREETING_MAX} octets: is this HAProxy's stats socket?")]
    NoPrompt,
    /// The answer to `show info` is none.
    #[error(transparent)]
    Info(#[from] InfoError),
    /// The answer to `show stat` is none.
    #[error(transparent)]
    Stat(#[from] StatError),
}

/// Which socket answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Socket {
    /// A stats socket of one process.
    Stats,
    /// The master socket.
    Master,
}

/// What is waited for.
#[derive(Debug)]
enum Phase {
    /// Nothing was said yet.
    New,
    /// The first prompt.
    Greeting { octets: usize },
    /// Nothing: the next poll may start.
    Idle,
    /// The end of `show info`.
    Info(InfoReader),
    /// The end of `show stat`.
    Stat(Info, Box<Content>),
    /// Nothing, for ever.
    Over,
}

/// One conversation with HAProxy.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    socket: Option<Socket>,
    lines: Lines,
    /// A prompt may come: at the very start, and after an empty line.
    at_gap: bool,
    out: Vec<u8>,
    out_done: usize,
    events: VecDeque<Event>,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A session on a fresh connection.
    pub const fn new() -> Self {
        Self {
            phase: Phase::New,
            socket: None,
            lines: Lines::new(GREETING_MAX, false),
            at_gap: true,
            out: Vec::new(),
            out_done: 0,
            events: VecDeque::new(),
        }
    }

    /// Asks for a picture. False, and nothing is done, while a poll is under way or when the
    /// session is over.
    pub fn start_poll(&mut self) -> bool {
        match self.phase {
            Phase::New => {
                self.phase = Phase::Greeting { octets: 0 };
                self.say(b"prompt\n");
                true
            }
            Phase::Idle => {
                self.ask_info();
                true
            }
            Phase::Greeting { .. } | Phase::Info(_) | Phase::Stat(..) | Phase::Over => false,
        }
    }

    /// Takes what arrived, cut anywhere.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Phase::New | Phase::Idle = self.phase {
                self.fail(SessionError::Unasked { said: excerpt(rest) });
            }
            if matches!(self.phase, Phase::Over) {
                return;
            }
            match self.take(rest) {
                Ok(left) => rest = left,
                Err(error) => {
                    self.fail(error);
                    return;
                }
            }
        }
    }

    /// Takes the news that the other side closed, or that reading or writing failed.
    pub fn handle_close(&mut self) {
        let said = excerpt(self.lines.partial());
        let error = match &self.phase {
            Phase::Over => return,
            Phase::New | Phase::Idle => SessionError::ClosedIdle,
            Phase::Greeting { .. } => SessionError::Closed { command: "prompt", said },
            Phase::Info(reader) => {
                let said = if said.is_empty() { reader.first_line().into() } else { said };
                SessionError::Closed { command: "show info", said }
            }
            Phase::Stat(..) => SessionError::Closed { command: "show stat", said },
        };
        self.fail(error);
    }

    /// What to write now.
    pub fn poll_write(&self) -> Option<&[u8]> {
        self.out.get(self.out_done..).filter(|rest| !rest.is_empty())
    }

    /// Notes that so many octets of [`Session::poll_write`] were written.
    pub fn written(&mut self, count: usize) {
        self.out_done = self.out_done.saturating_add(count).min(self.out.len());
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// True when this connection is of no more use.
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// True while an answer is waited for.
    pub const fn is_polling(&self) -> bool {
        matches!(self.phase, Phase::Greeting { .. } | Phase::Info(_) | Phase::Stat(..))
    }

    /// Which socket this is, once it has shown its prompt.
    pub const fn socket(&self) -> Option<Socket> {
        self.socket
    }

    /// Reads up to the end of the answer, or all; what is left is the answer.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], SessionError> {
        // A prompt at the start of this piece, perhaps begun in the last one. Its octets go in one
        // by one, so that what follows it is left alone. There are few of them.
        if self.at_gap && !self.lines.in_quotes() {
            return self.take_at_gap(bytes);
        }
        let Self { phase, lines, at_gap, .. } = self;
        let mut result = Ok(());
        let fed = lines.feed(bytes, &mut |line, quoted| {
            result = phase.line(line, quoted);
            *at_gap = line.is_empty() || line == b"\r";
            if result.is_err() || *at_gap {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let rest = fed.map_err(|it| phase.too_long(it));
        result?;
        let rest = rest?;
        phase.count(bytes.len() - rest.len())?;
        Ok(rest)
    }

    /// The same while a prompt may come: one octet.
    fn take_at_gap<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], SessionError> {
        let Some((first, rest)) = bytes.split_at_checked(1) else { return Ok(&[]) };
        let Self { phase, lines, at_gap, .. } = self;
        let mut result = Ok(());
        lines
            .feed(first, &mut |line, quoted| {
                result = phase.line(line, quoted);
                *at_gap = line.is_empty() || line == b"\r";
                ControlFlow::Continue(())
            })
            .map_err(|it| phase.too_long(it))?;
        result?;
        phase.count(first.len())?;
        match prompt(lines.partial()) {
            Prompt::No => *at_gap = false,
            Prompt::Perhaps => {}
            Prompt::Is(socket) => self.end_of_answer(socket)?,
        }
        Ok(rest)
    }

    fn end_of_answer(&mut self, socket: Socket) -> Result<(), SessionError> {
        self.socket = Some(socket);
        match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Greeting { .. } => self.ask_info(),
            Phase::Info(reader) => {
                let first = reader.first_line();
                if is_refusal(first) {
                    let answer = first.into();
                    return Err(SessionError::Refused { command: "show info", answer });
                }
                let info = reader.finish()?;
                self.phase = Phase::Stat(info, Box::default());
                self.listen(stat::LINE_MAX, true);
                self.ask(b"show stat\n");
            }
            Phase::Stat(info, content) => {
                let table = content.finish()?;
                self.phase = if info.stopping { Phase::Over } else { Phase::Idle };
                self.events.push_back(Event::Picture { info, table });
            }
            phase @ (Phase::New | Phase::Idle | Phase::Over) => self.phase = phase,
        }
        Ok(())
    }

    fn ask_info(&mut self) {
        self.phase = Phase::Info(InfoReader::default());
        self.listen(info::LINE_MAX, false);
        self.ask(b"show info\n");
    }

    /// Gets ready for an answer.
    fn listen(&mut self, line_max: usize, quotes: bool) {
        self.lines = Lines::new(line_max, quotes);
        self.at_gap = true;
    }

    fn ask(&mut self, command: &[u8]) {
        match self.socket {
            Some(Socket::Master) => self.say(&[b"@1 ", command].concat()),
            Some(Socket::Stats) | None => self.say(command),
        }
    }

    /// One command is in flight at most, so what was written before is done.
    fn say(&mut self, command: &[u8]) {
        self.out.drain(..self.out_done);
        self.out_done = 0;
        self.out.extend_from_slice(command);
    }

    fn fail(&mut self, error: SessionError) {
        self.phase = Phase::Over;
        self.out.clear();
        self.out_done = 0;
        self.lines = Lines::new(0, false);
        self.events.push_back(Event::Failed(error));
    }
}

impl Phase {
    /// Takes a whole line of the answer.
    fn line(&mut self, line: &[u8], quoted: bool) -> Result<(), SessionError> {
        match self {
            Self::Greeting { octets } => {
                *octets += line.len() + 1;
                if *octets > GREETING_MAX { Err(SessionError::NoPrompt) } else { Ok(()) }
            }
            Self::Info(reader) => Ok(reader.line(line)?),
            Self::Stat(_, content) => content.line(line, quoted).map_err(|error| match error {
                StatError::NoHeader { line } if is_refusal(&line) => {
                    SessionError::Refused { command: "show stat", answer: line }
                }
                other => other.into(),
            }),
            Self::New | Self::Idle | Self::Over => Ok(()),
        }
    }

    /// Counts octets of the answer.
    fn count(&mut self, octets: usize) -> Result<(), SessionError> {
        match self {
            Self::Stat(_, content) => Ok(content.count(octets)?),
            Self::New | Self::Greeting { .. } | Self::Idle | Self::Info(_) | Self::Over => Ok(()),
        }
    }

    fn too_long(&self, error: super::scan::TooLong) -> SessionError {
        match self {
            Self::Info(_) => InfoError::TooMuch.into(),
            Self::Stat(..) => stat::too_long(error).into(),
            Self::New | Self::Greeting { .. } | Self::Idle | Self::Over => SessionError::NoPrompt,
        }
    }
}

/// The answers that mean no: src/cli.c, `cli_gen_usage_msg` and `cli_has_level`.
fn is_refusal(line: &str) -> bool {
    line.starts_with("Unknown command") || line.starts_with("Permission denied")
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Prompt {
    No,
    /// It may become one.
    Perhaps,
    Is(Socket),
}

/// Is the start of a line a prompt? `> `, or `master`, then state and flags in brackets, then `> `.
fn prompt(line: &[u8]) -> Prompt {
    const MASTER: &[u8] = b"master";
    if line.len() > PROMPT_MAX {
        return Prompt::No;
    }
    let (label, end) = match line.iter().position(|octet| *octet == b'>') {
        Some(at) => line.split_at(at),
        None => (line, &[][..]),
    };
    let is_master = label.starts_with(MASTER);
    let is_label = label.is_empty()
        || (is_master && label.iter().all(|it| it.is_ascii_alphanumeric() || b"[]()".contains(it)));
    match end {
        b"> " if is_label => Prompt::Is(if is_master { Socket::Master } else { Socket::Stats }),
        b"" | b">" if is_label => Prompt::Perhaps,
        b"" if MASTER.starts_with(label) => Prompt::Perhaps,
        _ => Prompt::No,
    }
}
