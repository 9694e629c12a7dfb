//! Our encoder against a codec that nobody of this project wrote.

use alloc::vec;

use proptest::prelude::*;
use rustbgpd_wire::attribute::{AsPathSegment, PathAttribute};
use rustbgpd_wire::nlri::Prefix as TheirPrefix;
use rustbgpd_wire::{Afi, Message, Safi, UpdateMessage, decode_message};

use super::*;

const ADD_PATH: &[(Afi, Safi)] = &[(Afi::Ipv4, Safi::Unicast), (Afi::Ipv6, Safi::Unicast)];

fn prefix() -> impl Strategy<Value = Prefix> {
    let v4 = (any::<u32>(), 0u8..=32)
        .prop_map(|(bits, len)| Prefix::truncating(Ipv4Addr::from_bits(bits).into(), len).unwrap());
    let v6 = (any::<u128>(), 0u8..=128).prop_map(|(bits, len)| {
        Prefix::truncating(core::net::Ipv6Addr::from_bits(bits).into(), len).unwrap()
    });
    prop_oneof![v4, v6]
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let path = prop::collection::vec((1u32..u32::MAX).prop_map(Asn), 1..17);
    let sets = (
        prop::collection::btree_set(any::<u32>(), 0..100),
        prop::collection::btree_set(any::<[u8; 8]>(), 0..50),
        prop::collection::btree_set(any::<[u32; 3]>(), 0..40),
    );
    let numbers = (any::<Option<u32>>(), any::<Option<u32>>(), any::<bool>());
    (path, sets, numbers).prop_map(|(as_path, (standard, extended, large), (med, otc, wide))| {
        Attributes {
            as_path,
            four_octet_as: wide,
            med,
            local_pref: None,
            communities: standard.into_iter().collect(),
            extended_communities: extended.into_iter().collect(),
            large_communities: large.into_iter().collect(),
            only_to_customer: otc.map(Asn),
        }
    })
}

fn theirs(out: &[u8]) -> UpdateMessage {
    match decode_message(&mut bytes_of(out), 4096) {
        Ok(Message::Update(update)) => update,
        other => panic!("{other:?}"),
    }
}

/// Their buffer type, without naming its crate.
fn bytes_of<T: From<Vec<u8>>>(out: &[u8]) -> T {
    T::from(out.to_vec())
}

fn back(prefix: &TheirPrefix) -> Prefix {
    match prefix {
        TheirPrefix::V4(it) => Prefix::truncating(it.addr.into(), it.len).unwrap(),
        TheirPrefix::V6(it) => Prefix::truncating(it.addr.into(), it.len).unwrap(),
    }
}

