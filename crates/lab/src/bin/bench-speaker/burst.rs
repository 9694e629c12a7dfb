//! 100 000 routes at once to a receiver in this process that only reads; the floor is a thread
//! that writes as many bytes.

use crate::Outcome;
use ha2bgp_core::route::RouteSet;
use ha2bgp_lab::bgp::{Conversation, UPDATE, counted};
use ha2bgp_lab::samples::{range, ratio};
use ha2bgp_lab::source::{self, Source};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const ROUTES: u32 = 100_000;
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn run(reps: usize) -> Outcome<()> {
    println!("{ROUTES} routes: set in the channel → last byte read at a receiver that only reads");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut peer = source::peer(65000, listener.local_addr()?, 65001);
    peer.config.local = Some(Ipv4Addr::new(127, 0, 0, 2).into());
    let speaker = Source::start(None, vec![peer], RouteSet::new())?;
    let mut session = Conversation::accept(&listener, 65001, 0)?;
    let all = source::hosts(ROUTES);
    let (mut up, mut down, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bytes_up, mut bytes_down) = (0, 0);
    for _ in 0..reps {
        let start = Instant::now();
        speaker.set(all.clone());
        bytes_up = read(&mut session, start, |(_, announced)| announced)?;
        up.push(start.elapsed());
        let start = Instant::now();
        speaker.set(RouteSet::new());
        bytes_down = read(&mut session, start, |(withdrawn, _)| withdrawn)?;
        down.push(start.elapsed());
        floor.push(blast(bytes_up)?);
    }
    println!("  {}; {bytes_up} bytes", range("ha2bgp announces", &up));
    println!("  {}; {bytes_down} bytes", range("ha2bgp withdraws", &down));
    println!("  {}", range("floor: as many bytes from a buffer", &floor));
    println!("  ratio p50, announce ÷ floor: {:.1}", ratio(&up, &floor, 50));
    println!("  ratio p50, withdraw ÷ floor: {:.1}", ratio(&down, &floor, 50));
    drop(session);
    drop(speaker);
    Ok(())
}

/// Reads all of the routes; the bytes that they came in.
fn read(
    session: &mut Conversation,
    start: Instant,
    which: fn((usize, usize)) -> usize,
) -> Outcome<usize> {
    let (mut routes, mut bytes) = (0, 0);
    while routes < usize::try_from(ROUTES)? {
        let (kind, body) = session.next()?.ok_or("the session has ended")?;
        if kind == UPDATE {
            routes += which(counted(&body));
            bytes += 19 + body.len();
        }
        if start.elapsed() > LIMIT {
            return Err(format!("only {routes} routes within {LIMIT:?}").into());
        }
    }
    Ok(bytes)
}

/// From another thread to this one, as the speaker's are.
fn blast(bytes: usize) -> Outcome<Duration> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut out = TcpStream::connect(listener.local_addr()?)?;
    let (mut stream, _) = listener.accept()?;
    let start = Instant::now();
    let writer = std::thread::spawn(move || out.write_all(&vec![0x5a; bytes]));
    let mut buffer = vec![0; 64 * 1024];
    let mut has = 0;
    while has < bytes {
        match stream.read(&mut buffer)? {
            0 => return Err("the floor's connection has ended".into()),
            count => has += count,
        }
    }
    let took = start.elapsed();
    writer.join().map_err(|_| "the floor's writer panicked")??;
    Ok(took)
}
