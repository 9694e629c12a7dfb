//! `type = "http"` without TLS.

use std::time::Duration;

use ha2bgp_core::check::Outcome;
use tokio::io::AsyncWriteExt as _;

use crate::server::{Server, answer, request};
use crate::stand::Stand;

/// A check that asks this server at `/`, with more keys.
fn check(server: &Server, more: &str) -> Stand {
    let port = server.address.port();
    Stand::start(&format!(
        "[service.checks.http]\nport = {port}\ninterval = \"20ms\"\ntimeout = \"2s\"\n{more}\n"
    ))
}

/// One that finds this with these octets for an answer.
async fn finds(octets: impl Into<Vec<u8>>, more: &str, outcome: Outcome, words: &str) {
    let octets = octets.into();
    let server = Server::once(move |_| octets.clone()).await;
    let mut stand = check(&server, more);
    stand.finds(outcome, words).await;
    stand.end().await;
}

#[tokio::test]
async fn a_page_is_asked_for_and_found() {
    let mut server = Server::once(|_| answer(200, "", "fine")).await;
    let mut stand = check(&server, "");
    let result = stand.finds(Outcome::Pass, "status 200 in ").await;
    assert!(result.detail.contains(" ms (connect "), "{}", result.detail);
    let request = server.request().await;
    let port = server.address.port();
    assert!(request.starts_with("GET / HTTP/1.1\r\n"), "{request}");
    for field in [
        &format!("host: 127.0.0.1:{port}\r\n"),
        concat!("user-agent: ha2bgp/", env!("CARGO_PKG_VERSION"), "\r\n"),
        "connection: close\r\n",
    ] {
        assert!(request.contains(field), "{request}");
    }
    drop(server);
    stand.finds(Outcome::Fail, "connection refused").await;
    stand.end().await;
}

#[tokio::test]
async fn what_is_sent_is_what_was_written() {
    let mut server = Server::once(|_| answer(200, "", "")).await;
    let port = server.address.port();
    let mut stand = check(
        &server,
        "url = \"http://www.example:8000/of/{service}?at={vip}&on={port}\"\nmethod = \"POST\"\n\
         body = \"a=b\"\nrequest-headers = [\"X-Token: secret\", \"User-Agent: other\"]",
    );
    stand.finds(Outcome::Pass, "status 200").await;
    let request = server.request().await;
    let line = format!("POST /of/web?at=127.0.0.1&on={port} HTTP/1.1\r\n");
    assert!(request.starts_with(&line), "{request}");
    for field in [
        "host: www.example:8000\r\n",
        "x-token: secret\r\n",
        "user-agent: other\r\n",
        "content-length: 3\r\n",
        "\r\n\r\na=b",
    ] {
        assert!(request.contains(field), "{request}");
    }
    assert!(!request.contains("user-agent: ha2bgp"), "{request}");
    stand.end().await;
}

#[tokio::test]
async fn expectations() {
    let page = || answer(200, "X-Version: 3\r\n", "all is fine");
    finds(page(), "expect-body = \"fine\"", Outcome::Pass, "status 200").await;
    finds(page(), "expect-body = \"/^fine/\"", Outcome::Fail, "body does not match /^fine/").await;
    finds(page(), "reject-body = \"all\"", Outcome::Fail, "body contains \"all\"").await;
    finds(page(), "expect-headers = [\"x-version: 3\"]", Outcome::Pass, "status").await;
    finds(page(), "expect-headers = \"!x-version\"", Outcome::Fail, "expected none").await;
    finds(answer(503, "", ""), "", Outcome::Fail, "status 503, expected 200-399").await;
    finds(answer(503, "", ""), "expect-status = \"503\"", Outcome::Pass, "status 503").await;
    finds(answer(302, "Location: /\r\n", ""), "", Outcome::Pass, "status 302").await;
    finds("HTTP/1.0 200\r\n\r\nfine", "expect-body = \"fine\"", Outcome::Pass, "status 200").await;
    let chunks =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n";
    finds(chunks, "expect-body = \"fine\"", Outcome::Pass, "status 200").await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
    finds(head, "method = \"HEAD\"", Outcome::Pass, "status 200").await;
}

#[tokio::test]
async fn long_bodies_are_cut() {
    let long = || answer(200, "", &"x".repeat(100_000));
    finds(long(), "", Outcome::Pass, "status 200").await;
    let words = "in its first 65536 octets, the most that are read";
    finds(long(), "expect-body = \"y\"", Outcome::Fail, words).await;
    let more = "max-body = \"1MiB\"\nexpect-body = \"y\"";
    finds(long(), more, Outcome::Fail, "does not contain \"y\"; it begins").await;
    finds(
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
        "max-body = \"0\"",
        Outcome::Pass,
        "status",
    )
    .await;
}

