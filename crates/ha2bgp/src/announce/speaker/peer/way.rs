//! What BFD says of the way to a peer, and what becomes of the session (RFC 5882 section 4).
//!
//! A way that fails ends the session at once, with Cease/10 (RFC 9384) as far as that still goes out;
//! then BGP waits until BFD is up again, but not for long: a router that was started again may begin BFD
//! only when BGP is up (FRR does). What somebody did on purpose (AdminDown) is no failure, and a session that
//! never came up is none either: the peer may have no BFD. With `strict` BGP waits for that, too.

use std::num::NonZeroU32;
use std::time::Duration;

use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::{Input, StopReason};

use super::{Running, Tell};
use crate::bfd::states::{SessionState, States, why};
use crate::bfd::target::Target;

/// So long BGP waits for BFD that has failed: the router is most likely dead, and no session would last.
/// After that it tries by itself, as often as it does without BFD.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Which BFD session a peer goes by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Binding {
    /// The session.
    pub target: Target,
    /// BGP waits until it is up.
    pub strict: bool,
}

/// What is known of the way to a peer.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// Which session was looked at last, and how often it had failed.
    seen: Option<(NonZeroU32, u64)>,
    /// BGP waits.
    held: Option<Held>,
}

/// Why BGP waits.
#[derive(Clone, Copy, Debug)]
enum Held {
    /// The way has failed; until here at the latest.
    Failed(Instant),
    /// It was never up, and must be.
    Strict,
}

impl Way {
    /// That of a peer that begins.
    pub(super) fn begin(binding: Option<&Binding>) -> Self {
        let strict = binding.is_some_and(|binding| binding.strict);
        Self { seen: None, held: strict.then_some(Held::Strict) }
    }

    /// BGP shall not begin.
    pub(super) const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// When BGP begins again, whatever BFD says.
    pub(super) const fn wake(&self) -> Option<Instant> {
        match self.held {
            Some(Held::Failed(until)) => Some(until),
            Some(Held::Strict) | None => None,
        }
    }
}

impl Running {
    /// Looks at what BFD says now.
    pub(in super::super) fn look_at_way(
        &mut self,
        states: &States,
        now: Instant,
        tell: &mut Tell<'_>,
    ) {
        if self.leaving.is_some() {
            return;
        }
        let Some(binding) = &self.peer.bfd else {
            self.way.seen = None;
            return self.release(now);
        };
        let (strict, found) = (binding.strict, states.find(&binding.target));
        if !strict && matches!(self.way.held, Some(Held::Strict)) {
            self.release(now);
        }
        // None: it has not begun, or the program ends.
        let Some(state) = found else { return };
        *tell.news = true;
        let failures = state.status.counters.failures;
        let discriminator = state.status.local_discriminator;
        let before = self.way.seen.replace((discriminator, failures));
        // A session that is new to us: what was before is over.
        let failed = before.is_some_and(|(id, count)| id == discriminator && count < failures);
        if failed {
            self.fail(state, now, tell);
        }
        if state.is_up() || (state.is_held_down() && !strict) {
            self.release(now);
        } else if strict && !self.up && !self.way.is_held() && self.links.is_empty() {
            self.way.held = Some(Held::Strict);
            self.stop_for_bfd(now);
        }
        if matches!(self.way.held, Some(Held::Strict)) {
            self.say("waits until BFD is up (strict)".to_owned(), now, tell);
        }
    }

    /// The way has failed.
    fn fail(&mut self, state: &SessionState, now: Instant, tell: &mut Tell<'_>) {
        let strict = self.peer.bfd.as_ref().is_some_and(|binding| binding.strict);
        let longest = self.peer.config.idle_hold.max.min(WAIT_MAX);
        let held = if strict { Held::Strict } else { Held::Failed(now + longest) };
        self.way.held = Some(held);
        self.stop_for_bfd(now);
        let cause =
            state.changed.map_or_else(String::new, |(_, cause)| format!(": {}", why(cause)));
        self.say(format!("BFD is down{cause}; BGP waits until it is up"), now, tell);
    }

    fn stop_for_bfd(&mut self, now: Instant) {
        // It begins again by what BFD says.
        (self.begins_again, self.silent) = (false, false);
        let (reason, communication) = (StopReason::BfdDown, String::new());
        self.session.handle(Input::Stop { reason, communication }, now);
    }

    /// BGP need not wait any more.
    fn release(&mut self, now: Instant) {
        if self.way.held.take().is_some() {
            self.trouble.clear();
            // One that is restarted begins when nothing is left of the session before.
            if !self.begins_again && self.leaving.is_none() {
                self.want(now);
            }
        }
    }

    /// BGP has waited for long enough.
    pub(super) fn go_on_waiting(&mut self, now: Instant) {
        if self.way.wake().is_some_and(|until| until <= now) {
            self.release(now);
        }
    }

    /// A session is wanted, unless BGP waits.
    pub(super) fn want(&mut self, now: Instant) {
        if !self.way.is_held() {
            self.session.handle(Input::Start, now);
        }
    }
}

#[cfg(test)]
mod tests;
