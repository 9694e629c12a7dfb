//! Where probes come from: one address, two ways to it, and another server at the end of each.
//!
//! The ordinary way leads to A, which refuses everything; with a mark, a source address or a
//! device the way leads to B, which answers. So a probe that passes has gone the way it was told.

use crate::probes::finds;
use crate::stage::{VIP, host};
use ha2bgp_core::check::Outcome;
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::misbehave::udp::{MisbehaveUdp, Mode};
use ha2bgp_lab::misbehave::{Misbehave, steps};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, require};
use std::net::SocketAddr;

/// Both servers have these.
const SERVER: [&str; 2] = ["198.51.100.1", "2001:db8:5::1"];

/// What answers at the end of a way.
struct Server {
    host: Netns,
    _tcp: Vec<Misbehave>,
    _udp: Vec<MisbehaveUdp>,
}

impl Server {
    /// A server on a cable of its own, `10.N.0.0/24` and `2001:db8:N::/64`.
    fn new(host: &Netns, name: &str, number: u8, mode: Mode) -> Result<Self> {
        let server = Netns::new(name)?;
        let (ours, theirs) = (format!("10.{number}.0.2/24"), format!("10.{number}.0.1/24"));
        link::cable(
            End { host, device: name, address: &ours },
            End { host: &server, device: "net0", address: &theirs },
        )?;
        link::add_address(host, &format!("2001:db8:{number}::2/64"), name)?;
        link::add_address(&server, &format!("2001:db8:{number}::1/64"), "net0")?;
        host.sysctl(&format!("net/ipv4/conf/{name}/rp_filter"), "0")?;
        let (mut tcp, mut udp) = (Vec::new(), Vec::new());
        for (address, length) in SERVER.into_iter().zip([32, 128]) {
            link::add_address(&server, &format!("{address}/{length}"), "lo")?;
            let ip = address.parse().map_err(|_| LabError::Missing(address.to_owned()))?;
            let script = vec![steps::answer(format!("this is {name}").as_bytes())];
            tcp.push(Misbehave::tcp(&server, SocketAddr::new(ip, 5000), script)?);
            udp.push(MisbehaveUdp::start(&server, SocketAddr::new(ip, 5000), vec![mode])?);
        }
        Ok(Self { host: server, _tcp: tcp, _udp: udp })
    }
}

#[test]
fn a_mark_an_address_and_a_device_choose_the_way() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"));
    let host = host("source")?;
    host.sysctl("net/ipv4/conf/all/rp_filter", "0")?;
    host.sysctl("net/ipv4/ping_group_range", "0 2147483647")?;
    let a = Server::new(&host, "way-a", 61, Mode::Code(5))?;
    let _b = Server::new(&host, "way-b", 62, Mode::Right)?;
    for (family, a_side, b_side, b_ours) in [
        ("-4", "10.61.0.1", "10.62.0.1", "10.62.0.2"),
        ("-6", "2001:db8:61::1", "2001:db8:62::1", "2001:db8:62::2"),
    ] {
        host.ip(&[family, "route", "add", "default", "via", a_side, "metric", "10"])?;
        // For sockets that are bound to the device.
        host.ip(&[family, "route", "add", "default", "via", b_side, "metric", "20"])?;
        host.ip(&[family, "route", "add", "default", "via", b_side, "table", "100"])?;
        host.ip(&[family, "rule", "add", "fwmark", "7", "lookup", "100"])?;
        host.ip(&[family, "rule", "add", "from", b_ours, "lookup", "100"])?;
    }
    a.host.sysctl("net/ipv4/icmp_echo_ignore_all", "1")?;
    a.host.sysctl("net/ipv6/icmp/echo_ignore_all", "1")?;
    for (server, ours) in SERVER.into_iter().zip(["10.62.0.2", "2001:db8:62::2"]) {
        let kinds = [
            (
                "type = 'tcp'\nport = 5000\nsend = 'who'\nexpect = 'this is way-b'",
                "it begins \"this is way-a\"",
            ),
            ("type = 'dns'\nport = 5000\nname = 'who.test'", "rcode REFUSED"),
            ("type = 'icmp'", "timed out"),
        ];
        for (kind, otherwise) in kinds {
            let check = |more: &str, outcome, words: &str| {
                let keys = format!("{kind}\naddress = '{server}'\ntimeout = '400ms'\n{more}");
                finds(&host, VIP, &keys, outcome, words)
            };
            check("", Outcome::Fail, otherwise)?;
            check("source-mark = 7", Outcome::Pass, "")?;
            check("source-mark = 8", Outcome::Fail, otherwise)?;
            check(&format!("source-address = '{ours}'"), Outcome::Pass, "")?;
            check("source-device = 'way-b'", Outcome::Pass, "")?;
            check("source-device = 'way-a'\nsource-mark = 8", Outcome::Fail, otherwise)?;
            check("source-device = 'nosuch0'", Outcome::Unknown, "on this host")?;
        }
    }
    Ok(())
}
