//! A connection with or without TLS, whose reader gives way to other probes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop;
use tokio_rustls::client::TlsStream;

/// A connection of a probe.
#[derive(Debug)]
pub enum Stream {
    /// As it is.
    Plain(TcpStream),
    /// Under TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// What a task may do before others have their turn is counted by tokio in reads, 128 of them. Reads
/// may be large, and full of tiny parts that cost much (chunks of one octet, a thousand answers of
/// "100 Continue"): so many octets count as one.
const UNIT: usize = 1024;

/// Counts what was read.
fn pay(cx: &mut Context<'_>, octets: usize) {
    for _ in 0..octets / UNIT {
        match coop::poll_proceed(cx) {
            Poll::Ready(paid) => paid.made_progress(),
            Poll::Pending => return,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        })?;
        pay(cx, buffer.filled().len().saturating_sub(before));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// However much a server sends at once, others have their turn in between.
    #[tokio::test]
    async fn a_reader_gives_way() {
        const ALL: usize = 1 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let sender = tokio::spawn(async move { server.write_all(&vec![0; ALL]).await });
        let mut stream = Stream::Plain(client);
        let (mut seen, mut most) = (0, 0);
        while seen < ALL {
            let mut turn = 0;
            poll_fn(|cx| {
                let mut space = vec![0; 32 * 1024];
                let mut buffer = ReadBuf::new(&mut space);
                while turn + seen < ALL
                    && Pin::new(&mut stream).poll_read(cx, &mut buffer).is_ready()
                {
                    turn += buffer.filled().len();
                    buffer.clear();
                }
                Poll::Ready(())
            })
            .await;
            seen += turn;
            most = most.max(turn);
            tokio::task::yield_now().await;
        }
        sender.await.unwrap().unwrap();
        assert!(most <= 128 * UNIT + 32 * 1024, "{most} octets in one turn");
    }
}
