//! The mirror of links and addresses, message by message.

use ha2bgp_proto::rtnetlink::{LinkFlags, OperState};

use super::*;

const UP: u32 = 0x1_0043;
const NO_CARRIER: u32 = 0x1003;
const LOOPBACK_UP: u32 = 0x1_0049;

fn link(index: u32, name: &str, flags: u32) -> LinkInfo {
    LinkInfo {
        index,
        name: name.into(),
        flags: LinkFlags(flags),
        state: if flags == NO_CARRIER { OperState(2) } else { OperState::UNKNOWN },
    }
}

fn address(interface: u32, local: &str, prefix_length: u8, flags: u32) -> AddressInfo {
    let local = local.parse().unwrap();
    AddressInfo {
        interface,
        local,
        peer: local,
        prefix_length,
        flags: AddressFlags(flags),
        label: None,
    }
}

fn id(interface: u32, ip: &str, prefix_length: u8) -> AddressId {
    AddressId { ip: ip.parse().unwrap(), prefix_length, interface }
}

/// What the messages made the table report, in short: `+ip/len@device state` and `-ip/len`.
fn follow(table: &mut Table, messages: impl IntoIterator<Item = RouteMessage>) -> Vec<String> {
    let mut changes = Vec::new();
    for message in messages {
        table.apply(message, &mut changes);
    }
    shorten(&changes)
}

fn shorten(changes: &[Observation]) -> Vec<String> {
    changes
        .iter()
        .map(|change| match change {
            Observation::AddressChanged(LocalAddress { id, device, state, .. }) => {
                format!("+{}/{}@{device} {state:?}", id.ip, id.prefix_length)
            }
            Observation::AddressRemoved(id) => format!("-{}/{}", id.ip, id.prefix_length),
            other => format!("{other:?}"),
        })
        .collect()
}

use RouteMessage::{Address, AddressGone, Link as LinkIs, LinkGone};

#[test]
fn addresses_come_and_go() {
    let mut table = Table::default();
    let changes = follow(
        &mut table,
        [
            LinkIs(link(1, "lo", LOOPBACK_UP)),
            Address(address(1, "192.0.2.1", 32, 0x80)),
            Address(address(1, "192.0.2.1", 32, 0x80)),
            AddressGone(address(1, "192.0.2.1", 32, 0x80)),
            AddressGone(address(1, "192.0.2.1", 32, 0x80)),
        ],
    );
    assert_eq!(changes, ["+192.0.2.1/32@lo Usable", "-192.0.2.1/32"]);
}

#[test]
fn a_link_that_goes_down_takes_its_addresses_along() {
    let mut table = Table::default();
    let start = [
        LinkIs(link(4, "eth0", UP)),
        Address(address(4, "192.0.2.1", 24, 0x80)),
        Address(address(4, "2001:db8::1", 64, 0x80)),
    ];
    assert_eq!(follow(&mut table, start).len(), 2);
    // IPv4 addresses stay without an event when their link goes down.
    let down = follow(&mut table, [LinkIs(link(4, "eth0", NO_CARRIER))]);
    assert_eq!(down, ["+192.0.2.1/24@eth0 LinkDown", "+2001:db8::1/64@eth0 LinkDown"]);
    assert_eq!(follow(&mut table, [LinkIs(link(4, "eth0", NO_CARRIER))]), [""; 0]);
    let renamed = follow(&mut table, [LinkIs(link(4, "wan", UP))]);
    assert_eq!(renamed, ["+192.0.2.1/24@wan Usable", "+2001:db8::1/64@wan Usable"]);
    let gone = follow(&mut table, [LinkGone(4)]);
    assert_eq!(gone, ["-192.0.2.1/24", "-2001:db8::1/64"]);
    // A link that reuses the index starts without addresses.
    assert_eq!(follow(&mut table, [LinkIs(link(4, "new", UP))]), [""; 0]);
}

#[test]
fn duplicate_address_detection_is_followed() {
    let mut table = Table::default();
    let changes = follow(
        &mut table,
        [
            LinkIs(link(4, "eth0", UP)),
            Address(address(4, "2001:db8::1", 64, 0xc0)),
            Address(address(4, "2001:db8::1", 64, 0x80)),
            Address(address(4, "2001:db8::2", 64, 0xc0)),
            Address(address(4, "2001:db8::2", 64, 0xc8)),
            Address(address(4, "2001:db8::3", 64, 0xa0)),
        ],
    );
    assert_eq!(
        changes,
        [
            "+2001:db8::1/64@eth0 Tentative",
            "+2001:db8::1/64@eth0 Usable",
            "+2001:db8::2/64@eth0 Tentative",
            "+2001:db8::2/64@eth0 DadFailed",
            "+2001:db8::3/64@eth0 Usable",
        ],
        "the third is deprecated, which is no obstacle"
    );
}

#[test]
fn an_address_waits_for_its_link() {
    let mut table = Table::default();
    let early = follow(&mut table, [Address(address(9, "192.0.2.1", 32, 0x80))]);
    assert_eq!(early, [""; 0]);
    let late = follow(&mut table, [LinkIs(link(9, "br0", UP))]);
    assert_eq!(late, ["+192.0.2.1/32@br0 Usable"]);
}

#[test]
fn two_entries_with_different_far_ends_are_one_address() {
    let mut table = Table::default();
    let mut first = address(4, "10.9.0.1", 32, 0x80);
    first.peer = "10.9.0.2".parse().unwrap();
    let mut second = first.clone();
    second.peer = "10.9.0.3".parse().unwrap();
    let changes = follow(
        &mut table,
        [
            LinkIs(link(4, "tun0", UP)),
            Address(first.clone()),
            Address(second.clone()),
            AddressGone(first),
        ],
    );
    assert_eq!(changes, ["+10.9.0.1/32@tun0 Usable"]);
    assert_eq!(
        follow(&mut table, [AddressGone(second)]),
        ["-10.9.0.1/32"],
        "gone with its last entry"
    );
}

#[test]
fn a_reading_reports_only_what_differs() {
    let mut table = Table::default();
    let mut labelled = address(1, "192.0.2.1", 32, 0x80);
    labelled.label = Some("lo:web".into());
    let tables = Tables {
        links: vec![link(1, "lo", LOOPBACK_UP), link(2, "eth0", UP)],
        addresses: vec![labelled, address(2, "192.0.2.2", 24, 0x80)],
    };
    let mut changes = Vec::new();
    table.replace(tables.clone(), &mut changes);
    assert_eq!(
        changes[0],
        Observation::AddressChanged(LocalAddress {
            id: id(1, "192.0.2.1", 32),
            device: "lo".into(),
            label: Some("lo:web".into()),
            loopback: true,
            state: AddressState::Usable,
        })
    );
    assert_eq!(changes.len(), 2);

    changes.clear();
    table.replace(tables.clone(), &mut changes);
    assert_eq!(changes, []);

    let mut fewer = tables;
    fewer.addresses.remove(1);
    fewer.addresses.push(address(2, "192.0.2.3", 24, 0x80));
    table.replace(fewer, &mut changes);
    assert_eq!(shorten(&changes), ["-192.0.2.2/24", "+192.0.2.3/24@eth0 Usable"]);
}
