//! Memory of a process that announces to several peers of equal policy. Nothing is subtracted:
//! the numbers are those of `/proc/PID/status`, and the same without routes stands beside them.

use crate::Outcome;
use ha2bgp_lab::bgp::{Conversation, UPDATE, counted};
use ha2bgp_lab::source::{self, Source};
use ha2bgp_lab::{procfs, wait};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The first argument of the process that is measured.
pub(crate) const CHILD: &str = "memory-of-a-sender";

const ROUTES: u32 = 100_000;
const PEERS: u8 = 8;
const REPS: usize = 3;
/// How long everything stays as it is before the second look.
const REST: Duration = Duration::from_secs(2);

pub(crate) fn run() -> Outcome<()> {
    println!("memory of a process that announces (its set of routes included), KiB");
    println!("  routes  peers  VmHWM at the end of the burst, VmRSS then and {REST:?} later");
    let mut least = [u64::MAX; 4];
    let cases = [(0, 1), (ROUTES, 1), (0, PEERS), (ROUTES, PEERS)];
    for rep in 1..=REPS {
        for ((routes, peers), least) in cases.iter().zip(&mut least) {
            let [peak, burst, rest] = measure(*routes, *peers)?;
            println!("  {routes:>6}  {peers:>5}  {peak:>6} {burst:>6} {rest:>6}  (run {rep})");
            *least = peak.min(*least);
        }
    }
    let per = |more: u64, less: u64, by: u64| (more.saturating_sub(less) * 1024).div_ceil(by);
    let [none, one, none_many, many] = least;
    let (routes, peers) = (u64::from(ROUTES), u64::from(PEERS));
    println!(
        "  peak over the same without routes: {} bytes a route with one peer, {} with {PEERS}: \
         {} a route and peer",
        per(one, none, routes),
        per(many, none_many, routes),
        per(many, none_many, routes * peers)
    );
    Ok(())
}

fn measure(routes: u32, peers: u8) -> Outcome<[u64; 3]> {
    let mut listeners = Vec::new();
    for index in 1..=peers {
        listeners.push(TcpListener::bind((Ipv4Addr::new(127, 0, 1, index), 0))?);
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(CHILD).arg(routes.to_string());
    for listener in &listeners {
        command.arg(listener.local_addr()?.to_string());
    }
    // It ends when its standard input does.
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let outcome = watch(child.id(), routes, &listeners);
    let _gone = child.kill();
    child.wait()?;
    outcome
}

fn watch(pid: u32, routes: u32, listeners: &[TcpListener]) -> Outcome<[u64; 3]> {
    let kib = |field| procfs::memory(pid, field).map(|bytes| bytes / 1024).ok_or("it has ended");
    let sessions: Vec<std::io::Result<Conversation>> = std::thread::scope(|scope| {
        let readers: Vec<_> =
            listeners.iter().map(|listener| scope.spawn(|| take(listener, routes))).collect();
        let joined = readers.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.map(|it| it.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    for session in &sessions {
        session.as_ref().map_err(ToString::to_string)?;
    }
    let then = [kib("VmHWM")?, kib("VmRSS")?];
    wait::pause(REST);
    Ok([then[0], then[1], kib("VmRSS")?])
}

/// Takes all routes and End-of-RIB; without keepalives.
fn take(listener: &TcpListener, routes: u32) -> std::io::Result<Conversation> {
    let mut session = Conversation::accept(listener, 65001, 0)?;
    let mut has = 0;
    loop {
        let Some((kind, body)) = session.next()? else {
            return Err(std::io::Error::other("the session has ended"));
        };
        if kind == UPDATE {
            has += counted(&body).1;
            if body == [0; 4] && has == usize::try_from(routes).unwrap_or_default() {
                return Ok(session);
            }
        }
    }
}

/// The process that is measured: announces until its standard input ends.
pub(crate) fn child(args: &[String]) -> Outcome<()> {
    let [routes, addresses @ ..] = args else { return Err("how many routes?".into()) };
    let mut peers = Vec::new();
    for address in addresses {
        let address: SocketAddr = address.parse()?;
        let mut peer = source::peer(65000, address, 65001);
        peer.config.local = Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)));
        peers.push(peer);
    }
    let speaker = Source::start(None, peers, source::hosts(routes.parse()?))?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    drop(speaker);
    Ok(())
}
