//! The walk over what is to be said, and the bringing in line of what was said.

use alloc::collections::BTreeMap;

use super::*;

/// Items of the queue at most: enough that routes with one next hop and the same attributes, wherever they stand, share
/// messages.
pub(super) const QUEUE: usize = 4096;

/// What the walk is looking for.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Phase {
    /// Routes that are told and no longer wanted.
    Withdraw,
    /// The same among those to be heard again.
    WithdrawStale,
    /// Routes that are wanted and not told.
    Announce,
    /// Nothing: everything is said.
    #[default]
    Done,
}

/// Something to say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Item {
    pub(super) prefix: Prefix,
    /// None: it is withdrawn.
    pub(super) next_hop: Option<IpAddr>,
    pub(super) notes: Notes,
}

/// What else there is to know of an item, in one octet: a full queue is the most that a session
/// has of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Notes(u8);

impl Notes {
    const NONE: Self = Self(0);
    const FRESH: u8 = 1;
    const LAST_CHOICE: u8 = 2;
    const DRAINING: u8 = 4;

    const fn new(fresh: bool, style: Style) -> Self {
        let fresh = if fresh { Self::FRESH } else { 0 };
        let style = match style {
            Style::Usual => 0,
            Style::LastChoice => Self::LAST_CHOICE,
            Style::Draining => Self::DRAINING,
        };
        Self(fresh | style)
    }

    /// The peer has nothing of it.
    pub(super) const fn is_fresh(self) -> bool {
        self.0 & Self::FRESH != 0
    }

    /// How it goes out.
    pub(super) const fn style(self) -> Style {
        match self.0 & !Self::FRESH {
            Self::LAST_CHOICE => Style::LastChoice,
            Self::DRAINING => Style::Draining,
            _ => Style::Usual,
        }
    }
}

/// What items have in common that can share a message.
pub(super) type Group = (Family, Option<IpAddr>, Style);

impl Item {
    pub(super) fn group(&self) -> Group {
        (Family::of(self.prefix), self.next_hop, self.notes.style())
    }
}

const fn withdrawal(prefix: Prefix) -> Item {
    Item { prefix, next_hop: None, notes: Notes::NONE }
}

/// How far the walk is.
pub(super) struct Passed {
    phase: Phase,
    from: Option<Prefix>,
    /// What is said beyond that, sorted.
    items: Vec<Prefix>,
}

impl Passed {
    /// True when the phase `it` was through with the prefix.
    pub(super) fn by(&self, it: Phase, prefix: Prefix) -> bool {
        self.phase > it
            || self.phase == it
                && (self.from.is_some_and(|from| prefix <= from)
                    || self.items.binary_search(&prefix).is_ok())
    }
}

impl Rib {
    /// How far the walk is now.
    pub(super) fn passed(&self) -> Passed {
        let said = self.queue.iter().take(self.said);
        let mut items: Vec<Prefix> = said.map(|item| item.prefix).collect();
        items.sort_unstable();
        Passed { phase: self.phase, from: self.from, items }
    }

    /// Begins the walk, and goes to the first thing to say: then whether there is anything is
    /// known without looking.
    pub(super) fn begin(&mut self) {
        if self.export.is_some() {
            self.phase = Phase::Withdraw;
            self.fill(1);
        }
    }

    /// Sees to it that the queue has something to say unless everything is said, and up to
    /// `limit` items where it can.
    pub(super) fn fill(&mut self, limit: usize) {
        let Some(export) = self.export.clone() else { return };
        loop {
            if self.said == self.queue.len() {
                self.queue.clear();
                self.said = 0;
                self.from = self.to;
            }
            if self.phase == Phase::Done || self.said > 0 || self.queue.len() >= limit {
                return;
            }
            if !self.at_end {
                self.at_end = self.walk(&export, limit).is_continue();
                if self.phase == Phase::Announce {
                    self.arrange();
                }
            }
            if !self.queue.is_empty() {
                return;
            }
            self.next_phase();
        }
    }

    fn next_phase(&mut self) {
        (self.from, self.to, self.at_end) = (None, None, false);
        if self.phase == Phase::Withdraw {
            self.checked = Some(self.desired.clone());
        }
        self.phase = match self.phase {
            Phase::Withdraw if self.stale.is_empty() => Phase::Announce,
            Phase::Withdraw => Phase::WithdrawStale,
            Phase::WithdrawStale => Phase::Announce,
            Phase::Announce | Phase::Done => {
                self.told = self.desired.clone();
                self.checked = None;
                self.spoken = false;
                self.stale = RouteSet::new();
                self.stale_rules = None;
                self.unchecked = false;
                // A session that has said everything holds nothing of its own.
                self.queue = Vec::new();
                Phase::Done
            }
        };
    }

