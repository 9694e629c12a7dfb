//! From what is to be said to messages.

use super::walk::QUEUE;
use super::*;
use crate::bgp::wire::{self, Refresh};
use crate::told::Told;

/// What came out of [`Rib::compose`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::bgp) struct Composed {
    pub(in crate::bgp) updates: u64,
    pub(in crate::bgp) refreshes: u64,
    pub(in crate::bgp) announced: u64,
    pub(in crate::bgp) withdrawn: u64,
    pub(in crate::bgp) end_of_rib: Families,
}

impl Rib {
    /// True when [`Rib::compose`] has something to say.
    pub(in crate::bgp) fn has_work(&self) -> bool {
        self.export.is_some()
            && (self.phase != Phase::Done
                || Family::ALL.into_iter().any(|family| {
                    self.may_end(family) || self.may_refresh(family) || self.may_finish(family)
                }))
    }

    /// Writes messages until there are no more or `out` has `limit` octets; `told` hears of whom.
    pub(in crate::bgp) fn compose(
        &mut self,
        out: &mut Vec<u8>,
        limit: usize,
        told: &mut Told,
    ) -> Composed {
        let mut composed = Composed::default();
        let Some(export) = self.export.clone() else {
            return composed;
        };
        while out.len() < limit && self.next_message(&export, out, told, &mut composed) {}
        self.fill(1);
        composed
    }

    fn next_message(
        &mut self,
        export: &Export,
        out: &mut Vec<u8>,
        told: &mut Told,
        composed: &mut Composed,
    ) -> bool {
        self.fill(QUEUE);
        if let Some(first) = self.queue.get(self.said).copied() {
            let family = Family::of(first.prefix);
            let shape = export.shape(family, self.max);
            self.spoken = true;
            let next = &mut |room: usize| {
                // A message goes on where the queue ends.
                if self.said == self.queue.len() {
                    self.fill(QUEUE);
                }
                let item = self.queue.get(self.said)?;
                let fits = item.group() == first.group() && wire::nlri_len(item.prefix) <= room;
                fits.then(|| {
                    let Item { prefix, next_hop, notes } = *item;
                    self.said += 1;
                    told.push(prefix);
                    self.count += usize::from(notes.is_fresh());
                    self.count = self.count.saturating_sub(usize::from(next_hop.is_none()));
                    prefix
                })
            };
            composed.updates += 1;
            let Some(next_hop) = first.next_hop else {
                composed.withdrawn += wire::encode_withdraw(out, family, shape, next) as u64;
                return true;
            };
            let attributes = export.attributes(first.notes.style());
            let count = wire::encode_announce(out, family, next_hop, attributes, shape, next);
            composed.announced += count as u64;
            // Attributes that leave no room, which validation refuses: such a route is never
            // announced rather than tried for ever.
            self.said += usize::from(count == 0);
            return true;
        }
        Family::ALL.into_iter().any(|family| self.mark(export, family, out, composed))
    }

    /// Writes what stands between routes: End-of-RIB, and the bounds of a refresh.
    fn mark(
        &mut self,
        export: &Export,
        family: Family,
        out: &mut Vec<u8>,
        composed: &mut Composed,
    ) -> bool {
        let bound = if self.may_finish(family) {
            Refresh::End
        } else if self.may_end(family) {
            self.ended.set(family, true);
            composed.end_of_rib.set(family, true);
            composed.updates += 1;
            wire::encode_end_of_rib(out, family);
            return true;
        } else if self.may_refresh(family) {
            Refresh::Begin
        } else {
            return false;
        };
        let begins = bound == Refresh::Begin;
        if let Some(pass) = self.pass(family) {
            pass.running = begins;
            pass.requested &= !begins;
        }
        if self.enhanced {
            wire::encode_refresh(out, family, bound);
            composed.refreshes += 1;
        }
        if begins {
            let mut families = Families::NONE;
            families.set(family, true);
            if let Some(export) = self.export.clone() {
                self.note_stale_rules(&export);
            }
            self.make_stale(export, families, &|_, _| None);
            self.begin();
        }
        true
    }

    /// End-of-RIB may go: nothing waits, and nobody keeps it back.
    fn may_end(&self, family: Family) -> bool {
        self.phase == Phase::Done
            && self.families.contains(family)
            && !self.ended.contains(family)
            && !self.held.contains(family)
    }

    /// A pass may start. BoRR must not overtake End-of-RIB (RFC 7313 section 4).
    fn may_refresh(&self, family: Family) -> bool {
        let pass = self.passes.get(family as usize).copied().unwrap_or_default();
        self.phase == Phase::Done
            && pass.requested
            && !pass.running
            && (!self.enhanced || self.ended.contains(family))
    }

    fn may_finish(&self, family: Family) -> bool {
        let pass = self.passes.get(family as usize).copied().unwrap_or_default();
        self.phase == Phase::Done && pass.running
    }
}
