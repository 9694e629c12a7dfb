//! Several paths for a prefix (RFC 7911), and who else announces ours.

use super::raw::{Raw, message, peer_open};
use super::*;
use crate::bgp::fsm::State;
use crate::bgp::wire::{Attributes, Shape};

fn offer(modes: &[(u16, u8, u8)]) -> Open {
    let mut open = peer_open();
    open.capabilities.push(Capability::AddPath(modes.to_vec()));
    open
}

fn counting() -> PeerConfig {
    let mut config = external();
    config.families = Families::BOTH;
    config.policy.next_hop_v6 = Some("2001:db8:ffff::2".parse().unwrap());
    config.count_announcers = true;
    config
}

#[test]
fn what_is_agreed_on_follows_from_both_modes() {
    let (v4, both, none) = (Families::IPV4, Families::BOTH, Families::NONE);
    for (send, count, peer, sends, receives) in [
        (None, false, &[(1, 1, 3)][..], none, none),
        (Some(7), false, &[(1, 1, 1)], v4, none),
        (Some(7), false, &[(1, 1, 2)], none, none),
        (Some(7), false, &[(1, 1, 3), (2, 1, 3)], both, none),
        (None, true, &[(1, 1, 2)], none, v4),
        (None, true, &[(1, 1, 1)], none, none),
        (Some(0), true, &[(1, 1, 3), (2, 1, 2), (1, 4, 3)], v4, both),
        // A mode that does not exist: the whole capability is ignored (section 4).
        (Some(7), true, &[(1, 1, 3), (2, 1, 4)], none, none),
        (Some(7), true, &[(1, 1, 0)], none, none),
    ] {
        let mut config = counting();
        (config.add_path_send, config.count_announcers) = (send, count);
        let raw = Raw::up(config, &offer(peer));
        let agreed = raw.session.negotiated().unwrap();
        assert_eq!((agreed.add_path_send, agreed.add_path_receive), (sends, receives), "{peer:?}");
    }
}

#[test]
fn our_paths_have_one_identifier_in_every_message() {
    let mut config = counting();
    config.add_path_send = Some(0x0102_0304);
    // IPv6 stays without.
    let mut raw = Raw::up(config, &offer(&[(1, 1, 1)]));
    raw.session.set_routes(&routes(&["100.64.0.1/32", "2001:db8::1/128"]), at(1));
    let sent = raw.messages();
    let v4 = [&[1, 2, 3, 4, 32, 100, 64, 0, 1][..]];
    assert!(sent.iter().any(|(_, body)| body.ends_with(v4[0])), "{sent:?}");
    let v6 = ["2001:db8::1".parse::<core::net::Ipv6Addr>().unwrap().octets()];
    let v6 = [&[0, 128][..], &v6[0]].concat();
    assert!(sent.iter().any(|(_, body)| body.windows(18).any(|it| it == v6)), "{sent:?}");
    raw.session.set_routes(&RouteSet::new(), at(1));
    let sent = raw.messages();
    assert_eq!(sent[0].1, [0, 9, 1, 2, 3, 4, 32, 100, 64, 0, 1, 0, 0]);
}

/// An UPDATE of the peer. `path_id`: only where that was agreed on.
pub(super) fn path(
    prefix: &str,
    path_id: Option<u32>,
    next_hop: &str,
    communities: &[u32],
) -> Vec<u8> {
    let attributes = Attributes {
        as_path: [Asn(65001), Asn(65000)].to_vec(),
        four_octet_as: true,
        med: None,
        local_pref: None,
        communities: communities.to_vec(),
        extended_communities: Vec::new(),
        large_communities: Vec::new(),
        only_to_customer: None,
    };
    let prefix: Prefix = prefix.parse().unwrap();
    let mut one = Some(prefix);
    let mut out = Vec::new();
    let shape = Shape { max: 4096, path_id, link_local: wire::LinkLocal::Double };
    let family = Family::of(prefix);
    let next = &mut |_| one.take();
    wire::encode_announce(&mut out, family, ip(next_hop), &attributes, shape, next);
    out
}

fn gone(prefix: &str, path_id: Option<u32>) -> Vec<u8> {
    let prefix: Prefix = prefix.parse().unwrap();
    let mut one = Some(prefix);
    let mut out = Vec::new();
    let shape = Shape { max: 4096, path_id, link_local: wire::LinkLocal::Double };
    wire::encode_withdraw(&mut out, Family::of(prefix), shape, &mut |_| one.take());
    out
}

const VIP: &str = "100.64.0.1/32";

fn others(raw: &Raw, prefix: &str) -> Count {
    raw.session.other_announcers(prefix.parse().unwrap()).full
}

/// Those that announce it as the last choice.
fn last_choice(raw: &Raw, prefix: &str) -> usize {
    raw.session.other_announcers(prefix.parse().unwrap()).last_choice
}

