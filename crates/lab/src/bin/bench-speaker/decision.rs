//! From the decision (a route set goes into the watch channel) to the last byte of its UPDATE at
//! the receiver's socket; the floor is a task that does nothing but write a prepared UPDATE.
//!
//! Two arrangements. In one thread, as in the daemon: the task that decided yields, the speaker
//! runs, and then the receiver's socket is looked at; loopback delivers within the write. Across
//! threads: the receiver sleeps in a blocking read, and its wake-up is part of the number.

use crate::Outcome;
use ha2bgp::announce::speaker::Speaker;
use ha2bgp::announce::{Announcer, Desired, Report};
use ha2bgp::clock::Clock;
use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::Route;
use ha2bgp_lab::bgp::{Conversation, UPDATE, message};
use ha2bgp_lab::samples::{percentile, save, summary};
use ha2bgp_lab::source;
use std::io::{ErrorKind, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Ours and the floor take turns, so many times each.
const ROUNDS: usize = 5;
/// Between two changes, so that each finds everything asleep.
const PAUSE: Duration = Duration::from_micros(300);
/// The length of an announcement of one host route over two-octet AS numbers, as the floor writes.
const LENGTH: usize = 46;
const MANY: u32 = 100_000;

pub(crate) fn run(runs: usize, dir: &Path) -> Outcome<()> {
    println!("decision → last byte of the UPDATE at the receiver, one prefix");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let each = runs.div_ceil(ROUNDS);
    for across in [false, true] {
        let place = if across { "to another thread, which wakes" } else { "in one thread" };
        let mut all: [Vec<Duration>; 3] = Default::default();
        let mut medians: [Vec<Duration>; 3] = Default::default();
        for _ in 0..ROUNDS {
            for (which, base) in [(0, None), (1, Some(0)), (2, Some(MANY))] {
                let samples = runtime.block_on(round(base, across, each))?;
                medians[which].push(percentile(&samples, 50));
                all[which].extend(samples);
            }
        }
        let names = [
            format!("floor: a task that writes {LENGTH} bytes"),
            "ha2bgp, its only route".to_owned(),
            format!("ha2bgp, one of {MANY} routes"),
        ];
        println!("{place}:");
        for ((name, samples), medians) in names.iter().zip(&all).zip(&medians) {
            let [low, high] = [0, 100].map(|percent| percentile(medians, percent));
            println!("  {}; p50 by round {low:.1?} to {high:.1?}", summary(name, samples));
        }
        if !across {
            let over = |at| percentile(&all[1], at).saturating_sub(percentile(&all[0], at));
            println!("  over the floor: p50 {:.1?}, p99 {:.1?}", over(50), over(99));
        }
        let kind = if across { "threads" } else { "thread" };
        for (name, samples) in ["floor", "one", "many"].iter().zip(&all) {
            save(&dir.join(format!("speaker-decision-{kind}-{name}.csv")), samples)?;
        }
    }
    Ok(())
}

/// Samples of the floor (`base` none) or of the speaker with so many routes beside the one that
/// comes and goes.
async fn round(base: Option<u32>, across: bool, runs: usize) -> Outcome<Vec<Duration>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let without = source::hosts(base.unwrap_or(0));
    // From one another, as the engine's are: two sets with nothing in common take a walk.
    let mut with = without.clone();
    let one = Prefix::host(source::host(base.unwrap_or(0)));
    with.insert(one, Route::new(NextHop::SelfAddress));
    let (routes, desired) = watch::channel(source::desired(without.clone()));
    let (sender, mut reports) = mpsc::channel(1);
    let (task, stream) = match base {
        None => {
            let writer = tokio::spawn(floor(address, desired));
            // The task has to run meanwhile.
            (writer, tokio::task::spawn_blocking(move || listener.accept()).await??.0)
        }
        Some(base) => {
            let speaker = tokio::spawn(speaker(address, desired, sender));
            let count = usize::try_from(base)?;
            let stream = tokio::task::spawn_blocking(move || session(&listener, count));
            (speaker, stream.await??)
        }
    };
    let mut receiver = Receiver::new(stream, across)?;
    let mut samples = Vec::with_capacity(runs);
    for run in 0..runs {
        let next = if run % 2 == 0 { with.clone() } else { without.clone() };
        tokio::time::sleep(PAUSE).await;
        // What the speaker reports from time to time is not part of it.
        while reports.try_recv().is_ok() {}
        let start = Instant::now();
        routes.send_replace(source::desired(next));
        samples.push(receiver.update().await?.saturating_duration_since(start));
    }
    drop(routes);
    task.abort();
    Ok(samples)
}

