//! Hostile servers in this process, on TCP, unix sockets and UDP: what a check may meet where its
//! target should be.
//!
//! A stream server plays a list of [`Step`]s on each connection; the functions of [`steps`] make
//! the usual ones. Everything is bounded: [`MAX_CONNECTIONS`] threads, [`MAX_SENT`] octets on a
//! connection, and on drop all threads end within a moment and are waited for.

pub mod steps;
pub mod udp;

use crate::netns::Netns;
use crate::service::{self, Options};
use crate::{LabError, Result, wait};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Connections at a time; more are closed at once.
pub const MAX_CONNECTIONS: usize = 256;
/// Octets that are sent on one connection: 1 GiB.
pub const MAX_SENT: usize = 1 << 30;
/// How long a connection lives after the last step, or after the other side has said that it
/// sends no more: that it has closed altogether looks the same.
const LINGER: Duration = Duration::from_millis(500);
/// How soon a thread notices that all is over.
const STEP: Duration = Duration::from_millis(20);
/// Received chunks that wait for the test; more are dropped.
const QUEUE: usize = 4096;

/// What a server does next on a connection. After the last step it says that it sends no more,
/// and takes what still comes for half a second, so that no RST takes its answer away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Waits until something has come, and takes it.
    Request,
    /// Sends octets.
    Send(Vec<u8>),
    /// Sends octets one by one, each after a time.
    Drip(Vec<u8>, Duration),
    /// Sends the same octets again and again.
    Endless(Vec<u8>),
    /// Takes what comes for a time.
    Wait(Duration),
    /// Takes what comes until the other side closes.
    Hold,
    /// Begins again with the first step.
    Again,
    /// Closes at once; what comes then is answered by RST.
    Close,
    /// Closes with RST (on a unix socket: with what came last unread).
    Reset,
}