#[test]
fn others_are_counted_when_the_peer_has_told_all() {
    let mut raw = Raw::up(counting(), &offer(&[(1, 1, 2), (2, 1, 2)]));
    raw.session.set_routes(&routes(&[VIP]), at(1));
    assert_eq!(others(&raw, VIP), Count::Unknown);
    // Ours comes back, and two others.
    for (id, hop) in [(1, OUR_ADDRESS), (2, "10.0.0.3"), (3, "10.0.0.4"), (4, "10.0.0.4")] {
        raw.send(&path(VIP, Some(id), hop, &[]));
    }
    assert_eq!(others(&raw, VIP), Count::AtLeast(2));
    raw.send(&message(2, &[0; 4]));
    assert_eq!(others(&raw, VIP), Count::Known(2));
    // One drains, one is stale; a path that is replaced counts as it is now.
    assert_eq!(last_choice(&raw, VIP), 0);
    raw.send(&path(VIP, Some(2), "10.0.0.3", &[0xffff_0000]));
    assert_eq!(others(&raw, VIP), Count::Known(1));
    assert_eq!(last_choice(&raw, VIP), 1);
    raw.send(&path(VIP, Some(3), "10.0.0.4", &[65, 0xffff_0006]));
    assert_eq!(others(&raw, VIP), Count::Known(1));
    // Who is there as any other, and as the last choice, is there.
    raw.send(&path(VIP, Some(9), "10.0.0.4", &[0xffff_0000]));
    assert_eq!((others(&raw, VIP), last_choice(&raw, VIP)), (Count::Known(1), 1));
    raw.send(&gone(VIP, Some(9)));
    raw.send(&gone(VIP, Some(4)));
    assert_eq!(others(&raw, VIP), Count::Known(0));
    // A path nobody knew, another prefix, another family, something outside.
    raw.send(&gone(VIP, Some(99)));
    assert_eq!(others(&raw, "100.64.0.2/32"), Count::Known(0));
    assert_eq!(others(&raw, "2001:db8::1/128"), Count::Unknown);
    raw.send(&path("2001:db8::1/128", Some(1), "2001:db8:ffff::9", &[]));
    assert_eq!(others(&raw, "2001:db8::1/128"), Count::AtLeast(1));
    raw.send(&path("192.0.2.1/32", Some(1), "10.0.0.3", &[]));
    assert_eq!(raw.session.state(), State::Established);
    // A malformed path is a withdrawal.
    raw.send(&path(VIP, Some(2), "10.0.0.3", &[]));
    assert_eq!(others(&raw, VIP), Count::Known(1));
    let mut bad = path(VIP, Some(2), "10.0.0.3", &[]);
    bad[26] = 9;
    raw.send(&bad);
    assert_eq!(others(&raw, VIP), Count::Known(0));
    assert_eq!(raw.session.snapshot().counters.treat_as_withdraw, 1);
    // With the session goes what it told.
    let connection = raw.connection;
    raw.handle(Input::TcpClosed { connection });
    assert_eq!(others(&raw, VIP), Count::Unknown);
}

#[test]
fn one_path_a_prefix_shows_presence_only() {
    let mut raw = Raw::up(counting(), &peer_open());
    raw.session.set_routes(&routes(&[VIP]), at(1));
    raw.send(&message(2, &[0; 4]));
    assert_eq!(others(&raw, VIP), Count::Unknown);
    raw.send(&path(VIP, None, "10.0.0.3", &[]));
    assert_eq!(others(&raw, VIP), Count::AtLeast(1));
    raw.send(&path(VIP, None, "10.0.0.4", &[]));
    assert_eq!(others(&raw, VIP), Count::AtLeast(1));
    raw.send(&gone(VIP, None));
    assert_eq!(others(&raw, VIP), Count::Unknown);
}

#[test]
fn limits_count_paths() {
    let mut config = counting();
    config.max_prefixes = Some(2);
    let mut raw = Raw::up(config, &offer(&[(1, 1, 2)]));
    raw.messages();
    for id in [1, 2, 2] {
        raw.send(&path(VIP, Some(id), "10.0.0.3", &[]));
    }
    raw.send(&gone(VIP, Some(1)));
    raw.send(&path("192.0.2.0/24", Some(1), "10.0.0.3", &[]));
    assert_eq!(raw.notification(), None);
    raw.send(&path(VIP, Some(3), "10.0.0.3", &[]));
    assert_eq!(raw.notification(), Some(Notification::new(6, 1)));
}

/// A full table comes in: only what is ours is kept, and so much of it and no more.
#[test]
fn a_full_table_leaves_nothing_behind() {
    for (network, kept) in [("100.64.0.0/24", 0), ("0.0.0.0/0", 8192)] {
        let mut config = counting();
        config.policy.networks = Networks::new([network.parse().unwrap()].to_vec());
        let mut raw = Raw::up(config, &offer(&[(1, 1, 2)]));
        let head = path(VIP, Some(1), "10.0.0.3", &[]);
        // The same attributes, 400 routes a message.
        let head = &head[19..head.len() - 9];
        for block in 0..2500u32 {
            let mut body = head.to_vec();
            for n in 0..400 {
                let [a, b, c, _] = ((block * 400 + n + 0x20_0000) << 8).to_be_bytes();
                body.extend_from_slice(&[0, 0, 0, 1, 24, a, b, c]);
            }
            raw.send(&message(2, &body));
        }
        raw.send(&message(2, &[0; 4]));
        let counters = raw.session.snapshot().counters;
        assert_eq!((counters.received_announced, counters.as_loops), (1_000_000, 2500));
        assert_eq!(raw.session.announced_paths(), kept);
        let want = if kept == 0 { Count::Known(0) } else { Count::Unknown };
        assert_eq!(others(&raw, VIP), want);
        assert!(raw.events.len() < 10);
        assert_eq!(raw.session.state(), State::Established);
    }
}
