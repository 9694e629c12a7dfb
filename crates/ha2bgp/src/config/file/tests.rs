//! Files as people write them: what they come to, and every complaint with its place.

use std::time::Duration;

use ha2bgp_core::net::NextHop;
use ha2bgp_proto::bgp::wire::{Families, LinkLocal};
use ha2bgp_proto::bgp::{Drain, LastChoice, Mode, Role};
use ha2bgp_proto::exabgp;
use ha2bgp_sys::tcp::{Hops, Key};
use proptest::prelude::*;

use super::Document;
use crate::config::settings::tests::read_with;
use crate::config::settings::{Backend, Settings};

/// What every file with a peer needs, in four lines.
const US: &str = "router-id = \"10.1.1.1\"\nlocal-as = 65000\nnetworks = [\"100.64.0.0/24\"]\n\n";
/// A peer of another AS, in three lines.
const PEER: &str = "[[peer]]\naddress = \"10.0.0.1\"\nremote-as = 65001\n";

fn read(text: &str) -> Result<Settings, String> {
    read_with(&["--config", "a.toml"], &[], &[("a.toml", text)])
}

/// With a peer of the other AS, and this in its section.
fn peer(keys: &str) -> Result<Settings, String> {
    read(&format!("{US}{PEER}{keys}\n"))
}

fn only(settings: Settings) -> crate::config::peer::PeerSettings {
    let mut peers = settings.speaker.unwrap().peers;
    assert_eq!(peers.len(), 1);
    peers.remove(0)
}

#[test]
fn an_empty_file_is_as_none() {
    let empty = read("").unwrap();
    let none = read_with(&[], &[], &[]).unwrap();
    assert_eq!(format!("{empty:?}"), format!("{none:?}"));
}

#[test]
fn three_lines_and_a_peer_are_enough() {
    let settings =
        read(&format!("{US}peer = [{{ address = \"10.0.0.1\", remote-as = 65001 }}]\n")).unwrap();
    assert_eq!(settings.backend, Backend::Speaker);
    assert!(!settings.test_mode);
    let flags = "--bgp-backend speaker --router-id 10.1.1.1 --local-as 65000 -n 100.64.0.0/24 \
                 --peer 10.0.0.1 --peer-as 65001";
    let flags: Vec<&str> = flags.split(' ').collect();
    let by_flags = read_with(&flags, &[], &[]).unwrap();
    assert_eq!(format!("{settings:?}"), format!("{by_flags:?}"));
}

#[test]
fn all_that_is_not_of_peers() {
    let settings = read(
        r#"
backend = "exabgp"
networks = ["0.0.0.0/0", "2001:db8::/32"]
allow-any-network = true
[discover]
listen-filter = "sport = :53"
protocols = ["tcp", "udp"]
devices = ["eth*"]
labels = "lo:*"
[defaults]
up-delay = "1s"
down-delay = "0s"
require-all-ports = true
damping = { penalty = 1_000, suppress = 0x1000, reuse = 500, half-life = "10s", max-suppress = "1m" }
route = { next-hop = "192.0.2.7" }
[exabgp]
api = "6"
group = 64
reassert = "10m"
[log]
debug = true
"#,
    )
    .unwrap();
    assert_eq!(settings.engine.networks.iter().count(), 2);
    assert_eq!(settings.listen_filter.text, "sport = :53");
    assert_eq!(settings.protocols.len(), 2);
    assert_eq!(settings.engine.devices[0].as_str(), "eth*");
    assert_eq!(settings.engine.labels[0].as_str(), "lo:*");
    assert_eq!(settings.engine.defaults.up_delay, Duration::from_secs(1));
    assert_eq!(settings.engine.defaults.down_delay, Duration::ZERO);
    assert!(settings.engine.require_all_ports);
    let damping = settings.engine.defaults.damping.unwrap();
    assert_eq!((damping.penalty, damping.suppress, damping.reuse), (1000, 4096, 500));
    assert_eq!(settings.engine.next_hop, NextHop::Address("192.0.2.7".parse().unwrap()));
    assert_eq!(settings.exabgp_group, Some(64));
    assert_eq!(settings.reassert, Duration::from_secs(600));
    for off in ["false", "\"off\""] {
        let text = format!("[defaults]\ndamping = {off}\n[exabgp]\ngroup = {off}\n");
        let settings = read(&text).unwrap();
        assert_eq!((settings.engine.defaults.damping, settings.exabgp_group), (None, None));
    }
}

