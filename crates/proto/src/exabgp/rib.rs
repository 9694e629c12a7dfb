//! The Adj-RIB-Out: per prefix what was sent and what came of it, and what must be sent next.
//!
//! Nothing here knows of bytes or answers' order. The desired set is compared with what was sent
//! when a line is *taken*, not when the set changes: a prefix that changes a thousand times while
//! the pipe is blocked costs one place in a queue and one line.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;
use core::time::Duration;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::route::{Route, RouteSet};
use ha2bgp_core::time::Instant;

use super::command::{Command, Purpose, Verb};
use super::last_choice::{LastChoice, Looks};

/// Withdrawn prefixes that are remembered to say it again; the longest withdrawn go first.
pub(super) const TOMBSTONES_MAX: usize = if cfg!(test) { 1024 } else { 131_072 };
/// Pauses between the attempts for a rejected prefix: 1 s, doubled up to 30 s.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(30);

/// The queues, most urgent first: a withdrawal never waits behind announcements.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lane {
    Withdraw,
    Announce,
    Reassert,
}

/// What the last command for a prefix said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Said {
    Announced(Route),
    /// With the next hop that the announcement had. Never as the last choice: a withdrawal has no
    /// attributes, and shares a line with any other.
    Withdrawn(Route),
}

const fn said(verb: Verb, route: Route) -> Said {
    match verb {
        Verb::Announce => Said::Announced(route),
        Verb::Withdraw => Said::Withdrawn(route),
    }
}

/// A command that is not taken yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Preview {
    verb: Verb,
    route: Route,
    purpose: Purpose,
    /// It may not share a line.
    pub(super) alone: bool,
}

#[derive(Clone, Copy, Debug)]
struct Rejection {
    attempts: u8,
    reported: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    said: Option<Said>,
    queued: Option<(Lane, u64)>,
    /// Say it even if nothing changed.
    again: Option<Purpose>,
    in_flight: u16,
    acknowledged: bool,
    /// The last command got no answer that could be matched.
    unsure: bool,
    /// ExaBGP may have the route.
    held: bool,
    rejected: Option<Rejection>,
    retry: Option<Instant>,
    reassert: Option<Instant>,
    tombstone: Option<u64>,
}

/// What there is to know of a prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Look {
    pub(super) intended: Option<Route>,
    /// The last command announced it so.
    pub(super) sent: Option<Route>,
    pub(super) is_acknowledged: bool,
    pub(super) is_rejected: bool,
}

/// What an answer did to a prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// Nothing to report.
    Quiet,
    /// Accepted after a rejection that was reported.
    Accepted,
    /// Rejected, not reported before.
    Rejected,
}

#[derive(Debug)]
pub(super) struct Rib {
    desired: RouteSet,
    entries: BTreeMap<Prefix, Entry>,
    lanes: [BTreeMap<u64, Prefix>; 3],
    retries: BTreeSet<(Instant, Prefix)>,
    reasserts: BTreeSet<(Instant, Prefix)>,
    tombstones: BTreeMap<u64, Prefix>,
    sequence: u64,
    reassert_every: Option<Duration>,
    /// What is said with routes that are the last choice.
    looks: Looks,
    pub(super) sent: usize,
    pub(super) acknowledged: usize,
    pub(super) rejected: usize,
}

impl Rib {
    pub(super) fn new(reassert_every: Option<Duration>, looks: Looks) -> Self {
        Self {
            desired: RouteSet::new(),
            entries: BTreeMap::new(),
            lanes: [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()],
            retries: BTreeSet::new(),
            reasserts: BTreeSet::new(),
            tombstones: BTreeMap::new(),
            sequence: 0,
            reassert_every: reassert_every.filter(|every| !every.is_zero()),
            looks,
            sent: 0,
            acknowledged: 0,
            rejected: 0,
        }
    }

    /// Takes a new desired set: time goes with what differs from the one before.
    pub(super) fn set(&mut self, desired: &RouteSet, serial: bool) {
        let before = core::mem::replace(&mut self.desired, desired.clone());
        before.diff(desired, &mut |change| self.plan(change.prefix, serial));
    }

    /// Takes what somebody else may have announced as announced, and withdraws it unless it is
    /// wanted. What was said here already is known better.
    pub(super) fn adopt(&mut self, routes: &RouteSet, serial: bool) {
        routes.for_each(&mut |prefix, route| {
            if self.entries.contains_key(&prefix) || self.desired.get(prefix).is_some() {
                return;
            }
            self.entries.insert(prefix, Entry::default());
            self.update(prefix, |entry| {
                entry.said = Some(Said::Announced(*route));
                entry.held = true;
            });
            self.plan(prefix, serial);
        });
    }

