use super::*;
use ha2bgp_proto::bgp::wire::{Asn, Families, LinkLocal};
use ha2bgp_proto::bgp::{Fqdn, PeerConfig};
use ha2bgp_sys::tcp::{self, Hops, Key};

use crate::config::settings::tests::read;

/// The example of the README.
const README: &str =
    "--bgp-backend speaker --local-as 65000 --router-id 10.1.1.1 --peer 127.0.1.1 --peer-as 65000";

/// The README's flags and more; of a flag that is given twice the last one counts.
fn speaker(more: &str) -> Result<SpeakerSettings, String> {
    let args: Vec<&str> = README.split(' ').chain(more.split_whitespace()).collect();
    read(&args, &[]).map(|settings| settings.speaker.unwrap())
}

#[test]
fn the_simplest_case_and_its_defaults() {
    let SpeakerSettings { peers, listen, drain_time } = speaker("").unwrap();
    let router_id = "10.1.1.1".parse().unwrap();
    let mut config =
        PeerConfig::new(Asn(65000), router_id, IpAddr::from([127, 0, 1, 1]), Asn(65000));
    config.keepalive = None;
    config.policy.networks = Networks::new(vec!["127.0.0.0/8".parse().unwrap()]);
    config.capabilities.fqdn = Some(Fqdn { host: "web1".into(), domain: "example.net".into() });
    let socket = tcp::Options { user_timeout: Some(config.send_hold), ..tcp::Options::default() };
    let peer =
        PeerSettings { description: None, port: 179, config, socket, key_file: None, bfd: None };
    assert_eq!((peers, listen, drain_time), (vec![peer], vec![], Duration::ZERO));
}

#[test]
fn several_peers_with_one_as_or_one_each() {
    let peers = |more: &str| {
        let peers = speaker(more).unwrap().peers;
        peers
            .iter()
            .map(|peer| (peer.config.peer.to_string(), peer.config.peer_as.0))
            .collect::<Vec<_>>()
    };
    let both = |first, second| vec![("127.0.1.1".into(), first), ("2001:db8::1".into(), second)];
    assert_eq!(peers("--peer 2001:db8::1"), both(65000, 65000));
    assert_eq!(peers("--peer 2001:db8::1 --peer-as 1.2"), both(65000, 65538));
}

#[test]
fn link_local_peers_and_their_interfaces() {
    let of = |more: &str| {
        let args = README.replace("--peer 127.0.1.1", more);
        let args: Vec<&str> = args.split(' ').chain(["-n", "100.64.0.0/24"]).collect();
        read(&args, &[]).map(|settings| settings.speaker.unwrap())
    };
    let peers = |more: &str| -> Vec<PeerConfig> {
        of(more).unwrap().peers.into_iter().map(|peer| peer.config).collect()
    };
    let same = peers("--peer fe80::1%eth0,fe80::1%eth1,2001:db8::1");
    let names: Vec<String> = same.iter().map(|config| config.peer.to_string()).collect();
    assert_eq!(names, ["fe80::1%eth0", "fe80::1%eth1", "2001:db8::1"]);
    assert_eq!(same[0].families, Families::BOTH);
    assert_eq!(same[0].link_local, LinkLocal::Double);
    for local in ["fe80::2", "fe80::2%eth0"] {
        let all = peers(&format!("--peer fe80::1%eth0 --local-address {local}"));
        assert_eq!(all[0].local, "fe80::2".parse().ok(), "{local}");
    }
    for (more, want) in [
        ("--peer fe80::1%eth0 --peer fe80::1%eth0", "--peer: \"fe80::1%eth0\" is given twice"),
        (
            "--peer fe80::1%eth0 --local-address fe80::2%eth1",
            "--local-address: \"fe80::2%eth1\" names an interface, and our end is on that of the \
             peer: write fe80::2",
        ),
        (
            "--peer 2001:db8::1 --local-address fe80::2",
            "--local-address: local address fe80::2 is link-local and peer 2001:db8::1 is not",
        ),
        (
            "--peer fe80::1%eth0 --local-address fe80::1",
            "--local-address: peer address fe80::1%eth0 is also the local address",
        ),
        ("--peer fe80::1%eth0 --nexthop fe80::2", "--nexthop: \"fe80::2\" cannot be a next hop"),
    ] {
        let error = of(more).unwrap_err();
        assert!(error.starts_with(want), "{more}: {error}");
    }
}

#[test]
fn protection_of_internal_and_external_peers() {
    let hops = |more: &str| speaker(more).unwrap().peers[0].socket.hops;
    assert_eq!(hops("--ttl-security"), Hops::Security(1));
    assert_eq!(hops("--multihop 3"), Hops::Ttl(3));
    assert_eq!(hops("--local-as 65001"), Hops::Ttl(1), "external");
    assert_eq!(hops("--local-as 65001 --multihop 255"), Hops::Ttl(255));
    let peer = speaker("--password-file good.key").unwrap().peers.remove(0);
    assert_eq!(peer.socket.key, Some(Key::new(b"secret").unwrap()));
    assert_eq!(peer.key_file.as_deref(), Some("good.key"), "to be read again");
}

