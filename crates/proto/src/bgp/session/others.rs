//! Who else announces our prefixes: all that is kept of what a peer sends.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use ha2bgp_core::net::Prefix;

use crate::bgp::config::Policy;
use crate::bgp::event::{Count, Others};
use crate::bgp::export;
use crate::bgp::wire::{Families, Family, Heard, Path, Rank};

/// Paths kept at most, so that a full table inside of our networks costs less than a mebibyte.
pub(super) const PATHS: usize = 8192;

/// The paths of one session.
#[derive(Debug, Default)]
pub(super) struct Announcers {
    paths: BTreeMap<(Prefix, u32), Path>,
    /// Families whose paths the peer has sent in full.
    complete: Families,
    /// There were more paths than are kept, or other networks.
    partial: bool,
}

impl Announcers {
    pub(super) fn hear(&mut self, heard: Heard) {
        let key = (heard.prefix, heard.path_id);
        match heard.path {
            None => {
                self.paths.remove(&key);
            }
            Some(path) if self.paths.len() < PATHS || self.paths.contains_key(&key) => {
                self.paths.insert(key, path);
            }
            Some(_) => self.partial = true,
        }
    }

    /// The networks are others: what is outside of them is not followed any more, and what the peer
    /// told of those that are new was not listened to.
    pub(super) fn forget_outside(&mut self, policy: &Policy) {
        self.paths.retain(|(prefix, _), _| export::is_allowed(policy, *prefix));
        self.partial = true;
    }

    pub(super) fn end_of_rib(&mut self, family: Family) {
        self.complete.set(family, true);
    }

    /// What is known of a prefix. `own`: next hops that lead here. `all_paths`: families of which
    /// the peer sends every path it has.
    pub(super) fn others(&self, prefix: Prefix, own: &[IpAddr], all_paths: Families) -> Others {
        let paths = self.paths.range((prefix, 0)..=(prefix, u32::MAX)).map(|(_, path)| path);
        let mut hops: BTreeMap<IpAddr, Rank> = BTreeMap::new();
        for path in paths.filter(|path| !own.contains(&path.next_hop)) {
            let rank = hops.entry(path.next_hop).or_insert(path.rank);
            *rank = path.rank.max(*rank);
        }
        let of = |wanted: Rank| hops.values().filter(|rank| **rank == wanted).count();
        let (full, last_choice) = (of(Rank::Full), of(Rank::LastChoice));
        let family = Family::of(prefix);
        let known = all_paths.contains(family) && self.complete.contains(family) && !self.partial;
        let full = match full {
            full if known => Count::Known(full),
            0 => Count::Unknown,
            full => Count::AtLeast(full),
        };
        Others { full, last_choice }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }
}
