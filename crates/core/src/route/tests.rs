use super::*;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    Route {
        next_hop: NextHop::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, hop / 2))),
        last_choice: hop % 2 == 1,
        draining: hop % 4 == 3,
    }
}

fn entries(set: &RouteSet) -> Vec<(Prefix, Route)> {
    let mut all = Vec::new();
    set.for_each(&mut |prefix, route| all.push((prefix, *route)));
    all
}

proptest! {
    #[test]
    fn behaves_like_an_ordered_map(
        changes in prop::collection::vec((prefix(), prop::option::of(0u8..3)), 0..200),
        split in 0usize..200,
        after in prefix(),
        most in 0usize..40,
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
        // In order, too.
        prop_assert_eq!(entries(&set), model.iter().map(|(p, r)| (*p, *r)).collect::<Vec<_>>());

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

            // From a prefix on, so many and no more.
            let mut all = Vec::new();
            old_set.diff(&set, &mut |change| all.push(change));
            let mut some = Vec::new();
            let _ = old_set.diff_after(&set, Some(after), &mut |change| {
                some.push(change);
                if some.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            all.retain(|change| change.prefix > after);
            all.truncate(most.max(1));
            prop_assert_eq!(some, all);

            // Some of the differences, taken over.
            let mut mixed = old_model;
            let is_taken = |prefix: Prefix| prefix <= after;
            for prefix in patched.keys().chain(mixed.clone().keys()).copied() {
                match patched.get(&prefix).filter(|_| is_taken(prefix)) {
                    Some(route) => mixed.insert(prefix, *route),
                    None if is_taken(prefix) => mixed.remove(&prefix),
                    None => None,
                };
            }
            let taken = old_set.patched(&set, &mut |change| {
                if is_taken(change.prefix) { change.after.copied() } else { change.before.copied() }
            });
            prop_assert_eq!(taken.len(), mixed.len());
            prop_assert_eq!(entries(&taken), mixed.into_iter().collect::<Vec<_>>());
            let whole = old_set.patched(&set, &mut |change| change.after.copied());
            prop_assert_eq!(whole, set);
        }
    }
}
