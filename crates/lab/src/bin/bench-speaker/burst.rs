//! 10 000 and 100 000 routes at once to a receiver in this process that only reads; the floor is a thread
//! that writes as many bytes.

use crate::Outcome;
use ha2bgp_core::route::RouteSet;
use ha2bgp_lab::bgp::{Conversation, UPDATE, counted};
use ha2bgp_lab::report::{Report, Unit, Who};
use ha2bgp_lab::source::{self, Source};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const SIZES: [u32; 2] = [10_000, 100_000];
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn run(reps: usize, report: &mut Report) -> Outcome<()> {
    println!("set in the channel → last byte read at a receiver that only reads");
    for routes in SIZES {
        measure(routes, reps, report)?;
    }
    Ok(())
}

fn measure(routes: u32, reps: usize, report: &mut Report) -> Outcome<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut peer = source::peer(65000, listener.local_addr()?, 65001);
    peer.config.local = Some(Ipv4Addr::new(127, 0, 0, 2).into());
    let speaker = Source::start(None, vec![peer], RouteSet::new())?;
    let mut session = Conversation::accept(&listener, 65001, 0)?;
    let all = source::hosts(routes);
    let count = usize::try_from(routes)?;
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let (mut floor_up, mut floor_down) = (Vec::new(), Vec::new());
    for _ in 0..reps {
        let start = Instant::now();
        speaker.set(all.clone());
        let bytes_up = read(&mut session, count, start, |(_, announced)| announced)?;
        up.push(start.elapsed());
        let start = Instant::now();
        speaker.set(RouteSet::new());
        let bytes_down = read(&mut session, count, start, |(withdrawn, _)| withdrawn)?;
        down.push(start.elapsed());
        floor_up.push(blast(bytes_up)?);
        floor_down.push(blast(bytes_down)?);
    }
    drop(session);
    drop(speaker);
    let thousands = routes / 1000;
    for (what, ours, floor) in [("announced", &up, &floor_up), ("withdrawn", &down, &floor_down)] {
        let what = format!("{thousands} 000 routes {what}, until they are read");
        if routes == SIZES[1] {
            report.headline(&what, Unit::Time);
        } else {
            report.case(&what, Unit::Time);
        }
        report.times(Who::Ours, "ha2bgp", ours)?;
        report.times(Who::Floor, "as many bytes from a buffer", floor)?;
        println!("{}", report.table());
    }
    Ok(())
}

/// Reads all of the routes; the bytes that they came in.
fn read(
    session: &mut Conversation,
    count: usize,
    start: Instant,
    which: fn((usize, usize)) -> usize,
) -> Outcome<usize> {
    let (mut routes, mut bytes) = (0, 0);
    while routes < count {
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
