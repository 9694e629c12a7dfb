//! `type = "tcp"`.

use ha2bgp_core::check::Outcome;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::stand::{SOON, Stand, errors};
use crate::tls_server::{self, Tls};

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

/// A check of a server that says `first`, then waits for `wanted` and answers it.
async fn talk(keys: &str, first: &'static [u8], wanted: Vec<u8>, answer: Vec<u8>) -> Stand {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (wanted, answer) = (wanted.clone(), answer.clone());
            tokio::spawn(async move {
                stream.write_all(first).await?;
                let mut got = vec![0; wanted.len()];
                stream.read_exact(&mut got).await?;
                let text = if got == wanted { answer } else { b"something else".to_vec() };
                stream.write_all(&text).await?;
                // Until the other side closes.
                stream.read_to_end(&mut got).await
            });
        }
    });
    Stand::start(&format!(
        "[service.checks.tcp]\nport = {port}\ninterval = \"20ms\"\ntimeout = \"200ms\"\n{keys}"
    ))
}

#[tokio::test]
async fn what_is_sent_and_what_must_come_back() {
    let send = r#"send = '{service} at {vip}\r\n\x00\\{{'"#;
    let wanted = b"web at 127.0.0.1\r\n\0\\{".to_vec();
    for (expect, outcome, words) in [
        (r"'+PONG\r\n'", Outcome::Pass, r#"answered "+PONG\r\n""#),
        (r"'/^\+P[A-Z]+\r\n$/'", Outcome::Pass, "answered"),
        (
            r"'-ERR'",
            Outcome::Fail,
            r#"timed out after 200ms while waiting for the answer: no more than 7 octets in time, expected "-ERR"; it begins "+PONG\r\n""#,
        ),
        ("'ONG!'\nmax-answer = 5", Outcome::Fail, "not in the first 5 octets, expected"),
    ] {
        let keys = format!("{send}\nexpect = {expect}");
        let mut stand = talk(&keys, b"", wanted.clone(), b"+PONG\r\n".to_vec()).await;
        stand.finds(outcome, words).await;
        stand.end().await;
    }
    let mut stand = talk(send, b"", wanted, Vec::new()).await;
    stand.finds(Outcome::Pass, "sent to 127.0.0.1:").await;
    stand.end().await;
}

/// A banner comes without being asked for.
#[tokio::test]
async fn a_banner() {
    let mut stand = talk("expect = '/^220 /'", b"220 mail\r\n", vec![0], Vec::new()).await;
    stand.finds(Outcome::Pass, "answered \"220 mail").await;
    stand.end().await;
}

/// The header comes before everything else, with the addresses of this very connection.
#[tokio::test]
async fn the_proxy_protocol() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for version in ["v1", "v2"] {
        let stand = Stand::start(&format!(
            "[service.checks.tcp]\nport = {port}\ninterval = \"20ms\"\nsend = \"x\"\n\
             expect = \"never\"\nproxy-protocol = \"{version}\"\n"
        ));
        let header = async {
            let (mut stream, from) = listener.accept().await.unwrap();
            let source = from.port();
            let wanted = if version == "v1" {
                format!("PROXY TCP4 127.0.0.1 127.0.0.1 {source} {port}\r\nx").into_bytes()
            } else {
                let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01";
                [head, &source.to_be_bytes()[..], &port.to_be_bytes(), b"x"].concat()
            };
            let mut got = vec![0; wanted.len()];
            stream.read_exact(&mut got).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&wanted));
        };
        tokio::time::timeout(SOON, header).await.unwrap();
        stand.end().await;
        while let Ok(Ok(_)) =
            tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await
        {}
    }
}

