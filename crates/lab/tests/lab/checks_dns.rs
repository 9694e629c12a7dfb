//! `type = "dns"` with NSD and with hostile servers.

use crate::probes::{finds, stage_of_one};
use crate::stage::{SOON, VIP, host};
use ha2bgp_core::check::Outcome;
use ha2bgp_lab::dns_server::{self, DnsServer, ORIGIN};
use ha2bgp_lab::misbehave::udp::{self, MisbehaveUdp, Mode};
use ha2bgp_lab::misbehave::{Misbehave, Step, steps};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, readme, require};
use std::net::SocketAddr;
use std::time::Duration;

fn address(text: &str) -> Result<SocketAddr> {
    text.parse().map_err(|_| LabError::Missing(format!("{text} is no address")))
}

#[test]
fn what_nsd_answers() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"), Need::Tool("nsd"));
    let (host, dir) = (Netns::new("nsd-checks")?, readme::workdir()?);
    let zone = dns_server::zone();
    let cases = [
        ("www.example.test", "expect-answer = '192.0.2.80'", Outcome::Pass, "NOERROR, 1 record"),
        (
            "www.example.test",
            "query-type = 'AAAA'\nexpect-answer = '2001:db8::80'",
            Outcome::Pass,
            "1 record of type AAAA",
        ),
        ("www.example.test", "protocol = 'tcp'\nauthoritative = true", Outcome::Pass, "1 record"),
        ("alias.example.test", "expect-answer = '192.0.2.80'", Outcome::Pass, "1 record of type A"),
        (
            "text.example.test",
            "query-type = 'TXT'\nexpect-answer = '/well$/'",
            Outcome::Pass,
            "TXT",
        ),
        ("example.test", "query-type = 'SOA'\nexpect-answer = 'serial >= 1'", Outcome::Pass, "SOA"),
        (
            "example.test",
            "query-type = 'SOA'\nexpect-answer = 'serial >= 2'",
            Outcome::Fail,
            "found serial 1",
        ),
        ("nobody.example.test", "", Outcome::Fail, "rcode NXDOMAIN, expected NOERROR"),
        ("nobody.example.test", "expect-rcode = 'NXDOMAIN'", Outcome::Pass, "NXDOMAIN, 0 records"),
        ("elsewhere.test", "", Outcome::Fail, "rcode REFUSED"),
        ("sub.example.test", "authoritative = true", Outcome::Fail, "is not authoritative"),
        ("sub.example.test", "authoritative = false", Outcome::Pass, "0 records"),
        ("many.example.test", "expect-answer = '198.51.100.99'", Outcome::Pass, "100 records"),
        ("many.example.test", "edns-size = 'off'", Outcome::Pass, "100 records of type A"),
        ("many.example.test", "protocol = 'udp'", Outcome::Fail, "cut short (flag TC)"),
        (
            "version.server",
            "class = 'CH'\nquery-type = 'TXT'\nexpect-answer = '/NSD/'",
            Outcome::Pass,
            "TXT",
        ),
    ];
    for (vip, at, name) in [("127.0.0.1", "127.0.0.1:53", "four"), ("::1", "[::1]:53", "six")] {
        let at = address(at)?;
        let _server = DnsServer::start(&host, name, dir.path(), at, ORIGIN, &zone)?;
        for (name, more, outcome, words) in cases {
            let keys = format!("type = 'dns'\nname = '{name}'\n{more}");
            finds(&host, vip, &keys, outcome, words)?;
        }
    }
    let keys = "type = 'dns'\nname = 'example.test'";
    finds(&host, "127.0.0.1", keys, Outcome::Fail, "over udp: connection refused")
}

/// The server hangs, comes back, has another zone, and the right one again.
#[test]
fn a_name_server_is_announced_while_it_answers() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("nsd"));
    let (host, dir) = (host("dns-check")?, readme::workdir()?);
    let (at, zone) = (address(&format!("{VIP}:53"))?, dns_server::zone());
    let mut server = DnsServer::start(&host, "nsd", dir.path(), at, ORIGIN, &zone)?;
    let keys = "type = 'dns'\nname = 'www.example.test'\nexpect-answer = '192.0.2.80'\n\
                timeout = '500ms'";
    let mut stage = stage_of_one(host, keys)?;
    stage.fake.wait(VIP, true, SOON)?;
    server.daemon().freeze(true)?;
    stage.fake.wait(VIP, false, SOON)?;
    stage.fake.wait_log("timed out after 500ms while waiting", SOON)?;
    server.daemon().freeze(false)?;
    stage.fake.wait(VIP, true, SOON)?;
    server.set_zone(&zone.replace("hostmaster 1", "hostmaster 2").replace(".2.80", ".2.81"))?;
    stage.fake.wait(VIP, false, SOON)?;
    stage.fake.wait_log("with 192.0.2.80; found 192.0.2.81", SOON)?;
    server.set_zone(&zone.replace("hostmaster 1", "hostmaster 3"))?;
    stage.fake.wait(VIP, true, SOON)?;
    server.daemon().kill()?;
    stage.fake.wait(VIP, false, SOON)?;
    stage.fake.wait_log("over udp: connection refused", SOON)?;
    Ok(())
}