/// A hostile stream server.
#[derive(Debug)]
pub struct Misbehave {
    shared: Arc<Shared>,
    address: Option<SocketAddr>,
    path: Option<PathBuf>,
    received: Receiver<Vec<u8>>,
    threads: Vec<JoinHandle<()>>,
    /// What nobody accepts.
    kept: Vec<Socket>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl Misbehave {
    /// Listens on TCP in the namespace of `host`; port 0 takes a free one. The n-th connection
    /// gets the n-th script, all later ones the last.
    pub fn tcp(host: &Netns, address: SocketAddr, scripts: Vec<Vec<Step>>) -> Result<Self> {
        let options = Options { backlog: 128, ..Options::default() };
        // As with listeners: a child that another test starts may hold what was closed a moment ago.
        let socket = wait::until(service::TAKEN, &format!("listen on {address}"), || {
            let opened = host.within(|| service::open(address, Type::STREAM, options));
            opened.map_err(service::text)?.map_err(service::text)
        })?;
        Self::serve(socket, None, scripts)
    }

    /// Listens on a unix socket, replacing what is there.
    pub fn unix(path: &Path, scripts: Vec<Vec<Step>>) -> Result<Self> {
        let socket = listen_unix(path, 128)?;
        Self::serve(socket, Some(path.to_owned()), scripts)
    }

    /// Listens on TCP with an accept queue that is full: connections are neither refused nor made.
    pub fn never_accept_tcp(host: &Netns, address: SocketAddr) -> Result<Self> {
        let made = host.within(|| -> std::io::Result<_> {
            let socket =
                service::open(address, Type::STREAM, Options { backlog: 1, ..Options::default() })?;
            let address = socket.local_addr()?;
            let mut kept = Vec::new();
            // The queue takes one more than the backlog (sk_acceptq_is_full in
            // include/net/sock.h); then SYNs are dropped.
            for _ in 0..8 {
                let client = Socket::new(
                    Domain::for_address(address.as_socket().ok_or(ErrorKind::AddrNotAvailable)?),
                    Type::STREAM,
                    None,
                )?;
                let connected = client.connect_timeout(&address, Duration::from_millis(200));
                if connected.is_err() {
                    break;
                }
                kept.push(client);
            }
            kept.push(socket);
            Ok((address.as_socket(), kept))
        })?;
        let (address, kept) = made.map_err(LabError::io(format!("listen on {address}")))?;
        Ok(Self::idle(address, None, kept))
    }

    /// The same on a unix socket: connecting blocks, or says `EAGAIN`.
    pub fn never_accept_unix(path: &Path) -> Result<Self> {
        let socket = listen_unix(path, 0)?;
        let mut kept = vec![socket];
        for _ in 0..8 {
            let client =
                Socket::new(Domain::UNIX, Type::STREAM, None).map_err(LabError::io("socket"))?;
            client.set_nonblocking(true).map_err(LabError::io("socket"))?;
            let address = SockAddr::unix(path).map_err(LabError::io("path"))?;
            if client.connect(&address).is_err() {
                break;
            }
            kept.push(client);
        }
        Ok(Self::idle(None, Some(path.to_owned()), kept))
    }

    fn idle(address: Option<SocketAddr>, path: Option<PathBuf>, kept: Vec<Socket>) -> Self {
        let (_, received) = sync_channel(1);
        Self { shared: Arc::default(), address, path, received, threads: Vec::new(), kept }
    }

    fn serve(socket: Socket, path: Option<PathBuf>, scripts: Vec<Vec<Step>>) -> Result<Self> {
        let address = socket.local_addr().map_err(LabError::io("local address"))?.as_socket();
        socket.set_nonblocking(true).map_err(LabError::io("socket"))?;
        let (sender, received) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("misbehave".to_owned())
            .spawn(move || accept(&socket, &theirs, &scripts, &sender))
            .map_err(LabError::io("thread"))?;
        Ok(Self { shared, address, path, received, threads: vec![thread], kept: Vec::new() })
    }

    /// Where it listens on TCP, with the real port.
    pub fn address(&self) -> Result<SocketAddr> {
        self.address.ok_or_else(|| LabError::Missing("this one is no TCP server".to_owned()))
    }

    /// Connections that were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Connections that are open now: zero again when a client has leaked none, and the scripts
    /// are over.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Waits until so many connections were accepted.
    pub fn wait_accepted(&self, count: usize, limit: Duration) -> Result<()> {
        wait::until_true(limit, &format!("{count} connections"), || self.accepted() >= count)
    }

    /// What has come in since the last time, of all connections.
    pub fn received(&self) -> Vec<u8> {
        self.received.try_iter().flatten().collect()
    }
}

impl Drop for Misbehave {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.kept.clear();
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
        if let Some(path) = &self.path {
            let _gone = std::fs::remove_file(path);
        }
    }
}

fn listen_unix(path: &Path, backlog: i32) -> Result<Socket> {
    let _before = std::fs::remove_file(path);
    let listen = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        socket.listen(backlog)?;
        Ok(socket)
    };
    listen().map_err(LabError::io(format!("listen on {}", path.display())))
}

/// Waits for readiness, or for a time.
fn ready(socket: &Socket, flags: PollFlags, time: Duration) -> PollFlags {
    let timeout = Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(1),
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    let mut fds = [PollFd::new(socket, flags)];
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) => fds.iter().fold(PollFlags::empty(), |all, fd| all | fd.revents()),
        Err(_) => PollFlags::empty(),
    }
}

fn accept(
    listener: &Socket,
    shared: &Arc<Shared>,
    scripts: &[Vec<Step>],
    to: &SyncSender<Vec<u8>>,
) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    while !shared.stop.load(Ordering::Relaxed) {
        if ready(listener, PollFlags::IN, STEP).is_empty() {
            continue;
        }
        let Ok((socket, _)) = listener.accept() else {
            continue;
        };
        let number = shared.accepted.fetch_add(1, Ordering::Relaxed);
        threads.retain(|thread| !thread.is_finished());
        let script = scripts.get(number).or(scripts.last()).cloned().unwrap_or_default();
        if threads.len() >= MAX_CONNECTIONS {
            continue;
        }
        let (shared, to) = (Arc::clone(shared), to.clone());
        shared.open.fetch_add(1, Ordering::Relaxed);
        let run = move || {
            let mut connection = Connection { socket, shared, to, sent: 0, ended: None };
            connection.play(&script);
            let shared = Arc::clone(&connection.shared);
            drop(connection);
            shared.open.fetch_sub(1, Ordering::Relaxed);
        };
        let thread = std::thread::Builder::new().name("misbehave".to_owned()).spawn(run);
        threads.extend(thread);
    }
    for thread in threads {
        let _ended = thread.join();
    }
}

