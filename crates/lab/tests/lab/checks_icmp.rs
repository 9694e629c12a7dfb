//! `type = "icmp"`: a host that answers, one that is cut off, one that answers wrongly.

use crate::probes::{Probes, finds, stage_of_one};
use crate::stage::{SOON, VIP, host};
use ha2bgp_core::check::Outcome;
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, require};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Lets every group have ping sockets.
fn allow(host: &Netns) -> Result<()> {
    host.sysctl("net/ipv4/ping_group_range", "0 2147483647")
}

/// A host with a router, both families.
fn pair(name: &str) -> Result<(Netns, Netns)> {
    let (host, router) = (host(name)?, Netns::new("icmp-router")?);
    link::cable(
        End { host: &host, device: "up0", address: "10.0.0.2/24" },
        End { host: &router, device: "down0", address: "10.0.0.1/24" },
    )?;
    link::add_address(&host, "2001:db8:1::2/64", "up0")?;
    link::add_address(&router, "2001:db8:1::1/64", "down0")?;
    allow(&host)?;
    Ok((host, router))
}

#[test]
fn the_next_router_and_beyond() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"));
    let (host, router) = pair("icmp")?;
    let ping = |address: &str, more: &str, outcome, words: &str| {
        let keys = format!("type = 'icmp'\naddress = '{address}'\ntimeout = '300ms'\n{more}");
        finds(&host, VIP, &keys, outcome, words)
    };
    for address in ["10.0.0.1", "2001:db8:1::1"] {
        ping(address, "", Outcome::Pass, "1 of 1 answered, rtt 0.")?;
        ping(address, "count = 3\nleast = 2", Outcome::Pass, "2 of 2 answered")?;
        // More than one packet holds.
        ping(address, "size = 4000", Outcome::Pass, "1 of 1 answered")?;
        ping(address, "max-rtt-warn = '1us'", Outcome::Warn, "more than 0.00 ms")?;
        ping(address, "source-device = 'up0'", Outcome::Pass, "1 of 1")?;
    }
    ping("10.0.0.1", "source-address = '10.0.0.2'", Outcome::Pass, "1 of 1")?;
    ping("10.0.0.1", "source-address = '10.0.0.3'", Outcome::Unknown, "on this host")?;
    ping("192.0.2.9", "", Outcome::Fail, "pinging 192.0.2.9: network is unreachable")?;
    // What the router says of hosts behind it.
    host.ip(&["route", "add", "default", "via", "10.0.0.1"])?;
    host.ip(&["-6", "route", "add", "default", "via", "2001:db8:1::1"])?;
    router.sysctl("net/ipv4/ip_forward", "1")?;
    router.sysctl("net/ipv6/conf/all/forwarding", "1")?;
    // As often as it is asked.
    router.sysctl("net/ipv4/icmp_ratelimit", "0")?;
    router.sysctl("net/ipv6/icmp/ratelimit", "0")?;
    router.ip(&["route", "add", "unreachable", "192.0.2.9"])?;
    router.ip(&["-6", "route", "add", "unreachable", "2001:db8:9::9"])?;
    ping("192.0.2.9", "", Outcome::Fail, "pinging 192.0.2.9: no route to host")?;
    // A router says so about once a second, however often it is asked.
    let words = "0 of 2 answered, 1 needed, the last error: no route to host";
    ping("192.0.2.9", "count = 2", Outcome::Fail, words)?;
    ping("2001:db8:9::9", "", Outcome::Fail, "pinging 2001:db8:9::9: ")?;
    router.sysctl("net/ipv4/icmp_echo_ignore_all", "1")?;
    let words = "timed out after 300ms while waiting for the answer: 0 of 2 answered, 2 needed";
    ping("10.0.0.1", "count = 2\nleast = 2", Outcome::Fail, words)?;
    // Nobody has this address: the host's own neighbour discovery says so.
    let keys = "type = 'icmp'\naddress = '10.0.0.77'\ntimeout = '8s'";
    finds(&host, VIP, keys, Outcome::Fail, "no route to host")?;
    host.sysctl("net/ipv4/ping_group_range", "1 0")?;
    for address in ["10.0.0.1", "2001:db8:1::1"] {
        ping(address, "", Outcome::Unknown, "sysctl net.ipv4.ping_group_range must contain")?;
    }
    Ok(())
}