    /// Goes on until the queue has `limit` items, or to the end.
    fn walk(&mut self, export: &Export, limit: usize) -> ControlFlow<()> {
        let Self { told, desired, stale, checked, unchecked, phase, to, queue, problems, .. } =
            self;
        let mut push = |item: Option<Item>| {
            queue.extend(item);
            if queue.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let mut wanted = |prefix, route: Option<&Route>| match export.route(prefix, route?)? {
            Ok(sent) => Some(sent),
            Err(problem) => {
                problems.note(prefix, problem);
                None
            }
        };
        let start = *to;
        let none = RouteSet::new();
        match *phase {
            Phase::Withdraw if told.is_empty() => ControlFlow::Continue(()),
            Phase::Withdraw => {
                let old = checked.as_ref().unwrap_or(told);
                old.diff_after(desired, start, &mut |change| {
                    let prefix = change.prefix;
                    *to = Some(prefix);
                    let before = if checked.is_some() { told.get(prefix) } else { change.before };
                    let had = export.sent(prefix, before).is_some();
                    let gone = had && wanted(prefix, change.after).is_none();
                    push(gone.then_some(withdrawal(prefix)))
                })
            }
            Phase::WithdrawStale => {
                let (old, new) = if *unchecked { (&*stale, &none) } else { (&*stale, &*desired) };
                old.diff_after(new, start, &mut |change| {
                    let prefix = change.prefix;
                    *to = Some(prefix);
                    let after = if *unchecked { desired.get(prefix) } else { change.after };
                    let gone = change.before.is_some() && wanted(prefix, after).is_none();
                    push(gone.then_some(withdrawal(prefix)))
                })
            }
            Phase::Announce => told.diff_after(desired, start, &mut |change| {
                let prefix = change.prefix;
                *to = Some(prefix);
                let after = wanted(prefix, change.after);
                let before = export.sent(prefix, change.before);
                let fresh = before.is_none() && stale.get(prefix).is_none();
                push(after.filter(|_| before != after).map(|sent| Item {
                    prefix,
                    next_hop: Some(sent.next_hop),
                    notes: Notes::new(fresh, sent.style),
                }))
            }),
            Phase::Done => ControlFlow::Continue(()),
        }
    }

    /// Puts announcements that can share a message next to each other; the group that has the
    /// first prefix goes first, so that the walk gets on whatever comes between.
    fn arrange(&mut self) {
        let one = |pair: &[Item]| matches!(pair, [a, b] if a.group() == b.group());
        if self.queue.windows(2).all(one) {
            return;
        }
        let mut first = BTreeMap::new();
        for item in &self.queue {
            first.entry(item.group()).or_insert(item.prefix);
        }
        self.queue.sort_by_key(|item| (first.get(&item.group()).copied(), item.prefix));
    }

    /// Brings `told` and `stale` in line with what was said, before something changes.
    pub(super) fn commit(&mut self) {
        let Some(export) = self.export.clone() else { return };
        let phase = self.phase;
        let passed = self.passed();
        self.queue.clear();
        self.said = 0;
        (self.from, self.to, self.at_end) = (None, None, false);
        self.unchecked &= phase < Phase::Announce;
        if !core::mem::take(&mut self.spoken) {
            return;
        }
        let Self { told, desired, stale, .. } = self;
        *told = told.patched(desired, &mut |change| {
            let withdrawn = passed.by(Phase::Withdraw, change.prefix)
                && export.sent(change.prefix, change.before).is_some()
                && export.sent(change.prefix, change.after).is_none();
            let taken = withdrawn || passed.by(Phase::Announce, change.prefix);
            if taken { change.after.copied() } else { change.before.copied() }
        });
        if phase > Phase::Withdraw && !stale.is_empty() {
            *stale = stale.patched(&RouteSet::new(), &mut |change| {
                let prefix = change.prefix;
                let withdrawn = passed.by(Phase::WithdrawStale, prefix)
                    && export.sent(prefix, desired.get(prefix)).is_none();
                let gone = withdrawn || passed.by(Phase::Announce, prefix);
                change.before.filter(|_| !gone).copied()
            });
        }
    }
}