#[test]
fn all_that_is_of_a_peer() {
    let text = r#"
description = "leaf 1"
port = 1179
bind-device = "eth0"
mode = "passive"
password-file = "good.key"
ttl-security = 2
hold-time = "30s"
keepalive-time = "5s"
connect-retry = "90s"
idle-hold = "2s"
idle-hold-max = "3s"
stable-after = "1m"
send-hold-time = "10m"
families = ["ipv4", "ipv6"]
networks = ["100.64.0.128/25"]
next-hop = ["192.0.2.7", "2001:db8::7"]
med = 5
prepend = 2
communities = ["65000:80", "no-export"]
extended-communities = ["link-bandwidth:65000:125000000", "link-bandwidth-transitive:65000:1"]
large-communities = ["65000:1:2"]
role = "customer"
strict-role = true
max-prefixes = 10
add-path = 7
count-announcers = true
graceful-restart = { restart-time = "30s", notification = true }
[peer.capabilities]
route-refresh = false
enhanced-route-refresh = false
extended-next-hop = false
extended-messages = false
fqdn = false
"#;
    let networks = "networks = [\"100.64.0.0/24\", \"2001:db8::/64\"]\nlisten = [\"0.0.0.0\"]";
    let us = US.replace("networks = [\"100.64.0.0/24\"]", networks);
    let text = text.replace("\"100.64.0.128/25\"", "\"100.64.0.128/25\", \"2001:db8::/64\"");
    let peer = only(read(&format!("{us}{PEER}{text}")).unwrap());
    assert_eq!((peer.description.as_deref(), peer.port), (Some("leaf 1"), 1179));
    assert_eq!(peer.socket.device.as_deref(), Some("eth0"));
    assert_eq!(peer.socket.key, Some(Key::new(b"secret").unwrap()));
    assert_eq!(peer.socket.hops, Hops::Security(2));
    assert_eq!(peer.socket.user_timeout, Some(Duration::from_secs(600)));
    let config = peer.config;
    assert_eq!((config.mode, config.families), (Mode::Passive, Families::BOTH));
    let seconds = |time: Duration| time.as_secs();
    assert_eq!((seconds(config.hold_time), config.keepalive.map(seconds)), (30, Some(5)));
    assert_eq!((seconds(config.connect_retry.first), seconds(config.connect_retry.max)), (90, 90));
    assert_eq!((seconds(config.idle_hold.first), seconds(config.idle_hold.max)), (2, 3));
    assert_eq!((seconds(config.stable_after), seconds(config.send_hold)), (60, 600));
    let networks: Vec<String> = config.policy.networks.iter().map(|net| net.to_string()).collect();
    assert_eq!(networks, ["100.64.0.128/25", "2001:db8::/64"]);
    assert_eq!(config.policy.next_hop_v4, Some("192.0.2.7".parse().unwrap()));
    assert_eq!(config.policy.next_hop_v6, Some("2001:db8::7".parse().unwrap()));
    assert_eq!((config.policy.med, config.policy.prepend), (Some(5), 2));
    assert_eq!(config.policy.communities, [0xfde8_0050, 0xffff_ff01]);
    let (fixed, transitive) = (0x4004_fde8_4cee_6b28_u64, 0x0004_fde8_3f80_0000_u64);
    assert_eq!(config.policy.extended_communities, [fixed.to_be_bytes(), transitive.to_be_bytes()]);
    assert_eq!(config.policy.large_communities, [[65000, 1, 2]]);
    let restart = config.graceful_restart.unwrap();
    assert_eq!((seconds(restart.restart_time), restart.notification), (30, true));
    assert_eq!(config.max_prefixes, Some(10));
    assert_eq!((config.add_path_send, config.count_announcers), (Some(7), true));
    let it = config.capabilities;
    assert_eq!((it.role, it.strict_role), (Some(Role::Customer), true));
    assert!(!(it.route_refresh || it.enhanced_route_refresh || it.extended_next_hop));
    assert!(!it.extended_messages && it.fqdn.is_none());
}

