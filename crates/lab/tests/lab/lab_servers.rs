//! The lab's other servers, with real clients: the monitoring plugins.

use ha2bgp_lab::certs::Certs;
use ha2bgp_lab::dns_server::{self, DnsServer, ORIGIN, Transport};
use ha2bgp_lab::http_server::{HttpServer, Kind};
use ha2bgp_lab::misbehave::udp::{MisbehaveUdp, Mode};
use ha2bgp_lab::misbehave::{Misbehave, steps};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::ntp_server::{self, NtpServer};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, readme, require, wait};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

const PLUGINS: &str = "/usr/lib/nagios/plugins";

fn address(text: &str) -> Result<SocketAddr> {
    text.parse().map_err(|_| LabError::Missing(format!("{text} is no address")))
}

/// Exit code and output of a plugin in a namespace.
fn plugin(host: &Netns, name: &str, args: &str) -> Result<(i32, String)> {
    let mut command = Command::new(format!("{PLUGINS}/{name}"));
    command.args(args.split_whitespace());
    let output = host.within(|| command.output())?.map_err(LabError::io(name))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((output.status.code().unwrap_or(-1), text))
}

fn expect(host: &Netns, name: &str, args: &str, code: i32, word: &str) -> Result<()> {
    let (is, text) = plugin(host, name, args)?;
    assert!(is == code && text.contains(word), "{name} {args}: {is}, {text}");
    Ok(())
}

#[test]
fn check_http_asks_nginx() -> Result<()> {
    require!(
        Need::Root,
        Need::Tool("ip"),
        Need::Tool("nginx"),
        Need::Tool("openssl"),
        Need::File("/usr/lib/nagios/plugins/check_http")
    );
    let (host, dir) = (Netns::new("nginx")?, readme::workdir()?);
    let certs = Certs::new(dir.path(), "authority")?;
    let names = ["web.example", "127.0.0.1"];
    let good = certs.server("good", &names)?;
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
    let http = |args: &str, code, word: &str| {
        expect(&host, "check_http", &format!("-I 127.0.0.1 {args}"), code, word)
    };
    http("-u /", 0, "200 OK")?;
    http("-u /status/503 -e 503", 0, "503")?;
    http("-u /status/403", 1, "403")?;
    http("-u /health -s healthy", 0, "200")?;
    server.set_healthy(false)?;
    http("-u /health", 2, "503")?;
    http("-u /slow -t 1", 2, "timeout after 1")?;
    http("-u /echo -H web.example -s host=web.example", 0, "200")?;
    http("-S -p 443 --sni -H web.example -u /echo -s sni=web.example", 0, "200")?;
    http("-S -p 443 -C 14,2", 0, "will expire")?;
    http("-S -p 444 -C 14,2", 1, "expires in 5 day")?;
    http("-S -p 445 -C 14,2", 2, "expired on")?;
    http("-S -p 446 -u /", 1, "400")?;
    let client = certs.client("somebody")?;
    let (cert, key) = (client.cert.display(), client.key.display());
    let args = format!("-S -p 446 -u /echo -s client=CN=somebody -J {cert} -K {key}");
    http(&args, 0, "200")?;
    assert!(server.requests().iter().any(|line| line.contains("/status/503")));
    Ok(())
}

#[test]
fn certificates_verify_as_they_should() -> Result<()> {
    require!(Need::Tool("openssl"));
    let dir = readme::workdir()?;
    let (ours, other) = (Certs::new(dir.path(), "ours")?, Certs::new(dir.path(), "other")?);
    let verify = |ca: &Certs, cert: &std::path::Path, name: &str| {
        let mut command = Command::new("openssl");
        command.args(["verify", "-verify_hostname", name, "-CAfile"]).arg(ca.ca()).arg(cert);
        ha2bgp_lab::child::run(&mut command)
    };
    let says = |outcome: Result<String>, word: &str| {
        let text = outcome.unwrap_or_else(|error| error.to_string());
        assert!(text.contains(word), "{text}");
    };
    let good = ours.server("good", &["web.example"])?;
    says(verify(&ours, &good.cert, "web.example"), "OK");
    says(verify(&ours, &good.cert, "mail.example"), "hostname mismatch");
    says(verify(&other, &good.cert, "web.example"), "unable to get local issuer");
    let over = ours.expired("over", &["web.example"])?;
    says(verify(&ours, &over.cert, "web.example"), "certificate has expired");
    Ok(())
}

