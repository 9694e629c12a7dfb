//! `type = "http"` with TLS, and what every kind does with TLS.

use ha2bgp_core::check::Outcome;

use crate::server::{Server, answer, talk};
use crate::stand::{Stand, errors};
use crate::tls_server::{Tls, accept, file};

/// A server that answers with the name it was asked for.
async fn https(tls: Tls) -> Server {
    let acceptor = tls.acceptor();
    Server::raw(move |stream, sender| {
        let acceptor = acceptor.clone();
        async move {
            let Some((mut stream, name)) = accept(&acceptor, stream).await else { return };
            let page = answer(200, "", &format!("sni={name};"));
            talk(&mut stream, &sender, &|_: &str| page.clone(), 1).await;
        }
    })
    .await
}

/// A check that asks it at `/`, with more keys.
fn check(server: &Server, host: &str, more: &str) -> Stand {
    let port = server.address.port();
    Stand::start(&format!(
        "[service.checks.http]\nurl = \"https://{host}:{port}/\"\ninterval = \"20ms\"\n{more}\n"
    ))
}

async fn finds(tls: Tls, host: &str, more: &str, outcome: Outcome, words: &str) {
    let server = https(tls).await;
    let mut stand = check(&server, host, more);
    stand.finds(outcome, words).await;
    stand.end().await;
}

fn ca() -> String {
    format!("tls-ca = \"{}\"\n", file("ca.pem"))
}

#[tokio::test]
async fn names_and_addresses() {
    use Outcome::{Fail, Pass};
    let good = Tls::good();
    let server = https(good).await;
    let sni = "expect-body = \"sni=web.example;\"";
    let mut stand = check(&server, "web.example", &format!("{}{sni}", ca()));
    let result = stand.finds(Pass, "status 200 in ").await;
    assert!(result.detail.contains(", tls "), "{}", result.detail);
    stand.end().await;
    // An address has no SNI, and is verified all the same.
    let no_sni = "expect-body = \"sni=;\"";
    finds(good, "{vip}", &format!("{}{no_sni}", ca()), Pass, "status 200").await;
    let named = format!("{}tls-name = \"web.example\"\n{sni}", ca());
    finds(good, "{vip}", &named, Pass, "status 200").await;
    let words = "the certificate is for web.example, 127.0.0.1, not for mail.example";
    finds(good, "mail.example", &ca(), Fail, words).await;
}

#[tokio::test]
async fn certificates_that_are_not_in_order() {
    use Outcome::{Fail, Pass, Warn};
    let good = Tls::good();
    let expired = Tls { certificate: "expired", ..good };
    let other = format!("tls-ca = \"{}\"\n", file("other.pem"));
    let words = "not signed by an authority that counts here";
    finds(good, "web.example", &other, Fail, words).await;
    finds(good, "web.example", "", Fail, words).await;
    finds(expired, "web.example", &ca(), Fail, "the certificate has expired").await;
    finds(expired, "mail.example", "tls-verify = false", Pass, "status 200").await;
    let soon = format!("{}tls-expiry-warn = \"36500d\"", ca());
    finds(good, "web.example", &soon, Warn, " d; status 200 in ").await;
}

#[tokio::test]
async fn servers_that_want_to_know_us() {
    let mutual = Tls { mutual: true, ..Tls::good() };
    let ours = |certificate: &str, key: &str| {
        let (certificate, key) = (file(certificate), file(key));
        format!("{}tls-certificate = \"{certificate}\"\ntls-key = \"{key}\"\n", ca())
    };
    let good = ours("client.pem", "client.key");
    finds(mutual, "web.example", &good, Outcome::Pass, "status 200").await;
    let words = "the server refused: it wants a certificate of ours";
    finds(mutual, "web.example", &ca(), Outcome::Fail, words).await;
    // That of a server is none of a client.
    let wrong = ours("server.pem", "server.key");
    let words = "the server refused: it does not take our certificate";
    finds(mutual, "web.example", &wrong, Outcome::Fail, words).await;
}

#[tokio::test]
async fn what_is_no_tls() {
    let tls = |server: &Server| check(server, "web.example", &ca());
    let plain = Server::once(|_| answer(400, "", "plain HTTP request to an HTTPS port")).await;
    // The server reads the hello as a request without end: it answers to its first octets.
    let eager = Server::raw(|mut stream, _| async move {
        use tokio::io::AsyncWriteExt as _;
        let _ = stream.write_all(&answer(400, "", "")).await;
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    })
    .await;
    let mut stand = tls(&eager);
    stand.finds(Outcome::Fail, "the server does not speak TLS here").await;
    stand.end().await;
    let mut stand = tls(&plain);
    stand.finds(Outcome::Fail, "timed out after 1s while agreeing on TLS").await;
    stand.end().await;
    let closing = Server::raw(|_, _| async {}).await;
    let mut stand = tls(&closing);
    stand.finds(Outcome::Fail, "").await;
    stand.end().await;
    // The other way round.
    let server = https(Tls::good()).await;
    let port = server.address.port();
    let mut stand =
        Stand::start(&format!("[service.checks.http]\nport = {port}\ninterval = \"20ms\"\n"));
    stand.finds(Outcome::Fail, "the answer is not HTTP").await;
    stand.end().await;
}

#[test]
fn mistakes_name_the_file_and_the_fix() {
    let at = |key: &str, name: &str| format!("{key} = \"{}\"\n", file(name));
    let certificate = at("tls-certificate", "client.pem");
    for (keys, words) in [
        (at("tls-ca", "none.pem"), "cannot be read: No such file"),
        (at("tls-ca", "README.md"), "README.md: it holds no certificate"),
        (at("tls-ca", "server.key"), "server.key: it holds no certificate"),
        (certificate.clone(), "is of no use without tls-key"),
        (at("tls-key", "client.key"), "is of no use without tls-certificate"),
        (certificate.clone() + &at("tls-key", "client.pem"), "client.pem: it holds no private key"),
        (certificate + &at("tls-key", "server.key"), "server.key: it is not the key of"),
        (at("tls-ca", "ca.pem") + "tls-verify = false", "no authority counts"),
        ("tls-name = \"a b\"".to_owned(), "neither a name nor an address"),
        ("tls-expiry-warn = \"36501d\"".to_owned(), "at most 36500d"),
    ] {
        let text = format!("[service.checks.http]\nurl = \"https://{{vip}}/\"\n{keys}");
        let errors = errors(&text);
        assert!(errors.contains(words), "{keys}: {errors}");
        assert!(!errors.contains("PRIVATE"), "{errors}");
    }
    let errors = errors("[service.checks.http]\ntls-verify = false\n");
    assert!(errors.contains("is for TLS, and the URL is http"), "{errors}");
}

#[test]
fn secrets_are_not_shown() {
    let specs = crate::stand::checks(&format!(
        "[service.checks.http]\nurl = \"https://{{vip}}/\"\nmethod = \"POST\"\nbody = \"secret\"\n\
         request-headers = [\"Authorization: secret\"]\ntls-certificate = \"{}\"\ntls-key = \"{}\"\n",
        file("client.pem"),
        file("client.key")
    ));
    let shown = format!("{specs:?}");
    assert!(!shown.contains("secret") && shown.contains("Pem("), "{shown}");
    // What was read twice is the same.
    assert_eq!(specs.specs, specs.clone().specs);
}