/// What comes from a server that means no good.
#[tokio::test]
async fn bad_answers() {
    let endless = vec![b'x'; 10 << 20];
    let mut stand = talk("expect = 'y'", b"", Vec::new(), endless).await;
    stand.finds(Outcome::Fail, "not in the first 4096 octets, expected \"y\"; it begins").await;
    stand.end().await;
    let noise = b"\xff\xfe\x80\0\x1b[2J".to_vec();
    let mut stand = talk("expect = '/y/'", b"", Vec::new(), noise).await;
    let found = stand.finds(Outcome::Fail, "it begins").await;
    assert!(found.detail.contains(r"\xff\xfe\x80"), "{}", found.detail);
    stand.end().await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let mut stand = Stand::start(&format!(
        "[service.checks.tcp]\nport = {port}\ninterval = \"20ms\"\nexpect = 'y'\n"
    ));
    stand.finds(Outcome::Fail, "closed without an answer, expected \"y\"").await;
    stand.end().await;
}

/// A server that speaks TLS, and answers `PING` in it.
async fn over_tls(tls: Tls, keys: &str) -> Stand {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tls.acceptor();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let (mut stream, _) = tls_server::accept(&acceptor, stream).await?;
                let mut got = [0; 4];
                stream.read_exact(&mut got).await.ok().filter(|_| got == *b"PING")?;
                stream.write_all(b"+PONG").await.ok()?;
                // Closed without a word of TLS.
                Some(())
            });
        }
    });
    Stand::start(&format!(
        "[service.checks.tcp]\nport = {port}\ninterval = \"20ms\"\ntls = true\nsend = \"PING\"\n{keys}"
    ))
}

#[tokio::test]
async fn over_tls_as_in_the_clear() {
    let ca = format!("tls-ca = \"{}\"\n", tls_server::file("ca.pem"));
    let expired = Tls { certificate: "expired", ..Tls::default() };
    let mutual = Tls { mutual: true, ..Tls::good() };
    let (good, pong) = (Tls::good(), "expect = \"+PONG\"\n");
    for (tls, keys, outcome, words) in [
        (good, format!("{ca}{pong}"), Outcome::Pass, "answered \"+PONG\""),
        (good, format!("{ca}tls-name = \"web.example\"\n{pong}"), Outcome::Pass, "answered"),
        (good, format!("{ca}tls-name = \"mail.example\"\n"), Outcome::Fail, "not for mail.example"),
        (good, format!("{ca}tls-expiry-warn = \"36500d\"\n{pong}"), Outcome::Warn, "; answered"),
        (good, format!("{ca}expect = \"never\"\n"), Outcome::Fail, "closed after 5 octets"),
        (expired, format!("{ca}{pong}"), Outcome::Fail, "the certificate has expired"),
        (expired, format!("tls-verify = false\n{pong}"), Outcome::Pass, "answered"),
        (mutual, format!("{ca}{pong}"), Outcome::Fail, "the server refused"),
    ] {
        let mut stand = over_tls(tls, &keys).await;
        stand.finds(outcome, words).await;
        stand.end().await;
    }
    let mut stand =
        talk("tls = true\ntls-verify = false\n", b"220 mail\r\n", vec![0], vec![]).await;
    stand.finds(Outcome::Fail, "the server does not speak TLS here").await;
    stand.end().await;
    let mut stand = talk("tls = true\ntls-verify = false\n", b"", vec![0; 1 << 20], vec![]).await;
    stand.finds(Outcome::Fail, "timed out after 200ms while agreeing on TLS").await;
    stand.end().await;
}

/// What is wrong is told when the configuration is read.
#[test]
fn wrong_keys() {
    for (keys, words) in [
        ("", "port is missing"),
        ("port = 1\nsend = '{vipp}'", "did you mean {vip}?"),
        ("port = 1\nsend = '\\q'", "is no escape"),
        ("port = 1\nexpect = '/(/'", "is not a regular expression"),
        ("port = 1\nexpect = 'a'\nmax-answer = 65537", "is not a size from 1 to 65536"),
        ("port = 1\nexpect = '/a/'\nmax-answer = 4097", "looks at 4096 octets at most"),
        ("port = 1\nproxy-protocol = 'v3'", "write v1 or v2"),
        ("port = 1\ntls-name = 'a.example'", "add tls = true"),
    ] {
        let errors = errors(&format!("[service.checks.tcp]\n{keys}\n"));
        assert!(errors.contains(words), "{keys}\n{errors}");
    }
}
