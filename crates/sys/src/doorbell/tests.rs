//! The doorbell on the real kernel. Without the capabilities it cannot hang, and says so.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use super::Doorbell;

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
    tokio::time::timeout(Duration::from_secs(10), bell.ring()).await.unwrap().unwrap()
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
