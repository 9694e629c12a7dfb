//! Writes the log from a thread of its own: a blocked stderr or journal must never block announcing.
//!
//! At most [`LINES_MAX`] lines wait. When more come, they are dropped and counted, and the count
//! is the next line that gets through.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::journald::Journal;
use super::level::{LevelState, Levels};
use crate::events::Level;

/// How many lines may wait.
const LINES_MAX: usize = 4096;

/// How long the end of the program waits until what is left is written.
const FLUSH_WAIT: Duration = Duration::from_millis(500);

enum Message {
    Line(Vec<u8>),
    /// An entry of the journal, and the same as text.
    Entry(Vec<u8>, Vec<u8>),
    /// Everything before this is written when it is answered.
    Flush(SyncSender<()>),
    /// The level has changed, and with it what the thread waits for.
    Level,
}

/// Where lines go.
#[derive(Debug)]
pub(super) enum Output {
    Stderr,
    Journal(Journal),
}

/// The running log.
#[derive(Debug)]
pub struct Log {
    lines: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
    levels: Levels,
}

impl Log {
    /// Starts the thread.
    pub(super) fn start(output: Output, levels: Levels) -> Self {
        let (lines, waiting) = sync_channel(LINES_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let (counter, changing) = (Arc::clone(&dropped), levels.clone());
        let thread = std::thread::Builder::new().name("log".to_owned());
        // Without a thread there is no log, but there is still a daemon.
        let _ = thread.spawn(move || {
            // This thread is there before the doorbell hangs, and has no use for its capabilities.
            // What cannot be given back is said where the doorbell is hung up.
            let _ = ha2bgp_sys::privileges::give_back();
            write_all(&waiting, &counter, output, &changing);
        });
        Self { lines, dropped, levels }
    }

    /// What hands lines to the thread.
    pub(super) fn maker(&self) -> Maker {
        Maker { lines: self.lines.clone(), dropped: Arc::clone(&self.dropped) }
    }

    /// What changes the level while the program runs.
    pub fn level(&self) -> LevelHandle {
        LevelHandle { levels: self.levels.clone(), lines: self.lines.clone() }
    }

    /// Waits until everything logged so far is written, but not for long.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.lines.try_send(Message::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(FLUSH_WAIT);
        }
    }
}

/// Changes the level of the log while the program runs.
#[derive(Clone, Debug)]
pub struct LevelHandle {
    levels: Levels,
    lines: SyncSender<Message>,
}

impl LevelHandle {
    /// What is written now.
    pub fn get(&self) -> LevelState {
        self.levels.get()
    }

    /// Writes from now on this level and what is more urgent; for a time, or until the next change.
    pub fn set(&self, level: Level, time: Option<Duration>) {
        self.levels.set(level, time);
        // A thread that has lines to write looks at the time after each.
        let _ = self.lines.try_send(Message::Level);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush();
    }
}

fn write_all(
    waiting: &Receiver<Message>,
    dropped: &AtomicU64,
    mut output: Output,
    levels: &Levels,
) {
    loop {
        let message = match levels.expire(Instant::now()) {
            Some(until) => waiting.recv_timeout(until.saturating_duration_since(Instant::now())),
            None => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let message = match message {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let text = format!("[ha2bgp] [W] {lost} log lines lost: the log is too slow\n");
            let entry = format!("MESSAGE={lost} log lines lost\nPRIORITY=4\n");
            write(&mut output, entry.as_bytes(), text.as_bytes());
        }
        match message {
            Message::Line(line) => write(&mut Output::Stderr, &[], &line),
            Message::Entry(entry, line) => write(&mut output, &entry, &line),
            Message::Flush(done) => drop(done.try_send(())),
            Message::Level => {}
        }
    }
}

/// Writes to the journal, or to stderr where there is none.
fn write(output: &mut Output, entry: &[u8], line: &[u8]) {
    let sent = match output {
        Output::Journal(journal) => journal.send(entry).is_ok(),
        Output::Stderr => false,
    };
    if !sent {
        // A log that cannot be written cannot be reported either.
        let _ = io::stderr().write_all(line);
    }
}

/// Hands lines to the thread; never waits.
#[derive(Debug)]
pub(super) struct Maker {
    lines: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Maker {
    /// A line of text or JSON.
    pub(super) fn line(&self, line: Vec<u8>) {
        self.send(Message::Line(line));
    }

    /// An entry of the journal, and what stands on stderr where that does not take it.
    pub(super) fn entry(&self, entry: Vec<u8>, line: Vec<u8>) {
        self.send(Message::Entry(entry, line));
    }

    fn send(&self, message: Message) {
        if self.lines.try_send(message).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
