//! Writes log lines from a thread of its own: a blocked stderr must never block announcing.
//!
//! At most [`LINES_MAX`] lines wait. When more come, they are dropped and counted, and the count
//! is the next line that gets through.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How many lines may wait for stderr.
const LINES_MAX: usize = 4096;

/// How long the end of the program waits for stderr to take what is left.
const FLUSH_WAIT: Duration = Duration::from_millis(500);

enum Message {
    Line(Vec<u8>),
    /// Everything before this is written when it is answered.
    Flush(SyncSender<()>),
}

/// The running log.
#[derive(Debug)]
pub struct Log {
    lines: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Starts the thread.
    pub(super) fn start() -> Self {
        let (lines, waiting) = sync_channel(LINES_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let thread = std::thread::Builder::new().name("log".to_owned());
        // Without a thread there is no log, but there is still a daemon.
        let _ = thread.spawn(move || write_all(&waiting, &counter));
        Self { lines, dropped }
    }

    /// What hands lines to the thread.
    pub(super) fn maker(&self) -> Maker {
        Maker { lines: self.lines.clone(), dropped: Arc::clone(&self.dropped) }
    }

    /// Waits until everything logged so far is written, but not for long.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.lines.try_send(Message::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(FLUSH_WAIT);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush();
    }
}

fn write_all(waiting: &Receiver<Message>, dropped: &AtomicU64) {
    let mut stderr = std::io::stderr();
    for message in waiting {
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(stderr, "[ha2bgp] [W] {lost} log lines lost: stderr is too slow");
        }
        match message {
            // A log that cannot be written cannot be reported either.
            Message::Line(line) => drop(stderr.write_all(&line)),
            Message::Flush(done) => drop(done.try_send(())),
        }
    }
}

/// Makes a writer for each line.
#[derive(Debug)]
pub(super) struct Maker {
    lines: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

/// Collects one line and hands it over when dropped.
#[derive(Debug)]
pub(super) struct LineWriter<'a> {
    maker: &'a Maker,
    line: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Maker {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { maker: self, line: Vec::new() }
    }
}

impl std::io::Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter<'_> {
    fn drop(&mut self) {
        let line = std::mem::take(&mut self.line);
        if self.maker.lines.try_send(Message::Line(line)).is_err() {
            self.maker.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
