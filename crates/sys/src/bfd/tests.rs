use super::*;
use std::future::poll_fn;
use std::net::Ipv6Addr;
use std::time::Duration;

/// How long what is expected may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// One address of this host of each family that it has.
fn addresses(last: u8) -> Vec<IpAddr> {
    let all: [IpAddr; 2] = [[127, 11, 0, last].into(), Ipv6Addr::LOCALHOST.into()];
    let there = |address: &IpAddr| std::net::UdpSocket::bind((*address, 0)).is_ok();
    all.into_iter().filter(there).collect()
}

async fn next(receiver: &Receiver, buffer: &mut [u8]) -> Arrival {
    let wait = async {
        loop {
            if let Some(arrival) = receiver.receive(buffer).unwrap() {
                return arrival;
            }
            poll_fn(|cx| receiver.poll_ready(cx)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap()
}

#[tokio::test]
async fn what_comes_is_told_with_all_that_the_kernel_knows() {
    for address in addresses(1) {
        let receiver = Receiver::open(Family::of(address), 0).unwrap();
        let to = SocketAddr::new(address, receiver.port().unwrap());
        let sender = Sender::open(to, Some(address), Some("lo"), 7).unwrap();
        assert_eq!(sender.local(), address);
        sender.send(b"hello").unwrap();
        let mut buffer = [0; 4];
        let arrival = next(&receiver, &mut buffer).await;
        assert_eq!((&buffer, arrival.length), (b"hell", 5));
        assert_eq!((arrival.ttl, arrival.to, arrival.interface), (Some(TTL), address, 1));
        assert_eq!(arrival.from.ip(), address);
        assert!(arrival.from.port() >= SOURCE_PORTS, "{arrival:?}");
        assert_eq!(receiver.receive(&mut buffer).unwrap(), None);
    }
}

#[tokio::test]
async fn a_ttl_that_others_send_is_told() {
    for address in addresses(2) {
        let receiver = Receiver::open(Family::of(address), 0).unwrap();
        let socket = open(SocketAddr::new(address, 0)).unwrap();
        match address {
            IpAddr::V4(_) => socket.set_ttl_v4(254).unwrap(),
            IpAddr::V6(_) => socket.set_unicast_hops_v6(254).unwrap(),
        }
        let to = SocketAddr::new(address, receiver.port().unwrap());
        socket.send_to(b"far", &to.into()).unwrap();
        assert_eq!(next(&receiver, &mut [0; 64]).await.ttl, Some(254));
    }
}

#[tokio::test]
async fn every_sender_has_its_own_port() {
    for address in addresses(3) {
        let to = SocketAddr::new(address, 9);
        let senders: Vec<Sender> =
            (0..3).map(|_| Sender::open(to, None, None, u16::MAX).unwrap()).collect();
        let mut ports: Vec<u16> =
            senders.iter().map(|sender| sender.socket.local_addr().unwrap().port()).collect();
        assert!(ports.iter().all(|port| *port >= SOURCE_PORTS), "{ports:?}");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 3);
    }
}

#[tokio::test]
async fn a_port_has_one_receiver() {
    for address in addresses(4) {
        let family = Family::of(address);
        let receiver = Receiver::open(family, 0).unwrap();
        let port = receiver.port().unwrap();
        let error = Receiver::open(family, port).unwrap_err();
        assert!(error.is_taken(), "{error}");
        let wanted =
            format!("cannot receive on UDP {}", SocketAddr::new(family.unspecified(), port));
        assert!(error.to_string().starts_with(&wanted), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let peer = SocketAddr::from(([127, 0, 0, 1], 9));
    let foreign = IpAddr::from([192, 0, 2, 77]);
    let error = Sender::open(peer, Some(foreign), None, 0).unwrap_err();
    assert!(error.to_string().starts_with("cannot send from 192.0.2.77: "), "{error}");
    let error = Sender::open(peer, None, Some("no-such-dev"), 0).unwrap_err();
    let wanted = "cannot bind a UDP socket to the interface no-such-dev: ";
    assert!(error.to_string().starts_with(wanted), "{error}");
}

#[tokio::test]
async fn nobody_there_is_heard_of() {
    let free = std::net::UdpSocket::bind(("127.11.0.5", 0)).unwrap();
    let peer = free.local_addr().unwrap();
    drop(free);
    let sender = Sender::open(peer, None, None, 0).unwrap();
    let refused = async {
        while sender.send(b"anybody?").is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert_eq!(sender.send(b"again").map_err(|error| error.kind()), Ok(()));
}

#[test]
fn a_thread_has_the_priority_that_it_may_have() {
    let inside = || {
        assert_eq!(Priority::of_this_thread(), Priority::Ordinary);
        match real_time() {
            Ok(()) => {
                assert_eq!(Priority::of_this_thread(), Priority::RealTime);
                // What it starts has none.
                let child = std::thread::spawn(Priority::of_this_thread);
                assert_eq!(child.join().unwrap(), Priority::Ordinary);
            }
            Err(error) => {
                assert_eq!(Priority::of_this_thread(), Priority::Ordinary);
                assert!(error.to_string().contains("CAP_SYS_NICE"), "{error}");
            }
        }
    };
    std::thread::spawn(inside).join().unwrap();
}
