//! What depends on the moment, with the moment chosen.

use std::net::{IpAddr, Ipv4Addr};

use tokio::net::{TcpListener, TcpStream};

use super::*;

fn probe() -> HttpProbe {
    HttpProbe {
        url: "http://{vip}:1/".parse().unwrap(),
        service: String::new(),
        address: None,
        port: None,
        method: Method::GET,
        headers: HeaderMap::new(),
        body: Body::default(),
        expectation: Arc::default(),
        max_body: 1024,
        keep_alive: true,
        redirects: 0,
        proxy: None,
        tls: None,
    }
}

/// A connection where these octets have come before anything is asked.
async fn asked_late(octets: &[u8]) -> Result<Answer, ProbeResult> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    server.write_all(octets).await.unwrap();
    stream.readable().await.unwrap();
    let probe = probe();
    let way = probe.first(Target { vip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) }).unwrap();
    let mut connection = Connection::open(Stream::Plain(stream), &way, None).await.unwrap();
    let answer = connection.exchange(&probe, &way, &Phase::default()).await;
    answer.map_err(|failed| failed.result)
}

#[tokio::test]
async fn a_greeting_before_the_question() {
    for greeting in [b"220 mail.example ESMTP\r\n".as_slice(), b"SSH-2.0-x\r\n", b"\xff\0"] {
        let result = asked_late(greeting).await.unwrap_err();
        assert_eq!(
            (result.outcome, &*result.detail),
            (Outcome::Fail, "the answer is not HTTP: the server speaks before it is asked")
        );
    }
}

/// Only a new connection shows whether the server's certificate is still good.
#[tokio::test(start_paused = true)]
async fn a_connection_with_tls_is_not_kept_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (url, kept) in [("http://{vip}:1/", true), ("https://{vip}:1/", false)] {
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let probe = HttpProbe { url: url.parse().unwrap(), ..probe() };
        let way = probe.first(Target { vip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) }).unwrap();
        let connection = Connection::open(Stream::Plain(stream), &way, None).await.unwrap();
        assert!(connection.fits(&way));
        tokio::time::advance(exchange::TLS_AGE).await;
        assert_eq!(connection.fits(&way), kept, "{url}");
    }
}

/// Connections that are kept need descriptors: there are only so many.
#[tokio::test]
async fn connections_are_kept_where_there_is_a_place() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let probe = probe();
    let way = probe.first(Target { vip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) }).unwrap();
    let places = Arc::new(Semaphore::new(1));
    let mut all = [Kept::new(places.clone()), Kept::new(places.clone())];
    for kept in &mut all {
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        kept.keep(Connection::open(Stream::Plain(stream), &way, None).await.unwrap());
    }
    assert_eq!(all.each_ref().map(|kept| kept.connection.is_some()), [true, false]);
    let [first, second] = &mut all;
    // One that has a place has it until it is closed.
    let connection = first.connection.take().unwrap();
    assert_eq!(places.available_permits(), 0);
    first.keep(connection);
    first.connection = None;
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    second.keep(Connection::open(Stream::Plain(stream), &way, None).await.unwrap());
    assert!(second.connection.is_some());
}

#[test]
fn only_what_may_be_shown_is_shown() {
    let probe = HttpProbe { body: Body(Bytes::from_static(b"secret")), ..probe() };
    let shown = format!("{probe:?}");
    assert!(!shown.contains("secret") && shown.contains("Body(6 octets)"), "{shown}");
}
