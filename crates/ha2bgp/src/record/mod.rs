//! The flight recorder: every input of the engine and every decision, in a file for [`replay`].
//!
//! The engine's side ([`Recorder`]) writes lines into a bounded queue and never waits; a thread for
//! blocking work writes them down ([`mod@file`]). What has no place in the queue is counted, and the file
//! says so; behind such a gap, and at the beginning of each file, stands a checkpoint, so that every
//! file can be replayed by itself.

pub mod file;
pub mod replay;

use ha2bgp_core::engine::{Engine, Input};
use ha2bgp_core::event::Event;
use ha2bgp_core::record::{Decision, Entry, write};
use ha2bgp_core::time::Instant;
use tokio::sync::mpsc;

use self::file::{Chunk, Head};

/// So many chunks may wait for the disk.
const CHUNKS_MAX: usize = 4096;

/// What is recorded, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordSettings {
    /// The file.
    pub path: String,
    /// Two files have so many octets together: the newest, and the one before it.
    pub size: u64,
}

/// The engine's side of the recorder.
#[derive(Debug)]
pub struct Recorder {
    chunks: mpsc::Sender<Chunk>,
    head: Head,
    /// Octets that went into the file, and how many it may have.
    written: u64,
    file_max: u64,
    /// Entries that had no place.
    missing: u64,
}

impl Recorder {
    /// Begins to record. Runs inside a tokio runtime.
    pub fn start(settings: &RecordSettings, head: Head) -> Self {
        let (chunks, waiting) = mpsc::channel(CHUNKS_MAX);
        let path = settings.path.clone();
        tokio::task::spawn_blocking(move || file::write(path.as_ref(), waiting));
        Self::into(chunks, settings.size, head)
    }

    /// A recorder into a queue that somebody else empties.
    pub const fn into(chunks: mpsc::Sender<Chunk>, size: u64, head: Head) -> Self {
        Self { chunks, head, written: u64::MAX, file_max: size / 2, missing: 0 }
    }

    /// Another listen filter counts: what is seen is other than before.
    pub fn set_listen_filter(&mut self, text: &str) {
        text.clone_into(&mut self.head.listen_filter);
    }

    /// Notes an input that the engine takes now. To be called before it does.
    pub fn input(&mut self, engine: &Engine, now: Instant, input: &Input) {
        let new = self.written >= self.file_max;
        // A checkpoint costs what the engine knows: behind a gap it waits until the disk keeps up.
        let room = self.missing == 0 || self.chunks.capacity() >= self.chunks.max_capacity() / 2;
        if (new || self.missing > 0) && room {
            self.begin_file(engine, now);
        }
        self.put(write(now, &Entry::Input(input.clone())));
    }

    /// Notes what the engine decided.
    pub fn event(&mut self, now: Instant, event: &Event) {
        if let Some(decision) = Decision::of(event) {
            self.put(write(now, &Entry::Decision(decision)));
        }
    }

    /// Begins a file, or goes on behind a gap: with all that a replay must know.
    fn begin_file(&mut self, engine: &Engine, now: Instant) {
        let new = self.written >= self.file_max;
        let mut text = String::new();
        if new {
            text.push_str(&self.head.text(now));
        }
        if self.missing > 0 {
            text.push_str(&write(now, &Entry::Missing(self.missing)));
        }
        text.push_str(&write(now, &Entry::Start(Box::new(engine.config().clone()))));
        for input in engine.checkpoint(now) {
            text.push_str(&write(now, &Entry::Input(input)));
        }
        // What the checkpoint itself decides was decided long ago.
        text.push_str("# checkpoint ends\n");
        let length = octets(&text);
        let missing = std::mem::take(&mut self.missing);
        if self.chunks.try_send(Chunk { text, new }).is_err() {
            self.missing = missing;
        } else {
            // What begins with a large checkpoint holds as much again.
            self.file_max = self.file_max.max(length.saturating_mul(2));
            self.written = if new { length } else { self.written.saturating_add(length) };
        }
    }

    fn put(&mut self, text: String) {
        // Behind a gap nothing is worth anything until a checkpoint.
        let length = octets(&text);
        if self.missing > 0 || self.chunks.try_send(Chunk { text, new: false }).is_err() {
            self.missing = self.missing.saturating_add(1);
        } else {
            self.written = self.written.saturating_add(length);
        }
    }
}

fn octets(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
