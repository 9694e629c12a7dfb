//! `type = "http"` in the running program: real nginx, and servers that mean harm.

use crate::stage::{SOON, VIP, host};
use ha2bgp_lab::certs::Certs;
use ha2bgp_lab::fake_exabgp::{Answer, FakeExaBgp};
use ha2bgp_lab::http_server::{HttpServer, Kind};
use ha2bgp_lab::misbehave::{Misbehave, Step, steps};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, procfs, readme, require, wait};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// The most memory that ha2bgp may need in these tests, however much it is sent.
const RSS_MAX: u64 = 48 << 20;

/// ha2bgp with a configuration; every change shows at once.
pub(crate) struct Checked {
    pub(crate) fake: FakeExaBgp,
}

impl Checked {
    pub(crate) fn start(host: &Netns, dir: &Path, services: &str) -> Result<Self> {
        let file = dir.join("ha2bgp.toml");
        let path = file.display().to_string();
        let text = format!(
            "networks = [\"100.64.0.0/24\"]\ndiscover = {{ listen-filter = \"sport = :8080\" }}\n\
             defaults = {{ up-delay = \"0s\", down-delay = \"0s\", damping = false }}\n{services}"
        );
        std::fs::write(&file, text).map_err(LabError::io(path.clone()))?;
        let args = ["run", "--config", &path, "--state-file", "off"];
        Ok(Self { fake: FakeExaBgp::start(host, dir, &args, &[], Answer::Done)? })
    }

    /// Waits until the log has these words.
    pub(crate) fn says(&mut self, words: &str) -> Result<()> {
        let child = self.fake.child();
        wait::until(SOON, &format!("the log says {words:?}"), || {
            let log = child.stderr();
            if log.contains(words) { Ok(()) } else { Err(log) }
        })
    }

    pub(crate) fn announced(&mut self, announced: bool) -> Result<()> {
        let seen = self.fake.wait(VIP, announced, SOON);
        seen.map_err(|error| LabError::Missing(format!("{error}\n{}", self.fake.child().tail())))
    }

    /// How many descriptors it has open.
    fn descriptors(&mut self) -> usize {
        let path = format!("/proc/{}/fd", self.fake.child().pid());
        std::fs::read_dir(path).map(Iterator::count).unwrap_or_default()
    }
}

/// A service for the n-th VIP that is as its only check, called `name`, says.
pub(crate) fn service(n: usize, name: &str, keys: &str) -> String {
    let vip = 20 + n;
    format!(
        "[[service]]\nname = \"s{n}\"\nvips = [\"100.64.0.{vip}\"]\nrule = \"{name}\"\n\
         [service.checks.{name}]\ninterval = \"50ms\"\nrise = 1\nfall = 1\n{keys}\n"
    )
}

pub(crate) fn address(text: &str) -> Result<SocketAddr> {
    text.parse().map_err(|_| LabError::Missing(format!("{text} is no address")))
}

#[test]
fn a_page_decides() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("nginx"));
    let (host, dir) = (host("httppage")?, readme::workdir()?);
    let at = address(&format!("{VIP}:8080"))?;
    let mut server = HttpServer::start(&host, "nginx", dir.path(), &[(at, Kind::Http)])?;
    let mut checked = Checked::start(
        &host,
        dir.path(),
        &format!(
            "[[service]]\nname = \"web\"\nvips = [\"{VIP}\"]\n[service.checks.page]\n\
             type = \"http\"\nurl = \"http://{{vip}}:8080/health\"\nexpect-body = \"healthy\"\n\
             interval = \"50ms\"\ntimeout = \"500ms\"\nrise = 2\nfall = 2\n"
        ),
    )?;
    checked.announced(true)?;
    let before = checked.descriptors();
    for _ in 0..3 {
        server.set_healthy(false)?;
        checked.announced(false)?;
        server.set_healthy(true)?;
        checked.announced(true)?;
    }
    checked.says("check page: fail: status 503, expected 200-399")?;
    // It listens still, and the kernel takes connections for it.
    server.daemon().freeze(true)?;
    checked.announced(false)?;
    checked.says("timed out after 500ms while waiting for the answer")?;
    server.daemon().freeze(false)?;
    checked.announced(true)?;
    // One probe may be under way.
    assert!(checked.descriptors() <= before + 1, "{before} before");
    Ok(())
}

