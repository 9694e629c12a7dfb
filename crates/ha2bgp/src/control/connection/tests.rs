//! Streams of events over a real HTTP connection, in virtual time.

use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use super::super::answer;
use super::super::caller::Source;
use super::super::events::{Ending, EventStream, HEARTBEAT, ServerEvent};
use super::super::places::{Places, Streams};
use super::*;

/// One connection to a server that answers everything with the same events.
struct Stage {
    client: DuplexStream,
    place: Place,
    goes_on: Option<watch::Sender<()>>,
    served: JoinHandle<()>,
    events: mpsc::Sender<ServerEvent>,
    start: Instant,
}

/// What fits into the connection.
const ROOM: usize = 1024;

impl Stage {
    fn new() -> Self {
        let (client, server) = duplex(ROOM);
        let place = Places::default().enter(Source::User(7)).unwrap();
        let (goes_on, ending) = watch::channel(());
        let (events, source) = mpsc::channel(4);
        let source = RefCell::new(Some(source));
        let (streams, own) = (Rc::<Streams>::default(), place.clone());
        let served = spawn_local(async move {
            serve(server, &own, ending.clone(), |_, _| {
                let held = Streams::enter(&streams, &own).unwrap();
                let source = source.take().unwrap();
                let stream = EventStream::new(source, Ending::new(ending.clone()), held);
                std::future::ready(answer::stream(stream))
            })
            .await;
        });
        Self { client, place, goes_on: Some(goes_on), served, events, start: Instant::now() }
    }

    async fn ask(&mut self) {
        self.client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    }

    /// Reads until this comes.
    async fn until(&mut self, wanted: &str) -> String {
        let mut got = Vec::new();
        while !String::from_utf8_lossy(&got).contains(wanted) {
            let size = self.client.read_buf(&mut got).await.unwrap();
            assert!(size > 0, "{wanted:?}: {:?}", String::from_utf8_lossy(&got));
        }
        String::from_utf8(got).unwrap()
    }

    async fn say(&self, data: String) -> bool {
        let event = ServerEvent { id: Some("1".to_owned()), kind: "up", data: data.into_bytes() };
        self.events.send(event).await.is_ok()
    }
}

async fn with_stage(test: impl AsyncFnOnce(Stage)) {
    LocalSet::new().run_until(async { test(Stage::new()).await }).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_outlives_other_connections_and_ends_with_its_source() {
    with_stage(async |mut stage| {
        stage.ask().await;
        let head = stage.until("retry: ").await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        assert!(head.contains("connection: close\r\n"), "{head}");
        while stage.start.elapsed() < 3 * CONNECTION_TIME {
            stage.until(": alive\n\n").await;
        }
        assert_eq!(stage.place.work.get(), Work::Streaming);
        assert!(stage.say("{\"a\":1}".to_owned()).await);
        stage.until("id: 1\nevent: up\ndata: {\"a\":1}\n\n").await;
        drop(stage.events);
        let mut rest = Vec::new();
        stage.client.read_to_end(&mut rest).await.unwrap();
        assert!(String::from_utf8_lossy(&rest).ends_with("0\r\n\r\n"), "a whole answer");
        stage.served.await.unwrap();
        assert_eq!(stage.place.work.get(), Work::Idle);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_says_nothing_ends_as_before() {
    with_stage(async |stage| {
        stage.served.await.unwrap();
        assert_eq!(stage.start.elapsed(), HEAD_TIME);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_cut() {
    with_stage(async |mut stage| {
        stage.ask().await;
        stage.until("retry: ").await;
        let start = Instant::now();
        // It is the sender that notices, once everything between is full.
        while stage.say("x".repeat(ROOM)).await {}
        assert_eq!(start.elapsed(), WRITE_TIME);
        stage.served.await.unwrap();
        assert_eq!(stage.place.work.get(), Work::Idle);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_is_noticed() {
    with_stage(async |mut stage| {
        stage.ask().await;
        stage.until("retry: ").await;
        drop(stage.client);
        stage.served.await.unwrap();
        assert!(stage.start.elapsed() <= 2 * HEARTBEAT);
        assert!(stage.events.is_closed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn streams_end_with_the_server() {
    with_stage(async |mut stage| {
        stage.ask().await;
        stage.until("retry: ").await;
        stage.goes_on = None;
        let mut rest = Vec::new();
        stage.client.read_to_end(&mut rest).await.unwrap();
        assert!(String::from_utf8_lossy(&rest).ends_with("0\r\n\r\n"), "a whole answer");
        stage.served.await.unwrap();
        assert_eq!(stage.start.elapsed(), Duration::ZERO);
    })
    .await;
}
