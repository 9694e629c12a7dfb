//! Writes that may not take forever: a client that does not read its answers ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// A connection whose writes have a deadline each.
#[derive(Debug)]
pub(super) struct Deadline<T> {
    inner: T,
    time: Duration,
    /// Runs while a write waits for the other end.
    waits: Option<Pin<Box<Sleep>>>,
}

impl<T> Deadline<T> {
    /// Each write may wait so long.
    pub(super) const fn new(inner: T, time: Duration) -> Self {
        Self { inner, time, waits: None }
    }

    fn judge<R>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.waits = None;
            return written;
        }
        let time = self.time;
        let waits = self.waits.get_or_insert_with(|| Box::pin(sleep(time)));
        ready!(waits.as_mut().poll(context));
        waits.as_mut().reset(Instant::now() + time);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Deadline<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Deadline<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, octets);
        self.judge(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.judge(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.inner).poll_shutdown(context);
        self.judge(context, ended)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_write_has_its_time() {
        let time = Duration::from_secs(10);
        let (mut reader, writer) = tokio::io::duplex(4);
        let mut writer = Deadline::new(writer, time);
        let slow = async {
            let mut got = [0; 4];
            // Slow, but never too slow.
            for _ in 0..3 {
                sleep(time - Duration::from_secs(1)).await;
                reader.read_exact(&mut got).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(writer.write_all(&[0; 16]), slow);
        written.unwrap();
        let start = Instant::now();
        let error = writer.write_all(&[0; 4]).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (io::ErrorKind::TimedOut, time));
    }
}