#[test]
fn nginx_in_all_its_forms() -> Result<()> {
    require!(
        Need::Root,
        Need::Ha2bgp,
        Need::Tool("ip"),
        Need::Tool("nginx"),
        Need::Tool("openssl")
    );
    let (host, dir) = (host("httpforms")?, readme::workdir()?);
    let (certs, other) = (Certs::new(dir.path(), "ours")?, Certs::new(dir.path(), "other")?);
    let names = ["web.example", "127.0.0.1"];
    let good = certs.server("good", &names)?;
    let client = certs.client("somebody")?;
    let listeners = [
        (address("127.0.0.1:80")?, Kind::Http),
        (address("127.0.0.1:443")?, Kind::Https(good.clone())),
        (address("127.0.0.1:444")?, Kind::Https(certs.expires("soon", &names, 5)?)),
        (address("127.0.0.1:445")?, Kind::Https(certs.expired("over", &names)?)),
        (address("127.0.0.1:446")?, Kind::Mutual(good.clone(), certs.ca())),
        (address("127.0.0.1:81")?, Kind::Proxy),
        (address("127.0.0.1:447")?, Kind::ProxyHttps(good)),
    ];
    let server = HttpServer::start(&host, "nginx", dir.path(), &listeners)?;
    let ca = format!("tls-ca = \"{}\"", certs.ca().display());
    let wrong = format!("tls-ca = \"{}\"", other.ca().display());
    let ours = format!(
        "{ca}\ntls-certificate = \"{}\"\ntls-key = \"{}\"",
        client.cert.display(),
        client.key.display()
    );
    let cases: [(&str, &str, String, &str); 20] = [
        ("plain", "http://127.0.0.1/", String::new(), "pass: status 200 in "),
        ("gone", "http://127.0.0.1/none", String::new(), "fail: status 404"),
        ("moved", "http://127.0.0.1/status/302", String::new(), "pass: status 302"),
        (
            "followed",
            "http://127.0.0.1/status/302",
            "follow-redirects = 1\nexpect-body = \"/^ok/\"".to_owned(),
            "pass: status 200",
        ),
        (
            "echo",
            "http://web.example/echo?a=b",
            "address = \"127.0.0.1\"\nexpect-body = [\"host=web.example\", \"uri=/echo?a=b\", \
             \"agent=ha2bgp/\"]"
                .to_owned(),
            "pass: status 200",
        ),
        ("head", "http://127.0.0.1/big", "method = \"HEAD\"".to_owned(), "pass: status 200"),
        ("big", "http://127.0.0.1/big", String::new(), "pass: status 200"),
        (
            "bigger",
            "http://127.0.0.1/big",
            "expect-body = \"x\"\nmax-body = \"1MiB\"\ntimeout = \"5s\"".to_owned(),
            "fail: body does not contain \"x\" in its first 1048576 octets",
        ),
        (
            "slow",
            "http://127.0.0.1/slow",
            "timeout = \"300ms\"".to_owned(),
            "fail: timed out after 300ms while ",
        ),
        ("kept", "http://127.0.0.1/", "keep-alive = true".to_owned(), "pass: status 200"),
        ("proxy1", "http://127.0.0.1:81/", "proxy-protocol = \"v1\"".to_owned(), "pass: status"),
        (
            "proxy2",
            "https://127.0.0.1:447/echo",
            format!("proxy-protocol = \"v2\"\nexpect-body = \"proxied=127.0.0.1\"\n{ca}"),
            "pass: status 200",
        ),
        (
            "named",
            "https://web.example/echo",
            format!("address = \"127.0.0.1\"\nexpect-body = \"sni=web.example\"\n{ca}"),
            "pass: status 200",
        ),
        (
            "misnamed",
            "https://mail.example/",
            format!("address = \"127.0.0.1\"\n{ca}"),
            "fail: the certificate is for web.example, 127.0.0.1, not for mail.example",
        ),
        ("unknownca", "https://127.0.0.1/", wrong, "fail: the certificate is not signed by"),
        ("soon", "https://127.0.0.1:444/", ca.clone(), "warn: the certificate ends in 5 d; status"),
        (
            "over",
            "https://127.0.0.1:445/",
            ca.clone(),
            "fail: the certificate has expired, 1 d ago",
        ),
        ("strangers", "https://127.0.0.1:446/", ca.clone(), "fail: status 400"),
        (
            "mutual",
            "https://127.0.0.1:446/echo",
            format!("{ours}\nexpect-body = \"client=CN=somebody\""),
            "pass: status 200",
        ),
        ("notls", "https://127.0.0.1:80/", ca.clone(), "fail: the server does not speak TLS here"),
    ];
    let text: String = (0..)
        .zip(&cases)
        .map(|(n, (name, url, keys, _))| {
            service(n, name, &format!("type = \"http\"\nurl = \"{url}\"\n{keys}"))
        })
        .collect();
    let mut checked = Checked::start(&host, dir.path(), &text)?;
    for (name, _, _, words) in &cases {
        checked.says(&format!("check {name}: {words}"))?;
    }
    // What passes or warns is announced, and nothing else.
    for (n, (_, _, _, words)) in (20..).zip(&cases) {
        let good = words.starts_with("pass") || words.starts_with("warn");
        checked.fake.wait(&format!("100.64.0.{n}"), good, SOON)?;
    }
    assert!(server.requests().iter().any(|line| line.contains("HEAD /big")));
    let memory = procfs::memory(checked.fake.child().pid(), "VmRSS").unwrap_or(u64::MAX);
    assert!(memory < RSS_MAX, "{memory}");
    Ok(())
}

