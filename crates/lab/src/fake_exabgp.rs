//! A stand-in for ExaBGP: holds the pipes of a real ha2bgp, reads its lines, answers as told.
//!
//! What real versions answer (measured with 4.2.21, 4.2.25, 5.0.15): `done` or `error`, one line
//! for one command, in text also where `encoder json` is set; JSON only after it was asked for
//! (5 and later). 4.2.x gives *no* answer to some lines that it cannot parse.

use crate::api::Table;
use crate::child::Child;
use crate::netns::Netns;
use crate::{LabError, Result, program, wait};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Lines that wait for the test; beyond it the reader stops reading.
const QUEUE: usize = 65_536;

/// What is answered to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `done`, as text.
    Done,
    /// `error`, as text.
    Error,
    /// `done`, as JSON.
    Json,
    /// Nothing, as with `exabgp.api.ack` off.
    Nothing,
    /// `error` to the first command of each prefix list, `done` to the same line again.
    ErrorOnce,
}

#[derive(Debug, Default)]
struct Switches {
    paused: AtomicBool,
    close_stdin: AtomicBool,
    close_stdout: AtomicBool,
}

/// ha2bgp as the child of something that behaves like ExaBGP.
#[derive(Debug)]
pub struct FakeExaBgp {
    child: Child,
    queue: Receiver<(Instant, String)>,
    lines: Vec<(Instant, String)>,
    table: Table,
    switches: Arc<Switches>,
}

impl FakeExaBgp {
    /// Starts ha2bgp on `host` with these arguments and environment.
    pub fn start(
        host: &Netns,
        dir: &Path,
        args: &[&str],
        env: &[(&str, &str)],
        answer: Answer,
    ) -> Result<Self> {
        let mut command = program::command(args);
        command.envs(env.iter().copied());
        let mut child = host.start_piped("ha2bgp", &mut command, dir)?;
        let no_pipe = || LabError::Missing("ha2bgp has no pipe".to_owned());
        let stdin = child.take_stdin().ok_or_else(no_pipe)?;
        let stdout = child.take_stdout().ok_or_else(no_pipe)?;
        let (sender, queue) = sync_channel(QUEUE);
        let switches = Arc::new(Switches::default());
        let theirs = Arc::clone(&switches);
        std::thread::Builder::new()
            .name("fake-exabgp".to_owned())
            .spawn(move || play(stdin, stdout, &sender, &theirs, answer))
            .map_err(LabError::io("start the thread of the fake"))?;
        Ok(Self { child, queue, lines: Vec::new(), table: Table::default(), switches })
    }

    /// The process itself.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Stops reading its lines, so that the pipe fills.
    pub fn stop_reading(&self) {
        self.switches.paused.store(true, Ordering::Relaxed);
    }

    /// Reads again.
    pub fn read_again(&self) {
        self.switches.paused.store(false, Ordering::Relaxed);
    }

    /// Closes its standard input, as an ExaBGP that stops does.
    pub fn close_stdin(&self) {
        self.switches.close_stdin.store(true, Ordering::Relaxed);
    }

    /// Closes the reading end of its standard output.
    pub fn close_stdout(&self) {
        self.switches.close_stdout.store(true, Ordering::Relaxed);
    }

    /// What its lines add up to so far.
    pub fn table(&mut self) -> &Table {
        for (at, line) in self.queue.try_iter() {
            self.table.apply(&line);
            self.lines.push((at, line));
        }
        &self.table
    }

    /// All lines so far, with the moment each was read.
    pub fn lines(&mut self) -> &[(Instant, String)] {
        self.table();
        &self.lines
    }

    /// All lines so far as one text.
    pub fn text(&mut self) -> String {
        self.lines().iter().map(|(_, line)| format!("{line}\n")).collect()
    }

    /// Waits until a prefix is announced (`true`) or not (`false`).
    pub fn wait(&mut self, prefix: &str, announced: bool, limit: Duration) -> Result<()> {
        let state = if announced { "announced" } else { "withdrawn" };
        self.wait_for(&format!("{prefix} is {state}"), limit, |t| t.has(prefix) == announced)
    }

