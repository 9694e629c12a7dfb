//! Finds out what of the records holds on this kernel: sockets of our own listen for a moment, and
//! their rings must tell where.
//!
//! They listen on loopback, at ports of the kernel's choice, and nobody is told of them: two of
//! IPv4 and two of IPv6, so that what stands for the namespace is seen to be the same in all.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU64;

use socket2::{Domain, SockAddr, Socket, Type};

use super::record::{Change, Known, Place, Record};
use super::ring::Ring;

/// Sockets of each family.
const EACH: usize = 2;

/// Tries the records of a doorbell that hangs, and takes all rings that came meanwhile.
pub(super) fn run(ring: &mut Ring) -> Known {
    let v4 = listen_all(ring, Ipv4Addr::LOCALHOST.into());
    let v6 = listen_all(ring, Ipv6Addr::LOCALHOST.into());
    let records = || v4.iter().chain(&v6).flatten();
    let namespaces: Vec<_> = records().map(|(record, _)| record.namespace()).collect();
    let cookies = records().all(|(record, cookie)| record.cookie() == *cookie);
    let first = namespaces.first().copied().flatten();
    let same = namespaces.iter().all(|namespace| *namespace == first);
    Known { v4: v4.is_some(), v6: v6.is_some(), cookies, namespace: first.filter(|_| same) }
}

/// A record, and the cookie that it should have.
type Tried = (Record, Option<NonZeroU64>);

/// The records of sockets at this address, if there was one for each.
fn listen_all(ring: &mut Ring, address: IpAddr) -> Option<Vec<Tried>> {
    (0..EACH).map(|_| listen(ring, address).ok().flatten()).collect()
}

/// The record of a socket that starts to listen at this address.
fn listen(ring: &mut Ring, address: IpAddr) -> io::Result<Option<Tried>> {
    let wanted = SocketAddr::new(address, 0);
    let socket = Socket::new(Domain::for_address(wanted), Type::STREAM, None)?;
    // Loopback may be down.
    match address {
        IpAddr::V4(_) => socket.set_freebind_v4(true)?,
        IpAddr::V6(_) => socket.set_freebind_v6(true)?,
    }
    socket.bind(&SockAddr::from(wanted))?;
    let port = socket.local_addr()?.as_socket().map_or(0, |local| local.port());
    // It has one from now on.
    let cookie = NonZeroU64::new(rustix::net::sockopt::socket_cookie(&socket)?);
    // Room for the one that is to come.
    ring.take(&mut |_| {});
    socket.listen(1)?;
    let mut found = None;
    // The program runs within listen(2): the record is there.
    ring.take(&mut |record| {
        let ours = record.change() == Some(Change::Starts)
            && record.is_v6() == Some(address.is_ipv6())
            && record.place() == Some(Place { address, port });
        if ours {
            found = Some((record, cookie));
        }
    });
    Ok(found)
}
