//! Commands that were written and wait for their answers, in order.
//!
//! ExaBGP answers in the order of the commands and names none of them, so the order is all there
//! is to match them. While answers are absent, commands are only counted: if answers come after
//! all, the first so many belong to these *ghosts*.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use ha2bgp_core::time::Instant;

use super::command::Command;

/// One command that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) command: Command,
    pub(super) written: Instant,
    /// Counts commands.
    pub(super) number: u64,
    bytes: usize,
}

#[derive(Debug)]
enum Slot {
    Command(Waiting),
    Ghosts(u64),
}

/// What an answer belongs to.
#[derive(Debug)]
pub(super) enum Matched {
    Command(Waiting),
    Ghost,
    Nothing,
}

/// The queue. Its length is bounded by the window of the session.
#[derive(Debug, Default)]
pub(super) struct Flight {
    slots: VecDeque<Slot>,
    commands: usize,
    bytes: usize,
}

impl Flight {
    pub(super) fn push(&mut self, command: Command, number: u64, bytes: usize, written: Instant) {
        self.commands += 1;
        self.bytes += bytes;
        self.slots.push_back(Slot::Command(Waiting { command, written, number, bytes }));
    }

    pub(super) fn push_ghost(&mut self) {
        if let Some(Slot::Ghosts(count)) = self.slots.back_mut() {
            *count = count.saturating_add(1);
        } else {
            self.slots.push_back(Slot::Ghosts(1));
        }
    }

    /// Takes one answer.
    pub(super) fn answer(&mut self) -> Matched {
        match self.slots.pop_front() {
            None => Matched::Nothing,
            Some(Slot::Ghosts(count)) => {
                if count > 1 {
                    self.slots.push_front(Slot::Ghosts(count - 1));
                }
                Matched::Ghost
            }
            Some(Slot::Command(waiting)) => {
                self.commands -= 1;
                self.bytes -= waiting.bytes;
                Matched::Command(waiting)
            }
        }
    }

    /// Takes every command out. With `haunt` their answers may still come.
    pub(super) fn clear(&mut self, haunt: bool) -> Vec<Command> {
        let mut ghosts = 0u64;
        let mut commands = Vec::with_capacity(self.commands);
        for slot in self.slots.drain(..) {
            match slot {
                Slot::Ghosts(count) => ghosts = ghosts.saturating_add(count),
                Slot::Command(waiting) => {
                    ghosts = ghosts.saturating_add(1);
                    commands.push(waiting.command);
                }
            }
        }
        self.commands = 0;
        self.bytes = 0;
        if haunt && ghosts > 0 {
            self.slots.push_back(Slot::Ghosts(ghosts));
        }
        commands
    }

    /// The command that waits longest.
    pub(super) fn oldest(&self) -> Option<&Command> {
        self.slots.iter().take(2).find_map(|slot| match slot {
            Slot::Command(waiting) => Some(&waiting.command),
            Slot::Ghosts(_) => None,
        })
    }

    /// True when neither commands nor ghosts wait.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Prefixes of the commands that wait.
    pub(super) fn prefixes(&self) -> usize {
        self.slots
            .iter()
            .map(|slot| match slot {
                Slot::Command(waiting) => waiting.command.prefixes.len(),
                Slot::Ghosts(_) => 0,
            })
            .sum()
    }

    /// Commands that wait, without ghosts.
    pub(super) const fn commands(&self) -> usize {
        self.commands
    }

    /// Bytes of these commands.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}
