//! The sockets of this crate against the real kernel, without privilege.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use ha2bgp_core::fact::Protocol;
use ha2bgp_proto::family::Family;
use ha2bgp_proto::inet_diag::{DumpRequest, ExactQuery, State};
use ha2bgp_sys::NetlinkError;
use ha2bgp_sys::destroy::{DestroyEvent, DestroyEvents, PORTS_MAX};
use ha2bgp_sys::diag::Diag;
use ha2bgp_sys::route::Route;
use socket2::SockRef;

fn listener() -> (TcpListener, ExactQuery) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = listener.local_addr().unwrap();
    let (address, port) = (local.ip(), local.port());
    let query = ExactQuery { protocol: Protocol::Tcp, address, port, interface: None };
    (listener, query)
}

const ALL: DumpRequest<'_> =
    DumpRequest { family: Family::V4, protocol: Protocol::Tcp, bytecode: &[], memory: false };

#[test]
fn a_query_finds_a_listener_until_it_closes() {
    let mut diag = Diag::open().unwrap();
    let (listener, query) = listener();
    let found = diag.find(&query).unwrap().unwrap();
    assert_eq!(found.cookie, SockRef::from(&listener).cookie().unwrap());
    assert_eq!((found.state, found.sport), (State::LISTEN, query.port));
    drop(listener);
    assert_eq!(diag.find(&query).unwrap(), None);
}

#[test]
fn an_answer_that_was_not_read_to_its_end_is_not_taken_for_the_next() {
    let mut diag = Diag::open().unwrap();
    let (listener, query) = listener();
    let stopped = diag.dump(&ALL, &mut |_| Err(NetlinkError::TooMany { limit: 0 }));
    assert!(matches!(stopped, Err(NetlinkError::TooMany { .. })));
    let cookie = SockRef::from(&listener).cookie().unwrap();
    assert_eq!(diag.find(&query).unwrap().unwrap().cookie, cookie);
    let mut seen = false;
    diag.dump(&ALL, &mut |socket| {
        seen |= socket.cookie == cookie;
        Ok(())
    })
    .unwrap();
    assert!(seen);
}

#[test]
fn bytecode_that_does_not_add_up_is_refused() {
    let mut diag = Diag::open().unwrap();
    let request = DumpRequest { bytecode: &[255, 4, 8, 0], ..ALL };
    let refused = diag.dump(&request, &mut |_| Ok(())).unwrap_err();
    assert_eq!(refused.refused(), Some(libc::EINVAL));
    let (_listener, query) = listener();
    assert!(diag.find(&query).unwrap().is_some(), "the socket still works");
}

#[tokio::test]
async fn connections_that_end_make_no_events_and_their_listener_does() {
    let mut events = DestroyEvents::open(&[Protocol::Tcp]).unwrap();
    let (listener, query) = listener();
    // Twice what the buffer holds by default.
    for _ in 0..400 {
        let client = TcpStream::connect((query.address, query.port)).unwrap();
        drop((client, listener.accept().unwrap()));
    }
    let cookie = SockRef::from(&listener).cookie().unwrap();
    drop(listener);
    let mut destroyed = Vec::new();
    loop {
        let event = tokio::time::timeout(Duration::from_secs(20), events.receive(&mut destroyed));
        assert_eq!(event.await.unwrap().unwrap(), DestroyEvent::Destroyed);
        // Listeners of other programs may be among them.
        assert!(destroyed.iter().all(|gone| gone.dport == 0 && gone.dst.is_unspecified()));
        if destroyed.iter().any(|gone| gone.cookie == cookie) {
            break;
        }
    }
}

#[tokio::test]
async fn only_ports_that_are_followed_are_told() {
    let mut events = DestroyEvents::open(&[Protocol::Tcp]).unwrap();
    let mut destroyed = Vec::new();
    // However many ports: the one that is meant is told, wherever it stands; another one is not.
    for (count, at) in [(1, 0), (3, 1), (PORTS_MAX, 0), (PORTS_MAX, PORTS_MAX - 1), (65, 64)] {
        let (other, (followed, query)) = (listener().0, listener());
        let other_cookie = SockRef::from(&other).cookie().unwrap();
        let mut ports: Vec<u16> = (1..).take(count).collect();
        ports[at] = query.port;
        events.follow(&ports).unwrap();
        let cookie = SockRef::from(&followed).cookie().unwrap();
        drop(other);
        drop(followed);
        let mut seen = Vec::new();
        while !seen.contains(&cookie) {
            let event = events.receive(&mut destroyed);
            let event = tokio::time::timeout(Duration::from_secs(20), event);
            assert_eq!(event.await.unwrap().unwrap(), DestroyEvent::Destroyed);
            seen.extend(destroyed.iter().map(|gone| gone.cookie));
        }
        // The other one was destroyed first. With too many ports everything is told.
        assert_eq!(seen.contains(&other_cookie), count > PORTS_MAX, "{count} ports");
    }
}

#[test]
fn loopback_is_among_the_links() {
    let tables = Route::open().unwrap().tables().unwrap();
    let loopback = tables.links.iter().find(|link| link.name == "lo").unwrap();
    assert!(loopback.flags.loopback());
    assert_eq!(ha2bgp_sys::lookup::device_index("lo"), Some(loopback.index));
    assert!(tables.addresses.iter().any(|address| address.interface == loopback.index));
}
