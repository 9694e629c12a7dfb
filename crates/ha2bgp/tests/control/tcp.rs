//! The ports beside the socket: what a token allows, TLS, and clients that come to do harm.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use ha2bgp::control::connection::CONNECTION_RATE;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::stage::{SOON, Stage, json, request, rest, status, until};

const PASS: &str = r#"{"outcome":"pass"}"#;
const READ: &str = "0123456789abcdef";
const WRITE: &str = "fedcba9876543210";
const CA: &[u8] = include_bytes!("../checks/certs/ca.pem");
const CERTIFICATE: &str = include_str!("../checks/certs/server.pem");
const KEY: &str = include_str!("../checks/certs/server.key");

/// A port that nobody has at this moment.
pub(crate) fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What is written into the files that [`TOKENS`] and [`TLS`] name.
pub(crate) fn files() -> [(&'static str, String); 3] {
    let tokens = format!("# who\nmon read {READ}\nops write {WRITE}\n");
    [("tokens", tokens), ("c.pem", CERTIFICATE.to_owned()), ("c.key", KEY.to_owned())]
}

pub(crate) const TOKENS: &str = "tokens-file = \"DIR/tokens\"\n";
const TLS: &str = "tls-certificate = \"DIR/c.pem\"\ntls-key = \"DIR/c.key\"\n";

/// A stage with a port, and these lines.
fn stage(more: &str) -> (Stage, SocketAddr) {
    let port = free_port();
    let files = files();
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let stage = Stage::with(&format!("http = \"{port}\"\n{more}"), &files);
    until("the port is open", || TcpStream::connect(port).is_ok());
    (stage, port)
}

fn connect(port: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(port).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream
}

/// The whole answer to a request with this field.
fn talk(mut stream: impl Read + Write, field: &str, method: &str, path: &str) -> String {
    let body = if method == "POST" { PASS } else { "" };
    let whole = request(method, path, body, "close").replace("host: x\r\n", field);
    stream.write_all(whole.as_bytes()).unwrap();
    rest(stream)
}

/// Status and code of the answer to a request with this token.
pub(crate) fn ask(port: SocketAddr, token: &str, method: &str, path: &str) -> (u16, String) {
    let field = format!("host: x\r\nauthorization: Bearer {token}\r\n");
    let field = if token.is_empty() { "host: 127.0.0.1\r\n" } else { &field };
    let answer = talk(connect(port), field, method, path);
    let code = json(&answer)["error"]["code"].as_str().unwrap_or_default().to_owned();
    (status(&answer), code)
}

fn said(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn without_tokens_everybody_reads_and_nobody_writes() {
    let (stage, port) = stage("");
    assert_eq!(ask(port, "", "GET", "/v1/checks"), said(200, ""));
    assert_eq!(ask(port, "", "POST", "/v1/checks/web/x"), said(403, "forbidden"));
    // A page of the web whose name was made to point here.
    let answer = talk(connect(port), "host: evil.example\r\n", "GET", "/v1/checks");
    assert_eq!(
        (status(&answer), json(&answer)["error"]["code"].as_str()),
        (403, Some("forbidden"))
    );
    assert!(!answer.to_lowercase().contains("access-control"), "{answer}");
    stage.works();
    stage.end();
}

#[test]
fn a_token_allows_what_its_line_says() {
    let (stage, port) = stage(TOKENS);
    let answer = talk(connect(port), "", "GET", "/v1/nothing");
    assert_eq!(status(&answer), 401, "what there is is nobody's business: {answer}");
    assert!(answer.contains("www-authenticate: Bearer realm=\"ha2bgp\"\r\n"), "{answer}");
    assert_eq!(ask(port, "fedcba9876543211", "GET", "/v1/checks"), said(401, "unauthorized"));
    assert_eq!(ask(port, READ, "GET", "/v1/checks"), said(200, ""));
    assert_eq!(ask(port, READ, "POST", "/v1/checks/web/x"), said(403, "forbidden"));
    assert_eq!(ask(port, WRITE, "POST", "/v1/checks/web/x"), said(200, ""));
    let (_, list) = stage.ask("GET", "/v1/checks/web/x", "");
    let entries = list["checks"].as_array().unwrap();
    let last = &entries.iter().find(|entry| entry["vip"].is_null()).unwrap()["last"];
    assert_eq!((&last["author"], &last["uid"]), (&json!("token ops"), &Value::Null));
    stage.end();
}

#[test]
fn tls_is_spoken_and_nothing_else() {
    let (stage, port) = stage(&format!("{TOKENS}{TLS}"));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CA).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    let works = |method| {
        let name = "web.example".try_into().unwrap();
        let client = ClientConnection::new(Arc::clone(&config), name).unwrap();
        let stream = StreamOwned::new(client, connect(port));
        let field = format!("host: web.example\r\nauthorization: Bearer {WRITE}\r\n");
        assert_eq!(status(&talk(stream, &field, method, "/v1/checks/web/x")), 200);
    };
    works("GET");
    // One that never says anything, one that stops in the middle, and ones that speak otherwise.
    let silent = connect(port);
    let mut half = connect(port);
    half.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0]).unwrap();
    for garbage in [
        &b"GET /v1/checks HTTP/1.1\r\nhost: x\r\n\r\n"[..],
        b"\x16\x03\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",
        &[0; 4096],
    ] {
        let mut stream = connect(port);
        let _ = stream.write_all(garbage);
        let answer = rest(stream);
        assert!(!answer.contains("checks"), "{answer}");
        works("POST");
    }
    assert_eq!((rest(silent).len(), rest(half).len()), (0, 0));
    works("POST");
    stage.works();
    stage.end();
}

/// They have places and a rate of their own: who comes over the socket notices nothing.
#[test]
fn a_flood_over_tcp_leaves_the_socket_alone() {
    let (stage, port) = stage(TOKENS);
    let idle: Vec<TcpStream> = (0..300).map(|_| connect(port)).collect();
    stage.works();
    // Guesses wait for their answers, and those with a token do not wait for them.
    let guesses: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = connect(port);
            let field = "authorization: Bearer aaaaaaaaaaaaaaaa\r\n";
            let whole =
                request("GET", "/v1/checks", "", "keep-alive").replace("host: x\r\n", field);
            let _ = stream.write_all(whole.as_bytes());
            stream
        })
        .collect();
    stage.works();
    assert_eq!(ask(port, READ, "GET", "/v1/checks"), said(200, ""));
    for answer in guesses.into_iter().map(rest) {
        assert!(matches!(status(&answer), 0 | 401), "{answer}");
    }
    // Far over the rate of a connection, several after another.
    let one = request("GET", "/v1/checks/up", "", "keep-alive")
        .replace("host: x", &format!("host: x\r\nauthorization: Bearer {READ}"));
    let mut refused = false;
    for _ in 0..5 {
        let mut stream = connect(port);
        let mut writer = stream.try_clone().unwrap();
        let all = one.repeat(4 * usize::try_from(CONNECTION_RATE.1).unwrap());
        let writing = std::thread::spawn(move || {
            let _ = writer.write_all(all.as_bytes());
            let _ = writer.shutdown(std::net::Shutdown::Write);
        });
        refused |= rest(&mut stream).contains("HTTP/1.1 429");
        writing.join().unwrap();
        stage.works();
    }
    assert!(refused, "nothing was refused");
    drop(idle);
    stage.works();
    stage.end();
}