    /// Brings the queues in line with what is wanted and what was said. With `serial`, a prefix
    /// whose last command still waits for its answer waits too: ExaBGP has dropped an announcement
    /// that came within milliseconds of a withdrawal (Exa-Networks/exabgp issue 661).
    pub(super) fn plan(&mut self, prefix: Prefix, serial: bool) {
        let want = self.wanted(prefix);
        let Some(entry) = self.entries.get(&prefix).copied() else {
            if want.is_some() {
                self.entries.insert(prefix, Entry::default());
                self.enqueue(prefix, Some(Lane::Announce));
            }
            return;
        };
        let lane = match (want, entry.said) {
            (None, None) => {
                self.enqueue(prefix, None);
                self.entries.remove(&prefix);
                return;
            }
            (Some(route), Some(Said::Announced(said))) if said == route => None,
            (Some(_), _) => Some(Lane::Announce),
            (None, Some(Said::Announced(_))) => Some(Lane::Withdraw),
            (None, Some(Said::Withdrawn(_))) => None,
        };
        let lane = lane.or(match (entry.again, want) {
            (None, _) => None,
            (Some(Purpose::Reassert), _) => Some(Lane::Reassert),
            (Some(_), Some(_)) => Some(Lane::Announce),
            (Some(_), None) => Some(Lane::Withdraw),
        });
        let wait = serial && entry.in_flight > 0;
        self.enqueue(prefix, lane.filter(|_| !wait));
    }

    /// What there is to know of a prefix.
    pub(super) fn look(&self, prefix: Prefix) -> Look {
        let intended = self.wanted(prefix);
        let entry = self.entries.get(&prefix).copied().unwrap_or_default();
        let sent = match entry.said {
            Some(Said::Announced(route)) => Some(route),
            Some(Said::Withdrawn(_)) | None => None,
        };
        let is_rejected = entry.rejected.is_some();
        Look { intended, sent, is_acknowledged: entry.acknowledged, is_rejected }
    }

