//! `type = "grpc"`, against a server made of `h2`.

use std::sync::Arc;

use ha2bgp_core::check::Outcome;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::server::{Server, answer};
use crate::stand::{Stand, errors};
use crate::tls_server::{Tls, accept, file};

/// What a server answers.
#[derive(Clone, Debug)]
struct Reply {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
    /// In the trailers, or in the head where there is no body.
    code: Option<&'static str>,
    message: &'static str,
}

impl Reply {
    fn serving(status: u8) -> Self {
        let body = vec![0, 0, 0, 0, 2, 8, status];
        Self { status: 200, kind: "application/grpc", body, code: Some("0"), message: "" }
    }

    fn code(code: &'static str, message: &'static str) -> Self {
        Self { body: Vec::new(), code: Some(code), message, ..Self::serving(1) }
    }

    fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        if let Some(code) = self.code {
            trailers.insert("grpc-status", code.parse().unwrap());
        }
        if !self.message.is_empty() {
            trailers.insert("grpc-message", self.message.parse().unwrap());
        }
        trailers
    }
}

/// Answers every call on a connection; it reports head and body of each.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    sender: &tokio::sync::mpsc::Sender<String>,
    reply: &Reply,
) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut tasks = tokio::task::JoinSet::new();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let (sender, reply) = (sender.clone(), reply.clone());
        tasks.spawn(async move {
            let (head, mut incoming): (_, h2::RecvStream) = Request::into_parts(request);
            let mut body = Vec::new();
            while let Some(Ok(data)) = incoming.data().await {
                body.extend_from_slice(&data);
            }
            let text = format!("{} {} {:?} {body:?}", head.method, head.uri, head.headers);
            let _ = sender.try_send(text);
            let answer =
                Response::builder().status(reply.status).header("content-type", reply.kind);
            let mut answer = answer.body(()).unwrap();
            if reply.body.is_empty() {
                answer.headers_mut().extend(reply.trailers());
                let _ = respond.send_response(answer, true);
            } else if let Ok(mut stream) = respond.send_response(answer, false) {
                let _ = stream.send_data(Bytes::from(reply.body.clone()), false);
                let _ = stream.send_trailers(reply.trailers());
            }
        });
    }
}

async fn server(reply: Reply) -> Server {
    Server::raw(move |stream, sender| {
        let reply = reply.clone();
        async move { talk(stream, &sender, &reply).await }
    })
    .await
}

fn check(server: &Server, more: &str) -> Stand {
    let port = server.address.port();
    Stand::start(&format!(
        "[service.checks.grpc]\nport = {port}\ninterval = \"20ms\"\ntimeout = \"2s\"\n{more}\n"
    ))
}

async fn finds(reply: Reply, more: &str, outcome: Outcome, words: &str) {
    let server = server(reply).await;
    let mut stand = check(&server, more);
    stand.finds(outcome, words).await;
    stand.end().await;
}

#[tokio::test]
async fn a_service_is_asked_about() {
    let mut server = server(Reply::serving(1)).await;
    let port = server.address.port();
    let mut stand = check(&server, "grpc-service = \"web\"");
    stand.finds(Outcome::Pass, "web is SERVING in ").await;
    let asked = server.request().await;
    for part in [
        &format!("POST http://127.0.0.1:{port}/grpc.health.v1.Health/Check "),
        "\"te\": \"trailers\"",
        "\"content-type\": \"application/grpc\"",
        concat!("\"user-agent\": \"ha2bgp/", env!("CARGO_PKG_VERSION")),
        "[0, 0, 0, 0, 5, 10, 3, 119, 101, 98]",
    ] {
        assert!(asked.contains(part), "{asked}");
    }
    drop(server);
    stand.finds(Outcome::Fail, "connection refused").await;
    stand.end().await;
    let mut server = self::server(Reply::serving(1)).await;
    let stand = check(&server, "authority = \"api.example:80\"");
    let asked = server.request().await;
    assert!(asked.starts_with("POST http://api.example:80/grpc"), "{asked}");
    stand.end().await;
}

#[tokio::test]
async fn what_servers_say() {
    use Outcome::{Fail, Pass, Unknown, Warn};
    finds(Reply::serving(1), "", Pass, "SERVING in ").await;
    finds(Reply::serving(2), "", Fail, "NOT_SERVING").await;
    finds(Reply::serving(0), "", Fail, "UNKNOWN").await;
    let warn = "on-unknown-service = \"warn\"";
    finds(Reply::serving(3), warn, Warn, "SERVICE_UNKNOWN").await;
    let unknown = "on-unknown-service = \"unknown\"\ngrpc-service = \"web\"";
    let missing = Reply::code("5", "unknown service");
    finds(missing.clone(), unknown, Unknown, "grpc-status NOT_FOUND (5): \"unknown service\"")
        .await;
    finds(missing, "", Fail, "NOT_FOUND").await;
    let none = Reply::code("12", "Method not found!");
    finds(none, unknown, Fail, "grpc-status UNIMPLEMENTED (12): \"Method not found!\"").await;
}

