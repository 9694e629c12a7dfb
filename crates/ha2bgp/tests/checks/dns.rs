//! `type = "dns"`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use ha2bgp_core::check::Outcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use crate::stand::{SOON, Stand, errors};

/// Where the question of a query ends.
fn question(query: &[u8]) -> &[u8] {
    let mut end = 12;
    while query[end] != 0 {
        end += usize::from(query[end]) + 1;
    }
    &query[12..end + 5]
}

/// The answer to a query (RFC 1035 section 4.1): flags, code and one record with this data.
fn answer(query: &[u8], flags: [u8; 2], data: &[u8]) -> Vec<u8> {
    let question = question(query);
    let kind = &question[question.len() - 4..];
    let count = u8::from(!data.is_empty());
    let mut answer = query[..2].to_vec();
    answer.extend([flags[0] | 0x80, flags[1], 0, 1, 0, count, 0, 0, 0, 0]);
    answer.extend(question);
    if count > 0 {
        answer.extend([0xc0, 12]);
        answer.extend(kind);
        answer.extend([0, 0, 0, 60, 0, u8::try_from(data.len()).unwrap()]);
        answer.extend(data);
    }
    answer
}

const ADDRESS: [u8; 4] = [192, 0, 2, 1];
const AA: u8 = 0x04;
const TC: u8 = 0x02;

fn good(query: &[u8]) -> Vec<u8> {
    answer(query, [AA, 0], &ADDRESS)
}

/// A server on UDP that sends these datagrams for the n-th query.
async fn udp(how: impl Fn(&[u8], usize) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 1000];
        for number in 0.. {
            let (size, from) = socket.recv_from(&mut query).await.unwrap();
            for datagram in how(&query[..size], number) {
                let _gone = socket.send_to(&datagram, from).await;
            }
        }
    });
    address
}

/// A server on TCP at the same port that sends these octets for each query.
async fn tcp(at: SocketAddr, how: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) {
    let listener = TcpListener::bind(at).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let length = usize::from(stream.read_u16().await.unwrap());
            let mut query = vec![0; length];
            stream.read_exact(&mut query).await.unwrap();
            let _closed = stream.write_all(&how(&query)).await;
        }
    });
}

/// Behind its length.
fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

fn stand(at: SocketAddr, keys: &str) -> Stand {
    let port = at.port();
    let timeout = if keys.contains("timeout") { "" } else { "timeout = \"300ms\"\n" };
    Stand::start(&format!(
        "[service.checks.dns]\nport = {port}\ninterval = \"20ms\"\n{timeout}\
         name = \"www.example\"\n{keys}\n"
    ))
}

/// One check of one server.
async fn finds(at: SocketAddr, keys: &str, outcome: Outcome, words: &str) {
    let mut stand = stand(at, keys);
    stand.finds(outcome, words).await;
    stand.end().await;
}

#[tokio::test]
async fn what_an_answer_must_be() {
    let at = udp(|query, _| vec![good(query)]).await;
    finds(at, "", Outcome::Pass, "NOERROR, 1 record of type A").await;
    finds(at, "expect-answer = \"192.0.2.1\"", Outcome::Pass, "1 record").await;
    finds(at, "expect-answer = [\"*\"]\nauthoritative = true", Outcome::Pass, "1 record").await;
    finds(at, "expect-answer = \"192.0.2.2\"", Outcome::Fail, "with 192.0.2.2; found 192.0.2.1")
        .await;
    finds(at, "authoritative = false", Outcome::Fail, "is authoritative (flag AA)").await;
    finds(at, "expect-rcode = [\"NXDOMAIN\", \"5\"]", Outcome::Fail, "expected NXDOMAIN,REFUSED")
        .await;
    finds(at, "query-type = \"AAAA\"\nexpect-answer = \"*\"", Outcome::Fail, "malformed").await;
}

/// What a server says of itself: `version.bind`, class CH.
#[tokio::test]
async fn chaos() {
    let at = udp(|query, _| {
        assert_eq!(question(query)[question(query).len() - 4..], [0, 16, 0, 3]);
        vec![answer(query, [0, 0], b"\x06nsd 42")]
    })
    .await;
    let keys = "query-type = \"TXT\"\nclass = \"CH\"\nexpect-answer = \"/^nsd/\"";
    let mut stand = Stand::start(&format!(
        "[service.checks.dns]\nport = {}\nsplay = \"0s\"\nname = \"version.bind\"\n{keys}\n",
        at.port()
    ));
    stand.finds(Outcome::Pass, "1 record of type TXT").await;
    stand.end().await;
}

