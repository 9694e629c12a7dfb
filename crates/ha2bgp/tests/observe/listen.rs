//! Listeners, as the kernel shows them.

use std::net::{IpAddr, Shutdown};
use std::time::Duration;

use ha2bgp::observe::listen::ListenConfig;
use ha2bgp_core::fact::{ListenAddress, Protocol};
use socket2::Socket;

use crate::namespace::{Neighbour, in_own_network, ip};
use crate::support::{
    NEVER, Watcher, brisk, id, own_address, port, ringing, tcp, udp, udp_id, without_reading,
};

/// `sport = PORT`: accept with a jump to the end, refuse with one behind it.
fn sport_is(port: u16) -> Vec<u8> {
    let [no_low, no_high] = 12_u16.to_ne_bytes();
    let [port_low, port_high] = port.to_ne_bytes();
    vec![11, 8, no_low, no_high, 0, 0, port_low, port_high]
}

/// Sees a close only through polling.
fn only_polling() -> ListenConfig {
    ListenConfig {
        destroy_events: false,
        poll_interval: Duration::from_millis(2),
        ..without_reading()
    }
}

#[tokio::test]
async fn listeners_open_and_close() {
    let mut watcher = Watcher::listen(brisk()).await;
    let address = own_address();
    let socket = tcp(&address.to_string(), 0, |_| {});
    let listener = watcher.opened(id(&socket)).await;
    assert_eq!(listener.address, ListenAddress::Address(address));
    assert_eq!(listener.port, port(&socket));
    let id = id(&socket);
    drop(socket);
    watcher.closed(id).await;
    assert_eq!(watcher.failures, [""; 0]);
}

#[tokio::test]
async fn a_close_is_an_event() {
    let socket = tcp(&own_address().to_string(), 0, |_| {});
    let v6 = tcp("::1", 0, |_| {});
    let mut watcher = Watcher::listen(without_reading()).await;
    for socket in [socket, v6] {
        let id = id(&socket);
        assert!(watcher.listeners.contains_key(&id));
        drop(socket);
        watcher.closed(id).await;
    }
}

#[tokio::test]
async fn the_doorbell_rings_for_whatever_comes_and_goes() {
    let Some(config) = ringing() else { return };
    let mut watcher = Watcher::listen(config).await;
    let address = own_address().to_string();
    for n in 0..20 {
        // Announced or not: what is announced is looked at first.
        if n == 10 {
            watcher.announce(&[address.parse().unwrap()]);
        }
        let socket = tcp(&address, 0, |_| {});
        let wildcard = tcp("::", 0, |_| {});
        let ids = [id(&socket), id(&wildcard)];
        for id in ids {
            watcher.opened(id).await;
        }
        drop(wildcard);
        if n % 2 == 0 {
            socket.shutdown(Shutdown::Both).unwrap();
        } else {
            drop(socket);
        }
        for id in ids {
            watcher.closed(id).await;
        }
    }
    assert_eq!(watcher.failures, [""; 0]);
}

/// Who listens elsewhere makes nobody look.
#[tokio::test]
async fn rings_at_ports_that_nobody_follows_only_count() {
    let Some(config) = ringing() else { return };
    let ours = tcp(&own_address().to_string(), 0, |_| {});
    let config = ListenConfig { bytecode: sport_is(port(&ours)), ..config };
    let config = ListenConfig { calm_reconcile_interval: NEVER, ..config };
    let mut watcher = Watcher::listen(config).await;
    assert!(watcher.listeners.contains_key(&id(&ours)));
    let address = own_address().to_string();
    let before = watcher.looks.counts();
    for _ in 0..50 {
        drop(tcp(&address, 0, |_| {}));
    }
    // Behind the last of them: when that is seen, they were.
    let id = id(&ours);
    drop(ours);
    watcher.closed(id).await;
    let after = watcher.looks.counts();
    assert!(after.rings - before.rings >= 101, "{before:?} {after:?}");
    assert!(after.spurious - before.spurious >= 100, "{before:?} {after:?}");
    // One for ours, and one that was lost in the noise of all the other tests.
    assert!(after.dumps - before.dumps <= 2, "{before:?} {after:?}");
    assert_eq!(after.polls - before.polls, 1, "{before:?} {after:?}");
}

/// More announced sockets than are asked for one by one.
#[tokio::test]
async fn many_die_at_once_and_the_doorbell_rings() {
    let Some(config) = ringing() else { return };
    let addresses: Vec<IpAddr> = (0..300).map(|_| own_address()).collect();
    let sockets: Vec<_> = addresses.iter().map(|at| tcp(&at.to_string(), 0, |_| {})).collect();
    let ids: Vec<_> = sockets.iter().map(id).collect();
    let mut watcher = Watcher::listen(config).await;
    watcher.announce(&addresses);
    drop(sockets);
    watcher.until("all to close", |w| !ids.iter().any(|id| w.listeners.contains_key(id))).await;
}

