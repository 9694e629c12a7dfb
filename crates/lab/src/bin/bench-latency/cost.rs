//! What looking costs: at rest on a host with many listeners and connections, and while connections
//! come and go as fast as this machine makes them; ours, and what the kernel does for us.

use crate::Outcome;
use crate::crowd;
use crate::stage::{Session, Stage, Who, service};
use ha2bgp_lab::samples::percentile;
use ha2bgp_lab::service::{Options, open};
use ha2bgp_lab::wait;
use socket2::Type;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const TIERS: [Who; 3] = [Who::TierA, Who::TierB, Who::TierC];
const IDLE: Duration = Duration::from_secs(10);
const CHURN: Duration = Duration::from_secs(2);
/// The tiers take turns, so many times each.
const ROUNDS: usize = 5;

pub(crate) fn run(connections: usize) -> Outcome<()> {
    let stage = Stage::new()?;
    let at = service()?;
    let _service = stage.host.within(|| open(at, Type::STREAM, Options::default()))??;
    println!(
        "at rest for {IDLE:?}, one VIP announced, 10000 other listeners, {connections} connections"
    );
    println!("| tier | of a core |");
    println!("|---|---|");
    let crowds = (
        crowd::listeners(&stage.host, 10_000)?,
        crowd::connections(&stage.host, connections, stage.dir.path())?,
    );
    for who in TIERS {
        let mut session = start(&stage, who)?;
        let before = cpu(&session)?;
        wait::pause(IDLE);
        let used = cpu(&session)?.saturating_sub(before);
        println!("| {} | {:.3} % |", who.name(), share(used, IDLE));
        session.child.kill()?;
    }
    drop(crowds);
    println!();
    let threads = std::thread::available_parallelism()?.get();
    println!(
        "connections opened and closed by {threads} threads for {CHURN:?}, {ROUNDS} rounds in turns"
    );
    println!(
        "| who looks | connections a second, median (range) | of a core, ours | µs of a core a connection |"
    );
    println!("|---|---|---|---|");
    let mut rates: [Vec<f64>; 4] = Default::default();
    let mut shares: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        for (index, who) in [None].into_iter().chain(TIERS.map(Some)).enumerate() {
            let session = who.map(|who| start(&stage, who)).transpose()?;
            let before = session.as_ref().map(cpu).transpose()?;
            let begin = Instant::now();
            let count = stage.host.within(|| churning(threads))??;
            let took = begin.elapsed();
            let after = session.as_ref().map(cpu).transpose()?;
            if let (Some(rates), Some(shares)) = (rates.get_mut(index), shares.get_mut(index)) {
                rates.push(f64::from(count) / took.as_secs_f64());
                let used = after.unwrap_or_default().saturating_sub(before.unwrap_or_default());
                shares.push(share(used, took));
            }
            if let Some(mut session) = session {
                session.child.kill()?;
            }
        }
    }
    let names = ["nobody"].into_iter().chain(TIERS.map(Who::name));
    let nobody = middle(&rates[0]).1;
    for ((name, rates), shares) in names.zip(&rates).zip(&shares) {
        let (low, rate, high) = middle(rates);
        let (_, share, _) = middle(shares);
        // Each thread has a core for itself, as far as the machine and ours let it.
        let more = (1e6 / rate - 1e6 / nobody) * threads as f64;
        println!("| {name} | {rate:.0} ({low:.0} to {high:.0}) | {share:.3} % | {more:+.2} |");
    }
    Ok(())
}

/// Starts it and waits until the service is announced.
fn start(stage: &Stage, who: Who) -> Outcome<Session> {
    let mut session = stage.start(who)?;
    session.hears(1, 0)?;
    wait::pause(Duration::from_secs(1));
    Ok(session)
}

/// So many threads at a time, which have no listener in common; how many connections in all.
fn churning(threads: usize) -> std::io::Result<u32> {
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(churn)).collect();
        let joined = all
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.sum()
    })
}

/// Opens and closes connections over loopback; how many.
fn churn() -> std::io::Result<u32> {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 202, 0, 1), 0))?;
    let to = listener.local_addr()?;
    let begin = Instant::now();
    let mut count = 0;
    while begin.elapsed() < CHURN {
        let client = TcpStream::connect(to)?;
        let (server, _) = listener.accept()?;
        // Reset, so that no port waits.
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        drop(client);
        drop(server);
        count += 1;
    }
    Ok(count)
}

/// What all threads of the program have used of the processor.
fn cpu(session: &Session) -> Outcome<Duration> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{}/task", session.child.pid()))? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        sum += text.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(Duration::from_nanos(sum))
}

fn share(used: Duration, of: Duration) -> f64 {
    100.0 * used.div_duration_f64(of)
}

/// The smallest, the median and the largest.
fn middle(values: &[f64]) -> (f64, f64, f64) {
    let nanoseconds: Vec<Duration> =
        values.iter().map(|value| Duration::from_secs_f64(value.max(0.0))).collect();
    let [low, half, high] = [0, 50, 100].map(|at| percentile(&nanoseconds, at).as_secs_f64());
    (low, half, high)
}
