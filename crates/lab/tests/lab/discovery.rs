//! Addresses, links, labels, devices, networks: where a listener counts.

use crate::stage::{SOON, Stage, VIP, VIP2, WHILE, host};
use ha2bgp_lab::fake_exabgp::Answer;
use ha2bgp_lab::link::{self, End};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, require, service, wait};
use std::time::Duration;

#[test]
fn a_listener_without_its_address_does_not_count() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = Netns::new("nonlocal")?;
    host.sysctl("net/ipv4/ip_nonlocal_bind", "1")?;
    let mut stage = Stage::on(host, &[], Answer::Done)?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.fake.holds("there is no address", WHILE, |table| table.announced().is_empty())?;
    for _ in 0..3 {
        link::add_address(&stage.host, "100.64.0.10/32", "lo")?;
        stage.fake.wait(VIP, true, SOON)?;
        link::remove_address(&stage.host, "100.64.0.10/32", "lo")?;
        stage.fake.wait(VIP, false, SOON)?;
    }
    drop(listener);
    Ok(())
}

/// IPv4 addresses stay on a link that goes down, without any event of their own.
#[test]
fn link_down_and_up() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = Netns::new("link")?;
    let other = Netns::new("other")?;
    link::cable(
        End { host: &host, device: "wire0", address: "100.64.0.10/24" },
        End { host: &other, device: "wire0", address: "100.64.0.1/24" },
    )?;
    let mut stage = Stage::on(host, &[], Answer::Done)?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    stage.host.ip(&["link", "set", "wire0", "down"])?;
    stage.fake.wait(VIP, false, SOON)?;
    stage.host.ip(&["link", "set", "wire0", "up"])?;
    stage.fake.wait(VIP, true, SOON)?;
    // The cable is pulled at the other end.
    other.ip(&["link", "set", "wire0", "down"])?;
    stage.fake.wait(VIP, false, SOON)?;
    other.ip(&["link", "set", "wire0", "up"])?;
    stage.fake.wait(VIP, true, SOON)?;
    // A link that disappears takes its addresses with it.
    stage.host.ip(&["link", "del", "wire0"])?;
    stage.fake.wait(VIP, false, SOON)?;
    drop(listener);
    Ok(())
}

/// A bridge without ports has operational state "unknown", as a dummy interface: it counts as up.
#[test]
fn operational_state_unknown_counts_as_up() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = Netns::new("unknown")?;
    link::bridge(&host, "vip0")?;
    link::add_address(&host, "100.64.0.10/32", "vip0")?;
    let mut stage = Stage::on(host, &[], Answer::Done)?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.settles_on(&[VIP])?;
    stage.host.ip(&["link", "set", "vip0", "down"])?;
    stage.fake.wait(VIP, false, SOON)?;
    drop(listener);
    Ok(())
}

/// While duplicate detection runs, and after it failed, an IPv6 address is not usable.
#[test]
fn tentative_and_duplicate_ipv6_addresses() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let host = Netns::new("dad")?;
    let other = Netns::new("dad-peer")?;
    link::cable(
        End { host: &host, device: "wire0", address: "10.9.0.1/24" },
        End { host: &other, device: "wire0", address: "10.9.0.2/24" },
    )?;
    link::add_address(&other, "2001:db8:100::bad/64", "wire0")?;
    // About three seconds of duplicate detection.
    host.sysctl("net/ipv6/conf/wire0/dad_transmits", "3")?;
    let mut stage = Stage::on(host, &[], Answer::Done)?;
    let listener = service::listen(&stage.host, "[::]:8080")?;

    stage.host.ip(&["addr", "add", "2001:db8:100::bad/64", "dev", "wire0"])?;
    stage.host.ip(&["addr", "add", "2001:db8:100::600d/64", "dev", "wire0"])?;
    let shown = |flag: &str| {
        let listed = stage.host.ip(&["-6", "addr", "show", "dev", "wire0", flag]);
        listed.unwrap_or_default()
    };
    assert!(shown("tentative").contains("::600d"), "duplicate detection should still run");
    stage.fake.holds("tentative", Duration::from_secs(1), |table| table.announced().is_empty())?;
    wait::until_true(SOON, "the duplicate is found", || shown("dadfailed").contains("::bad"))?;
    stage.fake.wait("2001:db8:100::600d", true, SOON)?;
    let good = |table: &ha2bgp_lab::api::Table| !table.has("2001:db8:100::bad");
    stage.fake.holds("the duplicate never counts", WHILE, good)?;
    drop(listener);
    Ok(())
}

