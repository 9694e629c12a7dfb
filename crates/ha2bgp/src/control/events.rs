//! Server-sent events (HTML standard, section 9.2): a stream of events as the body of an answer.
//!
//! Whoever has the events sends them into a bounded channel. A client that does not read fills it;
//! what happens then is the sender's affair. The connection ends when a write takes too long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep, sleep};

use super::places::StreamPlace;

/// After so long without an event a comment is sent: proxies keep the connection then, and a client
/// that is gone is noticed.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// What begins a stream: how soon a client comes again after an end, in milliseconds.
const PREFACE: &str = "retry: 2000\n\n";
/// The heartbeat: a line that clients leave out.
const COMMENT: &str = ": alive\n\n";

/// One event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerEvent {
    /// What a client that comes again names as the last one it has.
    pub id: Option<String>,
    /// Its kind, in kebab-case.
    pub kind: &'static str,
    /// One line of JSON.
    pub data: Vec<u8>,
}

/// Where the events of one stream come from. It ends when the sender is dropped.
pub type Source = mpsc::Receiver<ServerEvent>;

/// A stream, as hyper asks for its parts.
#[derive(Debug)]
pub(super) struct EventStream {
    source: Source,
    begun: bool,
    heartbeat: Pin<Box<Sleep>>,
    ending: Ending,
    /// Its place among the streams, free again when this is dropped.
    _place: StreamPlace,
}

/// Becomes ready when the server wants all streams to end.
pub(super) struct Ending(Pin<Box<dyn Future<Output = ()>>>);

impl std::fmt::Debug for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ending")
    }
}

impl Ending {
    /// When the sender of `watched` is dropped, or says something.
    pub(super) fn new(mut watched: watch::Receiver<()>) -> Self {
        Self(Box::pin(async move {
            let _ = watched.changed().await;
        }))
    }
}

impl EventStream {
    pub(super) fn new(source: Source, ending: Ending, place: StreamPlace) -> Self {
        let heartbeat = Box::pin(sleep(HEARTBEAT));
        Self { source, begun: false, heartbeat, ending, _place: place }
    }

    /// The next octets; nothing at the end.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if !std::mem::replace(&mut self.begun, true) {
            return Poll::Ready(Some(Bytes::from_static(PREFACE.as_bytes())));
        }
        if self.ending.0.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(event) = self.source.poll_recv(context) {
            self.heartbeat.as_mut().reset(Instant::now() + HEARTBEAT);
            return Poll::Ready(event.map(|event| Bytes::from(encode(&event))));
        }
        std::task::ready!(self.heartbeat.as_mut().poll(context));
        self.heartbeat.as_mut().reset(Instant::now() + HEARTBEAT);
        Poll::Ready(Some(Bytes::from_static(COMMENT.as_bytes())))
    }
}

/// An event as it is sent. No value can end its line early.
fn encode(event: &ServerEvent) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.data.len() + 64);
    if let Some(id) = &event.id {
        out.extend_from_slice(b"id: ");
        out.extend(id.bytes().filter(|octet| !octet.is_ascii_control()));
        out.push(b'\n');
    }
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event.kind.as_bytes());
    out.push(b'\n');
    let data = event.data.strip_suffix(b"\n").unwrap_or(&event.data);
    // Carriage returns end lines too.
    for line in data.split(|octet| matches!(octet, b'\n' | b'\r')) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::rc::Rc;

    use super::super::caller::Source as From;
    use super::super::places::{Places, Streams, Work};
    use super::*;

    fn event(id: Option<&str>, data: &str) -> ServerEvent {
        ServerEvent { id: id.map(str::to_owned), kind: "up", data: data.as_bytes().to_vec() }
    }

    #[test]
    fn no_value_ends_its_line() {
        let text = |event: &ServerEvent| String::from_utf8(encode(event)).unwrap();
        assert_eq!(text(&event(Some("7"), "{}\n")), "id: 7\nevent: up\ndata: {}\n\n");
        assert_eq!(text(&event(None, "")), "event: up\ndata: \n\n");
        let hostile = event(Some("7\n\nevent: x\r\0"), "a\n\nevent: y\rb");
        assert_eq!(
            text(&hostile),
            "id: 7event: x\nevent: up\ndata: a\ndata: \ndata: event: y\ndata: b\n\n"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn events_heartbeats_and_both_ends() {
        let (sending, source) = mpsc::channel(4);
        let (keep, ending) = watch::channel(());
        let (place, streams) =
            (Places::default().enter(From::User(1)).unwrap(), Rc::<Streams>::default());
        let held = Streams::enter(&streams, &place).unwrap();
        let mut stream = EventStream::new(source, Ending::new(ending.clone()), held);
        let next = async |stream: &mut EventStream| {
            let next = poll_fn(|context| stream.poll_next(context)).await;
            next.map(|part| String::from_utf8(part.to_vec()).unwrap())
        };
        assert_eq!(next(&mut stream).await.as_deref(), Some(PREFACE));
        let start = Instant::now();
        assert_eq!(next(&mut stream).await.as_deref(), Some(COMMENT));
        assert_eq!(start.elapsed(), HEARTBEAT);
        sending.send(event(None, "1")).await.unwrap();
        assert_eq!(next(&mut stream).await.as_deref(), Some("event: up\ndata: 1\n\n"));
        assert_eq!(place.work.get(), Work::Streaming);
        drop(sending);
        assert_eq!(next(&mut stream).await, None);
        drop(stream);
        assert_eq!(place.work.get(), Work::Idle);
        let (_sending, source) = mpsc::channel(4);
        let held = Streams::enter(&streams, &place).unwrap();
        let mut stream = EventStream::new(source, Ending::new(ending), held);
        assert_eq!(next(&mut stream).await.as_deref(), Some(PREFACE));
        drop(keep);
        assert_eq!(next(&mut stream).await, None);
    }
}
