//! How many TCP connections there are to addresses of this host.
//!
//! The kernel walks its whole table of connections, of both families, with a filter for the VIPs. On
//! a machine with a table for half a million connections that is about 10 ms, and 1 ms more for every
//! thousand that are let through.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use ha2bgp_core::fact::Protocol;
use ha2bgp_proto::family::Family;
use ha2bgp_proto::filter::{Context, Filter, NoNames, Services};
use ha2bgp_proto::inet_diag::{ConnectionsRequest, DiagSocket, State};
use ha2bgp_sys::NetlinkError;
use ha2bgp_sys::diag::Diag;

/// How many connections each VIP has; those without any are left out.
pub(super) type Counts = BTreeMap<IpAddr, u32>;

/// The kernel looks for so many VIPs at most; with more it hands out everything.
const FILTER_MAX: usize = 256;

/// Counts those to `vips`. Connections from `own` addresses are this host's with itself, and no
/// clients.
pub(super) fn count(
    diag: &mut Option<Diag>,
    vips: &BTreeSet<IpAddr>,
    own: &BTreeSet<IpAddr>,
) -> Result<Counts, NetlinkError> {
    let diag = match diag {
        Some(diag) => diag,
        none => none.insert(Diag::open()?),
    };
    let mut counts = Counts::new();
    if vips.is_empty() {
        return Ok(counts);
    }
    let filter = filter(vips);
    // Sockets of IPv6 may serve IPv4 too, never the other way round.
    let families = Family::ALL.into_iter().filter(|family| match family {
        Family::V4 => vips.iter().any(IpAddr::is_ipv4),
        Family::V6 => true,
    });
    for family in families {
        let request = ConnectionsRequest { family, bytecode: filter.bytecode() };
        diag.connections(&request, &mut |socket: &DiagSocket| {
            let (vip, from) = (socket.src.to_canonical(), socket.dst.to_canonical());
            let client = !own.contains(&from) && !from.is_loopback();
            if vips.contains(&vip) && client && speaks(socket) {
                let count = counts.entry(vip).or_default();
                *count = count.saturating_add(1);
            }
            Ok(())
        })?;
    }
    Ok(counts)
}

/// A client that has not answered so often is none any more: a router has sent it to another host,
/// which knows nothing of its connection. With the shortest time-out of Linux that is 6 s.
const RETRANSMITS_MAX: u8 = 5;

/// Whether something may still be said. What this side has closed is over when nothing but the end
/// itself (one octet of sequence, RFC 9293) is not acknowledged.
fn speaks(socket: &DiagSocket) -> bool {
    let open = [State::ESTABLISHED, State::CLOSE_WAIT].contains(&socket.state);
    (open || socket.wqueue > 1) && socket.retransmits < RETRANSMITS_MAX
}

/// Lets connections to these through; too many of them: all.
fn filter(vips: &BTreeSet<IpAddr>) -> Filter {
    let mut text = String::new();
    for vip in vips.iter().take(FILTER_MAX + 1) {
        let or = if text.is_empty() { "" } else { " or " };
        // Writing into a string cannot fail.
        let _ = match vip {
            IpAddr::V4(vip) => write!(text, "{or}src {vip}"),
            IpAddr::V6(vip) => write!(text, "{or}src [{vip}]"),
        };
    }
    if vips.len() > FILTER_MAX {
        return Filter::default();
    }
    let services = Services::parse("");
    let context = Context { services: &services, protocols: &[Protocol::Tcp], names: &NoNames };
    // What is counted is looked at here once more: without a filter it only takes longer.
    Filter::parse(&text, &context).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// Counts in the real kernel. All addresses of 127/8 are local, so the client is let through
    /// by pretending that none is.
    #[test]
    fn connections_are_counted_where_they_arrive() {
        let vip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut diag = None;
        let mut count = |vips: &[&str]| {
            let vips = vips.iter().map(|it| vip(it)).collect();
            let diag = match &mut diag {
                Some(diag) => diag,
                none => none.insert(Diag::open().unwrap()),
            };
            let mut found = Vec::new();
            let filter = filter(&vips);
            for family in Family::ALL {
                let request = ConnectionsRequest { family, bytecode: filter.bytecode() };
                let visit = &mut |socket: &DiagSocket| {
                    found.push((socket.src.to_canonical(), socket.sport));
                    Ok(())
                };
                diag.connections(&request, visit).unwrap();
            }
            found
        };
        let plain = TcpListener::bind("127.77.1.1:0").unwrap();
        let dual = TcpListener::bind("[::]:0").unwrap();
        let port = dual.local_addr().unwrap().port();
        let _one = TcpStream::connect(plain.local_addr().unwrap()).unwrap();
        let _other = TcpStream::connect(("127.77.1.2", port)).unwrap();
        let here = (vip("127.77.1.1"), plain.local_addr().unwrap().port());
        let there = (vip("127.77.1.2"), port);
        // The second one arrives at a socket of IPv6.
        assert_eq!(count(&["127.77.1.1"]), [here]);
        assert_eq!(count(&["127.77.1.2", "2001:db8::1"]), [there]);
        let both = count(&["127.77.1.1", "127.77.1.2"]);
        assert!(both.len() == 2 && both.contains(&here) && both.contains(&there), "{both:?}");
        assert_eq!(count(&["127.77.1.3"]), []);
    }

    #[test]
    fn this_host_is_no_client() {
        let listener = TcpListener::bind("127.77.2.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let vips = BTreeSet::from(["127.77.2.1".parse().unwrap()]);
        let own = BTreeSet::new();
        assert_eq!(count(&mut None, &vips, &own).unwrap(), Counts::new());
    }

    #[test]
    fn what_is_closed_counts_as_long_as_it_says_something() {
        let listener = TcpListener::bind("127.77.3.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let request = ConnectionsRequest { family: Family::V4, bytecode: &[] };
        let mut found = None;
        let visit = &mut |socket: &DiagSocket| {
            found =
                found.or((socket.src == listener.local_addr().unwrap().ip()).then_some(*socket));
            Ok(())
        };
        Diag::open().unwrap().connections(&request, visit).unwrap();
        let open = found.unwrap();
        for (state, wqueue, counts) in [
            (State::ESTABLISHED, 0, true),
            (State::CLOSE_WAIT, 0, true),
            (State::FIN_WAIT1, 1, false),
            (State::FIN_WAIT1, 2, true),
            (State::LAST_ACK, 1, false),
            (State::LAST_ACK, 1448, true),
            (State::CLOSING, 1, false),
        ] {
            let socket = DiagSocket { state, wqueue, ..open };
            assert_eq!(speaks(&socket), counts, "{state:?} {wqueue}");
            // Nobody answers.
            assert!(!speaks(&DiagSocket { retransmits: 5, ..socket }), "{state:?} {wqueue}");
        }
    }

    #[test]
    fn there_is_a_filter_for_so_many() {
        let vips = |count: u32| {
            let v4 = (0..count).map(|it| IpAddr::from((0x6440_0000 + it).to_be_bytes()));
            v4.chain(["2001:db8::1".parse().unwrap()]).collect::<BTreeSet<IpAddr>>()
        };
        assert!(!filter(&vips(255)).bytecode().is_empty());
        assert!(filter(&vips(256)).bytecode().is_empty());
    }
}
