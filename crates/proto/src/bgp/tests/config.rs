//! What is refused before anything is sent, with the words that people read.

use super::*;

type Change = fn(&mut PeerConfig);

#[test]
fn each_error_names_the_value_the_rule_and_the_fix() {
    let cases: &[(Change, &[&str])] = &[
        (|_| {}, &[]),
        (
            |it| it.peer_as = Asn(0),
            &["AS 0 is reserved: remote-as must be 1 to 4294967294, without 23456 and 65535"],
        ),
        (
            |it| it.local_as = Asn(23_456),
            &["AS 23456 is reserved: local-as must be 1 to 4294967294, without 23456 and 65535"],
        ),
        (
            |it| it.router_id = Ipv4Addr::UNSPECIFIED,
            &["router-id 0.0.0.0 is not a unicast address: use one of this host's IPv4 addresses"],
        ),
        (
            |it| it.peer = ip("224.0.0.5").into(),
            &["peer address 224.0.0.5 is not a unicast address: write the router's address"],
        ),
        (
            |it| it.peer = ip("fe80::1").into(),
            &["peer address fe80::1 is link-local: write the interface too, fe80::1%eth0 for \
               example"],
        ),
        (
            |it| {
                it.peer = ip("2001:db8::1").into();
                it.local = Some(ip("fe80::2"));
            },
            &["local address fe80::2 is link-local and peer 2001:db8::1 is not: leave it out, or \
               name another"],
        ),
        (
            |it| {
                it.peer = "fe80::1%eth0".parse().unwrap();
                it.local = Some(ip("fe80::2"));
                it.families = Families::BOTH;
            },
            &[],
        ),
        (
            |it| {
                it.peer = "fe80::1%eth0".parse().unwrap();
                it.policy.next_hop_v6 = Some("fe80::2".parse().unwrap());
            },
            &["next hop fe80::2 cannot be reached by a router: use a unicast address of this \
               host"],
        ),
        (
            |it| it.local = Some(ip(PEER_ADDRESS)),
            &["peer address 10.0.0.1 is also the local address: write the router's address"],
        ),
        (
            |it| it.local = Some(ip("2001:db8::2")),
            &[
                "local address 2001:db8::2 and peer 10.0.0.1 are of different families: give both as \
               IPv4 or both as IPv6",
            ],
        ),
        (
            |it| it.families = Families::NONE,
            &["no address family is enabled: enable IPv4, IPv6 or both"],
        ),
        (
            |it| it.hold_time = Duration::from_millis(2500),
            &[
                "hold time 2.5s is not possible: it must be 0 or 3s to 65535s in whole seconds",
                "keepalive time 3s does not fit hold time 2.5s: it must be 1s or more and less \
                 than the hold time",
            ],
        ),
        (
            |it| it.connect_retry.first = Duration::ZERO,
            &["connect-retry: first pause 0s, longest 60s: the first must be 100ms or more and \
               not above the longest"],
        ),
        (
            |it| it.graceful_restart.as_mut().unwrap().restart_time = Duration::from_secs(4096),
            &["restart time 4096s is not possible: it must be 1s to 4095s in whole seconds"],
        ),
        (
            |it| it.policy.next_hop_v4 = Some(Ipv4Addr::LOCALHOST),
            &["next hop 127.0.0.1 cannot be reached by a router: use a unicast address of this \
               host"],
        ),
        (
            |it| it.policy.next_hop_v4 = Some("10.0.0.1".parse().unwrap()),
            &["next hop 10.0.0.1 is the peer itself: use an address of this host"],
        ),
        (
            |it| it.families = Families::BOTH,
            &["IPv6 routes over the IPv4 session with 10.0.0.1 need an explicit IPv6 next hop: \
               set one, or disable IPv6 for this peer"],
        ),
        (
            |it| it.policy.local_pref = Some(200),
            &["local-pref 200 cannot be sent to 10.0.0.1 in another AS: use med, prepend or a \
               community"],
        ),
        (
            |it| {
                it.peer_as = it.local_as;
                it.policy.prepend = 2;
                it.capabilities.role = Some(Role::Peer);
            },
            &[
                "prepend 2 makes 10.0.0.1 in our own AS drop the routes: remove it",
                "a role makes no sense with 10.0.0.1 in our own AS: remove it",
            ],
        ),
        (
            |it| it.capabilities.strict_role = true,
            &["strict role without a role: set the role too"],
        ),
        (|it| it.policy.prepend = 17, &["prepend 17 is too much: 16 is the most that helps"]),
        (
            |it| {
                it.policy.last_choice.prepend = Some(17);
                it.policy.last_choice.local_pref = Some(0);
                it.policy.last_choice.med = Some(9);
                it.policy.med = Some(10);
            },
            &[
                "last-choice.local-pref 0 cannot be sent to 10.0.0.1 in another AS: use med, \
                 prepend or a community",
                "last-choice.prepend 17 is too much: 16 is the most that helps",
                "last-choice.med 9 makes a route that is the last choice better than others with \
                 10: write more, or \"off\" for the same",
            ],
        ),
        (
            |it| {
                it.peer_as = it.local_as;
                it.policy.last_choice.prepend = Some(1);
                it.policy.last_choice.local_pref = Some(101);
            },
            &[
                "last-choice.prepend 1 makes 10.0.0.1 in our own AS drop the routes: remove it",
                "last-choice.local-pref 101 makes a route that is the last choice better than \
                 others with 100: write less, or 0",
            ],
        ),
        (
            |it| it.policy.last_choice.communities = [7].repeat(300),
            &["the last-choice.communities take 1200 octets: more than 1024 leave no room for \
               prefixes, give fewer"],
        ),
        (
            |it| it.policy.communities = [7].repeat(600),
            &["the communities take 2400 octets: more than 2048 leave no room for prefixes, give \
               fewer"],
        ),
        (
            |it| it.max_prefixes = Some(0),
            &["max-prefixes 0 would end every session: leave it out for no limit"],
        ),
    ];
    for (change, want) in cases {
        let mut config = external();
        change(&mut config);
        let errors: Vec<_> = config.validate().iter().map(ToString::to_string).collect();
        assert_eq!(errors, **want);
    }
}

#[test]
fn a_session_inside_the_host_may_use_loopback_next_hops() {
    let id = Ipv4Addr::new(127, 0, 1, 2);
    let mut config = PeerConfig::new(Asn(65000), id, ip("127.0.1.1"), Asn(65000));
    config.policy.next_hop_v4 = Some(id);
    assert_eq!(config.validate(), []);
}
