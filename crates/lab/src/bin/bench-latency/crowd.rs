//! Sockets that are of no interest, and many.

use crate::Outcome;
use ha2bgp_lab::netns::Netns;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, SockAddr, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// Connections to one address: fewer than a client has ports.
const EACH: usize = 20_000;

/// They close when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    _listeners: Vec<Socket>,
    _connections: Vec<(TcpStream, TcpStream)>,
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

/// So many connections over loopback, both ends here.
pub(crate) fn connections(host: &Netns, count: usize) -> Outcome<Crowd> {
    may_open(2 * count)?;
    let open = || -> std::io::Result<Vec<(TcpStream, TcpStream)>> {
        let mut all = Vec::with_capacity(count);
        for (place, from) in (0..count).step_by(EACH).zip(1_u8..) {
            let listener = TcpListener::bind((Ipv4Addr::new(127, 201, 0, from), 0))?;
            let to = listener.local_addr()?;
            for _ in place..count.min(place + EACH) {
                all.push((TcpStream::connect(to)?, listener.accept()?.0));
            }
        }
        Ok(all)
    };
    Ok(Crowd { _connections: host.within(open)??, ..Crowd::default() })
}

/// Raises the limit of descriptors; beyond the hard one as root may.
pub(crate) fn may_open(count: usize) -> Outcome<()> {
    let want = u64::try_from(count)? + 1000;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < want) {
        let maximum = maximum.map(|maximum| maximum.max(want));
        setrlimit(Resource::Nofile, Rlimit { current: Some(want), maximum })?;
    }
    Ok(())
}