    /// The first `limit` prefixes behind `after` that are desired or were spoken of.
    pub(super) fn prefixes(&self, after: Option<Prefix>, limit: usize) -> Vec<Prefix> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        // What is desired has an entry since it was planned.
        let entries = self.entries.range((from, Bound::Unbounded));
        entries.map(|(prefix, _)| *prefix).take(limit).collect()
    }

    /// What is said of a route beside its next hop.
    pub(super) fn attributes(&self, route: Route) -> Option<Arc<LastChoice>> {
        self.looks.route(route).and_then(|route| self.looks.of(route))
    }

    /// The desired route, as it goes out.
    fn wanted(&self, prefix: Prefix) -> Option<Route> {
        self.looks.route(*self.desired.get(prefix)?)
    }

    /// Puts a prefix into one queue, or none. Who waits already keeps the place.
    fn enqueue(&mut self, prefix: Prefix, lane: Option<Lane>) {
        let Some(entry) = self.entries.get_mut(&prefix) else {
            return;
        };
        let place = match (entry.queued, lane) {
            (Some((old, _)), Some(new)) if old == new => return,
            (None, None) => return,
            (Some((old, place)), _) => {
                self.lanes[old as usize].remove(&place);
                // From the reassertions to the changes is a new start.
                (old != Lane::Reassert).then_some(place)
            }
            (None, Some(_)) => None,
        };
        let place = place.unwrap_or_else(|| {
            self.sequence += 1;
            self.sequence
        });
        entry.queued = lane.map(|lane| (lane, place));
        if let Some(lane) = lane {
            self.lanes[lane as usize].insert(place, prefix);
        }
    }

    /// The next prefix of a queue.
    pub(super) fn first(&self, lane: Lane) -> Option<Prefix> {
        self.lanes[lane as usize].values().next().copied()
    }

    pub(super) fn waiting(&self, lane: Lane) -> usize {
        self.lanes[lane as usize].len()
    }

    /// What the command for this prefix would be.
    pub(super) fn preview(&self, prefix: Prefix) -> Option<Preview> {
        let entry = self.entries.get(&prefix)?;
        let (verb, route) = match (self.wanted(prefix), entry.said) {
            (Some(route), _) => (Verb::Announce, route),
            (None, Some(Said::Announced(said) | Said::Withdrawn(said))) => {
                (Verb::Withdraw, Route::new(said.next_hop))
            }
            (None, None) => return None,
        };
        let said = Some(said(verb, route));
        Some(Preview {
            verb,
            route,
            purpose: entry.again.filter(|_| said == entry.said).unwrap_or(Purpose::Change),
            // An `error` for a group does not say which one: they are tried again one by one.
            alone: entry.rejected.is_some(),
        })
    }

    /// Turns the newest state of a prefix into a command and notes it as said.
    pub(super) fn take(&mut self, prefix: Prefix, now: Instant) -> Option<Command> {
        let Preview { verb, route, purpose, .. } = self.preview(prefix)?;
        let said = said(verb, route);
        self.enqueue(prefix, None);
        self.sequence += 1;
        let sequence = self.sequence;
        self.update(prefix, |entry| {
            if entry.said != Some(said) {
                entry.acknowledged = false;
                entry.rejected = None;
            }
            entry.said = Some(said);
            entry.again = None;
            entry.in_flight = entry.in_flight.saturating_add(1);
        });
        self.set_retry(prefix, None);
        let every = match verb {
            Verb::Announce => self.reassert_every,
            // Withdrawals are repeated a third as often, as the original did.
            Verb::Withdraw => self.reassert_every.map(|every| every.saturating_mul(3)),
        };
        self.set_reassert(prefix, every.map(|every| now + every));
        self.set_tombstone(prefix, (verb == Verb::Withdraw).then_some(sequence));
        let last_choice = self.looks.of(route);
        Some(Command { last_choice, ..Command::single(verb, route.next_hop, prefix, purpose) })
    }

    /// Takes the answer to a command with this prefix. `pause` is none while the dialect is being
    /// guessed: then a rejection is tried again at once, and not reported.
    pub(super) fn answered(
        &mut self,
        prefix: Prefix,
        verb: Verb,
        done: bool,
        guessing: bool,
        now: Instant,
    ) -> Outcome {
        let mut outcome = Outcome::Quiet;
        let mut retry = None;
        self.update(prefix, |entry| {
            entry.in_flight = entry.in_flight.saturating_sub(1);
            if done {
                entry.held = verb == Verb::Announce;
            }
            if entry.in_flight > 0 {
                // A newer command will tell.
                return;
            }
            entry.unsure = false;
            if done {
                entry.acknowledged = true;
                if entry.rejected.take().is_some_and(|it| it.reported) {
                    outcome = Outcome::Accepted;
                }
                return;
            }
            entry.acknowledged = false;
            if verb == Verb::Withdraw && !entry.held {
                // ExaBGP never took the route: there is nothing to insist on.
                entry.rejected = None;
                return;
            }
            let before = entry.rejected.unwrap_or(Rejection { attempts: 0, reported: false });
            if !guessing && !before.reported {
                outcome = Outcome::Rejected;
            }
            entry.rejected = Some(Rejection {
                attempts: before.attempts.saturating_add(u8::from(!guessing)),
                reported: before.reported || !guessing,
            });
            retry = Some(if guessing { now } else { now + pause(before.attempts) });
        });
        self.set_retry(prefix, retry);
        outcome
    }

    /// A command with this prefix gets no answer: take it as accepted, or with `resend` say it again.
    pub(super) fn released(&mut self, prefix: Prefix, resend: bool, serial: bool) {
        self.update(prefix, |entry| {
            entry.in_flight = 0;
            entry.unsure = true;
            entry.held = matches!(entry.said, Some(Said::Announced(_)));
            entry.rejected = None;
            if resend {
                entry.again = Some(Purpose::Retry);
            }
        });
        self.set_retry(prefix, None);
        self.plan(prefix, serial);
    }

    /// Says again whatever got no answer, since some of it was refused. Looks at every entry; that
    /// is for once after a silence.
    pub(super) fn repeat_unsure(&mut self, serial: bool) {
        let unsure: Vec<Prefix> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.unsure && entry.in_flight == 0)
            .map(|(prefix, _)| *prefix)
            .collect();
        for prefix in unsure {
            self.update(prefix, |entry| {
                entry.unsure = false;
                entry.again = Some(Purpose::Retry);
            });
            self.plan(prefix, serial);
        }
    }

    /// Puts what is due for another attempt into the queues.
    pub(super) fn release_retries(&mut self, now: Instant, serial: bool) {
        while let Some((_, prefix)) = self.retries.first().copied().filter(|(at, _)| *at <= now) {
            self.set_retry(prefix, None);
            self.update(prefix, |entry| entry.again = Some(Purpose::Retry));
            self.plan(prefix, serial);
        }
    }

    /// Puts up to `count` of those due to be said again into their queue.
    pub(super) fn release_reasserts(&mut self, now: Instant, count: usize, serial: bool) {
        for _ in 0..count {
            let Some((_, prefix)) = self.reasserts.first().copied().filter(|(at, _)| *at <= now)
            else {
                return;
            };
            self.set_reassert(prefix, None);
            // A rejected one has its own, faster clock.
            self.update(prefix, |entry| {
                if entry.rejected.is_none() {
                    entry.again.get_or_insert(Purpose::Reassert);
                }
            });
            self.plan(prefix, serial);
        }
    }

    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.retries.first().map(|(at, _)| *at)
    }

    pub(super) fn next_reassert(&self) -> Option<Instant> {
        self.reasserts.first().map(|(at, _)| *at)
    }

    /// Prefixes that are said again from time to time.
    pub(super) fn reasserted(&self) -> usize {
        self.reasserts.len()
    }

    pub(super) const fn reassert_every(&self) -> Option<Duration> {
        self.reassert_every
    }

    pub(super) fn intended(&self) -> usize {
        self.desired.len()
    }

    pub(super) fn withdrawn(&self) -> usize {
        self.tombstones.len()
    }

    pub(super) fn retrying(&self) -> usize {
        self.retries.len()
    }

    /// Forgets the longest withdrawn prefixes when there are too many.
    pub(super) fn trim(&mut self) {
        while self.tombstones.len() > TOMBSTONES_MAX {
            let Some((_, prefix)) = self.tombstones.pop_first() else {
                return;
            };
            let Some(entry) = self.entries.get(&prefix).copied() else {
                continue;
            };
            if entry.in_flight > 0 || entry.queued.is_some() {
                // Busy: it becomes the youngest instead.
                self.sequence += 1;
                let sequence = self.sequence;
                self.tombstones.insert(sequence, prefix);
                self.update(prefix, |entry| entry.tombstone = Some(sequence));
                return;
            }
            self.set_retry(prefix, None);
            self.set_reassert(prefix, None);
            // Out of the counts first.
            self.update(prefix, |entry| *entry = Entry::default());
            self.entries.remove(&prefix);
        }
    }

    /// Changes an entry and keeps the counts.
    fn update<T>(&mut self, prefix: Prefix, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let entry = self.entries.get_mut(&prefix)?;
        let before = entry.counts();
        let result = change(entry);
        let after = entry.counts();
        for (count, (before, after)) in [&mut self.sent, &mut self.acknowledged, &mut self.rejected]
            .into_iter()
            .zip(before.into_iter().zip(after))
        {
            *count = *count + usize::from(after) - usize::from(before);
        }
        Some(result)
    }

    fn set_retry(&mut self, prefix: Prefix, at: Option<Instant>) {
        if let Some(entry) = self.entries.get_mut(&prefix) {
            set_timer(&mut self.retries, prefix, &mut entry.retry, at);
        }
    }

    fn set_reassert(&mut self, prefix: Prefix, at: Option<Instant>) {
        if let Some(entry) = self.entries.get_mut(&prefix) {
            set_timer(&mut self.reasserts, prefix, &mut entry.reassert, at);
        }
    }

    fn set_tombstone(&mut self, prefix: Prefix, sequence: Option<u64>) {
        let Some(entry) = self.entries.get_mut(&prefix) else {
            return;
        };
        if sequence.is_some() && entry.tombstone.is_some() {
            // Said again: it keeps its age.
            return;
        }
        if let Some(old) = core::mem::replace(&mut entry.tombstone, sequence) {
            self.tombstones.remove(&old);
        }
        if let Some(new) = sequence {
            self.tombstones.insert(new, prefix);
        }
    }
}

impl Entry {
    /// Sent, acknowledged, rejected.
    fn counts(&self) -> [bool; 3] {
        let announced = matches!(self.said, Some(Said::Announced(_)));
        [announced, announced && self.acknowledged, self.rejected.is_some()]
    }
}

fn set_timer(
    timers: &mut BTreeSet<(Instant, Prefix)>,
    prefix: Prefix,
    slot: &mut Option<Instant>,
    at: Option<Instant>,
) {
    if let Some(old) = core::mem::replace(slot, at) {
        timers.remove(&(old, prefix));
    }
    if let Some(new) = at {
        timers.insert((new, prefix));
    }
}

fn pause(attempts: u8) -> Duration {
    let factor = 1u32.checked_shl(attempts.into()).unwrap_or(u32::MAX);
    RETRY_FIRST.saturating_mul(factor).min(RETRY_LAST)
}