async fn speaker(
    address: SocketAddr,
    desired: watch::Receiver<Desired>,
    reports: mpsc::Sender<Report>,
) -> Written {
    let peers = vec![peer(address)];
    let _ended =
        Box::new(Speaker::new(peers, Vec::new(), Clock::start(), 1)).run(desired, reports).await;
    Ok(())
}

/// The address of the receiver is no next hop that one sends it.
fn peer(address: SocketAddr) -> ha2bgp::announce::speaker::Peer {
    let mut peer = source::peer(65000, address, 65001);
    peer.config.local = Some(Ipv4Addr::new(127, 0, 0, 2).into());
    peer
}

type Written = std::io::Result<()>;

/// Written whenever the set changes: as little as any speaker must do.
async fn floor(address: SocketAddr, mut desired: watch::Receiver<Desired>) -> Written {
    let stream = tokio::net::TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let prepared = message(UPDATE, &[0; LENGTH - 19]);
    while desired.changed().await.is_ok() {
        desired.borrow_and_update();
        // An idle socket takes so few bytes at once.
        if stream.try_write(&prepared)? != prepared.len() {
            return Err(ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

/// A session without keepalives, up to End-of-RIB behind so many routes.
fn session(listener: &TcpListener, routes: usize) -> std::io::Result<TcpStream> {
    let mut session = Conversation::accept(listener, 65001, 0)?;
    let mut has = 0;
    while let Some((kind, body)) = session.next()? {
        if kind == UPDATE {
            has += ha2bgp_lab::bgp::counted(&body).1;
            // End-of-RIB (RFC 4724 section 2).
            if has == routes && body == [0; 4] {
                break;
            }
        }
    }
    session.stream().set_read_timeout(None)?;
    session.stream().try_clone()
}

/// Who reads.
enum Receiver {
    /// This thread, whenever it has its turn.
    Here(TcpStream),
    /// Another thread, asleep in `read`.
    There(mpsc::Receiver<std::io::Result<Instant>>),
}

impl Receiver {
    fn new(mut stream: TcpStream, across: bool) -> std::io::Result<Self> {
        stream.set_nonblocking(!across)?;
        if !across {
            return Ok(Self::Here(stream));
        }
        let (sender, times) = mpsc::channel(16);
        tokio::task::spawn_blocking(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = stream.read(&mut buffer).and_then(whole);
                let end = read.is_err();
                if sender.blocking_send(read.map(|()| Instant::now())).is_err() || end {
                    return;
                }
            }
        });
        Ok(Self::There(times))
    }

    /// When the next UPDATE was there.
    async fn update(&mut self) -> Outcome<Instant> {
        match self {
            Self::Here(stream) => {
                let mut buffer = [0; 4096];
                loop {
                    tokio::task::yield_now().await;
                    match stream.read(&mut buffer) {
                        Ok(count) => {
                            let now = Instant::now();
                            whole(count)?;
                            return Ok(now);
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Self::There(times) => Ok(times.recv().await.ok_or("the reader has ended")??),
        }
    }
}

/// One UPDATE comes in one piece: 28 bytes withdraw a host route, 46 announce it.
fn whole(count: usize) -> std::io::Result<()> {
    match count {
        28 | LENGTH => Ok(()),
        _ => Err(std::io::Error::other(format!("{count} bytes are not one UPDATE"))),
    }
}
