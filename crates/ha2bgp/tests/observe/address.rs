//! Addresses and links, as the kernel shows them.

use std::net::IpAddr;
use std::time::Duration;

use ha2bgp::observe::address::AddressConfig;
use ha2bgp_core::fact::{AddressState, LocalAddress};

use crate::namespace::{in_own_network, ip};
use crate::support::{NEVER, Watcher};

/// Follows events only.
fn without_reading() -> AddressConfig {
    AddressConfig { reconcile_interval: NEVER }
}

fn is(address: &LocalAddress, text: &str, device: &str, state: AddressState) -> bool {
    address.id.ip == text.parse::<IpAddr>().unwrap()
        && &*address.device == device
        && address.state == state
}

#[test]
fn what_is_there_is_reported() {
    in_own_network("address::what_is_there_is_reported", async {
        ip("addr add 192.0.2.1/32 dev lo label lo:web");
        ip("addr add 2001:db8::1/128 dev lo preferred_lft 0");
        let watcher = Watcher::address(without_reading()).await;
        let find = |text: &str| {
            let wanted: IpAddr = text.parse().unwrap();
            watcher.addresses.values().find(|address| address.id.ip == wanted).unwrap()
        };
        let labelled = find("192.0.2.1");
        assert_eq!(labelled.label.as_deref(), Some("lo:web"));
        assert_eq!((labelled.id.prefix_length, labelled.loopback), (32, true));
        assert_eq!(labelled.state, AddressState::Usable);
        assert_eq!(find("127.0.0.1").label.as_deref(), Some("lo"));
        assert_eq!(find("::1").label, None);
        assert_eq!(watcher.addresses.len(), 4);
    });
}

#[test]
fn addresses_are_followed() {
    in_own_network("address::addresses_are_followed", async {
        let mut watcher = Watcher::address(without_reading()).await;
        ip("addr add 192.0.2.1/32 dev lo");
        watcher.has("an IPv4 address", |a| is(a, "192.0.2.1", "lo", AddressState::Usable)).await;
        ip("addr add 2001:db8::1/128 dev lo");
        watcher.has("an IPv6 address", |a| is(a, "2001:db8::1", "lo", AddressState::Usable)).await;
        ip("addr del 192.0.2.1/32 dev lo");
        ip("addr del 2001:db8::1/128 dev lo");
        // 127.0.0.1 and ::1 are left.
        watcher.until("both to go", |w| w.addresses.len() == 2).await;
        assert_eq!(watcher.failures, [""; 0]);
    });
}

#[test]
fn links_carry_their_addresses() {
    in_own_network("address::links_carry_their_addresses", async {
        ip("link add br0 type bridge");
        ip("addr add 192.0.2.1/24 dev br0");
        let mut watcher = Watcher::address(without_reading()).await;
        let down = AddressState::LinkDown;
        let up = AddressState::Usable;
        watcher.has("a link that is down", |a| is(a, "192.0.2.1", "br0", down)).await;
        ip("link set br0 up");
        watcher.has("the link to come up", |a| is(a, "192.0.2.1", "br0", up)).await;
        // No event tells that the address stays.
        ip("link set br0 down");
        watcher.has("the link to go down", |a| is(a, "192.0.2.1", "br0", down)).await;
        ip("link set br0 name wan");
        watcher.has("the new name", |a| is(a, "192.0.2.1", "wan", down)).await;
        ip("link set wan up");
        watcher.has("the link to come up", |a| is(a, "192.0.2.1", "wan", up)).await;
        ip("link del wan");
        let gone = |w: &Watcher| !w.addresses.values().any(|a| &*a.device == "wan");
        watcher.until("the link to go", gone).await;
    });
}

#[test]
fn a_carrier_that_is_lost_takes_the_address_along() {
    in_own_network("address::a_carrier_that_is_lost_takes_the_address_along", async {
        ip("link add ours type veth peer name theirs");
        ip("addr add 192.0.2.1/24 dev ours");
        ip("link set ours up");
        ip("link set theirs up");
        let mut watcher = Watcher::address(without_reading()).await;
        let up = AddressState::Usable;
        watcher.has("the link", |a| is(a, "192.0.2.1", "ours", up)).await;
        ip("link set theirs down");
        let down = AddressState::LinkDown;
        watcher.has("the carrier to go", |a| is(a, "192.0.2.1", "ours", down)).await;
        ip("link set theirs up");
        watcher.has("the carrier to come", |a| is(a, "192.0.2.1", "ours", up)).await;
    });
}

#[test]
fn a_port_that_leaves_a_bridge_keeps_its_address() {
    in_own_network("address::a_port_that_leaves_a_bridge_keeps_its_address", async {
        ip("link add br0 type bridge");
        ip("link add ours type veth peer name theirs");
        ip("link set theirs up");
        ip("link set ours master br0 up");
        ip("addr add 192.0.2.1/24 dev ours");
        let mut watcher = Watcher::address(without_reading()).await;
        watcher.has("the link", |a| is(a, "192.0.2.1", "ours", AddressState::Usable)).await;
        // RTM_DELLINK of family AF_BRIDGE, for the index of the port.
        ip("link set ours nomaster");
        // The last event of all: what came before it has been followed.
        ip("addr add 192.0.2.9/32 dev lo");
        watcher.has("the end", |a| is(a, "192.0.2.9", "lo", AddressState::Usable)).await;
        assert!(watcher.addresses.values().any(|a| a.id.ip.to_string() == "192.0.2.1"));
    });
}

#[test]
fn tentative_addresses_are_not_usable_yet() {
    in_own_network("address::tentative_addresses_are_not_usable_yet", async {
        ip("link add ours type veth peer name theirs");
        ip("link set ours up");
        ip("link set theirs up");
        let mut watcher = Watcher::address(without_reading()).await;
        ip("addr add 2001:db8::1/64 dev ours");
        let tentative = AddressState::Tentative;
        watcher.has("the address to be tried", |a| is(a, "2001:db8::1", "ours", tentative)).await;
        watcher.has("the address", |a| is(a, "2001:db8::1", "ours", AddressState::Usable)).await;
        ip("addr add 2001:db8::2/64 dev ours nodad");
        watcher
            .has("one without a trial", |a| is(a, "2001:db8::2", "ours", AddressState::Usable))
            .await;
    });
}

#[test]
fn lost_events_are_made_up_for() {
    in_own_network("address::lost_events_are_made_up_for", async {
        // Nobody reads while this many addresses come; the queue of the channel is full at once.
        const COUNT: usize = 4000;
        let reconcile_interval = Duration::from_secs(3600);
        let mut watcher = Watcher::address(AddressConfig { reconcile_interval }).await;
        let batch = std::env::temp_dir().join(format!("ha2bgp-addresses-{}", std::process::id()));
        let lines: String = (0..COUNT)
            .map(|n| format!("addr add 10.{}.{}.1/32 dev lo\n", n / 250, n % 250))
            .collect();
        std::fs::write(&batch, lines).unwrap();
        ip(&format!("-batch {}", batch.display()));
        std::fs::remove_file(&batch).unwrap();
        watcher.until("all addresses", |w| w.addresses.len() == COUNT + 2).await;
        ip("addr flush dev lo scope global");
        watcher.until("no addresses", |w| w.addresses.len() <= 2).await;
        assert_eq!(watcher.failures, [""; 0]);
    });
}
