//! What a listening socket can do, and what is announced then.

use crate::stage::{SOON, Stage, VIP, VIP2, VIP6, WHILE, host};
use ha2bgp_lab::fake_exabgp::Answer;
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::service::{self, Options};
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, require, syn, wait};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::process::Command;
use std::time::Duration;

/// A withdrawal that waits for the kernel's event would take far longer in these tests.
const AT_ONCE: Duration = Duration::from_millis(1500);

#[test]
fn a_listener_comes_and_goes() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut stage = Stage::new("plain", &[])?;
    stage.settles_on(&[])?;
    for _ in 0..3 {
        let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
        stage.settles_on(&[VIP])?;
        drop(listener);
        stage.fake.wait(VIP, false, AT_ONCE)?;
    }
    Ok(())
}

#[test]
fn one_of_several_ports_is_enough() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let filter = ["-l", "sport = :8080 or sport = :8443"];
    let args = ["-n", "100.64.0.0/24", "--up-delay", "0s", "--down-delay", "0s"];
    let args = [&args[..], &["--damping", "off"], &filter].concat();
    let mut stage = Stage::with_args(host("ports")?, &args, &[], Answer::Done)?;
    let plain = service::listen(&stage.host, "100.64.0.10:8080")?;
    let tls = service::listen(&stage.host, "100.64.0.10:8443")?;
    let other = service::listen(&stage.host, "100.64.0.10:9999")?;
    stage.settles_on(&[VIP])?;
    drop(plain);
    stage.fake.holds("the other port is left", WHILE, |table| table.has(VIP))?;
    drop(tls);
    stage.fake.wait(VIP, false, AT_ONCE)?;
    drop(other);
    Ok(())
}

#[test]
fn all_ports_where_all_are_required() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let args = [
        "-n",
        "100.64.0.0/24",
        "-l",
        "sport = :8080 or sport = :8443",
        "--up-delay",
        "0s",
        "--down-delay",
        "0s",
        "--damping",
        "off",
        "--require-all-ports",
    ];
    let mut stage = Stage::with_args(host("all-ports")?, &args, &[], Answer::Done)?;
    let plain = service::listen(&stage.host, "100.64.0.10:8080")?;
    let tls = service::listen(&stage.host, "100.64.0.10:8443")?;
    stage.settles_on(&[VIP])?;
    // Long enough for both ports to have been seen by any tier.
    stage.fake.holds("both ports", WHILE, |table| table.has(VIP))?;
    drop(plain);
    stage.fake.wait(VIP, false, AT_ONCE)?;
    let again = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.fake.wait(VIP, true, SOON)?;
    drop((tls, again));
    Ok(())
}

#[test]
fn reuseport_members_leave_one_by_one() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut stage = Stage::new("reuseport", &[])?;
    let options = Options { reuse_port: true, ..Options::default() };
    let member = || service::listen_with(&stage.host, "100.64.0.10:8080", options);
    let (first, second, third) = (member()?, member()?, member()?);
    stage.settles_on(&[VIP])?;
    drop(second);
    drop(first);
    stage.fake.holds("a member is left", WHILE, |table| table.has(VIP))?;
    assert_eq!(stage.fake.table().withdrawals(), 0);
    drop(third);
    stage.fake.wait(VIP, false, AT_ONCE)
}

/// Half-open requests keep the kernel's event back for seconds.
#[test]
fn half_open_connections_do_not_delay_the_doorbell() -> Result<()> {
    half_open_connections_do_not_delay_the_withdrawal("--doorbell=auto")
}

/// Without a doorbell polling finds it.
#[test]
fn half_open_connections_do_not_delay_the_polling() -> Result<()> {
    half_open_connections_do_not_delay_the_withdrawal("--doorbell=off")
}

fn half_open_connections_do_not_delay_the_withdrawal(doorbell: &str) -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("ss"));
    let host = host("half-open")?;
    let client = Netns::new("client")?;
    link::cable(
        End { host: &host, device: "wire0", address: "10.9.0.1/24" },
        End { host: &client, device: "wire0", address: "10.9.0.2/24" },
    )?;
    client.ip(&["route", "add", "100.64.0.0/24", "via", "10.9.0.1"])?;
    let mut stage = Stage::on(host, &[doorbell], Answer::Done)?;
    let options = Options { backlog: 128, ..Options::default() };
    let listener = service::listen_with(&stage.host, "100.64.0.10:8080", options)?;
    stage.settles_on(&[VIP])?;

    let target = SocketAddrV4::new(Ipv4Addr::new(100, 64, 0, 10), 8080);
    syn::half_open(&client, Ipv4Addr::new(10, 9, 0, 77), target, 40_000..40_032)?;
    wait::until(SOON, "half-open requests are there", || {
        let mut ss = Command::new("ss");
        let listed = stage.host.run(ss.args(["-Htn", "state", "syn-recv"]));
        match listed.map(|text| text.lines().count()) {
            Ok(count) if count >= 16 => Ok(()),
            Ok(count) => Err(format!("{count} in SYN-RECV")),
            Err(error) => Err(error.to_string()),
        }
    })?;
    stage.fake.holds("requests change nothing", WHILE, |table| table.has(VIP))?;
    drop(listener);
    stage.fake.wait(VIP, false, AT_ONCE)
}

