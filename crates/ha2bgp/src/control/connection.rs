//! One connection, from the first octet to the last: how long, how much, how often.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;

use super::answer::Content;
use super::deadline::Deadline;
use super::places::{Place, Work};
use super::rate::Rate;

/// The longest head of a request, in octets; hyper takes no less.
pub const HEAD_MAX: usize = 8 * 1024;
/// The most header fields.
pub const FIELDS_MAX: usize = 64;
/// How long a head may take, with the wait for it.
pub const HEAD_TIME: Duration = Duration::from_secs(5);
/// How long a client may take nothing of an answer.
pub const WRITE_TIME: Duration = Duration::from_secs(10);
/// How long a connection lives at most; a stream of events, and what is in work, may end.
pub const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// How long what is begun may take after that.
const GRACE: Duration = Duration::from_secs(5);
/// The same when the way in is closed.
const END_GRACE: Duration = Duration::from_millis(500);
/// Requests a second over one connection, and at once after a rest.
pub const CONNECTION_RATE: (u32, u32) = (100, 200);

/// Serves one connection until it ends, its time is over, the way in is closed (`ending` is
/// dropped), or another one needs its place.
pub(super) async fn serve<T, F>(
    stream: T,
    place: &Place,
    mut ending: watch::Receiver<()>,
    answer: impl Fn(Request<Incoming>, bool) -> F,
) where
    T: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Response<Content>>,
{
    let rate = RefCell::new(Rate::new(CONNECTION_RATE.0, CONNECTION_RATE.1, Instant::now()));
    let service = service_fn(|request| {
        let answer = answer(request, rate.borrow_mut().take(Instant::now()));
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_MAX)
        .max_headers(FIELDS_MAX)
        .half_close(true)
        .serve_connection(TokioIo::new(Deadline::new(stream, WRITE_TIME)), service);
    let mut connection = pin!(connection);
    let over = async {
        tokio::time::sleep(CONNECTION_TIME).await;
        if place.work.get() == Work::Streaming {
            // Its answer says that nothing follows it.
            std::future::pending::<()>().await;
        }
    };
    let grace = tokio::select! {
        // What a client does wrong is its own affair.
        _ = connection.as_mut() => return,
        () = place.leave.notified() => return,
        _ = ending.changed() => END_GRACE,
        () = over => GRACE,
    };
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = place.leave.notified() => {}
        () = tokio::time::sleep(grace) => {}
    }
}

#[cfg(test)]
mod tests;