#[test]
fn announced_while_the_router_answers() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let (host, router) = pair("icmp-stage")?;
    let keys = "type = 'icmp'\naddress = '10.0.0.1'\nscope = 'shared'\non-fail = 'fail'\n\
                timeout = '300ms'\ncount = 2";
    let mut stage = stage_of_one(host, keys)?;
    stage.fake.wait(VIP, true, SOON)?;
    router.ip(&["link", "set", "down0", "down"])?;
    stage.fake.wait(VIP, false, SOON)?;
    router.ip(&["link", "set", "down0", "up"])?;
    stage.fake.wait(VIP, true, SOON)?;
    router.sysctl("net/ipv4/icmp_echo_ignore_all", "1")?;
    stage.fake.wait(VIP, false, SOON)?;
    stage.fake.wait_log("0 of 2 answered, 1 needed", SOON)?;
    // Our own limit withdraws nothing, and announces nothing either.
    router.sysctl("net/ipv4/icmp_echo_ignore_all", "0")?;
    stage.fake.wait(VIP, true, SOON)?;
    stage.host.sysctl("net/ipv4/ping_group_range", "1 0")?;
    stage.fake.holds("what is up", Duration::from_secs(1), |table| table.has(VIP))
}

/// What is wrong with a reply.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Nothing,
    Twice,
    Sequence,
    Data,
    Cut,
    Flood,
}

/// Answers to `count` requests of IPv4 in the place of a kernel that was told not to.
fn reply(raw: &mut Socket, wrong: Wrong, count: usize) -> std::io::Result<()> {
    let mut done = 0;
    while done < count {
        let mut packet = [0; 2000];
        let size = raw.read(&mut packet)?;
        let message = packet.get(20..size).unwrap_or_default();
        let Some([8, ..]) = message.first_chunk::<4>() else { continue };
        let mut reply = message.to_vec();
        let source: [u8; 4] = packet[12..16].try_into().unwrap_or_default();
        let to = SockAddr::from(SocketAddr::new(IpAddr::from(source), 0));
        reply[0] = 0;
        match wrong {
            Wrong::Sequence => reply[7] ^= 1,
            Wrong::Data => reply[30] ^= 1,
            Wrong::Cut => reply.truncate(12),
            Wrong::Nothing | Wrong::Twice | Wrong::Flood => {}
        }
        let times = match wrong {
            Wrong::Twice => 2,
            Wrong::Flood => 1500,
            Wrong::Nothing | Wrong::Sequence | Wrong::Data | Wrong::Cut => 1,
        };
        if matches!(wrong, Wrong::Flood) {
            reply[30] ^= 1;
        }
        reply[2..4].fill(0);
        let sum = checksum(&reply);
        reply[2..4].copy_from_slice(&sum.to_be_bytes());
        for _ in 0..times {
            raw.send_to(&reply, &to)?;
        }
        done += 1;
    }
    Ok(())
}

/// The checksum of RFC 1071.
fn checksum(octets: &[u8]) -> u16 {
    let words = octets
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[test]
fn a_host_that_replies_wrongly() -> Result<()> {
    require!(Need::Root, Need::Tool("ip"));
    let (host, router) = pair("icmp-hostile")?;
    router.sysctl("net/ipv4/icmp_echo_ignore_all", "1")?;
    let not_ours = "0 of 1 answered, 1 needed, 1 messages were no answers";
    let cases = [
        (Wrong::Nothing, "least = 1", Outcome::Pass, "1 of 1 answered"),
        (Wrong::Twice, "count = 2\nleast = 2", Outcome::Pass, "2 of 2 answered"),
        (Wrong::Sequence, "least = 1", Outcome::Fail, not_ours),
        (Wrong::Data, "least = 1", Outcome::Fail, not_ours),
        (Wrong::Cut, "least = 1", Outcome::Fail, not_ours),
        (Wrong::Flood, "count = 30", Outcome::Fail, "sends 1000 messages that are no answers"),
    ];
    for (wrong, keys, outcome, words) in cases {
        let mut raw = router
            .within(|| {
                let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
                raw.set_read_timeout(Some(SOON))?;
                Ok(raw)
            })?
            .map_err(LabError::io("raw socket"))?;
        let keys = format!("type = 'icmp'\naddress = '10.0.0.1'\ntimeout = '600ms'\n{keys}");
        let mut probes = Probes::start(&host, VIP, &keys)?;
        let count = if matches!(wrong, Wrong::Flood) { 10 } else { 4 };
        reply(&mut raw, wrong, count).map_err(LabError::io(format!("{wrong:?}")))?;
        probes.finds(outcome, words)?;
    }
    Ok(())
}
