//! The server that is checked: it answers 200 and notes when each VIP was asked.

use super::Outcome;
use ha2bgp_lab::netns::Netns;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::mpsc;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK";
/// A longer request is none of the bench's.
const REQUEST_MAX: usize = 4096;
/// So many connections may wait to be accepted.
const BACKLOG: i32 = 65_535;
/// Moments that wait to be taken; more are lost.
const SEEN_MAX: usize = 1 << 24;

/// A server that runs as long as the bench.
pub(crate) struct Server {
    port: u16,
    seen: mpsc::Receiver<(IpAddr, Instant)>,
}

impl Server {
    /// Starts it on every address of `host`, on the first core.
    pub(crate) fn start(host: &Netns) -> Outcome<Self> {
        host.sysctl("net/core/somaxconn", "65535")?;
        let listener = host.within(listen)??;
        let port = listener.local_addr()?.port();
        let (tx, seen) = mpsc::sync_channel(SEEN_MAX);
        std::thread::Builder::new().name("server".to_owned()).spawn(move || {
            let mut cores = rustix::thread::CpuSet::new();
            cores.set(0);
            // Without it the numbers are worse, not wrong.
            let _ = rustix::thread::sched_setaffinity(None, &cores);
            serve(listener, tx)
        })?;
        Ok(Self { port, seen })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// When each VIP was asked since the last time.
    pub(crate) fn take(&self) -> BTreeMap<IpAddr, Vec<Instant>> {
        let mut all: BTreeMap<IpAddr, Vec<Instant>> = BTreeMap::new();
        for (vip, at) in self.seen.try_iter() {
            all.entry(vip).or_default().push(at);
        }
        all
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&std::net::SocketAddr::from(([0, 0, 0, 0], 0)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn serve(listener: TcpListener, seen: mpsc::SyncSender<(IpAddr, Instant)>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let seen = seen.clone();
            tokio::spawn(async move {
                let vip = stream.local_addr()?.ip();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") && request.len() < REQUEST_MAX {
                    if stream.read_buf(&mut request).await? == 0 {
                        return Ok(());
                    }
                }
                let _ = seen.try_send((vip, Instant::now()));
                stream.write_all(ANSWER).await
            });
        }
    })
}
