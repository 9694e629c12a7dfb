//! Clients of a service: threads that send one HTTP request after the other until they are told
//! to stop, and count what became of each.
//!
//! Bounded: at most [`MAX_CLIENTS`] threads and [`MAX_REQUESTS`] requests of each, and no request
//! takes longer than the load's `timeout` between two octets.

use crate::netns::{self, Netns};
use crate::{LabError, Result, wait};
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The most threads of a load.
pub const MAX_CLIENTS: usize = 64;
/// The most requests of one thread.
pub const MAX_REQUESTS: u64 = 1_000_000;
/// The longest answer that is read.
const MAX_ANSWER: usize = 16 << 20;
/// Failures that are kept to be shown, of each thread.
const MAX_FAILURES: usize = 10;

/// What to send, and how.
#[derive(Clone, Debug)]
pub struct Load {
    /// Whom to ask.
    pub address: SocketAddr,
    /// The path of the URL.
    pub path: String,
    /// How many threads, 1 to [`MAX_CLIENTS`].
    pub clients: usize,
    /// Many requests on one connection, or a connection for each.
    pub keep_alive: bool,
    /// A request that a reset of its connection met before any answer is sent once more: RFC 9110 section
    /// 9.2.2 lets clients do so. Routers with several paths reset what they move.
    pub retry: bool,
    /// How long a thread waits after each answer.
    pub pause: Duration,
    /// How long to wait for a connection, or for the next octet.
    pub timeout: Duration,
}

impl Load {
    /// Four clients without a pause that ask for `/`, a connection for each request.
    #[must_use]
    pub fn on(address: SocketAddr) -> Self {
        Self {
            address,
            path: "/".to_owned(),
            clients: 4,
            keep_alive: false,
            retry: false,
            pause: Duration::ZERO,
            timeout: Duration::from_secs(5),
        }
    }
}

/// What became of the requests.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Answered with status 200, to the end.
    pub ok: u64,
    /// All others.
    pub failed: u64,
    /// Sent again, because the server had closed a connection that had been used before: RFC 9112
    /// section 9.3.1 has clients do so.
    pub again: u64,
    /// The first failures of each thread.
    pub failures: Vec<String>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    ok: AtomicU64,
    failed: AtomicU64,
    again: AtomicU64,
}

/// A load that is on. It ends on drop.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Result<Vec<String>>>>,
}

impl Traffic {
    /// Starts the threads in the namespace of `host`.
    pub fn start(host: &Netns, load: &Load) -> Result<Self> {
        let mut traffic = Self { shared: Arc::default(), threads: Vec::new() };
        for _ in 0..load.clients.clamp(1, MAX_CLIENTS) {
            let (load, shared) = (load.clone(), Arc::clone(&traffic.shared));
            let host = host.name().to_owned();
            let run = move || {
                netns::enter(&host)?;
                Ok(Client { load, connection: None }.run(&shared))
            };
            let thread = std::thread::Builder::new().name("traffic".to_owned()).spawn(run);
            traffic.threads.push(thread.map_err(LabError::io("thread"))?);
        }
        Ok(traffic)
    }

    /// The counts so far, without the texts.
    #[must_use]
    pub fn so_far(&self) -> Tally {
        let shared = &self.shared;
        Tally {
            ok: shared.ok.load(Ordering::Relaxed),
            failed: shared.failed.load(Ordering::Relaxed),
            again: shared.again.load(Ordering::Relaxed),
            failures: Vec::new(),
        }
    }

    /// Waits until so many more requests were answered.
    pub fn wait_ok(&self, more: u64, limit: Duration) -> Result<()> {
        let until = self.so_far().ok + more;
        wait::until(limit, &format!("{more} more answers"), || match self.so_far() {
            tally if tally.ok >= until => Ok(()),
            tally => Err(format!("{tally:?}")),
        })
    }

    /// Waits until a request fails.
    pub fn wait_failed(&self, limit: Duration) -> Result<()> {
        let before = self.so_far().failed;
        wait::until_true(limit, "a failed request", || self.so_far().failed > before)
    }

    /// Ends it after the requests that are under way.
    pub fn stop(mut self) -> Result<Tally> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for thread in self.threads.drain(..) {
            let panicked = |_| LabError::Missing("a client panicked".to_owned());
            failures.extend(thread.join().map_err(panicked)??);
        }
        Ok(Tally { failures, ..self.so_far() })
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
    }
}