#[tokio::test]
async fn a_descriptor_elsewhere_keeps_the_listener_open() {
    let socket = tcp(&own_address().to_string(), 0, |_| {});
    let copy = socket.try_clone().unwrap();
    let mut watcher = Watcher::listen(brisk()).await;
    let id = id(&socket);
    drop(socket);
    watcher.settle().await;
    assert!(watcher.listeners.contains_key(&id));
    drop(copy);
    watcher.closed(id).await;
}

#[tokio::test]
async fn bound_addresses_are_told_apart() {
    let v6only = |only| move |socket: &Socket| socket.set_only_v6(only).unwrap();
    let mapped: IpAddr = own_address();
    let cases = [
        (tcp("0.0.0.0", 0, |_| {}), ListenAddress::AnyV4),
        (tcp("::", 0, v6only(true)), ListenAddress::AnyV6Only),
        (tcp("::", 0, v6only(false)), ListenAddress::AnyDual),
        (tcp("::1", 0, |_| {}), ListenAddress::Address("::1".parse().unwrap())),
        (tcp(&format!("::ffff:{mapped}"), 0, v6only(false)), ListenAddress::Address(mapped)),
        (tcp("::ffff:0.0.0.0", 0, v6only(false)), ListenAddress::AnyV4),
    ];
    let mut watcher = Watcher::listen(only_polling()).await;
    for (socket, expected) in &cases {
        assert_eq!(watcher.listeners[&id(socket)].address, *expected);
    }
    // Exact queries find each of them: nothing closes before it is closed.
    watcher.announce(&[mapped, "::1".parse().unwrap()]);
    watcher.settle().await;
    for (socket, expected) in cases {
        let id = id(&socket);
        assert!(watcher.listeners.contains_key(&id), "{expected}");
        drop(socket);
        watcher.closed(id).await;
    }
}

#[tokio::test]
async fn the_members_of_a_reuseport_group_are_sockets_of_their_own() {
    let address = own_address().to_string();
    let reuse = |socket: &Socket| socket.set_reuse_port(true).unwrap();
    let first = tcp(&address, 0, reuse);
    let second = tcp(&address, port(&first), reuse);
    let third = tcp(&address, port(&first), reuse);
    let mut watcher = Watcher::listen(without_reading()).await;
    watcher.announce(&[address.parse().unwrap()]);
    for member in [first, second, third] {
        let id = id(&member);
        assert!(watcher.listeners.contains_key(&id));
        drop(member);
        watcher.closed(id).await;
    }
}

#[tokio::test]
async fn a_wildcard_does_not_stand_in_for_a_closed_listener() {
    let address = own_address();
    let reuse = |socket: &Socket| socket.set_reuse_port(true).unwrap();
    let specific = tcp(&address.to_string(), 0, reuse);
    let wildcard = tcp("0.0.0.0", port(&specific), reuse);
    let mut watcher = Watcher::listen(only_polling()).await;
    watcher.announce(&[address]);
    let closed = id(&specific);
    drop(specific);
    watcher.closed(closed).await;
    watcher.settle().await;
    assert!(watcher.listeners.contains_key(&id(&wildcard)));
}

#[tokio::test]
async fn a_shutdown_is_seen_by_polling() {
    let address = own_address();
    let socket = tcp(&address.to_string(), 0, |_| {});
    // No event will come: the socket lives on.
    let mut watcher = Watcher::listen(without_reading()).await;
    watcher.announce(&[address]);
    socket.shutdown(Shutdown::Both).unwrap();
    watcher.closed(id(&socket)).await;
}

#[tokio::test]
async fn a_shutdown_is_seen_by_reading_and_the_socket_may_come_back() {
    let socket = tcp(&own_address().to_string(), 0, |_| {});
    let mut watcher = Watcher::listen(brisk()).await;
    socket.shutdown(Shutdown::Both).unwrap();
    watcher.closed(id(&socket)).await;
    socket.listen(16).unwrap();
    watcher.opened(id(&socket)).await;
}

#[tokio::test]
async fn device_bound_listeners_are_polled_through_their_device() {
    let address = own_address();
    let bind = |socket: &Socket| socket.bind_device(Some(b"lo")).unwrap();
    let socket = tcp(&address.to_string(), 0, bind);
    let mut watcher = Watcher::listen(only_polling()).await;
    watcher.announce(&[address]);
    watcher.settle().await;
    let id = id(&socket);
    assert!(watcher.listeners.contains_key(&id));
    drop(socket);
    watcher.closed(id).await;
}

#[tokio::test]
async fn udp_sockets_listen_while_unconnected() {
    let both = vec![Protocol::Tcp, Protocol::Udp];
    let config = |config| ListenConfig { protocols: both.clone(), ..config };
    let address = own_address();
    let polled = udp(&address.to_string());
    let polled6 = udp("::1");
    let wildcard = udp("0.0.0.0");
    let mut watcher = Watcher::listen(config(only_polling())).await;
    watcher.announce(&[address, "::1".parse().unwrap()]);
    watcher.settle().await;
    for socket in [polled, polled6, wildcard] {
        let id = udp_id(&socket);
        assert!(watcher.listeners.contains_key(&id), "the swapped query finds it");
        drop(socket);
        watcher.closed(id).await;
    }

    let rings = udp(&address.to_string());
    let mut watcher = Watcher::listen(config(without_reading())).await;
    let id = udp_id(&rings);
    drop(rings);
    watcher.closed(id).await;

    let connects = udp(&address.to_string());
    let mut watcher = Watcher::listen(config(brisk())).await;
    watcher.opened(udp_id(&connects)).await;
    connects.connect(&connects.local_addr().unwrap()).unwrap();
    watcher.closed(udp_id(&connects)).await;
}

