//! What a process prints: so much of it is kept, all of it is read, so that nothing ever blocks it.

use std::io;

use tokio::net::unix::pipe;

/// One read.
const CHUNK: usize = 16 * 1024;

/// What may still be in a pipe after the end of the process: as much as a pipe holds for anybody
/// (`/proc/sys/fs/pipe-max-size`, pipe(7)). Others that have the pipe may go on to write.
const REST_MAX: u64 = 1024 * 1024;

/// One stream of a process.
#[derive(Debug)]
pub(super) struct Capture {
    /// Nothing after its end.
    pipe: Option<pipe::Receiver>,
    kept: Vec<u8>,
    most: usize,
    seen: u64,
}

impl Capture {
    /// Keeps so many octets.
    pub(super) const fn new(pipe: pipe::Receiver, most: usize) -> Self {
        Self { pipe: Some(pipe), kept: Vec::new(), most, seen: 0 }
    }

    /// Reads once, when there is something; never returns after the end of the stream. Nothing is
    /// lost when it is dropped.
    pub(super) async fn fill(&mut self) {
        match &self.pipe {
            Some(pipe) => {
                if pipe.readable().await.is_err() {
                    self.pipe = None;
                }
            }
            None => std::future::pending().await,
        }
        self.take();
    }

    /// Reads what is there now, and no more; ends the stream.
    pub(super) fn finish(&mut self) {
        let end = self.seen.saturating_add(REST_MAX);
        while self.seen < end && self.take() {}
        self.pipe = None;
    }

    /// Reads once without waiting. False when nothing was there.
    fn take(&mut self) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        let mut chunk = [0; CHUNK];
        match pipe.try_read(&mut chunk) {
            Ok(length @ 1..) => {
                let room = self.most.saturating_sub(self.kept.len());
                self.kept.extend(chunk.iter().take(length.min(room)));
                self.seen = self.seen.saturating_add(u64::try_from(length).unwrap_or(0));
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Ok(_) | Err(_) => {
                self.pipe = None;
                false
            }
        }
    }

    /// What was kept.
    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// How many octets came.
    pub(super) const fn seen(&self) -> u64 {
        self.seen
    }
}