#[test]
fn servers_that_mean_harm() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let (host, dir) = (host("httpharm")?, readme::workdir()?);
    let good = steps::http(200, "fine");
    let ok = b"HTTP/1.1 200 OK\r\n".as_slice();
    let drip = |octets: &[u8]| steps::drip(octets, Duration::from_millis(20));
    let (closed, late) = ("closed by the server before", "timed out after 400ms while");
    let eager = vec![Step::Send(steps::http(400, "no TLS here")), Step::Hold];
    let cases: [(&str, Vec<Step>, bool, &str); 22] = [
        ("garbage", steps::garbage(), false, "the answer is not HTTP"),
        ("heads", steps::endless(ok, b"a: b\r\n"), false, "more than 32768 octets or 100 fields"),
        (
            "chunks",
            steps::endless(&[ok, b"transfer-encoding: chunked\r\n\r\n"].concat(), b"1;x\r\n"),
            false,
            "it is not HTTP",
        ),
        ("interim", steps::endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), false, late),
        ("drip", drip(&good), false, late),
        (
            "dripbody",
            [steps::stop_after(&good, good.len() - 4)].concat(),
            false,
            "while reading the body",
        ),
        ("early", steps::close_early(), false, ""),
        ("nothing", steps::close_after(&good, 0), false, closed),
        ("some", steps::close_after(&good, 7), false, closed),
        (
            "most",
            steps::close_after(&good, good.len() - 1),
            false,
            "closed after 3 octets of the body",
        ),
        ("stopped", steps::stop_after(&good, 7), false, late),
        ("never", steps::never_answer(), false, "while waiting for the answer"),
        ("late", steps::late(&good, Duration::from_secs(5)), false, "while waiting for the answer"),
        (
            "line",
            steps::long_line(&[ok, b"a: "].concat(), 10 << 20),
            false,
            "more than 32768 octets",
        ),
        ("start", steps::long_line(b"HTTP/1.1 200 ", 10 << 20), false, ""),
        ("utf8", steps::invalid_utf8(ok), false, "not HTTP"),
        ("reset", steps::reset(), false, "connection reset"),
        ("plaintls", eager, true, "the server does not speak TLS here"),
        ("garbagetls", steps::garbage(), true, "the server does not speak TLS here"),
        ("nevertls", steps::never_answer(), true, "timed out after 400ms while agreeing on TLS"),
        (
            "earlytls",
            steps::close_after(b"", 0),
            true,
            "closed by the server while agreeing on TLS",
        ),
        ("resettls", steps::reset(), true, "connection reset"),
    ];
    let mut text = String::new();
    let mut servers = Vec::new();
    for (n, (name, script, tls, words)) in (0..).zip(cases) {
        let server = Misbehave::tcp(&host, address("127.0.0.1:0")?, vec![script])?;
        let port = server.address()?.port();
        let scheme = if tls { "https" } else { "http" };
        let keys = format!(
            "type = \"http\"\nurl = \"{scheme}://127.0.0.1:{port}/\"\ntimeout = \"400ms\"\n{}",
            if tls { "tls-verify = false" } else { "" }
        );
        text.push_str(&service(n, name, &keys));
        servers.push((name, server, words));
    }
    // An endless body is no harm: what is read of it is what counts.
    let body = Misbehave::tcp(
        &host,
        address("127.0.0.1:0")?,
        vec![steps::endless(&[ok, b"\r\n"].concat(), b"x")],
    )?;
    let keys =
        format!("type = \"http\"\nurl = \"http://{}/\"\nexpect-body = \"xxx\"", body.address()?);
    text.push_str(&service(servers.len(), "body", &keys));
    let mut checked = Checked::start(&host, dir.path(), &text)?;
    for (name, _, words) in &servers {
        checked.says(&format!("check {name}: fail: "))?;
        let log = checked.fake.child().stderr();
        let line = log.lines().find(|line| line.contains(&format!("check {name}: fail: ")));
        assert!(line.is_some_and(|line| line.contains(words)), "{name}: {line:?}, not {words:?}");
    }
    checked.says("check body: pass: status 200")?;
    let first = checked.descriptors();
    let more: Vec<usize> = servers.iter().map(|(_, server, _)| server.accepted() + 5).collect();
    for ((name, server, _), more) in servers.iter().zip(more) {
        let seen = server.wait_accepted(more, Duration::from_secs(30));
        seen.map_err(|error| LabError::Missing(format!("{name}: {error}")))?;
    }
    // Each has one connection at most.
    let (now, most) = (checked.descriptors(), servers.len() + 1);
    assert!(now <= first + most && now < 60 + most, "{first} descriptors, then {now}");
    let memory = procfs::memory(checked.fake.child().pid(), "VmHWM").unwrap_or(u64::MAX);
    assert!(memory < RSS_MAX, "{memory}");
    assert_eq!(checked.fake.child().exit_status()?, None);
    drop(checked);
    for (name, server, _) in &servers {
        wait::until_true(SOON, &format!("{name}: no connection is open"), || server.open() == 0)?;
    }
    Ok(())
}