#[tokio::test]
async fn answers_that_are_none() {
    use Outcome::Fail;
    finds("", "", Fail, "closed by the server before there was an answer").await;
    finds("HTTP/1.1 200 OK\r\nX-", "", Fail, "closed by the server before there was an answer")
        .await;
    finds("SSH-2.0-x\r\n\r\n", "", Fail, "the answer is not HTTP").await;
    finds(b"HTTP/1.1 200 OK\r\n\xff\xfe: x\r\n\r\n".as_slice(), "", Fail, "is not HTTP").await;
    finds(b"\xff\xfe\x00\x80\r\n\r\n".as_slice(), "", Fail, "is not HTTP").await;
    finds("HTTP/1.1 abc OK\r\n\r\n", "", Fail, "is not HTTP").await;
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    finds(many, "", Fail, "more than 32768 octets or 100 fields").await;
    let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(10 << 20));
    finds(long, "", Fail, "more than 32768 octets or 100 fields").await;
    let part = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfine";
    finds(part, "", Fail, "closed after 4 octets of the body, before its end").await;
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    finds(chunks, "", Fail, "after 0 octets of the body it is not HTTP").await;
}

/// Whether the greeting is there before the request is sent depends on the moment.
#[tokio::test]
async fn servers_that_speak_first() {
    for greeting in [b"SSH-2.0-OpenSSH_9.2\r\n".as_slice(), b"220 mail.example ESMTP\r\n"] {
        let server = Server::raw(move |mut stream, _| async move {
            let _ = stream.write_all(greeting).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
        })
        .await;
        let mut stand = check(&server, "");
        for _ in 0..20 {
            let result = stand.next().await;
            let words = "the answer is not HTTP";
            assert!(result.detail.contains(words), "{}", result.detail);
        }
        stand.end().await;
    }
}