/// Two interfaces with an address each, and listeners on both.
fn two_devices(hint: &str, more: &[&str]) -> Result<(Stage, [socket2::Socket; 2])> {
    let host = Netns::new(hint)?;
    link::bridge(&host, "web0")?;
    link::bridge(&host, "other0")?;
    host.ip(&["addr", "add", "100.64.0.10/32", "dev", "web0", "label", "web0:vip"])?;
    link::add_address(&host, "100.64.0.11/32", "other0")?;
    let stage = Stage::on(host, more, Answer::Done)?;
    let first = service::listen(&stage.host, "100.64.0.10:8080")?;
    let second = service::listen(&stage.host, "100.64.0.11:8080")?;
    Ok((stage, [first, second]))
}

#[test]
fn all_devices_by_default() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let (mut stage, _listeners) = two_devices("devices", &[])?;
    stage.settles_on(&[VIP, VIP2])
}

#[test]
fn device_filters_by_name_and_glob() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    for (device, expected) in [("web0", [VIP]), ("oth*", [VIP2])] {
        let (mut stage, _listeners) = two_devices("device", &["--device", device])?;
        stage.settles_on(&expected)?;
    }
    Ok(())
}

#[test]
fn label_filters_by_name_and_glob() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    for label in ["web0:vip", "web0:*"] {
        let (mut stage, _listeners) = two_devices("label", &["--device-label", label])?;
        stage.settles_on(&[VIP])?;
    }
    Ok(())
}

/// A host with addresses inside and outside of the VIP's network, all served by one wildcard.
fn many_networks(hint: &str, networks: &[&str]) -> Result<(Stage, socket2::Socket)> {
    let host = host(hint)?;
    link::bridge(&host, "vip0")?;
    for address in ["100.64.1.10/32", "169.254.7.7/32", "192.0.2.1/32"] {
        link::add_address(&host, address, "vip0")?;
    }
    let args = ["-l", "sport = :8080", "--up-delay", "0s", "--down-delay", "0s"];
    let args = [networks, &args, &["--damping", "off"]].concat();
    let stage = Stage::with_args(host, &args, &[], Answer::Done)?;
    let wildcard = service::listen(&stage.host, "0.0.0.0:8080")?;
    Ok((stage, wildcard))
}

#[test]
fn only_allowed_networks() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let (mut stage, _listener) = many_networks("networks", &["-n", "100.64.0.0/24"])?;
    stage.settles_on(&[VIP])?;
    stage.fake.holds("only the VIP", WHILE, |table| table.announced().len() == 1)
}

/// Even where any network is allowed, what cannot be routed never is.
#[test]
fn any_network_is_without_link_local() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let networks = ["-n", "0.0.0.0/0", "--allow-any-network"];
    let (mut stage, _listener) = many_networks("any", &networks)?;
    for vip in [VIP, "100.64.1.10", "192.0.2.1"] {
        stage.fake.wait(vip, true, SOON)?;
    }
    stage.fake.holds("no link-local", WHILE, |table| !table.has("169.254.7.7"))
}

#[test]
fn delays_are_kept() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"));
    let args =
        ["-n", "100.64.0.0/24", "-l", "sport = :8080", "--up-delay", "1s", "--down-delay", "2s"];
    let mut stage = Stage::with_args(host("delays")?, &args, &[], Answer::Done)?;
    // Gone again before the up-delay is over.
    drop(service::listen(&stage.host, "100.64.0.10:8080")?);
    stage.fake.holds("too short", Duration::from_secs(2), |table| table.announced().is_empty())?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.fake.holds("up-delay", Duration::from_millis(900), |table| !table.has(VIP))?;
    stage.fake.wait(VIP, true, SOON)?;
    drop(listener);
    stage.fake.holds("down-delay", Duration::from_millis(1_000), |table| table.has(VIP))?;
    let listener = service::listen(&stage.host, "100.64.0.10:8080")?;
    stage.fake.holds("restarted in time", Duration::from_secs(3), |table| table.has(VIP))?;
    assert_eq!(stage.fake.table().withdrawals(), 0);
    drop(listener);
    stage.fake.holds("down-delay", Duration::from_millis(1_900), |table| table.has(VIP))?;
    stage.fake.wait(VIP, false, SOON)
}
