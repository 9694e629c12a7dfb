//! What goes into the next write: which queue, how many on a line, how fast reassertions follow.

use core::mem;
use core::time::Duration;

use ha2bgp_core::time::Instant;

use super::super::MAX_WRITE;
use super::super::command::{Command, GROUP_MAX, LINE_MAX, Purpose, SINGLE_MAX, prefix_cost};
use super::super::event::Acks;
use super::super::rib::{Lane, Preview};
use super::{Session, WINDOW, WINDOW_BYTES};

/// Two reassertions are this far apart, or closer when there are many.
const REASSERT_GAP: Duration = Duration::from_millis(100);
/// Reassertions closer together than this are sent in one go.
const REASSERT_TICK: Duration = Duration::from_millis(10);

impl Session {
    pub(super) fn open(&self) -> bool {
        if self.liveness.acks() == Acks::Absent {
            return true;
        }
        let guess_failed = self.learning.as_ref().is_some_and(|it| it.errors > 0);
        !(guess_failed && self.flight.commands() > 0)
            && self.flight.commands() + self.batch.len() < WINDOW
            && self.flight.bytes() + self.out.len() + MAX_WRITE <= WINDOW_BYTES
    }

    pub(super) fn next_lane(&self) -> Option<Lane> {
        [Lane::Withdraw, Lane::Announce, Lane::Reassert]
            .into_iter()
            .find(|lane| self.rib.waiting(*lane) > 0)
    }

    pub(super) fn compose(&mut self, now: Instant) {
        if mem::take(&mut self.probe)
            && let Some(&prefix) = self.flight.oldest().and_then(|it| it.prefixes.first())
            && let Some(mut command) = self.rib.take(prefix, now)
        {
            command.purpose = Purpose::Probe;
            self.liveness.probe();
            self.append(command);
        }
        while self.open()
            && self.out.len() + SINGLE_MAX <= MAX_WRITE
            && let Some(lane) = self.next_lane()
            && let Some(prefix) = self.rib.first(lane)
        {
            let full = self.group_size(lane);
            if full > 1 && !self.out.is_empty() {
                // A group has a write of its own.
                return;
            }
            let like = self.rib.preview(prefix);
            let Some(mut command) = self.rib.take(prefix, now) else {
                return;
            };
            if let Some(like) = like.filter(|it| full > 1 && !it.alone) {
                self.gather(&mut command, lane, like, now);
            }
            self.append(command);
        }
    }

    /// How many prefixes the next line of this queue may carry.
    fn group_size(&self, lane: Lane) -> usize {
        let sure = self.learning.is_none() && self.dialect.groups();
        let waiting = self.rib.waiting(lane);
        match self.options.group_from {
            Some(from) if sure && waiting >= from.max(2) => GROUP_MAX,
            _ => 1,
        }
    }

    /// Adds prefixes to a command while the next in the queue is like it: one next hop, the same
    /// attributes, and one family, since 4.2.21 puts nonsense on the wire for two.
    fn gather(&mut self, command: &mut Command, lane: Lane, like: Preview, now: Instant) {
        let Some(first) = command.prefixes.first().copied() else {
            return;
        };
        let mut length = SINGLE_MAX + prefix_cost(first);
        while command.prefixes.len() < GROUP_MAX
            && let Some(prefix) = self.rib.first(lane)
            && length + prefix_cost(prefix) <= LINE_MAX
            && prefix.is_ipv4() == first.is_ipv4()
            && self.rib.preview(prefix) == Some(like)
            && self.rib.take(prefix, now).is_some()
        {
            command.prefixes.push(prefix);
            length += prefix_cost(prefix);
        }
    }

    fn append(&mut self, command: Command) {
        let before = self.out.len();
        self.out.extend_from_slice(command.text(self.dialect).as_bytes());
        self.out.push(b'\n');
        let bytes = self.out.len() - before;
        self.batch.push((command, bytes));
    }

    pub(super) fn may_reassert(&self) -> bool {
        self.rib.waiting(Lane::Reassert) == 0
            && self.flight.commands() <= WINDOW / 4
            && !self.liveness.is_stalled()
    }

    /// The pause to the next reassertions and how many are sent now: all of them in half the
    /// period, so that after one round they are spread and stay so.
    pub(super) fn reassert_pace(&self) -> (Duration, usize) {
        let count = u32::try_from(self.rib.reasserted().max(1)).unwrap_or(u32::MAX);
        let every = self.rib.reassert_every().unwrap_or(Duration::MAX);
        let gap = (every / 2 / count).clamp(Duration::from_micros(1), REASSERT_GAP);
        if gap >= REASSERT_TICK {
            return (gap, 1);
        }
        let at_once = REASSERT_TICK.as_nanos() / gap.as_nanos();
        (REASSERT_TICK, usize::try_from(at_once).unwrap_or(1).clamp(1, WINDOW / 4))
    }
}