#[test]
fn bad_values_name_place_value_rule_and_fix() {
    for (more, want) in [
        ("--local-as 0", "--local-as: \"0\" is reserved and nobody's AS: write your own"),
        ("--local-as AS1", "--local-as: \"AS1\" is not an AS number: write a whole number"),
        ("--router-id 0.0.0.0", "--router-id: \"0.0.0.0\" is not a router id: write a unicast"),
        ("--router-id 2001:db8::1", "--router-id: \"2001:db8::1\" is not a router id"),
        ("--peer router1", "--peer: \"router1\" is not an IP address: write for example"),
        (
            "--peer fe80::1",
            "--peer: \"fe80::1\" is link-local and names no interface: write %INTERFACE",
        ),
        ("--peer fe80::1%", "--peer: \"fe80::1%\" names no interface behind %: write a name"),
        ("--peer ::2%eth0", "--peer: \"::2%eth0\" is not link-local: leave out % and what follows"),
        ("--peer 169.254.0.1", "--peer: \"169.254.0.1\" cannot be an end of a session"),
        (
            "--listen fe80::2%eth0",
            "--listen: \"fe80::2%eth0\" is link-local, and not listened on by",
        ),
        ("--peer 127.0.1.1", "--peer: \"127.0.1.1\" is given twice: leave one out"),
        ("--peer 192.0.2.9", "--peer: \"192.0.2.9\" is an address of this host: name the router's"),
        ("--peer-as 1 --peer-as 2", "--peer-as: there are 3 AS numbers for 1 peers: write one"),
        (
            "--local-address 127.0.1.1",
            "--local-address: peer address 127.0.1.1 is also the local address",
        ),
        (
            "--local-address ::1",
            "--local-address: local address ::1 and peer 127.0.1.1 are of different families",
        ),
        ("--listen here", "--listen: \"here\" is not an IP address"),
        ("--password-file no.key", "--password-file: \"no.key\" cannot be read: "),
        (
            "--password-file long.key",
            "--password-file: \"long.key\": the key has 81 bytes, the kernel takes at most 80: \
             write one line",
        ),
        ("--multihop 0", "--multihop: \"0\" is neither off nor a number of hops from 1 to 255"),
        ("--ttl-security --multihop 2", "--multihop: ttl-security is for neighbors, multihop"),
        ("--hold-time 2s", "--hold-time: \"2s\" cannot be a hold time: write whole seconds"),
        ("--hold-time 65536s", "--hold-time: \"65536s\" cannot be a hold time"),
        ("--hold-time 3500ms", "--hold-time: \"3500ms\" cannot be a hold time"),
    ] {
        let error = speaker(more).unwrap_err();
        assert!(error.starts_with(want) && !error.contains('\n'), "{more}: {error}");
    }
}

#[test]
fn a_local_address_is_an_identifier() {
    let ids = |args: &str| {
        let args: Vec<&str> = args.split_whitespace().collect();
        read(&args, &[]).map(|settings| settings.speaker.unwrap().peers[0].config.router_id)
    };
    let without = README.replace("--router-id 10.1.1.1", "").replace("127.0.1.1", "10.0.0.1");
    let given = |text: &str| Ok(text.parse::<Ipv4Addr>().unwrap());
    assert_eq!(ids(&format!("{without} --local-address 10.0.0.9")), given("10.0.0.9"));
    let both = format!("{without} --local-address 10.0.0.9 --router-id 10.1.1.1");
    assert_eq!(ids(&both), given("10.1.1.1"));
    // That of a session inside the host is on every host.
    let inside = README.replace("--router-id 10.1.1.1", "--local-address 127.0.1.2");
    let error = ids(&inside).unwrap_err();
    assert!(error.starts_with("--router-id: the speaker needs it"), "{error}");
}

#[test]
fn next_hops_of_either_family_suit_each_peer() {
    for peer in ["10.0.0.1", "127.0.1.1", "2001:db8::1"] {
        for hop in ["10.9.9.9", "2001:db8::9", "self"] {
            let more = format!("--peer {peer} --nexthop {hop}");
            let args = README.replace("--peer 127.0.1.1", &more);
            let networks = ["-n", "100.64.0.0/24,2001:db8::/64"];
            let args: Vec<&str> = args.split(' ').chain(networks).collect();
            assert_eq!(read(&args, &[]).map(drop), Ok(()), "{more}");
        }
    }
    let error = speaker("--peer 10.0.0.1 --nexthop 2001:db8::1 -n 100.64.0.0/24").unwrap_err();
    assert!(error.starts_with("--nexthop: \"2001:db8::1\" is of the wrong family: no peer gets"));
    let error = speaker("--peer 10.0.0.1 --nexthop 10.0.0.1").unwrap_err();
    assert!(error.starts_with("--nexthop: next hop 10.0.0.1 is the peer itself"), "{error}");
}

#[test]
fn what_is_missing_is_named_all_at_once() {
    let error = read(&["--bgp-backend", "speaker"], &[]).unwrap_err();
    let places: Vec<&str> = error.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(places, ["--local-as", "--router-id", "--peer", "--peer-as"]);
}

#[test]
fn flags_of_the_speaker_without_the_speaker_are_refused() {
    let error = read(&["--peer", "192.0.2.1", "--hold-time", "3s"], &[]).unwrap_err();
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(error.starts_with("--peer: is of the built-in speaker: add --bgp-backend speaker"));
}
