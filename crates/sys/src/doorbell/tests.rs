//! The doorbell on the real kernel. Without the capabilities it cannot hang, and says so.

use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::time::Duration;

use rustix::thread::{UnshareFlags, unshare_unsafe};
use socket2::{Domain, Socket, Type};

use super::{Change, Doorbell, Place};

/// A doorbell, or nothing where the host does not permit one.
fn hang() -> Option<Doorbell> {
    match Doorbell::hang() {
        Ok(bell) => Some(bell),
        Err(error) => {
            assert!(
                !rustix::process::geteuid().is_root()
                    || error.source.raw_os_error() == Some(libc::EPERM),
                "{error}"
            );
            None
        }
    }
}

/// Others on the host ring too, so a ring proves little; that it comes at all is what is tested.
async fn rings(bell: &mut Doorbell) -> u64 {
    let mut chimes = Vec::new();
    let rang = tokio::time::timeout(Duration::from_secs(10), bell.ring(&mut chimes));
    rang.await.unwrap().unwrap().rings
}

/// Waits for this ring, which no other program can be taken for; the cookie that it tells.
async fn hears(bell: &mut Doorbell, change: Change, place: Place) -> Option<NonZeroU64> {
    let mut chimes = Vec::new();
    let heard = async {
        loop {
            bell.ring(&mut chimes).await.unwrap();
            let mut of_place = chimes.iter().filter(|it| it.place == Some(place));
            if let Some(heard) = of_place.find(|it| it.change == Some(change)) {
                return heard.cookie;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), heard).await.expect("the ring tells where")
}

/// Whose address this is; the port is free.
fn place(address: &str) -> Place {
    let address: IpAddr = address.parse().unwrap();
    let probe = TcpListener::bind((address, 0)).unwrap();
    Place { address, port: probe.local_addr().unwrap().port() }
}

#[tokio::test]
async fn rings_tell_where() {
    let Some(mut bell) = hang() else { return };
    if bell.tells_places() != (true, true) {
        // A kernel with another layout: it rings all the same, which the others test.
        return;
    }
    for address in ["127.83.66.81", "0.0.0.0", "::1", "::"] {
        let place = place(address);
        let listener = TcpListener::bind((place.address, place.port)).unwrap();
        hears(&mut bell, Change::Starts, place).await;
        let cookie = rustix::net::sockopt::socket_cookie(&listener).unwrap();
        drop(listener);
        let told = hears(&mut bell, Change::Stops, place).await;
        assert_eq!(told, NonZeroU64::new(cookie), "{address}");
    }
    // The port was the kernel's choice: it is given back before the ring.
    let listener = TcpListener::bind("127.83.66.82:0").unwrap();
    let place = Place { address: "127.83.66.82".parse().unwrap(), port: 0 };
    drop(listener);
    hears(&mut bell, Change::Stops, place).await;
}

/// Moves the calling thread into a network namespace of its own; false without the right to.
#[allow(unsafe_code, reason = "what else it could take apart would be unsound")]
fn leave_the_network() -> bool {
    // SAFETY: descriptors and memory stay shared with the other threads.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.is_ok()
}

/// A listener of another network namespace at an address of ours.
#[tokio::test]
async fn other_namespaces_only_count() {
    let Some(mut bell) = hang() else { return };
    if !bell.tells_namespaces() {
        return;
    }
    let place = place("127.83.66.83");
    let mut chimes = Vec::new();
    // That one listened here.
    bell.take(&mut chimes);
    let elsewhere = std::thread::spawn(move || {
        // As root, which a doorbell nearly takes.
        let unshared = leave_the_network();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Loopback is down there.
        socket.set_freebind_v4(true).unwrap();
        socket.bind(&SocketAddr::new(place.address, place.port).into()).unwrap();
        socket.listen(1).unwrap();
        unshared
    });
    if !elsewhere.join().unwrap() {
        return;
    }
    let rang = bell.take(&mut chimes);
    assert!(rang.foreign >= 1, "{rang:?}");
    assert!(!chimes.iter().any(|chime| chime.place == Some(place)), "it passes for ours");
}

#[tokio::test]
async fn it_rings_when_a_listener_comes_and_goes() {
    let Some(mut bell) = hang() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(rings(&mut bell).await >= 1);
    let address = listener.local_addr().unwrap();
    let connected = TcpStream::connect(address).unwrap();
    drop(listener);
    assert!(rings(&mut bell).await >= 1);
    drop(connected);
}

#[tokio::test]
async fn it_rings_for_a_listener_that_is_shut_down() {
    let Some(mut bell) = hang() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(rings(&mut bell).await >= 1);
    socket2::SockRef::from(&listener).shutdown(Shutdown::Both).unwrap();
    assert!(rings(&mut bell).await >= 1);
}

/// More rings than the buffer has room for: it still rings.
#[tokio::test]
async fn a_full_ring_buffer_still_rings() {
    let Some(mut bell) = hang() else { return };
    for _ in 0..1000 {
        drop(TcpListener::bind("127.0.0.1:0").unwrap());
    }
    assert!(rings(&mut bell).await >= 100);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(rings(&mut bell).await >= 1);
    drop(listener);
}

/// Rings that come while the one before is read: whoever rings waits each time until it was heard.
#[tokio::test]
async fn no_ring_is_slept_through() {
    const ROUNDS: u32 = 5000;
    let Some(mut bell) = hang() else { return };
    if bell.tells_places() != (true, true) {
        return;
    }
    let place = place("127.83.66.84");
    let (heard, wait_heard) = std::sync::mpsc::channel();
    let ringing = std::thread::spawn(move || {
        for round in 0..ROUNDS {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_reuse_address(true).unwrap();
            socket.bind(&SocketAddr::new(place.address, place.port).into()).unwrap();
            socket.listen(1).unwrap();
            // Between none and some microseconds, so that it comes at every moment of the reading.
            for _ in 0..round % 64 {
                std::hint::black_box(socket.local_addr().unwrap());
            }
            drop(socket);
            wait_heard.recv_timeout(Duration::from_secs(10)).expect("the close is heard");
        }
    });
    for _ in 0..ROUNDS {
        hears(&mut bell, Change::Stops, place).await;
        heard.send(()).unwrap();
    }
    ringing.join().unwrap();
}
