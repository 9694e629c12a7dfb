//! The floor: as little as any detector must do. One thread: the doorbell, an exact query, and a
//! socket that prepared bytes are written to. No engine, no speaker, no runtime on the way.

use crate::Outcome;
use ha2bgp_core::fact::Protocol;
use ha2bgp_lab::bgp::{Conversation, KEEPALIVE, OPEN, UPDATE, message, open};
use ha2bgp_proto::inet_diag::ExactQuery;
use ha2bgp_sys::diag::Diag;
use ha2bgp_sys::doorbell::Doorbell;
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, SocketAddr};

/// The first argument of this program as the floor's process.
pub(crate) const CHILD: &str = "--floor";

/// The process: `--floor VIP:PORT OUR-ADDRESS ROUTER`. Ends when it is killed.
pub(crate) fn child(args: &[String]) -> Outcome<()> {
    let [service, local, router] = args else { return Err("--floor takes three addresses".into()) };
    let service: SocketAddr = service.parse()?;
    let IpAddr::V4(vip) = service.ip() else { return Err("the floor knows IPv4 only".into()) };
    // The doorbell is registered with a runtime, which nobody runs.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    let mut bell = Doorbell::hang()?;
    let mut diag = Diag::open()?;
    let mut session = Conversation::connect(local.parse()?, router.parse()?)?;
    session.send(&open(4, 65000, 0))?;
    session.expect(OPEN)?;
    session.send(&message(KEEPALIVE, &[]))?;
    session.expect(KEEPALIVE)?;
    let host = [&[32], vip.octets().as_slice()].concat();
    let withdraw = message(UPDATE, &[&[0, 5], host.as_slice(), &[0, 0]].concat());
    // As many octets as an announcement has; what is in them nobody reads.
    let announce = message(UPDATE, &[&[0, 0, 0, 0], host.as_slice()].concat());
    let mut stream = session.stream();
    let (address, port) = (service.ip(), service.port());
    let query = ExactQuery { protocol: Protocol::Tcp, address, port, interface: None };
    let (mut up, mut chimes) = (false, Vec::new());
    loop {
        let mut fds = [PollFd::new(&bell, PollFlags::IN)];
        // A second look, as the kernel rings for `listen` before its tables have it.
        let wait = rustix::time::Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        poll(&mut fds, (!up).then_some(&wait)).or_else(|error| match error.kind() {
            ErrorKind::Interrupted => Ok(0),
            _ => Err(error),
        })?;
        bell.take(&mut chimes);
        let listens = diag.find(&query)?.is_some();
        if listens != up {
            up = listens;
            stream.write_all(if up { &announce } else { &withdraw })?;
        }
    }
}