    /// Waits until the log has these words: a route is announced or withdrawn before that is told.
    ///
    /// # Errors
    /// When it has not in that time.
    pub fn wait_log(&mut self, words: &str, limit: Duration) -> Result<()> {
        wait::until(limit, &format!("the log says {words:?}"), || {
            let child = self.child();
            if child.stderr().contains(words) { Ok(()) } else { Err(child.tail()) }
        })
    }

    /// Waits for a condition on the table.
    pub fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        check: impl Fn(&Table) -> bool,
    ) -> Result<()> {
        wait::until(limit, what, || if check(self.table()) { Ok(()) } else { Err(self.report()) })
    }

    /// Waits until a condition on the table has held for `time` without a break.
    pub fn settles(
        &mut self,
        what: &str,
        limit: Duration,
        time: Duration,
        check: impl Fn(&Table) -> bool,
    ) -> Result<()> {
        wait::settled(limit, time, what, || {
            if check(self.table()) { Ok(()) } else { Err(self.report()) }
        })
    }

    /// Watches that a condition on the table holds for a while.
    pub fn holds(
        &mut self,
        what: &str,
        time: Duration,
        check: impl Fn(&Table) -> bool,
    ) -> Result<()> {
        wait::holds(time, what, || if check(self.table()) { Ok(()) } else { Err(self.report()) })
    }

    /// Waits for its end and takes the last lines.
    pub fn wait_exit(&mut self, limit: Duration) -> Result<ExitStatus> {
        let status = self.child.wait(limit)?;
        // The reader drops its end of the queue after the end of the pipe.
        while let Ok((at, line)) = self.queue.recv_timeout(Duration::from_secs(5)) {
            self.table.apply(&line);
            self.lines.push((at, line));
        }
        Ok(status)
    }

    fn report(&mut self) -> String {
        let count = self.lines.len();
        let last: Vec<&str> =
            self.lines.iter().skip(count.saturating_sub(20)).map(|(_, l)| l.as_str()).collect();
        format!("{count} lines, the last:\n{}\n{}", last.join("\n"), self.child.tail())
    }
}

/// The thread: reads, reports, answers, until the pipe ends or the test is gone.
fn play(
    stdin: ChildStdin,
    mut stdout: ChildStdout,
    sender: &SyncSender<(Instant, String)>,
    switches: &Switches,
    answer: Answer,
) {
    let mut stdin = Some(stdin);
    let mut buffer = Vec::new();
    let mut refused = std::collections::BTreeSet::new();
    loop {
        if switches.close_stdin.load(Ordering::Relaxed) {
            stdin = None;
        }
        if switches.close_stdout.load(Ordering::Relaxed) {
            return;
        }
        if switches.paused.load(Ordering::Relaxed) {
            wait::pause(Duration::from_millis(5));
            continue;
        }
        let mut chunk = [0_u8; 65_536];
        let size = match readable(&stdout).then(|| stdout.read(&mut chunk)) {
            None => continue,
            Some(Ok(0) | Err(_)) => return,
            Some(Ok(size)) => size,
        };
        let now = Instant::now();
        buffer.extend_from_slice(chunk.get(..size).unwrap_or_default());
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let rest = buffer.split_off(end + 1);
            let line = String::from_utf8_lossy(&buffer).trim_end_matches('\n').to_owned();
            buffer = rest;
            let text = match answer {
                Answer::Done => "done\n",
                Answer::Error => "error\n",
                Answer::Json => "{ \"answer\": \"done\", \"message\": \"command completed\" }\n",
                Answer::Nothing => "",
                Answer::ErrorOnce if refused.insert(line.clone()) => "error\n",
                Answer::ErrorOnce => "done\n",
            };
            if sender.send((now, line)).is_err() {
                return;
            }
            if let Some(pipe) = &mut stdin
                && pipe.write_all(text.as_bytes()).is_err()
            {
                stdin = None;
            }
        }
    }
}

/// Whether there is something to read within a short time.
fn readable(stdout: &ChildStdout) -> bool {
    let timeout = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    let mut fds = [PollFd::new(stdout, PollFlags::IN)];
    poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
}