#[tokio::test]
async fn answers_that_are_none() {
    use Outcome::Fail;
    let good = Reply::serving(1);
    let status = Reply { status: 503, ..good.clone() };
    finds(status, "", Fail, "HTTP status 503, expected 200").await;
    let html = Reply { kind: "text/html", ..good.clone() };
    finds(html, "", Fail, "the answer is of type \"text/html\", not application/grpc").await;
    let silent = Reply { code: None, ..good.clone() };
    finds(silent, "", Fail, "there is no grpc-status").await;
    finds(Reply::code("x", ""), "", Fail, "grpc-status in the answer is no number").await;
    finds(Reply::code("0", ""), "", Fail, "there is no message in the answer").await;
    let long = Reply { body: vec![0; 50_000], ..good.clone() };
    finds(long, "", Fail, "the answer has more than 4096 octets").await;
    let garbage = Reply { body: vec![0xff; 100], ..good };
    finds(garbage, "", Fail, "compressed").await;
}

#[tokio::test]
async fn servers_of_something_else() {
    let hostile = |octets: Vec<u8>, hold: bool| {
        Server::raw(move |mut stream, _| {
            let octets = octets.clone();
            async move {
                let _ = stream.write_all(&octets).await;
                if hold {
                    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
                }
            }
        })
    };
    let not = "the answer is not HTTP/2";
    let http = answer(400, "", "");
    // An endless stream of pings, and of empty settings.
    let pings = b"\0\0\0\x04\0\0\0\0\0".iter().copied();
    let pings: Vec<u8> = pings.chain(b"\0\0\x08\x06\0\0\0\0\0abcdefgh".repeat(100_000)).collect();
    for (octets, hold, words) in [
        (http, true, not),
        (vec![0xff; 65_536], true, not),
        (Vec::new(), true, "timed out after 300ms while waiting for the answer"),
        (Vec::new(), false, ""),
        (b"\0\0\0\x04\0\0\0\0\0".to_vec(), false, ""),
        (pings, true, ""),
    ] {
        let server = hostile(octets, hold).await;
        let port = server.address.port();
        let mut stand = Stand::start(&format!(
            "[service.checks.grpc]\nport = {port}\ninterval = \"20ms\"\ntimeout = \"300ms\"\n"
        ));
        stand.finds(Outcome::Fail, words).await;
        stand.end().await;
    }
}

#[tokio::test]
async fn over_tls() {
    let server = |protocol| async move {
        let acceptor = Arc::new(Tls { protocol, ..Tls::good() }.acceptor());
        Server::raw(move |stream, sender| {
            let acceptor = acceptor.clone();
            async move {
                if let Some((stream, _)) = accept(&acceptor, stream).await {
                    talk(stream, &sender, &Reply::serving(1)).await;
                }
            }
        })
        .await
    };
    let tls = format!("tls = true\ntls-ca = \"{}\"\n", file("ca.pem"));
    let good = server(b"h2").await;
    for more in ["", "authority = \"web.example\""] {
        let mut stand = check(&good, &format!("{tls}{more}"));
        let result = stand.finds(Outcome::Pass, "SERVING in ").await;
        assert!(result.detail.contains("tls"), "{}", result.detail);
        stand.end().await;
    }
    let mut stand = check(&good, &format!("{tls}authority = \"mail.example\""));
    stand.finds(Outcome::Fail, "not for mail.example").await;
    stand.end().await;
    let old = server(b"").await;
    let mut stand = check(&old, &tls);
    stand.finds(Outcome::Fail, "does not agree to HTTP/2").await;
    stand.end().await;
    let other = server(b"http/1.1").await;
    let mut stand = check(&other, &tls);
    stand.finds(Outcome::Fail, "(ALPN)").await;
    stand.end().await;
}

#[test]
fn mistakes() {
    for (keys, words) in [
        ("", "port is missing"),
        ("port = 1\nauthority = \"a@b\"", "is no name of a server"),
        ("port = 1\non-unknown-service = \"maybe\"", "is no result"),
        ("port = 1\ntls-name = \"x\"", "there is no TLS: add tls = true"),
    ] {
        let errors = errors(&format!("[service.checks.grpc]\n{keys}\n"));
        assert!(errors.contains(words), "{keys}: {errors}");
    }
}