#[tokio::test]
async fn time_outs_say_what_was_waited_for() {
    let dripping = |octets: &'static [u8]| {
        Server::raw(move |mut stream, _| async move {
            let _ = request(&mut stream).await;
            for octet in octets {
                if stream.write_all(&[*octet]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        })
    };
    let short = "timeout = \"300ms\"";
    for (octets, words) in [
        (b"".as_slice(), "timed out after 300ms while waiting for the answer"),
        (b"HTTP/1.1 200 OK\r\nX: y", "while waiting for the answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfine", "while reading the body"),
    ] {
        let server = dripping(octets).await;
        let port = server.address.port();
        let mut stand = Stand::start(&format!(
            "[service.checks.http]\nport = {port}\ninterval = \"20ms\"\n{short}\n"
        ));
        stand.finds(Outcome::Fail, words).await;
        stand.end().await;
    }
}

#[tokio::test]
async fn redirections_are_followed_when_asked_for() {
    let route = |request: &str| match request.split(' ').nth(1) {
        Some("/") => answer(302, "Location: /a?b\r\n", ""),
        Some("/a?b") => {
            let port = request.split("host: web.example:").nth(1).unwrap_or_default();
            let port = port.split('\r').next().unwrap_or_default();
            answer(307, &format!("Location: //other.example:{port}/c\r\n"), "")
        }
        Some("/port") => answer(302, "Location: http://other.example:1/\r\n", ""),
        Some("/c") => answer(200, "", request.split("host: ").nth(1).unwrap_or_default()),
        _ => answer(404, "", ""),
    };
    let mut server = Server::once(route).await;
    let port = server.address.port();
    let url = format!("url = \"http://web.example:{port}/\"\nport = {port}\n");
    let start = |more: &str| {
        Stand::start(&format!("[service.checks.http]\n{url}interval = \"20ms\"\n{more}"))
    };
    let mut stand = start("follow-redirects = 1");
    stand.finds(Outcome::Fail, "redirected more than 1 times").await;
    stand.end().await;
    let mut stand = start("follow-redirects = 2\nexpect-body = \"other.example:\"");
    stand.finds(Outcome::Pass, "status 200").await;
    stand.end().await;
    // Another port is another place.
    let mut stand =
        check(&server, &format!("url = \"http://{{vip}}:{port}/port\"\nfollow-redirects = 2"));
    stand.finds(Outcome::Fail, "connecting to 127.0.0.1:1: connection refused").await;
    stand.end().await;
    assert!(server.request().await.contains("host: web.example:"));

    for (location, words) in [
        ("http://192.0.2.1/", "redirected to another address, 192.0.2.1"),
        ("ftp://web.example/", "which cannot be followed"),
        ("/", "redirected more than 5 times"),
    ] {
        let server =
            Server::once(move |_| answer(301, &format!("Location: {location}\r\n"), "")).await;
        let mut stand = check(&server, "follow-redirects = 5");
        stand.finds(Outcome::Fail, words).await;
        stand.end().await;
    }
}

#[tokio::test]
async fn a_connection_is_kept_and_a_stale_one_replaced() {
    let (opened, mut connections) = tokio::sync::mpsc::channel(64);
    let server = Server::raw(move |mut stream, sender| {
        let opened = opened.clone();
        async move {
            let _ = opened.try_send(());
            crate::server::talk(&mut stream, &sender, &|_: &str| answer(200, "", "fine"), 3).await;
        }
    })
    .await;
    let mut stand = check(&server, "keep-alive = true");
    let mut kept = 0;
    for _ in 0..9 {
        let result = stand.next().await;
        assert_eq!(result.outcome, Outcome::Pass, "{}", result.detail);
        kept += usize::from(!result.detail.contains("connect"));
    }
    stand.end().await;
    assert!(kept >= 6, "{kept} of 9 probes on a kept connection");
    let mut count = 0;
    while connections.try_recv().is_ok() {
        count += 1;
    }
    assert!((3..=4).contains(&count), "{count} connections");
}

#[tokio::test]
async fn the_proxy_header_comes_first() {
    use tokio::io::AsyncReadExt as _;
    for (version, begin) in [
        ("v1", b"PROXY TCP4 127.0.0.1 127.0.0.1 ".as_slice()),
        ("v2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11"),
    ] {
        let server = Server::raw(move |mut stream, _| async move {
            let mut header = vec![0; begin.len()];
            if stream.read_exact(&mut header).await.is_ok() && header == begin {
                let _ = request(&mut stream).await;
                let _ = stream.write_all(&answer(200, "", "")).await;
            }
        })
        .await;
        let mut stand = check(&server, &format!("proxy-protocol = \"{version}\""));
        stand.finds(Outcome::Pass, "status 200").await;
        stand.end().await;
    }
}

#[tokio::test]
async fn over_ipv6() {
    let mut server = Server::raw_at("[::1]:0", |mut stream, sender| async move {
        crate::server::talk(&mut stream, &sender, &|_: &str| answer(200, "", ""), 1).await;
    })
    .await;
    let port = server.address.port();
    let mut stand = Stand::idle(crate::stand::checks(&format!(
        "[service.checks.http]\nport = {port}\nproxy-protocol = \"v1\"\n"
    )));
    stand.want(&["::1"]);
    assert_eq!(stand.next_of(Some("::1")).await.outcome, Outcome::Pass);
    let request = server.request().await;
    assert!(request.starts_with("PROXY TCP6 ::1 ::1 "), "{request}");
    assert!(request.contains(&format!("\r\nhost: [::1]:{port}\r\n")), "{request}");
    stand.end().await;
}

/// An address in the URL is where it goes, and `address` is where it goes in any case.
#[tokio::test]
async fn somewhere_else() {
    let server = Server::once(|_| answer(200, "", "")).await;
    let port = server.address.port();
    for keys in [
        format!("url = \"http://127.0.0.1:{port}/\""),
        format!("address = \"127.0.0.1\"\nport = {port}\nurl = \"http://web.example/\""),
    ] {
        let mut stand = Stand::idle(crate::stand::checks(&format!(
            "[service.checks.http]\n{keys}\ninterval = \"20ms\"\n"
        )));
        stand.want(&["127.0.0.9"]);
        assert_eq!(stand.next_of(None).await.outcome, Outcome::Pass);
        stand.end().await;
    }
}

/// An expression that takes seconds for what a server sends holds up no other check.
#[tokio::test]
async fn a_slow_expression_holds_up_nobody() {
    // Pseudorandom zeroes and ones, for which the automaton has a state for nearly each octet.
    let digits = (0..1_u32 << 20).map(|i| {
        let mixed = i.wrapping_mul(0x9e37_79b1);
        if (mixed ^ (mixed >> 13)) & 0x800 == 0 { '0' } else { '1' }
    });
    let page = answer(200, "", &digits.collect::<String>());
    let server = Server::once(move |_| page.clone()).await;
    let port = server.address.port();
    let quick = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stand = Stand::start(&format!(
        "[service.checks.slow]\ntype = \"http\"\nport = {port}\ninterval = \"10ms\"\ntimeout = \"150ms\"\n\
         max-body = \"1MiB\"\nexpect-body = \"/1[01]{{60}}x/\"\n\
         [service.checks.quick]\ntype = \"tcp\"\nport = {}\ninterval = \"10ms\"\n",
        quick.local_addr().unwrap().port()
    ));
    stand.finds(Outcome::Unknown, "timed out after 150ms while looking at the answer").await;
    for _ in 0..3 {
        stand.finds(Outcome::Unknown, "the last answer is still being looked at").await;
        stand.finds(Outcome::Pass, "connected to").await;
    }
    stand.end().await;
}