#[test]
fn link_local_peers() {
    let peer = PEER.replace("10.0.0.1", "fe80::1%eth0");
    for (text, want) in [
        ("", LinkLocal::Double),
        ("link-local-next-hop = \"native\"\n", LinkLocal::Native),
        ("link-local-next-hop = \"single\"\n", LinkLocal::Single),
        ("link-local-next-hop = \"double\"\n", LinkLocal::Double),
    ] {
        assert_eq!(only(read(&format!("{US}{peer}{text}")).unwrap()).config.link_local, want);
    }
    // A listening socket has one key an address.
    let other = PEER.replace("10.0.0.1", "fe80::1%eth1");
    let key = "password-file = \"good.key\"\n";
    for (first, second, fits) in [
        ("", "", true),
        (key, key, true),
        (key, "", false),
        ("", key, false),
        (key, "mode = \"active\"\n", true),
    ] {
        let text = format!("listen = [\"::\"]\n{US}{peer}{first}{other}{second}");
        let error = read(&text).err().unwrap_or_default();
        let clash = "fe80::1%eth0 and fe80::1%eth1 have one address and two keys";
        assert_eq!(error.contains(clash), !fits, "{error}");
        assert_eq!(error.is_empty(), fits, "{error}");
    }
}

#[test]
fn a_peer_has_its_own_attributes_or_the_defaults() {
    let text = format!(
        "{US}[defaults.route]\nmed = 1\nlocal-pref = 7\nprepend = 3\ncommunities = [\"1:1\"]\n\
         large-communities = \"1:1:1\"\nnext-hop = \"192.0.2.7\"\n{PEER}\n\
         [[peer]]\naddress = \"10.0.0.2\"\nremote-as = 65000\nmed = 2\ncommunities = []\n\
         next-hop = \"self\"\ngraceful-restart = false\n"
    );
    let peers = read(&text).unwrap().speaker.unwrap().peers;
    let [outside, inside] = peers.as_slice() else { panic!("{peers:?}") };
    let outside = &outside.config.policy;
    assert_eq!((outside.med, outside.local_pref, outside.prepend), (Some(1), None, 3));
    assert_eq!((outside.communities.len(), outside.large_communities.len()), (1, 1));
    assert_eq!(outside.next_hop_v4, Some("192.0.2.7".parse().unwrap()));
    assert_eq!(inside.config.graceful_restart, None);
    let inside = &inside.config.policy;
    assert_eq!((inside.med, inside.local_pref, inside.prepend), (Some(2), Some(7), 0));
    assert_eq!((inside.communities.len(), inside.large_communities.len()), (0, 1));
    assert_eq!(inside.next_hop_v4, None);
}

#[test]
fn the_last_choice_is_said_for_all_and_for_a_peer() {
    let text = format!(
        "{US}[defaults.route]\nmed = 1\nlast-choice = {{ med = 9, local-pref = 5, prepend = 6, \
         communities = [\"65000:9\"] }}\n{PEER}last-choice = {{ med = \"off\", communities = [] }}\n\
         [[peer]]\naddress = \"10.0.0.2\"\nremote-as = 65000\n[peer.last-choice]\nlocal-pref = 7\n"
    );
    let peers = read(&text).unwrap().speaker.unwrap().peers;
    let last = peers.iter().map(|peer| &peer.config.policy.last_choice).collect::<Vec<_>>();
    let [outside, inside] = last.as_slice() else { panic!("{peers:?}") };
    assert_eq!((outside.med, outside.local_pref, outside.prepend), (None, None, Some(6)));
    assert_eq!(outside.communities, [0; 0]);
    assert_eq!((inside.med, inside.local_pref, inside.prepend), (Some(9), Some(7), None));
    assert_eq!(inside.communities, [65000 << 16 | 9]);
    // Without a word of it.
    let usual = only(peer("").unwrap()).config.policy.last_choice;
    assert_eq!(usual, LastChoice::default());
}