struct Connection {
    socket: Socket,
    shared: Arc<Shared>,
    to: SyncSender<Vec<u8>>,
    sent: usize,
    /// When the other side has said that it sends no more.
    ended: Option<Instant>,
}

/// The connection is of no use any more.
struct Over;

impl Connection {
    fn play(&mut self, script: &[Step]) {
        let _outcome = self.socket.set_nonblocking(true);
        // A script that does nothing before it begins again would spin.
        let waits = |step: &Step| !matches!(step, Step::Again | Step::Close | Step::Reset);
        while let Ok(true) = self.once(script) {
            if !script.iter().any(waits) {
                return;
            }
        }
    }

    /// All steps; whether to begin again.
    fn once(&mut self, script: &[Step]) -> std::result::Result<bool, Over> {
        for step in script {
            match step {
                Step::Request => self.request()?,
                Step::Send(octets) => self.send(octets)?,
                Step::Drip(octets, every) => {
                    for octet in octets {
                        self.take(*every, false)?;
                        self.send(&[*octet])?;
                    }
                }
                Step::Endless(octets) => {
                    while !octets.is_empty() {
                        self.send(octets)?;
                    }
                }
                Step::Wait(time) => self.take(*time, false)?,
                Step::Hold => self.take(Duration::MAX, false)?,
                Step::Again => return Ok(true),
                Step::Close => return Err(Over),
                Step::Reset => {
                    let _outcome = self.socket.set_linger(Some(Duration::ZERO));
                    return Err(Over);
                }
            }
        }
        let _outcome = self.socket.shutdown(Shutdown::Write);
        self.take(LINGER, false)?;
        Ok(false)
    }

    fn request(&mut self) -> std::result::Result<(), Over> {
        self.take(Duration::MAX, true)
    }

    /// Takes what comes for a time, or until something has come.
    fn take(&mut self, time: Duration, something: bool) -> std::result::Result<(), Over> {
        let start = Instant::now();
        let mut chunk = [0_u8; 16_384];
        loop {
            let left = time.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            self.check()?;
            // After the end there is always "something to read".
            let flags = if self.ended.is_some() { PollFlags::empty() } else { PollFlags::IN };
            let seen = ready(&self.socket, flags, left.min(STEP));
            if self.ended.is_some() && seen.intersects(PollFlags::HUP | PollFlags::ERR) {
                return Err(Over);
            }
            if seen.is_empty() {
                continue;
            }
            match self.socket.read(&mut chunk) {
                // Nothing more will come.
                Ok(0) if something => return Err(Over),
                Ok(0) => self.ended = Some(Instant::now()),
                Ok(size) => {
                    let _full = self.to.try_send(chunk.get(..size).unwrap_or_default().to_vec());
                    if something {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Err(Over),
            }
        }
    }

    fn send(&mut self, octets: &[u8]) -> std::result::Result<(), Over> {
        let mut rest = octets;
        while !rest.is_empty() {
            self.check()?;
            if self.sent >= MAX_SENT {
                return Err(Over);
            }
            match self.socket.write(rest) {
                Ok(size) => {
                    self.sent += size;
                    rest = rest.get(size..).unwrap_or_default();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready(&self.socket, PollFlags::OUT, STEP);
                }
                Err(_) => return Err(Over),
            }
        }
        Ok(())
    }

    fn check(&self) -> std::result::Result<(), Over> {
        let stop = self.shared.stop.load(Ordering::Relaxed);
        let forgotten = self.ended.is_some_and(|since| since.elapsed() > LINGER);
        if stop || forgotten { Err(Over) } else { Ok(()) }
    }
}