/// Flags, EDNS and placeholders are in the query as they were asked for.
#[tokio::test]
async fn what_is_asked() {
    for (keys, flags, length) in [
        ("", [1, 0], 11),
        ("recursion-desired = false\nedns-size = \"off\"", [0, 0], 0),
        ("edns-size = false", [1, 0], 0),
    ] {
        let at = udp(move |query, _| {
            let question = question(query);
            assert_eq!(&question[..question.len() - 4], b"\x03web\x03127\x010\x010\x011\0");
            let right = query[2..4] == flags && query.len() == 12 + question.len() + length;
            vec![answer(query, [0, if right { 0 } else { 5 }], &[])]
        })
        .await;
        let mut stand = Stand::start(&format!(
            "[service.checks.dns]\nport = {}\nsplay = \"0s\"\nname = \"{{service}}.{{vip}}\"\n{keys}\n",
            at.port()
        ));
        stand.finds(Outcome::Pass, "NOERROR, 0 records").await;
        stand.end().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_short_comes_over_tcp() {
    let at = udp(|query, _| vec![answer(query, [TC, 0], &[])]).await;
    finds(at, "protocol = \"udp\"", Outcome::Fail, "cut short (flag TC)").await;
    finds(at, "", Outcome::Fail, "over tcp: connection refused").await;
    tcp(at, |query| framed(&good(query))).await;
    finds(at, "", Outcome::Pass, "1 record").await;
    finds(at, "protocol = \"tcp\"", Outcome::Pass, "1 record").await;
}

/// The first of two datagrams is lost; then all are.
#[tokio::test]
async fn a_lost_datagram_is_sent_again() {
    let at = udp(|query, number| if number % 2 == 1 { vec![good(query)] } else { vec![] }).await;
    let mut stand = stand(at, "");
    for _ in 0..3 {
        assert_eq!(stand.next().await.outcome, Outcome::Pass);
    }
    stand.end().await;
    let at = udp(|_, _| vec![]).await;
    let words = "timed out after 300ms while waiting for the answer over udp";
    finds(at, "attempts = 1", Outcome::Fail, words).await;
}

/// Each probe has another port and another identifier.
#[tokio::test]
async fn nobody_can_guess() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let stand = stand(socket.local_addr().unwrap(), "attempts = 1\ntimeout = \"20ms\"");
    let (mut ports, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let mut query = [0; 1000];
    for _ in 0..16 {
        let (_, from) =
            tokio::time::timeout(SOON, socket.recv_from(&mut query)).await.unwrap().unwrap();
        ports.insert(from.port());
        ids.insert([query[0], query[1]]);
    }
    assert!(ports.len() > 8 && ids.len() > 8, "{ports:?} {ids:?}");
    stand.end().await;
}

#[tokio::test]
async fn nobody_is_there() {
    let at = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    // At once: the time-out is ten seconds.
    let mut stand = stand(at, "timeout = \"10s\"");
    let result = tokio::time::timeout(Duration::from_secs(5), stand.next()).await.unwrap();
    assert_eq!(
        (result.outcome, &*result.detail),
        (Outcome::Fail, &*format!("asking {at} over udp: connection refused"))
    );
    stand.end().await;
    let keys = "source-address = \"192.0.2.77\"";
    finds(at, keys, Outcome::Unknown, "on this host").await;
}

/// What is no answer is ignored, and told when nothing else comes.
#[tokio::test]
async fn bad_datagrams() {
    let wrong_id = |query: &[u8]| {
        let mut wrong = good(query);
        wrong[1] ^= 1;
        wrong
    };
    let then_good = move |query: &[u8], _| {
        let noise: Vec<u8> = (0..=255).rev().collect();
        vec![wrong_id(query), noise, query.to_vec(), Vec::new(), good(query), good(query)]
    };
    finds(udp(then_good).await, "", Outcome::Pass, "1 record").await;
    let at = udp(move |query, _| vec![wrong_id(query)]).await;
    finds(at, "attempts = 1", Outcome::Fail, "1 messages were no answers, the last: identifier")
        .await;
    let flood = udp(move |query, _| vec![wrong_id(query); 1200]).await;
    // A socket may lose some of them; then the next probe tells.
    finds(flood, "attempts = 10", Outcome::Fail, "no answers, the last: identifier").await;
    let cut = |query: &[u8], _| vec![good(query)[..20].to_vec()];
    finds(udp(cut).await, "", Outcome::Fail, "it does not repeat the question").await;
    let long = |query: &[u8], _| {
        let mut long = good(query);
        long.resize(65_507, b'x');
        vec![long]
    };
    finds(udp(long).await, "", Outcome::Pass, "1 record").await;
}

#[tokio::test]
async fn bad_streams() {
    for (octets, words) in [
        (vec![], "closed after 0 octets of the answer over tcp"),
        (vec![0, 50, 1, 2], "closed after 4 octets of the answer over tcp"),
        (vec![0, 0], "no answer came over tcp: a message of 0 octets"),
        (vec![0; 10 << 20], "no answer came over tcp"),
        (vec![0xff; 10 << 20], "no answer came over tcp: identifier 65535"),
    ] {
        let at = udp(|_, _| vec![]).await;
        tcp(at, move |_| octets.clone()).await;
        finds(at, "protocol = \"tcp\"", Outcome::Fail, words).await;
    }
}

/// What is wrong is told when the configuration is read.
#[test]
fn wrong_keys() {
    for (keys, words) in [
        ("", "name is missing"),
        ("name = \"a..b\"", "is not a domain name"),
        ("name = \"{vp}.example\"", "did you mean {vip}?"),
        ("name = \".\"\nquery-type = \"AXFR\"", "is not a record type that can be asked for"),
        ("name = \".\"\nclass = \"HS\"", "is not a class"),
        ("name = \".\"\nexpect-rcode = [\"NOERROR\", \"NXDOMIAN\"]", "did you mean NXDOMAIN?"),
        ("name = \".\"\nexpect-answer = \"www.example\"", "an IPv4 address such as"),
        ("name = \".\"\nprotocol = \"sctp\"", "is no protocol"),
        ("name = \".\"\nprotocol = \"tcp\"\nattempts = 2", "is for UDP"),
        ("name = \".\"\nedns-size = 100", "is not a size from 512 to 65535"),
        ("name = \".\"\nattempts = 11", "from 1 to 10"),
    ] {
        let errors = errors(&format!("[service.checks.dns]\n{keys}\n"));
        assert!(errors.contains(words), "{keys}\n{errors}");
    }
}