#[test]
fn check_dns_asks_nsd() -> Result<()> {
    require!(
        Need::Root,
        Need::Tool("ip"),
        Need::Tool("nsd"),
        Need::Tool("nslookup"),
        Need::File("/usr/lib/nagios/plugins/check_dns")
    );
    let (host, dir) = (Netns::new("nsd")?, readme::workdir()?);
    let at = address("127.0.0.1:53")?;
    let zone = dns_server::zone();
    let mut server = DnsServer::start(&host, "nsd", dir.path(), at, ORIGIN, &zone)?;
    for over in [Transport::Udp, Transport::Tcp] {
        let answer = server.ask(&host, "www.example.test", dns_server::A, over)?;
        assert_eq!(dns_server::answers(&answer), Some(1));
        assert_eq!(dns_server::flags(&answer), Some((true, false)), "authoritative");
        let answer = server.ask(&host, "nobody.example.test", dns_server::A, over)?;
        assert_eq!(dns_server::rcode(&answer), Some(3));
        let answer = server.ask(&host, "many.example.test", dns_server::A, over)?;
        let truncated = over == Transport::Udp;
        assert_eq!(dns_server::flags(&answer), Some((true, truncated)));
    }
    let args = "-s 127.0.0.1 -H www.example.test -a 192.0.2.80 -A";
    expect(&host, "check_dns", args, 0, "DNS OK")?;
    server.set_zone(&zone.replace("hostmaster 1", "hostmaster 2").replace(".2.80", ".2.81"))?;
    wait::until(Duration::from_secs(10), "the new zone", || {
        match plugin(&host, "check_dns", args) {
            Ok((2, text)) if text.contains("192.0.2.81") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
}

#[test]
fn check_ntp_time_asks_chronyd() -> Result<()> {
    require!(
        Need::Root,
        Need::Tool("ip"),
        Need::Tool("chronyd"),
        Need::File("/usr/lib/nagios/plugins/check_ntp_time")
    );
    let (host, dir) = (Netns::new("ntp")?, readme::workdir()?);
    let (good, bad) = (address("127.0.0.1:123")?, address("127.0.0.2:123")?);
    let _server = NtpServer::start(&host, "good", dir.path(), good, Some(5))?;
    let _other = NtpServer::start(&host, "bad", dir.path(), bad, None)?;
    let stratum = |at| host.within(|| ntp_server::ask(at))?.map_err(LabError::io("ask"));
    assert_eq!(stratum(good)?, 5);
    assert_eq!(stratum(bad)?, 0, "does not know the time");
    expect(&host, "check_ntp_time", "-H 127.0.0.1 -w 1 -c 2", 0, "NTP OK")?;
    expect(&host, "check_ping", "-H 127.0.0.1 -w 100,20% -c 200,50% -p 1", 0, "PING OK")?;
    expect(&host, "check_tcp", "-H 127.0.0.1 -p 9", 2, "refused")
}

/// Real clients find them as hostile as ours will.
#[test]
fn plugins_meet_hostile_servers() -> Result<()> {
    require!(
        Need::Root,
        Need::Tool("ip"),
        Need::File("/usr/lib/nagios/plugins/check_http"),
        Need::File("/usr/lib/nagios/plugins/check_dns")
    );
    let host = Netns::new("plugins")?;
    let start = |script| Misbehave::tcp(&host, address("127.0.0.1:0")?, vec![script]);
    let check = |server: &Misbehave, more: &str, code, word: &str| {
        let port = server.address()?.port();
        expect(&host, "check_http", &format!("-I 127.0.0.1 -t 1 -p {port} {more}"), code, word)
    };
    let good = steps::http(200, "fine");
    check(&start(steps::answer(&good))?, "-s fine", 0, "200")?;
    check(&start(steps::garbage())?, "", 2, "CRITICAL")?;
    check(&start(steps::garbage())?, "-S", 2, "CRITICAL")?;
    check(&start(steps::close_after(&good, 0))?, "", 2, "No data")?;
    check(&start(steps::never_answer())?, "", 2, "timeout")?;
    check(&start(steps::never_answer())?, "-S", 2, "timeout")?;
    let address = address("127.0.0.1:53")?;
    let modes = [(Mode::Right, 0, "DNS OK"), (Mode::Code(3), 2, "was not found")];
    for (mode, code, word) in modes {
        let _server = MisbehaveUdp::start(&host, address, vec![mode])?;
        expect(&host, "check_dns", "-s 127.0.0.1 -H www.example.test", code, word)?;
    }
    Ok(())
}
