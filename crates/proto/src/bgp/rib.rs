//! The Adj-RIB-Out (RFC 4271 section 3.2): what the peer was told, and what it must be told yet.
//!
//! What the peer was told follows from sets that all peers share: `told` is the desired set as it
//! was when it was told, and the rules of the session say what became of each route. What it must
//! be told yet is the difference from `told` to `desired`, walked little by little as the peer
//! takes it: a hundred thousand routes to say cost no more memory than a few thousand.
//!
//! The walk has phases: first withdrawals, then announcements. A new desired set begins it again,
//! after `told` was brought in line with what was said so far ([`Rib::commit`]). So each prefix is
//! sent in its newest state when its turn comes, and states in between are never sent (as RFC 4271
//! section 9.2.1.1 has it for routes that wait).

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::ControlFlow;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::route::{Route, RouteSet};

use super::event::Unsendable;
use super::export::{Export, Style};
use super::wire::{Families, Family};

mod compose;
mod look;
mod walk;

pub(super) use look::Held;

use walk::{Item, Phase};

/// A ROUTE-REFRESH on its way to being answered. One that comes during a pass leads to one more,
/// however many come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Pass {
    requested: bool,
    running: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Rib {
    desired: RouteSet,
    /// The session's rules while it is up.
    export: Option<Arc<Export>>,
    /// The desired set that the peer was told. Prefixes that the rules keep back are in it too.
    told: RouteSet,
    /// What the peer has and must hear again, or no longer: a refresh, or other rules. Only
    /// prefixes that it really has; none of them is in `told`.
    stale: RouteSet,
    /// The rules that all of `stale` went out under; none: several.
    stale_rules: Option<Arc<Export>>,
    /// The rules may keep back routes of `stale` that are desired.
    unchecked: bool,
    /// A desired set that takes back nothing of `told`: only what it does not share with the
    /// newest one may have to be withdrawn. None: `told` itself.
    checked: Option<RouteSet>,
    phase: Phase,
    /// The walk's phase is done up to here,
    from: Option<Prefix>,
    /// its queue filled up to here,
    to: Option<Prefix>,
    /// and is at its end.
    at_end: bool,
    queue: Vec<Item>,
    /// So many of its items are said.
    said: usize,
    /// Something was said since `told` was brought in line.
    spoken: bool,
    /// Prefixes that the peer has.
    count: usize,
    passes: [Pass; 2],
    /// Families whose End-of-RIB went out on this session.
    ended: Families,
    /// Families whose End-of-RIB is kept back.
    held: Families,
    /// Families of the session.
    families: Families,
    max: usize,
    enhanced: bool,
    problems: Problems,
}

/// Routes that cannot be sent, each kind once a session.
#[derive(Clone, Debug, Default)]
struct Problems {
    known: BTreeSet<(Family, Unsendable)>,
    new: Vec<(Family, Unsendable)>,
}

impl Problems {
    fn note(&mut self, prefix: Prefix, problem: Unsendable) {
        let problem = (Family::of(prefix), problem);
        if self.known.insert(problem) {
            self.new.push(problem);
        }
    }
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
        self.families = export.families();
        self.export = Some(Arc::new(export));
        self.begin();
    }

    /// The session is gone, and with it what the peer was told.
    pub(super) fn down(&mut self) {
        let (desired, held) = (core::mem::take(&mut self.desired), self.held);
        *self = Self { desired, held, ..Self::default() };
    }

    /// Takes a new desired set: time goes with what differs from the one before, however much is
    /// still to be said.
    pub(super) fn set(&mut self, desired: &RouteSet) {
        self.commit();
        self.desired = desired.clone();
        self.begin();
    }

    /// Takes new rules: what goes out otherwise under them is sent again, and nothing else.
    pub(super) fn set_export(&mut self, export: Export) {
        let Some(old) = self.export.clone() else { return };
        if *old == export {
            return;
        }
        self.commit();
        self.problems = Problems::default();
        self.note_stale_rules(&old);
        let same = old.compare(&export);
        let desired = self.desired.clone();
        self.make_stale(&old, Families::BOTH, &|prefix, told| {
            // What the peer has may be what a newer route comes to.
            let mut routes = [Some(told), desired.get(prefix)].into_iter().flatten();
            routes.find(|route| same.holds(prefix, told, route)).copied()
        });
        self.unchecked = true;
        self.export = Some(Arc::new(export));
        self.begin();
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

    /// Announcements and withdrawals that are to be sent. Takes time with their number.
    pub(super) fn pending(&self) -> usize {
        let mut rest = self.clone();
        let mut count = 0;
        loop {
            rest.fill(usize::MAX);
            if rest.phase == Phase::Done {
                return count;
            }
            count += rest.queue.len() - rest.said;
            rest.said = rest.queue.len();
        }
    }

    /// Prefixes that the peer has.
    pub(super) fn told(&self) -> usize {
        self.count
    }

    pub(super) fn desired(&self) -> &RouteSet {
        &self.desired
    }

    /// Routes that cannot be sent, each kind once a session.
    pub(super) fn take_problems(&mut self) -> Vec<(Family, Unsendable)> {
        core::mem::take(&mut self.problems.new)
    }

    /// Notes under which rules what becomes stale now went out.
    fn note_stale_rules(&mut self, rules: &Arc<Export>) {
        if self.stale.is_empty() {
            self.stale_rules = Some(rules.clone());
        } else if !self.told.is_empty() {
            let same = |it: &Arc<Export>| Arc::ptr_eq(it, rules);
            self.stale_rules = self.stale_rules.take().filter(same);
        }
    }

    /// What the peer has of these families moves to `stale`, but for what `stays` as the route that
    /// it names. Nothing may be half said.
    fn make_stale(
        &mut self,
        export: &Export,
        families: Families,
        stays: &dyn Fn(Prefix, &Route) -> Option<Route>,
    ) {
        let told = core::mem::take(&mut self.told);
        self.checked = None;
        for family in Family::ALL {
            let part = told.family(family == Family::Ipv4);
            let concerned = families.contains(family);
            self.told = self.told.patched(&part, &mut |change| match change.after {
                Some(route) if concerned => stays(change.prefix, route),
                other => other.or(change.before).copied(),
            });
            if !concerned {
                continue;
            }
            self.stale = self.stale.patched(&part, &mut |change| {
                let prefix = change.prefix;
                let goes = |route: &&Route| {
                    stays(prefix, route).is_none() && export.sent(prefix, Some(route)).is_some()
                };
                change.before.or(change.after.filter(goes)).copied()
            });
        }
    }

    fn pass(&mut self, family: Family) -> Option<&mut Pass> {
        self.passes.get_mut(family as usize)
    }
}

#[cfg(test)]
mod tests;
