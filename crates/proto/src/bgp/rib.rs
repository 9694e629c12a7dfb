//! The Adj-RIB-Out (RFC 4271 section 3.2): what the peer was told, and what it must be told yet.
//!
//! Only differences are kept. A prefix without an entry here is as wanted: the peer has exactly
//! what [`Export`] makes of the desired set. So a session that has said everything holds nothing
//! but a reference to the engine's own set, and equal peers share that.
//!
//! Withdrawals go before announcements; each prefix is sent in its newest state when its turn
//! comes, so states in between are never sent (RFC 4271 section 9.2).

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::route::{Route, RouteSet};

use super::event::Unsendable;
use super::export::Export;
use super::wire::{self, Families, Family, Refresh};

/// What the peer knows of a prefix that is to be announced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    /// Nothing.
    Nothing,
    /// An announcement with this next hop.
    Route(IpAddr),
    /// The same, and it must hear it again: a refresh, or new attributes.
    Again(IpAddr),
}

/// Waiting announcements, so ordered that those which share a message stand together.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    family: Family,
    next_hop: IpAddr,
    prefix: Prefix,
}

/// A ROUTE-REFRESH on its way to being answered. One that comes during a pass leads to one more,
/// however many come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Pass {
    requested: bool,
    running: bool,
    /// Entries of the pass that wait.
    left: usize,
}

/// What came out of [`Rib::compose`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Composed {
    pub(super) updates: u64,
    pub(super) refreshes: u64,
    pub(super) announced: u64,
    pub(super) withdrawn: u64,
    pub(super) end_of_rib: Families,
}

#[derive(Debug, Default)]
pub(super) struct Rib {
    desired: RouteSet,
    /// The session's rules while it is up.
    export: Option<Export>,
    announce: BTreeMap<Key, Told>,
    withdraw: BTreeMap<Prefix, IpAddr>,
    /// Entries on their way into these two: many at once go in faster.
    new_announce: Vec<(Key, Told)>,
    new_withdraw: Vec<(Prefix, IpAddr)>,
    passes: [Pass; 2],
    /// Families whose End-of-RIB went out on this session.
    ended: Families,
    /// Families whose End-of-RIB is kept back.
    held: Families,
    told: usize,
    /// Families of the session.
    families: Families,
    max: usize,
    enhanced: bool,
    reported: BTreeSet<(Family, Unsendable)>,
    problems: Vec<(Family, Unsendable)>,
}

impl Rib {
    pub(super) fn new(held: bool) -> Self {
        let held = if held { Families::BOTH } else { Families::NONE };
        Self { held, ..Self::default() }
    }

    /// A session is up: the peer knows nothing.
    pub(super) fn up(&mut self, export: Export, max: usize, enhanced: bool) {
        self.down();
        self.max = max;
        self.enhanced = enhanced;
        let desired = self.desired.clone();
        self.families = export.families();
        self.export = Some(export);
        desired.for_each(&mut |prefix, route| {
            let after = self.exported(prefix, Some(route));
            self.plan(prefix, None, after, false);
        });
        self.planned();
    }

    /// The session is gone, and with it what the peer was told.
    pub(super) fn down(&mut self) {
        self.export = None;
        self.announce.clear();
        self.withdraw.clear();
        self.passes = [Pass::default(); 2];
        self.ended = Families::NONE;
        self.told = 0;
        self.reported.clear();
        self.problems.clear();
    }

    /// Takes a new desired set: time goes with what differs from the one before.
    pub(super) fn set(&mut self, desired: &RouteSet) {
        let before = core::mem::replace(&mut self.desired, desired.clone());
        if self.export.is_none() {
            return;
        }
        before.diff(desired, &mut |change| {
            let old = self.exported(change.prefix, change.before);
            let new = self.exported(change.prefix, change.after);
            self.plan(change.prefix, old, new, false);
        });
        self.planned();
    }

    /// Takes new rules: everything that is still allowed is sent again.
    pub(super) fn set_export(&mut self, export: Export) {
        let Some(old) = self.export.replace(export) else {
            return;
        };
        self.reported.clear();
        let desired = self.desired.clone();
        desired.for_each(&mut |prefix, route| {
            let before = old.next_hop(prefix, route).and_then(Result::ok);
            let after = self.exported(prefix, Some(route));
            self.plan(prefix, before, after, true);
        });
        self.planned();
    }

