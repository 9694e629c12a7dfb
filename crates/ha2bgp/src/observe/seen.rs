//! What observers hand to the engine: what they saw, and when.

use std::time::Duration;

use ha2bgp_core::fact::Observation;
use tokio::time::Instant;

/// An observation and its moment: how long decisions take is counted from there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// When it was known.
    pub at: Instant,
    /// How long the probe took that made it; none where nothing was asked.
    pub took: Option<Duration>,
    /// What.
    pub what: Observation,
}

impl From<Observation> for Seen {
    /// Seen right now.
    fn from(what: Observation) -> Self {
        Self { at: Instant::now(), took: None, what }
    }
}