proptest! {
    #[test]
    fn another_codec_reads_what_we_write(
        prefixes in prop::collection::vec(prefix(), 1..400),
        attributes in attributes(),
        over_ipv6 in any::<bool>(),
        path_id in any::<Option<u32>>(),
    ) {
        for family in Family::ALL {
            let mine: Vec<Prefix> =
                prefixes.iter().copied().filter(|it| Family::of(*it) == family).collect();
            let next_hop: IpAddr = match (family, over_ipv6) {
                (Family::Ipv4, false) => "192.0.2.1".parse().unwrap(),
                _ => "2001:db8::1".parse().unwrap(),
            };
            let shape = Shape { path_id, ..SHAPE };
            let theirs_too = if path_id.is_some() { ADD_PATH } else { &[] };
            let mut waiting = mine.iter().copied().peekable();
            let mut seen = Vec::new();
            while waiting.peek().is_some() {
                let mut out = Vec::new();
                let next = &mut |room: usize| waiting.next_if(|it| nlri_len(*it) <= room);
                let count = encode_announce(&mut out, family, next_hop, &attributes, shape, next);
                prop_assert!(count > 0 && out.len() <= 4096);
                let update = theirs(&out);
                let parsed = update.parse_revised(attributes.four_octet_as, false, path_id.is_some(), theirs_too).unwrap();
                prop_assert!(parsed.malformed.is_empty(), "{:?}", parsed.malformed);
                seen.extend(parsed.update.announced.iter().map(|it| back(&TheirPrefix::V4(it.prefix))));
                let id = path_id.unwrap_or(0);
                prop_assert!(parsed.update.announced.iter().all(|it| it.path_id == id));
                let mut path = None;
                let mut hop = None;
                for attribute in &parsed.update.attributes {
                    match attribute {
                        PathAttribute::NextHop(it) => hop = Some(IpAddr::V4(*it)),
                        PathAttribute::MpReachNlri(it) => {
                            hop = Some(it.next_hop);
                            seen.extend(it.announced.iter().map(|it| back(&it.prefix)));
                            prop_assert!(it.announced.iter().all(|it| it.path_id == id));
                        }
                        PathAttribute::AsPath(it) => path = Some(it.segments.clone()),
                        PathAttribute::Med(it) => prop_assert_eq!(Some(*it), attributes.med),
                        PathAttribute::Communities(it) => {
                            prop_assert_eq!(it, &attributes.communities);
                        }
                        _ => {}
                    }
                }
                prop_assert_eq!(hop, Some(next_hop));
                // With AS4_PATH they have put the true path back together.
                let asns = attributes.as_path.iter().map(|it| it.0).collect();
                prop_assert_eq!(path, Some(vec![AsPathSegment::AsSequence(asns)]));
                let large = parsed.update.attributes.iter().find_map(PathAttribute::large_communities);
                prop_assert_eq!(large.map_or(0, <[_]>::len), attributes.large_communities.len());
                let otc = parsed.update.attributes.iter().find_map(PathAttribute::only_to_customer);
                prop_assert_eq!(otc.map(Asn), attributes.only_to_customer);
            }
            prop_assert_eq!(seen, mine);
        }
    }

    #[test]
    fn another_codec_reads_our_withdrawals(
        prefixes in prop::collection::vec(prefix(), 1..900),
        path_id in any::<Option<u32>>(),
    ) {
        for family in Family::ALL {
            let mine: Vec<Prefix> =
                prefixes.iter().copied().filter(|it| Family::of(*it) == family).collect();
            let shape = Shape { path_id, ..SHAPE };
            let theirs_too = if path_id.is_some() { ADD_PATH } else { &[] };
            let mut waiting = mine.iter().copied().peekable();
            let mut seen = Vec::new();
            while waiting.peek().is_some() {
                let mut out = Vec::new();
                let next = &mut |room: usize| waiting.next_if(|it| nlri_len(*it) <= room);
                let count = encode_withdraw(&mut out, family, shape, next);
                prop_assert!(count > 0 && out.len() <= 4096);
                let update = theirs(&out);
                let parsed =
                    update.parse_revised(true, false, path_id.is_some(), theirs_too).unwrap();
                prop_assert!(parsed.malformed.is_empty(), "{:?}", parsed.malformed);
                let v4 = parsed.update.withdrawn.iter();
                seen.extend(v4.map(|it| (it.path_id, back(&TheirPrefix::V4(it.prefix)))));
                for attribute in &parsed.update.attributes {
                    let PathAttribute::MpUnreachNlri(it) = attribute else {
                        panic!("{attribute:?}")
                    };
                    seen.extend(it.withdrawn.iter().map(|it| (it.path_id, back(&it.prefix))));
                }
            }
            let id = path_id.unwrap_or(0);
            prop_assert_eq!(seen, mine.into_iter().map(|it| (id, it)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn another_codec_reads_our_open(
        asn in 1u32..u32::MAX, hold in 3u16.., restart in 0u16..4096, host in "[a-z]{1,60}", many in 0usize..8,
    ) {
        let mut capabilities = vec![
            Capability::family(Family::Ipv4),
            Capability::family(Family::Ipv6),
            Capability::RouteRefresh,
            Capability::ExtendedNextHop(vec![(1, 1, 2)]),
            Capability::ExtendedMessages,
            Capability::Role(4),
            Capability::GracefulRestart {
                restarting: true, notification: true, restart_time: restart,
                families: vec![(1, 1, true), (2, 1, false)],
            },
            Capability::FourOctetAs(Asn(asn)),
            Capability::AddPath(vec![(1, 1, 3), (2, 1, 1)]),
            Capability::EnhancedRouteRefresh,
            Capability::Fqdn { host, domain: "example.net".into() },
        ];
        for code in 0..many {
            let code = 200 + u8::try_from(code).unwrap();
            capabilities.push(Capability::Other { code, value: vec![1; 100] });
        }
        let id = Ipv4Addr::new(10, 0, 0, 1);
        let open = Open { my_as: Asn(asn).two_octets(), hold_time: hold, id, capabilities };
        let mut out = Vec::new();
        open.encode(&mut out);
        let Ok(Message::Open(read)) = decode_message(&mut bytes_of(&out), 4096) else {
            panic!("not an OPEN")
        };
        prop_assert_eq!(read.four_byte_as(), asn);
        prop_assert_eq!((read.hold_time, read.bgp_identifier), (hold, id));
        prop_assert_eq!(read.capabilities.len(), open.capabilities.len());
        for (ours, theirs) in open.capabilities.iter().zip(&read.capabilities) {
            prop_assert_eq!(ours.code(), theirs.code());
            if let rustbgpd_wire::Capability::AddPath(families) = theirs {
                let modes: Vec<String> =
                    families.iter().map(|it| alloc::format!("{:?}", it.send_receive)).collect();
                prop_assert_eq!(modes, ["Both", "Receive"]);
            }
        }
        let (again, parameters) = Open::decode(&out[HEADER..]).unwrap();
        prop_assert_eq!((again, parameters), (open, Ok(())));
    }
}
