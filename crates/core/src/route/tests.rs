use super::*;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use proptest::prelude::*;

fn prefix() -> impl Strategy<Value = Prefix> {
    // Few distinct bits, so that prefixes nest and collide often.
    let v4 = (0u32..16, 0u8..=32).prop_map(|(low, len)| {
        let address = Ipv4Addr::from_bits(0x0a00_0000 | low << 28 | low);
        Prefix::truncating(IpAddr::V4(address), len).unwrap()
    });
    let v6 = (0u128..8, 0u8..=128).prop_map(|(low, len)| {
        let address = Ipv6Addr::from_bits(low << 125 | 0x2001 << 60 | low);
        Prefix::truncating(IpAddr::V6(address), len).unwrap()
    });
    prop_oneof![v4, v6]
}

fn route(hop: u8) -> Route {
    Route { next_hop: NextHop::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, hop))) }
}

fn entries(set: &RouteSet) -> Vec<(Prefix, Route)> {
    let mut all = Vec::new();
    set.for_each(&mut |prefix, route| all.push((prefix, *route)));
    all
}

proptest! {
    #[test]
    fn behaves_like_an_ordered_map(
        changes in prop::collection::vec((prefix(), prop::option::of(0u8..3)), 0..60),
        split in 0usize..60,
    ) {
        let mut set = RouteSet::new();
        let mut model = BTreeMap::new();
        let mut earlier = None;
        for (at, (prefix, change)) in changes.into_iter().enumerate() {
            if at == split {
                earlier = Some((set.clone(), model.clone()));
            }
            let (got, want) = match change {
                Some(hop) => (set.insert(prefix, route(hop)), model.insert(prefix, route(hop))),
                None => (set.remove(prefix), model.remove(&prefix)),
            };
            prop_assert_eq!(got, want);
            prop_assert_eq!(set.get(prefix), model.get(&prefix));
            prop_assert_eq!(set.len(), model.len());
        }
        let mut got = entries(&set);
        got.sort_by_key(|entry| entry.0);
        prop_assert_eq!(got, model.iter().map(|(p, r)| (*p, *r)).collect::<Vec<_>>());

        // The clone kept its content, and applying the diff to it gives the newer set.
        if let Some((old_set, old_model)) = earlier {
            let mut patched = old_model.clone();
            old_set.diff(&set, &mut |change| {
                assert_eq!(change.before, old_model.get(&change.prefix));
                assert_ne!(change.before, change.after);
                match change.after {
                    Some(route) => patched.insert(change.prefix, *route),
                    None => patched.remove(&change.prefix),
                };
            });
            prop_assert_eq!(&patched, &model);
            let rebuilt: RouteSet = model.into_iter().collect();
            prop_assert_eq!(&rebuilt, &set);
            prop_assert_eq!(old_set == set, old_model == patched);
        }
    }
}