const SHORT: Duration = Duration::from_millis(100);

#[test]
fn hostile_servers_on_udp() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"));
    let host = Netns::new("dns-hostile")?;
    let no_answer = "messages were no answers, the last: ";
    let silence = "timed out after 300ms while waiting for the answer over udp";
    let cases = [
        (vec![Mode::Right], Outcome::Pass, "NOERROR, 1 record"),
        (vec![Mode::Duplicate], Outcome::Pass, "NOERROR, 1 record"),
        (vec![Mode::Oversized], Outcome::Pass, "NOERROR, 1 record"),
        (vec![Mode::Late(SHORT)], Outcome::Pass, "NOERROR, 1 record"),
        (vec![Mode::Late(Duration::from_secs(5))], Outcome::Fail, silence),
        (vec![Mode::Silence, Mode::Right], Outcome::Pass, "NOERROR, 1 record"),
        (vec![Mode::Silence], Outcome::Fail, silence),
        (vec![Mode::Garbage], Outcome::Fail, no_answer),
        (vec![Mode::WrongId], Outcome::Fail, "belongs to another query"),
        (vec![Mode::WrongQuestion], Outcome::Fail, "it does not repeat the question"),
        (vec![Mode::WrongSource], Outcome::Fail, silence),
        (vec![Mode::Echo], Outcome::Fail, "it is a query, not a response"),
        (vec![Mode::Cut(5)], Outcome::Fail, "a message of 5 octets"),
        (vec![Mode::Cut(40)], Outcome::Fail, "malformed"),
        (vec![Mode::Loop], Outcome::Fail, "malformed"),
        (vec![Mode::Code(2)], Outcome::Fail, "rcode SERVFAIL"),
        (vec![Mode::Truncated], Outcome::Fail, "over tcp: connection refused"),
    ];
    for (modes, outcome, words) in cases {
        let shown = format!("{modes:?}");
        let server = MisbehaveUdp::start(&host, address("127.0.0.1:0")?, modes)?;
        let port = server.address().port();
        let keys = format!(
            "type = 'dns'\nname = 'www.example.test'\nport = {port}\ntimeout = '300ms'\n# {shown}"
        );
        finds(&host, "127.0.0.1", &keys, outcome, words)?;
    }
    Ok(())
}

#[test]
fn hostile_servers_on_tcp() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"));
    let host = Netns::new("dns-stream")?;
    // With another identifier, for those are random: framed all the same.
    let query = dns_server::query(1, "www.example.test", dns_server::A);
    let answer = udp::answer(&query);
    let right = [&[0, u8::try_from(answer.len()).unwrap_or(0)], &answer[..]].concat();
    let silent = "timed out after 300ms while waiting for the answer over tcp";
    let cases: Vec<(Vec<Step>, &str)> = vec![
        (steps::answer(&right), "no answer came over tcp: identifier 1 belongs to another"),
        (steps::garbage(), "no answer came over tcp"),
        (steps::endless(b"", b"\xff\xff"), "no answer came over tcp: identifier 65535"),
        (steps::endless(b"", b"\0"), "no answer came over tcp: a message of 0 octets"),
        (steps::close_after(&right, 0), "closed after 0 octets of the answer over tcp"),
        (steps::close_after(&right, 9), "closed after 9 octets of the answer over tcp"),
        (steps::stop_after(&right, 9), "over tcp: 9 octets came, 43 are missing"),
        (steps::never_answer(), silent),
        (steps::late(&right, Duration::from_secs(5)), silent),
        (steps::drip(&right, SHORT), "octets came"),
        (steps::long_line(b"", 10 << 20), "no answer came over tcp"),
        (steps::reset(), "over tcp: connection reset by peer"),
    ];
    for (script, words) in cases {
        let server = Misbehave::tcp(&host, address("127.0.0.1:0")?, vec![script])?;
        let port = server.address()?.port();
        let keys = format!(
            "type = 'dns'\nname = 'www.example.test'\nport = {port}\ntimeout = '300ms'\n\
             protocol = 'tcp'"
        );
        finds(&host, "127.0.0.1", &keys, Outcome::Fail, words)?;
    }
    let full = Misbehave::never_accept_tcp(&host, address("127.0.0.1:0")?)?;
    let port = full.address()?.port();
    let keys =
        format!("type = 'dns'\nname = '.'\nport = {port}\ntimeout = '300ms'\nprotocol = 'tcp'");
    finds(&host, "127.0.0.1", &keys, Outcome::Fail, "300ms while connecting over tcp")
}