#[test]
fn exabgp_is_told_of_the_last_choice_too() {
    let last = |keys: &str| {
        let read = read(&format!("backend = \"exabgp\"\n[defaults.route.last-choice]\n{keys}\n"));
        read.map(|settings| settings.exabgp_last_choice.to_string())
    };
    let usual = " med 4294967295 local-preference 0 community [ 65535:0 ]";
    assert_eq!(last("").unwrap(), usual);
    assert_eq!(
        last("med = \"off\"\nlocal-pref = 3\ncommunities = []").unwrap(),
        " local-preference 3"
    );
    let two = "communities = [\"no-export\", \"65000:1\"]\nmed = 1";
    let said = " med 1 local-preference 0 community [ 65535:65281 65000:1 ]";
    assert_eq!(last(two).unwrap(), said);
}

#[test]
fn draining_has_its_own_ways() {
    let drain = |keys: &str| only(peer(keys).unwrap()).config.policy.drain;
    assert_eq!(drain(""), Drain::LastChoice);
    for way in Drain::ALL {
        assert_eq!(drain(&format!("drain = \"{}\"", way.name())), way);
    }
    let text =
        format!("{US}[[peer]]\naddress = \"10.0.0.2\"\nremote-as = 65000\ndrain = \"prepend\"\n");
    let error = read(&text).unwrap_err();
    assert!(error.contains("drain = \"prepend\" with 3 makes 10.0.0.2 in our own AS"), "{error}");
    let exabgp = |way: &str| {
        let text =
            format!("backend = \"exabgp\"\ndrain-settle = \"5s\"\n[exabgp]\ndrain = \"{way}\"\n");
        read(&text).map(|settings| (settings.exabgp_drain, settings.drain_settle))
    };
    let med = exabgp::LastChoice { med: Some(u32::MAX), local_pref: None, communities: vec![] };
    let settle = Duration::from_secs(5);
    assert_eq!(exabgp("med").unwrap(), (exabgp::Drain::With(med), settle));
    assert_eq!(exabgp("withdraw").unwrap(), (exabgp::Drain::Withdraw, settle));
    assert!(exabgp("prepend").unwrap_err().contains("for the built-in speaker"));
    assert!(exabgp("x").unwrap_err().contains("is no way to drain: write one of \"last-choice\""));
    let error = read("drain-settle = \"2h\"\n").unwrap_err();
    assert!(error.contains("\"2h\" is longer than 1h"), "{error}");
}

#[test]
fn flag_over_environment_over_file_over_default() {
    let file = "networks = [\"10.1.0.0/16\"]\n[discover]\nlabels = \"lo:file\"\n\
                [defaults]\nup-delay = \"9s\"\nroute = { next-hop = \"192.0.2.1\" }\n";
    let files = [("a.toml", file)];
    let env = [
        ("HA2BGP_CONFIG", "a.toml"),
        ("HA2BGP_NEXTHOP", "192.0.2.2"),
        ("HA2BGP_DEVICE_LABEL", "lo:env"),
        ("HA2BGP_NETWORK_FILTER", ""),
    ];
    let settings = read_with(&["--nexthop", "192.0.2.3"], &env, &files).unwrap();
    let networks: Vec<String> = settings.engine.networks.iter().map(|n| n.to_string()).collect();
    assert_eq!(networks, ["10.1.0.0/16"], "the file: an empty variable is not set");
    assert_eq!(settings.engine.labels[0].as_str(), "lo:env");
    assert_eq!(settings.engine.defaults.up_delay, Duration::from_secs(9));
    assert_eq!(settings.engine.defaults.down_delay, Duration::from_secs(3));
    assert_eq!(settings.engine.next_hop, NextHop::Address("192.0.2.3".parse().unwrap()));
}

