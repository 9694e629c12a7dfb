//! Sockets that are of no interest, and many.

use crate::Outcome;
use ha2bgp_lab::child::Child;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::wait;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, SockAddr, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The first argument of this program as a process that holds connections.
pub(crate) const CHILD: &str = "--hold";
/// What it says when it has them.
const READY: &str = "ready";
/// Connections of one process: both ends of them are descriptors, of which it may have 20 000.
const EACH: usize = 9_000;

/// They close when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    _listeners: Vec<Socket>,
    _holders: Vec<Child>,
}

/// So many listeners at ports that nobody follows.
pub(crate) fn listeners(host: &Netns, count: usize) -> Outcome<Crowd> {
    may_open(count)?;
    let open = || -> std::io::Result<Vec<Socket>> {
        (0_u32..)
            .take(count)
            .map(|n| {
                let address = Ipv4Addr::from_bits(0x7fc8_0001 + n % 5000);
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
                socket.bind(&SockAddr::from(SocketAddr::from((address, 0))))?;
                socket.listen(1)?;
                Ok(socket)
            })
            .collect()
    };
    Ok(Crowd { _listeners: host.within(open)??, ..Crowd::default() })
}

/// So many connections over loopback, held by processes of their own.
pub(crate) fn connections(host: &Netns, count: usize, dir: &Path) -> Outcome<Crowd> {
    let mut holders = Vec::new();
    for (begin, number) in (0..count).step_by(EACH).zip(1..) {
        let own = EACH.min(count - begin).to_string();
        let mut command = Command::new(std::env::current_exe()?);
        command.args([CHILD, &own, &format!("127.201.0.{number}")]);
        holders.push(host.start(&format!("holder-{number}"), &mut command, dir)?);
    }
    for holder in &holders {
        let ready = || if holder.stdout().contains(READY) { Ok(()) } else { Err(holder.tail()) };
        wait::until(Duration::from_secs(60), "connections are open", ready)?;
    }
    Ok(Crowd { _holders: holders, ..Crowd::default() })
}

/// The process: `--hold COUNT ADDRESS`. Ends when it is killed.
pub(crate) fn child(args: &[String]) -> Outcome<()> {
    let [count, address] = args else { return Err("--hold takes a number and an address".into()) };
    let count: usize = count.parse()?;
    may_open(2 * count)?;
    let listener = TcpListener::bind((address.parse::<Ipv4Addr>()?, 0))?;
    let to = listener.local_addr()?;
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        held.push((TcpStream::connect(to)?, listener.accept()?.0));
    }
    println!("{READY}");
    loop {
        wait::pause(Duration::from_secs(60));
    }
}

/// Raises the limit of descriptors.
pub(crate) fn may_open(count: usize) -> Outcome<()> {
    let want = u64::try_from(count)? + 1000;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < want) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(want), ..limit })
            .map_err(|error| format!("{want} descriptors are not permitted: {error}"))?;
    }
    Ok(())
}
