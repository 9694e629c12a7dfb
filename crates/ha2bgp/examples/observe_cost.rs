//! What the listen observer costs and how fast it is, on this machine:
//! `cargo run --profile lab -p ha2bgp --example observe_cost`.
//!
//! Prints the time from `close` of a listener until its `ListenerClosed` is received, and the
//! processor time of an observer that has nothing to report: with a doorbell (as root) and without.
//! Whatever else happens on the host rings the doorbell too.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use ha2bgp::observe::Seen;
use ha2bgp::observe::listen::{ListenConfig, Looks, run};
use ha2bgp_core::fact::Observation;
use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::{Route, RouteSet};
use tokio::sync::{mpsc, watch};

type Error = Box<dyn std::error::Error>;

const CLOSES: usize = 500;
const IDLE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let bell = ListenConfig::default();
        let events = ListenConfig { doorbell: false, ..bell.clone() };
        let polling = ListenConfig { destroy_events: false, ..events.clone() };
        close_latency("doorbell", bell.clone(), true).await?;
        close_latency("destroy event", events.clone(), true).await?;
        close_latency("polling only", polling, true).await?;
        for (listeners, announced) in
            [(0, 0), (5, 0), (5, 5), (200, 5), (200, 200), (10_000, 5), (10_000, 10_000)]
        {
            for (what, config) in [("doorbell", &bell), ("events and polling", &events)] {
                idle(what, config.clone(), listeners, announced).await?;
            }
        }
        Ok(())
    })
}

/// Listens on the `n`th address of 127.200.0.0/16, at a port of the kernel's choice.
fn listen(n: usize) -> Result<TcpListener, Error> {
    let address = IpAddr::V4(Ipv4Addr::from_bits(0x7fc8_0001 + u32::try_from(n)?));
    Ok(TcpListener::bind(SocketAddr::new(address, 0))?)
}

fn announce(listeners: &[TcpListener]) -> Result<RouteSet, Error> {
    let route = Route::new(NextHop::SelfAddress);
    let mut routes = RouteSet::new();
    for listener in listeners {
        routes.insert(Prefix::host(listener.local_addr()?.ip()), route);
    }
    Ok(routes)
}

/// Receives until `last` comes.
async fn until(
    rx: &mut mpsc::Receiver<Seen>,
    last: impl Fn(&Observation) -> bool,
) -> Result<Observation, Error> {
    loop {
        let observation = rx.recv().await.ok_or("the observer ended")?.what;
        if last(&observation) {
            return Ok(observation);
        }
    }
}

async fn close_latency(what: &str, config: ListenConfig, announced: bool) -> Result<(), Error> {
    let routes = watch::Sender::new(RouteSet::new());
    let (tx, mut rx) = mpsc::channel(1024);
    let task = tokio::spawn(run(
        watch::channel(config).1,
        routes.subscribe(),
        tx,
        watch::Sender::default(),
        Looks::default(),
    ));
    let mut times = Vec::with_capacity(CLOSES);
    for n in 0..CLOSES {
        let listener = listen(n)?;
        let port = listener.local_addr()?.port();
        let opened =
            |o: &Observation| matches!(o, Observation::ListenerOpened(l) if l.port == port);
        let Observation::ListenerOpened(open) = until(&mut rx, opened).await? else {
            continue;
        };
        let own = std::slice::from_ref(&listener);
        routes.send_replace(if announced { announce(own)? } else { RouteSet::new() });
        // Another moment of the observer's rhythm each time.
        tokio::time::sleep(Duration::from_micros(u64::try_from(n)? * 37 % 20_000)).await;
        let begin = Instant::now();
        drop(listener);
        until(&mut rx, |o| *o == Observation::ListenerClosed(open.id)).await?;
        times.push(begin.elapsed());
    }
    task.abort();
    times.sort();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    println!(
        "close → ListenerClosed, {what}: p50 {:?}, p90 {:?}, p99 {:?}, n = {}",
        at(50),
        at(90),
        at(99),
        times.len()
    );
    Ok(())
}

async fn idle(
    what: &str,
    config: ListenConfig,
    count: usize,
    announced: usize,
) -> Result<(), Error> {
    let listeners = (0..count).map(listen).collect::<Result<Vec<_>, _>>()?;
    let own = listeners.get(..announced).ok_or("more announced than there are")?;
    let routes = watch::Sender::new(announce(own)?);
    let (tx, mut rx) = mpsc::channel(1024);
    let task = tokio::spawn(run(
        watch::channel(config).1,
        routes.subscribe(),
        tx,
        watch::Sender::default(),
        Looks::default(),
    ));
    until(&mut rx, |o| matches!(o, Observation::Complete(_))).await?;
    // What others on this host open and close is received, too.
    tokio::spawn(async move { while rx.recv().await.is_some() {} });
    let before = cpu_time()?;
    tokio::time::sleep(IDLE).await;
    let used = cpu_time()?.saturating_sub(before);
    task.abort();
    let share = 100.0 * used.as_secs_f64() / IDLE.as_secs_f64();
    println!("idle, {what}, {count} listeners, {announced} announced: {share:.3} % of a core");
    Ok(())
}

fn cpu_time() -> Result<Duration, Error> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Ok(Duration::try_from(time)?)
}