#[test]
fn what_flags_say_of_peers() {
    let text = format!(
        "{US}{PEER}hold-time = \"30s\"\nconnect-retry = \"1s\"\n\
         [[peer]]\naddress = \"10.0.0.2\"\nremote-as = 65002\n"
    );
    let files = [("a.toml", text.as_str())];
    let peers = |args: &str| {
        let args: Vec<&str> = args.split(' ').collect();
        let peers = read_with(&args, &[], &files).unwrap().speaker.unwrap().peers;
        let shown = peers.iter().map(|peer| {
            let config = &peer.config;
            format!("{} {} {:?}", config.peer, config.peer_as, config.hold_time)
        });
        shown.collect::<Vec<_>>()
    };
    let all = "--config a.toml --hold-time 3s";
    assert_eq!(peers(all), ["10.0.0.1 65001 3s", "10.0.0.2 65002 3s"]);
    let replaced = "--config a.toml --peer 10.0.0.3 --peer-as 65003";
    assert_eq!(peers(replaced), ["10.0.0.3 65003 9s"]);
}

#[test]
fn later_files_replace_keys_and_add_peers() {
    let first = format!("{US}{PEER}");
    let second = "networks = [\"100.65.0.0/24\", \"100.66.0.0/24\"]\n\
                  peer = [{ address = \"10.0.0.2\", remote-as = 65002 }]\n";
    let files = [("a.toml", first.as_str()), ("b.toml", second)];
    let args = ["--config", "a.toml", "--config", "b.toml"];
    let settings = read_with(&args, &[], &files).unwrap();
    assert_eq!(settings.engine.networks.iter().count(), 2);
    assert_eq!(settings.speaker.unwrap().peers.len(), 2);
    let twice = [("a.toml", first.as_str()), ("b.toml", PEER)];
    let error = read_with(&args, &[], &twice).unwrap_err();
    assert!(error.starts_with("b.toml:2:11: peer.address: \"10.0.0.1\" is given twice"), "{error}");
}

#[test]
fn keys_are_beside_the_file() {
    let text = format!("{US}{PEER}password-file = \"good.key\"\n");
    let files = [("etc/a.toml", text.as_str())];
    let settings = read_with(&["--config", "etc/a.toml"], &[], &files).unwrap();
    assert!(only(settings).socket.key.is_some());
    assert!(only(peer("password-file = \"%d/good.key\"").unwrap()).socket.key.is_some());
}

mod complaints;

proptest! {
    /// Any text, and text that is nearly a configuration.
    #[test]
    fn any_text_is_settings_or_errors(
        text in "\\PC{0,200}",
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("[[peer]]\n".to_owned()),
                Just("[defaults.route]\n".to_owned()),
                Just("peer = [{ address = \"10.0.0.1\" }, 5, {}]\n".to_owned()),
                Just("= \"\"\"\n".to_owned()),
                "(address|remote-as|networks|next-hop|communities|hold-time|mode|families|med)",
                "( = |\\.|\n|, |\\[|\\]|\\{|\\})",
                "(\"10\\.0\\.0\\.[0-9]\"|[0-9]{1,12}|true|\"[a-z0-9:./%]{0,8}\"|ä|\t|\r)",
            ],
            0..30,
        ),
    ) {
        for text in [text, pieces.concat()] {
            let document = Document::parse(1, "a.toml", &text);
            for error in &document.errors {
                prop_assert!(!error.to_string().is_empty());
            }
            let _ = read(&text);
        }
    }
}