    /// Lets End-of-RIB go out.
    pub(super) fn release(&mut self, family: Family) {
        self.held.set(family, false);
    }

    /// The peer wants everything of a family again (RFC 2918 section 4). False when it has asked
    /// before and that waits still.
    pub(super) fn refresh(&mut self, family: Family) -> bool {
        self.pass(family).is_some_and(|pass| !core::mem::replace(&mut pass.requested, true))
    }

    /// True when every family that may be ended is.
    pub(super) fn is_ended(&self) -> bool {
        self.export.is_some() && self.families.iter().all(|family| self.ended.contains(family))
    }

    pub(super) fn pending(&self) -> usize {
        self.announce.len() + self.withdraw.len()
    }

    pub(super) fn told(&self) -> usize {
        self.told
    }

    pub(super) fn desired(&self) -> &RouteSet {
        &self.desired
    }

    /// Routes that cannot be sent, each kind once a session.
    pub(super) fn take_problems(&mut self) -> Vec<(Family, Unsendable)> {
        core::mem::take(&mut self.problems)
    }

    /// True when [`Rib::compose`] has something to say.
    pub(super) fn has_work(&self) -> bool {
        self.export.is_some()
            && (self.pending() > 0
                || Family::ALL.into_iter().any(|family| {
                    self.may_end(family) || self.may_refresh(family) || self.may_finish(family)
                }))
    }

    /// Writes messages until there are no more or `out` has `limit` octets.
    pub(super) fn compose(&mut self, out: &mut Vec<u8>, limit: usize) -> Composed {
        let mut composed = Composed::default();
        let Some(export) = self.export.take() else {
            return composed;
        };
        while out.len() < limit && self.next_message(&export, out, &mut composed) {}
        self.export = Some(export);
        composed
    }

    fn next_message(
        &mut self,
        export: &Export,
        out: &mut Vec<u8>,
        composed: &mut Composed,
    ) -> bool {
        if let Some((&prefix, _)) = self.withdraw.first_key_value() {
            let family = Family::of(prefix);
            let count = wire::encode_withdraw(out, family, self.max, &mut |room| {
                let entry = self.withdraw.first_entry()?;
                let prefix = *entry.key();
                if Family::of(prefix) != family || wire::nlri_len(prefix) > room {
                    return None;
                }
                entry.remove();
                self.told = self.told.saturating_sub(1);
                Some(prefix)
            });
            composed.withdrawn += count as u64;
            composed.updates += 1;
            return true;
        }
        for family in Family::ALL {
            if self.may_refresh(family) {
                self.start_pass(export, family);
                if self.enhanced {
                    wire::encode_refresh(out, family, Refresh::Begin);
                    composed.refreshes += 1;
                }
                return true;
            }
        }
        if let Some((&first, _)) = self.announce.first_key_value() {
            let Key { family, next_hop, .. } = first;
            let attributes = &export.attributes;
            let max = self.max;
            let next = &mut |room: usize| {
                let entry = self.announce.first_entry()?;
                let key = *entry.key();
                if (key.family, key.next_hop) != (family, next_hop)
                    || wire::nlri_len(key.prefix) > room
                {
                    return None;
                }
                let told = entry.remove();
                self.taken(family, told);
                self.told += usize::from(told == Told::Nothing);
                Some(key.prefix)
            };
            let count = wire::encode_announce(out, family, next_hop, attributes, max, next);
            composed.announced += count as u64;
            composed.updates += 1;
            if count > 0 {
                return true;
            }
            // Attributes that leave no room, which validation refuses: such a route is never
            // announced rather than tried for ever.
            if let Some((key, told)) = self.announce.pop_first() {
                self.taken(key.family, told);
            }
            return true;
        }
        for family in Family::ALL {
            if self.may_end(family) {
                self.ended.set(family, true);
                composed.end_of_rib.set(family, true);
                composed.updates += 1;
                wire::encode_end_of_rib(out, family);
                return true;
            }
            if self.may_finish(family) {
                let enhanced = self.enhanced;
                if let Some(pass) = self.pass(family) {
                    pass.running = false;
                }
                if enhanced {
                    wire::encode_refresh(out, family, Refresh::End);
                    composed.refreshes += 1;
                }
                return true;
            }
        }
        false
    }

