//! What is special about the start: what is remembered of the process before, and whether every
//! service that was found has been judged.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::service::Health;
use crate::time::Instant;

/// How far the first look at this host is.
#[derive(Clone, Debug, Default)]
enum Look {
    /// An observer has not delivered its first complete picture.
    #[default]
    Incomplete,
    /// These services were there at the first complete look, and have no verdict that counts yet.
    Awaited(BTreeSet<IpAddr>),
    /// Every one of them has been judged.
    Done,
}

/// The start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Start {
    /// Announced by the process before, and not judged yet by this one.
    remembered: BTreeSet<IpAddr>,
    /// Until here the memory counts.
    until: Instant,
    look: Look,
}

impl Start {
    /// Remembers what was announced a moment ago.
    pub(crate) fn remember(&mut self, vips: Vec<IpAddr>, until: Instant) {
        self.remembered = vips.into_iter().collect();
        self.until = until;
    }

    /// Another configuration counts: what is announced now is not taken away by checks that have
    /// not been made yet, for so long.
    pub(crate) fn remember_more(
        &mut self,
        vips: impl Iterator<Item = IpAddr>,
        now: Instant,
        time: Duration,
    ) {
        if self.until <= now {
            // What has not come back by now was announced long ago.
            self.remembered.clear();
        }
        self.remembered.extend(vips);
        self.until = self.until.max(now + time);
    }

    /// A service is gone.
    pub(crate) fn forget(&mut self, vip: IpAddr) {
        self.remembered.remove(&vip);
    }

    /// True when a service with this verdict was announced a moment ago, and needs no up delay.
    /// The first verdict that is known ends the memory: what fails now is new when it comes back.
    pub(crate) fn recalls(&mut self, vip: IpAddr, health: Health, now: Instant) -> bool {
        match health {
            Health::Unknown => false,
            Health::Healthy | Health::Degraded => self.remembered.remove(&vip) && now < self.until,
            Health::Unhealthy => {
                self.remembered.remove(&vip);
                false
            }
        }
    }

    /// True while a service was announced by the process before and has no verdict that is known
    /// here: a check that has not been made often enough then says nothing, whatever it begins with.
    pub(crate) fn remembers(&self, vip: IpAddr) -> bool {
        self.remembered.contains(&vip)
    }

    /// True when a service was announced a moment ago: until its checks have been made here, what
    /// was stays.
    pub(crate) fn holds(&self, vip: IpAddr, now: Instant) -> bool {
        now < self.until && self.remembered.contains(&vip)
    }

    /// True before the first complete look.
    pub(crate) const fn is_incomplete(&self) -> bool {
        matches!(self.look, Look::Incomplete)
    }

    /// The first complete look: these services have no verdict that counts yet. Returns true when
    /// there are none.
    pub(crate) fn looked(&mut self, undecided: BTreeSet<IpAddr>) -> bool {
        let none = undecided.is_empty();
        self.look = if none { Look::Done } else { Look::Awaited(undecided) };
        none
    }

    /// A service was judged, or is gone. Returns true when it was the last one.
    pub(crate) fn decided(&mut self, vip: IpAddr) -> bool {
        let Look::Awaited(awaited) = &mut self.look else { return false };
        awaited.remove(&vip);
        let last = awaited.is_empty();
        if last {
            self.look = Look::Done;
        }
        last
    }

    /// Nothing is awaited any more.
    pub(crate) fn finish(&mut self) {
        self.look = Look::Done;
    }

    /// True when every service of the first look has been judged.
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self.look, Look::Done)
    }
}
