use super::super::super::settings::tests::read_with;
use super::*;

const CERTIFICATE: &str = include_str!("../../../../tests/checks/certs/server.pem");
const KEY: &str = include_str!("../../../../tests/checks/certs/server.key");
const OTHER_KEY: &str = include_str!("../../../../tests/checks/certs/client.key");
const TLS: &str = "tls-certificate = \"c.pem\"\ntls-key = \"c.key\"\n";
const TOKENS: &str = "tokens-file = \"tokens\"\n";

fn http(text: &str) -> Result<HttpSettings, String> {
    let text = format!("[control]\n{text}");
    let files = [
        ("a.toml", text.as_str()),
        ("c.pem", CERTIFICATE),
        ("c.key", KEY),
        ("other.key", OTHER_KEY),
        ("tokens", "ops write 0123456789abcdef\n"),
        ("etc/tokens", "mon read 0123456789abcdef\n"),
        ("bad", "ops write\n"),
    ];
    let settings = read_with(&["--config", "a.toml"], &[], &files)?;
    Ok(settings.control.and_then(|control| control.http).unwrap())
}

#[test]
fn ports_with_tokens_and_tls() {
    let plain = http("http = \"127.0.0.1:9179\"").unwrap();
    assert_eq!(plain.addresses, ["127.0.0.1:9179".parse().unwrap()]);
    assert_eq!((plain.tokens, plain.tls), (None, None));
    let both = http("http = [\"127.0.0.1:1\", \"[::1]:1\", \"[::ffff:127.0.0.1]:2\"]").unwrap();
    assert_eq!(both.addresses.len(), 3);
    let far = http(&format!("http = \"0.0.0.0:9179\"\n{TOKENS}{TLS}")).unwrap();
    assert!(far.tokens.is_some() && far.tls.is_some());
    let shown = format!("{far:?}");
    assert!(!shown.contains("0123456789abcdef") && !shown.contains("PRIVATE"), "{shown}");
    let credential = http("http = \"[::1]:1\"\ntokens-file = \"%d/tokens\"").unwrap();
    assert!(credential.tokens.unwrap().find(b"0123456789abcdef").is_some());
    for some in ["", TOKENS, TLS] {
        let far = format!("http = \"0.0.0.0:1\"\ninsecure = true\n{some}");
        assert!(http(&far).is_ok(), "{some}");
    }
    let same = format!("http = \"[::1]:1\"\n{TOKENS}{TLS}");
    assert_eq!(http(&same), http(&same));
}

#[test]
fn what_is_wrong_is_told() {
    let port = "http = \"127.0.0.1:9179\"\n";
    for (text, want) in [
        ("http = \"9179\"".to_owned(), "2:8: control.http: \"9179\" is no address with a port"),
        ("http = \"127.0.0.1\"".to_owned(), "no address with a port"),
        ("http = \"localhost:9179\"".to_owned(), "no address with a port"),
        ("http = \"127.0.0.1:0\"".to_owned(), "a port from 1 to 65535"),
        ("http = 9179".to_owned(), "2:8: control.http: "),
        (
            "http = [\"[::1]:1\", \"[::1]:1\"]".to_owned(),
            "2:20: control.http: \"[::1]:1\" is there twice",
        ),
        (
            "http = [\"127.0.0.1:1\", \"0.0.0.0:9179\"]".to_owned(),
            "2:24: control.http: \"0.0.0.0:9179\" is beyond the loopback, and there is no \
             tokens-file and no tls-certificate and tls-key: whoever reaches it reads everything: \
             add them",
        ),
        (format!("http = \"[::]:1\"\n{TLS}"), "there is no tokens-file: whoever reaches it"),
        (
            format!("http = \"[2001:db8::1]:1\"\n{TOKENS}"),
            "whoever sees the traffic has the tokens: add that",
        ),
        ("http = \"[::1]:1\"\ninsecure = \"x\"".to_owned(), "3:12: control.insecure"),
        (
            TOKENS.to_owned(),
            "2:15: control.tokens-file: is of the port of the control interface: add http",
        ),
        ("insecure = true".to_owned(), "control.insecure: is of the port"),
        (format!("{port}tokens-file = \"none\""), "\"none\" cannot be read"),
        (
            format!("{port}tokens-file = \"bad\""),
            "control.tokens-file: \"bad\": line 1: it is no token",
        ),
        (
            format!("{port}tls-key = \"c.key\""),
            "3:11: control.tls-key: is of no use without tls-certificate",
        ),
        (format!("{port}tls-certificate = \"c.pem\""), "is of no use without tls-key"),
        (
            format!("{port}tls-certificate = \"c.pem\"\ntls-key = \"other.key\""),
            "4:11: control.tls-key: other.key: it is not the key of c.pem",
        ),
        (
            format!("{port}tls-certificate = \"c.key\"\ntls-key = \"c.key\""),
            "3:19: control.tls-certificate: c.key: it holds no certificate",
        ),
        (
            format!("{port}tls-certificate = \"c.pem\"\ntls-key = \"c.pem\""),
            "it holds no private key",
        ),
        (
            format!("{port}tls-certificate = \"%d/none\"\ntls-key = \"c.key\""),
            "\"%d/none\" cannot be read",
        ),
    ] {
        let error = http(&text).unwrap_err();
        assert!(error.contains(want), "{text}\n{error}");
    }
    let many: Vec<String> = (1..10).map(|port| format!("\"127.0.0.1:{port}\"")).collect();
    assert!(http(&format!("http = [{}]", many.join(", "))).unwrap_err().contains("more than 8"));
}

/// The example of the guide works as it is, but for its secrets.
#[test]
fn the_example_is_good() {
    let guide = include_str!("../../../../../../docs/control.md");
    let blocks = guide.split("```\n[control]\n").skip(1);
    let example = blocks.map(|block| block.split("```").next().unwrap()).next().unwrap();
    let text = format!("[control]\n{example}");
    let files = [
        ("a.toml", text.as_str()),
        ("/etc/ha2bgp/control.pem", CERTIFICATE),
        ("/etc/ha2bgp/control.key", KEY),
        ("/etc/ha2bgp/tokens", "ansible write 0123456789abcdef\n"),
    ];
    let settings = read_with(&["--config", "a.toml"], &[], &files).unwrap();
    let http = settings.control.and_then(|control| control.http).unwrap();
    assert_eq!((http.addresses.len(), http.tls.is_some()), (2, true));
    let lines = guide.split("```\n# NAME").nth(1).unwrap().split("```").next().unwrap();
    let lines = lines.replace('…', "0123456789abc");
    assert!(Tokens::read(format!("# NAME{lines}").as_bytes()).is_ok(), "{lines}");
}