    /// Everything of the family that is as the peer has it goes into the queue once more. What
    /// waits anyway comes with the pass as it is.
    fn start_pass(&mut self, export: &Export, family: Family) {
        if let Some(pass) = self.pass(family) {
            *pass = Pass { requested: false, running: true, left: 0 };
        }
        let desired = self.desired.clone();
        desired.for_each(&mut |prefix, route| {
            if Family::of(prefix) == family
                && let Some(Ok(next_hop)) = export.next_hop(prefix, route)
            {
                self.plan(prefix, Some(next_hop), Some(next_hop), true);
            }
        });
        self.planned();
    }

    /// Brings the queues in line for a prefix whose wanted next hop was `before` and is `after`.
    /// With `again`, it is sent even if the peer has it so.
    fn plan(&mut self, prefix: Prefix, before: Option<IpAddr>, after: Option<IpAddr>, again: bool) {
        let family = Family::of(prefix);
        let key = |next_hop| Key { family, next_hop, prefix };
        // A withdrawal waits only for what is not wanted, an announcement only for what is.
        let told = match before {
            None => self.withdraw.remove(&prefix).map_or(Told::Nothing, Told::Route),
            Some(next_hop) => match self.announce.remove(&key(next_hop)) {
                Some(told) => {
                    self.taken(family, told);
                    told
                }
                None => Told::Route(next_hop),
            },
        };
        let told = match told {
            Told::Route(next_hop) if again => Told::Again(next_hop),
            told => told,
        };
        match (after, told) {
            (None, Told::Nothing) => {}
            (None, Told::Route(next_hop) | Told::Again(next_hop)) => {
                self.new_withdraw.push((prefix, next_hop));
            }
            (Some(after), Told::Route(next_hop)) if after == next_hop => {}
            (Some(after), told) => {
                self.new_announce.push((key(after), told));
                if let (Told::Again(_), Some(pass)) = (told, self.pass(family)) {
                    pass.left += 1;
                }
            }
        }
    }

    /// Takes in what [`Rib::plan`] has put aside, after each round of it.
    fn planned(&mut self) {
        merge(&mut self.announce, &mut self.new_announce);
        merge(&mut self.withdraw, &mut self.new_withdraw);
    }

    /// An entry left the queue.
    fn taken(&mut self, family: Family, told: Told) {
        if let (Told::Again(_), Some(pass)) = (told, self.pass(family)) {
            pass.left = pass.left.saturating_sub(1);
        }
    }

    fn exported(&mut self, prefix: Prefix, route: Option<&Route>) -> Option<IpAddr> {
        match self.export.as_ref()?.next_hop(prefix, route?)? {
            Ok(next_hop) => Some(next_hop),
            Err(problem) => {
                let problem = (Family::of(prefix), problem);
                if self.reported.insert(problem) {
                    self.problems.push(problem);
                }
                None
            }
        }
    }

    /// End-of-RIB may go: nothing of the family waits, and nobody keeps it back.
    fn may_end(&self, family: Family) -> bool {
        self.families.contains(family)
            && !self.ended.contains(family)
            && !self.held.contains(family)
            && !self.waits(family)
    }

    /// A pass may start. BoRR must not overtake End-of-RIB (RFC 7313 section 4).
    fn may_refresh(&self, family: Family) -> bool {
        let pass = self.passes.get(family as usize).copied().unwrap_or_default();
        pass.requested && !pass.running && (!self.enhanced || self.ended.contains(family))
    }

    fn may_finish(&self, family: Family) -> bool {
        let pass = self.passes.get(family as usize).copied().unwrap_or_default();
        pass.running && pass.left == 0
    }

    fn waits(&self, family: Family) -> bool {
        let end = match family {
            Family::Ipv4 => self.announce.first_key_value(),
            Family::Ipv6 => self.announce.last_key_value(),
        };
        end.is_some_and(|(key, _)| key.family == family)
    }

    fn pass(&mut self, family: Family) -> Option<&mut Pass> {
        self.passes.get_mut(family as usize)
    }
}

/// Puts sorted or nearly sorted entries into a map. A map is built at once about ten times as
/// fast as entry by entry.
fn merge<K: Ord, V>(map: &mut BTreeMap<K, V>, new: &mut Vec<(K, V)>) {
    if new.len() > 64 && new.len() > map.len() / 4 {
        map.append(&mut core::mem::take(new).into_iter().collect());
    } else {
        map.extend(new.drain(..));
    }
}
