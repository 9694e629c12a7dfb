//! Reading and writing of probes on any stream, plain or TLS. No probe has a buffer of its own:
//! what is read is looked at piece by piece.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The longest piece, in octets.
pub const PIECE: usize = 4096;

/// Waits for something to read and has it looked at, at most [`PIECE`] octets of it. `None` when
/// the other side has closed.
///
/// # Errors
/// Those of the stream.
pub async fn read<T>(
    stream: &mut (impl AsyncRead + Unpin),
    mut look: impl FnMut(&[u8]) -> T,
) -> io::Result<Option<T>> {
    poll_fn(|context| {
        let mut space = [0; PIECE];
        let mut buffer = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
        let piece = buffer.filled();
        Poll::Ready(Ok((!piece.is_empty()).then(|| look(piece))))
    })
    .await
}

/// Writes all of it, and has it sent.
///
/// # Errors
/// Those of the stream.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), octets: &[u8]) -> io::Result<()> {
    let mut rest = octets;
    poll_fn(|context| {
        while !rest.is_empty() {
            match ready!(Pin::new(&mut *stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => rest = rest.get(written..).unwrap_or_default(),
            }
        }
        Pin::new(&mut *stream).poll_flush(context)
    })
    .await
}