#[test]
fn connections_outlive_their_listener() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut stage = Stage::new("connections", &[])?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    let connect = || stage.host.within(|| TcpStream::connect("100.64.0.10:8080"));
    let io = LabError::io;
    let accepted = connect()?.map_err(io("connect"))?;
    let (server, _) = listener.accept().map_err(io("accept"))?;
    let waiting = connect()?.map_err(io("connect"))?;
    drop(listener);
    stage.fake.wait(VIP, false, AT_ONCE)?;
    stage.fake.holds("established ones do not count", WHILE, |table| !table.has(VIP))?;
    drop((accepted, server, waiting));
    Ok(())
}

/// `shutdown()` on a listener ends it without any event.
#[test]
fn shutdown_of_a_listener() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut stage = Stage::new("shutdown", &[])?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    listener.shutdown(Shutdown::Both).map_err(LabError::io("shutdown"))?;
    stage.fake.wait(VIP, false, AT_ONCE)?;
    listener.listen(16).map_err(LabError::io("listen again"))?;
    stage.fake.wait(VIP, true, SOON)?;
    drop(listener);
    stage.fake.wait(VIP, false, AT_ONCE)
}

#[test]
fn a_wildcard_stands_for_every_local_address() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = host("wildcard")?;
    link::add_address(&host, "192.0.2.1/32", "lo")?;
    let mut stage = Stage::on(host, &[], Answer::Done)?;
    let listener = service::listen(&stage.host, "0.0.0.0:8080")?;
    stage.settles_on(&[VIP])?;
    link::add_address(&stage.host, "100.64.0.11/32", "lo")?;
    stage.settles_on(&[VIP, VIP2])?;
    link::remove_address(&stage.host, "100.64.0.10/32", "lo")?;
    stage.settles_on(&[VIP2])?;
    drop(listener);
    stage.settles_on(&[])
}

#[test]
fn dual_stack_and_v6only() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = host("dual")?;
    link::add_address(&host, "2001:db8:100::10/128", "lo")?;
    let mut stage = Stage::on(host, &[], Answer::Done)?;
    let dual = service::listen(&stage.host, "[::]:8080")?;
    stage.settles_on(&[VIP, VIP6])?;
    drop(dual);
    stage.settles_on(&[])?;
    let options = Options { only_v6: true, ..Options::default() };
    let only = service::listen_with(&stage.host, "[::]:8080", options)?;
    stage.settles_on(&[VIP6])?;
    let four = service::listen(&stage.host, "0.0.0.0:8080")?;
    stage.settles_on(&[VIP, VIP6])?;
    drop(only);
    stage.settles_on(&[VIP])?;
    drop(four);
    stage.settles_on(&[])
}

#[test]
fn an_ipv6_vip() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = host("six")?;
    link::add_address(&host, "2001:db8:100::10/128", "lo")?;
    link::add_address(&host, "2001:db8:200::10/128", "lo")?;
    let mut stage = Stage::on(host, &[], Answer::Done)?;
    let inside = service::listen(&stage.host, "[2001:db8:100::10]:8080")?;
    let outside = service::listen(&stage.host, "[2001:db8:200::10]:8080")?;
    stage.settles_on(&[VIP6])?;
    drop(inside);
    stage.settles_on(&[])?;
    drop(outside);
    Ok(())
}

#[test]
fn udp_only_where_asked_for() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut tcp = Stage::new("no-udp", &[])?;
    let socket = service::bind_udp(&tcp.host, "100.64.0.10:8080")?;
    tcp.fake.holds("tcp is the default", WHILE, |table| table.announced().is_empty())?;
    drop(socket);

    let mut udp = Stage::new("udp", &["--protocol", "udp"])?;
    let first = service::bind_udp(&udp.host, "100.64.0.10:8080")?;
    udp.settles_on(&[VIP])?;
    drop(first);
    udp.fake.wait(VIP, false, SOON)?;
    let listener = service::listen(&udp.host, "100.64.0.10:8080")?;
    udp.fake.holds("udp alone was asked for", WHILE, |table| !table.has(VIP))?;
    drop(listener);
    Ok(())
}

#[test]
fn both_protocols_together() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let mut stage = Stage::new("both", &["--protocol", "tcp", "--protocol", "udp"])?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    let socket = service::bind_udp(&stage.host, "100.64.0.10:8080")?;
    stage.fake.holds("still one route", WHILE, |table| table.has(VIP))?;
    drop(listener);
    stage.fake.holds("udp is left", WHILE, |table| table.has(VIP))?;
    drop(socket);
    stage.fake.wait(VIP, false, SOON)
}
