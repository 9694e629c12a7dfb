//! A server on loopback that does what a test says: octets in, octets out.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Longer requests are not taken.
const REQUEST_MAX: usize = 256 * 1024;

/// A server whose answers a function makes.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: mpsc::Receiver<String>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer with a body and its length.
pub(crate) fn answer(status: u16, fields: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} As-Asked\r\n{fields}Content-Length: {length}\r\n\r\n{body}").into()
}

/// Reads one request with its body; `None` at the end of the connection.
pub(crate) async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut octets = Vec::new();
    loop {
        let mut chunk = [0_u8; 4096];
        let size = stream.read(&mut chunk).await.ok().filter(|size| *size > 0)?;
        octets.extend_from_slice(&chunk[..size]);
        let text = String::from_utf8_lossy(&octets).into_owned();
        assert!(text.len() < REQUEST_MAX, "a request without end");
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return Some(text);
        }
    }
}

impl Server {
    /// Answers one request on each connection, and closes it.
    pub(crate) async fn once(answer: impl Fn(&str) -> Vec<u8> + 'static + Send + Sync) -> Self {
        Self::start(answer, 1).await
    }

    /// Answers so many requests on each connection, then closes it.
    pub(crate) async fn start(
        answer: impl Fn(&str) -> Vec<u8> + 'static + Send + Sync,
        on_each: usize,
    ) -> Self {
        let answer = std::sync::Arc::new(answer);
        Self::raw(move |mut stream, sender| {
            let answer = answer.clone();
            async move { talk(&mut stream, &sender, &*answer, on_each).await }
        })
        .await
    }

    /// Does with each connection what a function says.
    pub(crate) async fn raw<F>(
        serve: impl Fn(TcpStream, mpsc::Sender<String>) -> F + 'static + Send,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::raw_at("127.0.0.1:0", serve).await
    }

    /// The same, listening there.
    pub(crate) async fn raw_at<F>(
        at: &str,
        serve: impl Fn(TcpStream, mpsc::Sender<String>) -> F + 'static + Send,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel(1024);
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, sender.clone()));
                while open.try_join_next().is_some() {}
            }
        });
        Self { address, requests, task }
    }

    /// The next request.
    pub(crate) async fn request(&mut self) -> String {
        let next = tokio::time::timeout(crate::stand::SOON, self.requests.recv());
        next.await.expect("no request came").unwrap()
    }
}

/// Takes requests and answers them.
pub(crate) async fn talk(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    sender: &mpsc::Sender<String>,
    answer: &(impl Fn(&str) -> Vec<u8> + ?Sized),
    times: usize,
) {
    for _ in 0..times {
        let Some(text) = request(stream).await else { return };
        let octets = answer(&text);
        let _ = sender.try_send(text);
        if stream.write_all(&octets).await.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}