struct Client {
    load: Load,
    connection: Option<TcpStream>,
}

impl Client {
    fn run(&mut self, shared: &Shared) -> Vec<String> {
        let mut failures = Vec::new();
        for _ in 0..MAX_REQUESTS {
            if shared.stop.load(Ordering::Relaxed) {
                break;
            }
            match self.request(shared) {
                Ok(()) => shared.ok.fetch_add(1, Ordering::Relaxed),
                Err(error) => {
                    self.connection = None;
                    if failures.len() < MAX_FAILURES {
                        failures.push(error.to_string());
                    }
                    // A refused connection costs nothing: do not spin.
                    wait::pause(Duration::from_millis(1));
                    shared.failed.fetch_add(1, Ordering::Relaxed)
                }
            };
            if !self.load.pause.is_zero() {
                wait::pause(self.load.pause);
            }
        }
        failures
    }

    fn request(&mut self, shared: &Shared) -> std::io::Result<()> {
        if let Some(stream) = self.connection.take() {
            let mut answered = false;
            match self.exchange(stream, &mut answered) {
                Err(_) if !answered => shared.again.fetch_add(1, Ordering::Relaxed),
                outcome => return outcome,
            };
        }
        let mut answered = false;
        match self.afresh(&mut answered) {
            Err(error)
                if self.load.retry && !answered && error.kind() == ErrorKind::ConnectionReset =>
            {
                shared.again.fetch_add(1, Ordering::Relaxed);
                self.afresh(&mut false)
            }
            outcome => outcome,
        }
    }

    /// A request over a connection of its own.
    fn afresh(&mut self, answered: &mut bool) -> std::io::Result<()> {
        let stream = TcpStream::connect_timeout(&self.load.address, self.load.timeout)?;
        stream.set_read_timeout(Some(self.load.timeout))?;
        stream.set_write_timeout(Some(self.load.timeout))?;
        self.exchange(stream, answered)
    }

    /// One request and its answer; keeps the connection where that is wanted and possible.
    fn exchange(&mut self, mut stream: TcpStream, answered: &mut bool) -> std::io::Result<()> {
        let connection = if self.load.keep_alive { "keep-alive" } else { "close" };
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: {connection}\r\n\r\n",
            self.load.path, self.load.address
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        let mut chunk = [0_u8; 16_384];
        while !complete(&answer, self.load.keep_alive)? {
            let size = stream.read(&mut chunk)?;
            *answered |= size > 0;
            answer.extend_from_slice(chunk.get(..size).unwrap_or_default());
            if size == 0 {
                check_end(&answer)?;
                return check_status(&answer);
            }
            if answer.len() > MAX_ANSWER {
                return Err(Error::new(ErrorKind::InvalidData, "the answer has no end"));
            }
        }
        check_status(&answer)?;
        if !head(&answer).is_some_and(|head| head.contains("connection: close")) {
            self.connection = Some(stream);
        }
        Ok(())
    }
}

/// The header section in lower case, when all of it is there.
fn head(answer: &[u8]) -> Option<String> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(String::from_utf8_lossy(answer.get(..end)?).to_lowercase())
}

/// The length that the header section announces for all of the answer.
fn announced(answer: &[u8]) -> Option<usize> {
    let head = head(answer)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    let length: usize = length.trim().parse().ok()?;
    Some((head.len() + 4).saturating_add(length))
}

/// Whether all is there. On a connection that is to be kept, only a content length can tell.
fn complete(answer: &[u8], keep_alive: bool) -> std::io::Result<bool> {
    if !keep_alive || head(answer).is_none() {
        return Ok(false);
    }
    let no_length = || Error::new(ErrorKind::InvalidData, "an answer without a content length");
    Ok(answer.len() >= announced(answer).ok_or_else(no_length)?)
}

fn check_end(answer: &[u8]) -> std::io::Result<()> {
    match announced(answer) {
        Some(length) if answer.len() < length => Err(ErrorKind::UnexpectedEof.into()),
        _ if answer.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn check_status(answer: &[u8]) -> std::io::Result<()> {
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    if line.starts_with(b"HTTP/1.") && line.get(8..12) == Some(b" 200") {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidData, String::from_utf8_lossy(line).into_owned()))
}