#[tokio::test]
async fn the_filter_selects_in_the_kernel() {
    let address = own_address().to_string();
    let wanted = tcp(&address, 0, |_| {});
    let other = tcp(&address, 0, |_| {});
    let bytecode = sport_is(port(&wanted));
    let mut watcher = Watcher::listen(ListenConfig { bytecode, ..brisk() }).await;
    assert!(watcher.listeners.contains_key(&id(&wanted)));
    watcher.settle().await;
    assert!(!watcher.listeners.contains_key(&id(&other)));
    drop(other);
    let id = id(&wanted);
    drop(wanted);
    watcher.closed(id).await;
}

#[tokio::test]
async fn a_filter_that_the_kernel_refuses_is_reported_once() {
    let bytecode = vec![255, 4, 8, 0];
    let mut watcher = Watcher::listen_unchecked(ListenConfig { bytecode, ..brisk() });
    watcher.until("the failure", |w| !w.failures.is_empty()).await;
    // Two more attempts fit in here.
    for _ in 0..4 {
        watcher.settle().await;
    }
    assert_eq!(
        watcher.failures,
        ["cannot list tcp listeners: the kernel refuses the request: Invalid argument (os error \
          22); this kernel does not know an operation of the listen filter, it may be too old"]
    );
    assert_eq!(watcher.completions, 0);
}

#[tokio::test]
async fn two_thousand_listeners_at_once() {
    const COUNT: usize = 2000;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    if limit.is_some_and(|limit| limit < 2 * COUNT as u64) {
        println!("skipped: no more than {limit:?} descriptors");
        return;
    }
    let mut watcher = Watcher::listen(brisk()).await;
    let address = own_address().to_string();
    let sockets: Vec<_> = (0..COUNT).map(|_| tcp(&address, 0, |_| {})).collect();
    let ids: Vec<_> = sockets.iter().map(id).collect();
    watcher.until("all to open", |w| ids.iter().all(|id| w.listeners.contains_key(id))).await;
    // While the doorbell rings for each, the queue of observations is full most of the time.
    drop(sockets);
    watcher.until("all to close", |w| !ids.iter().any(|id| w.listeners.contains_key(id))).await;
    assert_eq!(watcher.failures, [""; 0]);
}

#[tokio::test]
async fn the_observer_ends_with_its_receiver() {
    let announced = tokio::sync::watch::Sender::default();
    let (tx, rx) = tokio::sync::mpsc::channel(4);
    let config = ListenConfig { reconcile_interval: NEVER, ..Default::default() };
    let notice = tokio::sync::watch::Sender::default();
    let task = tokio::spawn(ha2bgp::observe::listen::run(
        tokio::sync::watch::channel(config).1,
        announced.subscribe(),
        tx,
        notice,
        ha2bgp::observe::listen::Looks::default(),
    ));
    drop(rx);
    tokio::time::timeout(Duration::from_secs(20), task).await.unwrap().unwrap();
}

/// (With a doorbell: in the lab, since it cannot hang in a user namespace.)
#[test]
fn a_half_open_connection_does_not_hide_a_close() {
    in_own_network("listen::a_half_open_connection_does_not_hide_a_close", async {
        let neighbour = Neighbour::new();
        let pid = neighbour.pid();
        ip("link add ours type veth peer name theirs");
        ip(&format!("link set theirs netns {pid}"));
        ip("addr add 192.0.2.1/24 dev ours");
        ip("link set ours up");
        neighbour.run("ip addr add 192.0.2.2/24 dev theirs");
        neighbour.run("ip link set theirs up");
        // Its SYN comes in; our SYN-ACK goes to a station that does not exist.
        ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:99 nud permanent dev ours");

        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let socket = tcp("192.0.2.1", 0, |_| {});
        let mut watcher = Watcher::listen(without_reading()).await;
        watcher.announce(&[address]);
        let mut client = neighbour.connect("192.0.2.1", port(&socket));
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !half_open() {
            assert!(std::time::Instant::now() < deadline, "no half-open connection");
            watcher.settle().await;
        }
        let id = id(&socket);
        drop(socket);
        let begin = std::time::Instant::now();
        watcher.closed(id).await;
        println!("seen after {:?}, with a half-open connection", begin.elapsed());
        client.kill().unwrap();
        client.wait().unwrap();
    });
}

/// Whether any connection of this namespace is in SYN_RECV.
fn half_open() -> bool {
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    table.lines().any(|line| line.split_whitespace().nth(3) == Some("03"))
}
