//! Checks that are probed, as they go over the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to `GET /v1/probes`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct ProbesShown {
    /// One entry for each probe.
    pub checks: Vec<ProbeShown>,
    /// What to send as `after` for those behind the last one; `null` when there are none.
    pub next: Option<String>,
}

/// A probe: of a check, and of a VIP where each is probed by itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct ProbeShown {
    /// The name of the check.
    pub check: String,
    /// The VIP, where each is probed by itself.
    pub vip: Option<String>,
    /// The first service that uses it; empty when that one has no name.
    pub service: Option<String>,
    /// So many VIPs use it.
    pub users: usize,
    /// Its verdict, after counting, before its powers: `pass`, `warn`, `fail` or `unknown`.
    pub outcome: String,
    /// It has not been made often enough for any verdict.
    pub pending: bool,
    /// Since when the verdict is that, RFC 3339.
    pub since: String,
    /// What the newest result alone says; `null` before the first.
    pub last: Option<String>,
    /// What it found, in a line.
    pub detail: Option<String>,
    /// How long ago that was.
    pub age_seconds: Option<f64>,
    /// So many results in a row point the same way.
    pub in_a_row: u32,
    /// So many are needed up,
    pub rise: u32,
    /// and down.
    pub fall: u32,
    /// How many results there were: pass, warn, fail, unknown.
    pub counts: [u64; 4],
}
