//! `type = "tcp"`.

use ha2bgp_core::check::Outcome;
use tokio::net::TcpListener;

use crate::stand::Stand;

#[tokio::test]
async fn a_port_that_is_open_and_one_that_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut stand =
        Stand::start(&format!("[service.checks.tcp]\nport = {port}\ninterval = \"20ms\"\n"));
    stand.finds(Outcome::Pass, &format!("connected to 127.0.0.1:{port}")).await;
    drop(listener);
    stand.finds(Outcome::Fail, "connection refused").await;
    stand.end().await;
}

/// An accept queue that is full: the kernel drops what would complete a handshake.
#[tokio::test]
async fn a_target_that_does_not_answer() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _fill = std::net::TcpStream::connect(address).unwrap();
    let mut stand = Stand::start(&format!(
        "[service.checks.tcp]\nport = {}\ninterval = \"20ms\"\ntimeout = \"50ms\"\n",
        address.port()
    ));
    stand.finds(Outcome::Fail, "timed out after 50ms while connecting").await;
    stand.end().await;
}

#[tokio::test]
async fn what_cannot_be_tried_is_unknown() {
    let mut stand = Stand::start(
        "[service.checks.tcp]\nport = 1\ninterval = \"20ms\"\nsource-address = \"192.0.2.77\"\n",
    );
    stand.finds(Outcome::Unknown, "on this host").await;
    stand.end().await;
}
