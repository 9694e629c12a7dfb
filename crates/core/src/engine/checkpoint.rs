//! Inputs that bring a new engine to where this one is, as far as inputs can.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::{Engine, Input};
use crate::check::{Outcome, ProbeResult};
use crate::config::CheckKind;
use crate::fact::{Observation, Source};
use crate::time::Instant;

/// What a new engine is told was announced counts for so long.
const MEMORY: Duration = Duration::from_secs(60);

impl Engine {
    /// Inputs for a new engine with the same configuration, at this moment: it then knows the same
    /// listeners, addresses and verdicts, and announces the same routes. Delays that run, and what
    /// flap damping has counted, it does not know.
    pub fn checkpoint(&self, now: Instant) -> Vec<Input> {
        let mut inputs = Vec::new();
        let mut vips: Vec<IpAddr> = Vec::new();
        self.routes.for_each(&mut |prefix, _| vips.push(prefix.address()));
        inputs.push(Input::Remember { vips, until: now + MEMORY });
        inputs.push(Input::SetOverrides(self.overrides.all().to_vec()));
        let mut observe = |observation| inputs.push(Input::Observation(observation));
        self.addresses.iter().cloned().for_each(|it| observe(Observation::AddressChanged(it)));
        self.listeners.iter().for_each(|it| observe(Observation::ListenerOpened(it)));
        for source in Source::ALL {
            if self.sources.objection(source).is_none() {
                observe(Observation::Complete(source));
            }
        }
        for key in self.checks.keys() {
            let (Some(state), Some(check)) =
                (self.checks.state(key), self.catalog.check(key.check))
            else {
                continue;
            };
            let CheckKind::Probe { counting, .. } = check.kind else { continue };
            let Some((last, _)) = state.last.clone() else { continue };
            // As many as the verdict needs, then the newest result.
            let result = |outcome| ProbeResult { outcome, ..last.clone() };
            let needed = match state.verdict {
                Outcome::Pass | Outcome::Warn => counting.rise,
                Outcome::Fail | Outcome::Unknown => counting.fall,
            };
            for _ in 1..needed {
                observe(Observation::Probed { check: key, result: result(state.verdict) });
            }
            observe(Observation::Probed { check: key, result: result(state.verdict) });
            if last.outcome != state.verdict {
                observe(Observation::Probed { check: key, result: last });
            }
        }
        inputs
    }
}
