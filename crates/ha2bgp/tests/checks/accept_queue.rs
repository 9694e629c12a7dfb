//! `type = "accept-queue"`: real queues of the kernel, which nothing here empties unasked.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ha2bgp_core::check::Outcome;
use socket2::{Domain, Socket, Type};

use crate::stand::Stand;

/// A listener whose queue holds `backlog` and one more.
fn listener(address: &str, backlog: i32) -> (Socket, SocketAddr) {
    let address: SocketAddr = address.parse().unwrap();
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    if address.is_ipv6() {
        socket.set_only_v6(false).unwrap();
    }
    socket.set_reuse_port(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(backlog).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn connect(port: u16, count: usize) -> Vec<TcpStream> {
    let target = SocketAddr::from(([127, 0, 0, 1], port));
    (0..count).map(|_| TcpStream::connect(target).unwrap()).collect()
}

/// One more connection, which the kernel drops while the queue is full.
fn knock(port: u16) {
    let target = SocketAddr::from(([127, 0, 0, 1], port));
    let refused = TcpStream::connect_timeout(&target, Duration::from_millis(50));
    assert!(refused.is_err(), "the queue has room");
}

#[tokio::test]
async fn a_queue_that_fills_and_is_emptied() {
    let (socket, address) = listener("127.0.0.1:0", 2);
    let port = address.port();
    let mut stand = Stand::start(&format!(
        "[service.checks.q]\ntype = \"accept-queue\"\nports = [{port}]\ninterval = \"20ms\"\nwarn-when = \
         \"full for 100ms\"\nfail-when = [\"full for 400ms\", \"stuck for 1h\"]\n"
    ));
    stand.finds(Outcome::Pass, &format!("queue 0 of 2 on 127.0.0.1:{port}")).await;
    let clients = connect(port, 3);
    knock(port);
    stand.finds(Outcome::Warn, &format!("queue 3 of 2 on 127.0.0.1:{port} for 0.")).await;
    stand.finds(Outcome::Fail, "drop").await;
    for _ in 0..3 {
        socket.accept().unwrap();
    }
    stand.finds(Outcome::Pass, "queue 0 of 2").await;
    drop((clients, socket));
    stand.finds(Outcome::Unknown, "no socket listens on it").await;
    stand.end().await;
}

/// The default only warns, however long it lasts.
#[tokio::test]
async fn overload_is_not_down() {
    let (_socket, address) = listener("127.0.0.1:0", 0);
    let port = address.port();
    let _clients = connect(port, 1);
    let mut stand = Stand::start(&format!(
        "[service.checks.q]\ntype = \"accept-queue\"\nports = [{port}]\ninterval = \"50ms\"\n"
    ));
    stand.finds(Outcome::Warn, &format!("queue 1 of 0 on 127.0.0.1:{port} for 2.")).await;
    stand.end().await;
}

/// Nothing is accepted, long before the queue is full.
#[tokio::test]
async fn a_process_that_accepts_nothing() {
    let (socket, address) = listener("127.0.0.1:0", 100);
    let port = address.port();
    let mut stand = Stand::start(&format!(
        "[service.checks.q]\ntype = \"accept-queue\"\nports = [{port}]\ninterval = \"20ms\"\nfail-when = \
         \"stuck for 200ms\"\nwarn-when = \"never\"\n"
    ));
    let _clients = connect(port, 2);
    stand.finds(Outcome::Fail, "queue 2 of 100").await;
    socket.accept().unwrap();
    stand.finds(Outcome::Pass, "queue 1 of 100").await;
    stand.finds(Outcome::Fail, "nothing accepted for").await;
    stand.end().await;
}

/// A dual-stack listener on every address serves this VIP of IPv4; one for IPv6 only does not.
#[tokio::test]
async fn listeners_on_every_address() {
    let (_socket, address) = listener("[::]:0", 0);
    let port = address.port();
    let _clients = connect(port, 1);
    let text = format!(
        "[service.checks.q]\ntype = \"accept-queue\"\nports = [{port}]\ninterval = \"20ms\"\nwarn-when = \
         \"full for 0s\"\n"
    );
    let mut stand = Stand::start(&text);
    stand.finds(Outcome::Warn, &format!("queue 1 of 0 on 127.0.0.1:{port}")).await;
    stand.want(&["::1"]);
    assert_eq!(stand.next_of(Some("::1")).await.outcome, Outcome::Warn);
    stand.end().await;

    let only = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    only.set_only_v6(true).unwrap();
    only.bind(&"[::]:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    only.listen(1).unwrap();
    let port = only.local_addr().unwrap().as_socket().unwrap().port();
    let mut stand = Stand::start(&format!(
        "[service.checks.q]\ntype = \"accept-queue\"\nports = [{port}]\ninterval = \"20ms\"\n"
    ));
    stand.finds(Outcome::Unknown, "no socket listens").await;
    stand.end().await;
}

/// Of a SO_REUSEPORT group the member that hangs counts, and is named.
#[tokio::test]
async fn one_of_a_group() {
    let (one, address) = listener("127.0.0.1:0", 100);
    let (two, _) = listener(&address.to_string(), 100);
    let port = address.port();
    let mut stand = Stand::start(&format!(
        "[service.checks.q]\ntype = \"accept-queue\"\nports = [{port}]\ninterval = \"20ms\"\nfail-when = \
         \"stuck for 200ms\"\n"
    ));
    let clients = connect(port, 40);
    stand.finds(Outcome::Fail, "the worst of 2 there").await;
    // One is emptied, the other is stuck still.
    one.set_nonblocking(true).unwrap();
    let mut count = 0;
    while one.accept().is_ok() {
        count += 1;
    }
    assert!((1..40).contains(&count), "{count} of 40 went to one of two");
    let inode =
        std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&two)));
    let inode = inode.unwrap().display().to_string();
    let inode = inode.trim_start_matches("socket:[").trim_end_matches(']');
    stand.finds(Outcome::Fail, &format!("queue {} of 100", 40 - count)).await;
    stand.finds(Outcome::Fail, &format!("socket inode {inode}, the worst of 2")).await;
    drop(two);
    stand.finds(Outcome::Pass, "queue 0 of 100").await;
    drop(clients);
    stand.end().await;
}
