//! The state of the whole program, as it goes over the wire.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::peer::PeersShown;
use crate::control::level::LevelShown;
use crate::control::orders::OverrideShown;

/// The answer to `GET /v1/status`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct StatusShown {
    /// The version of the program.
    pub version: String,
    /// The moment, RFC 3339.
    pub at: String,
    /// When the program started, RFC 3339.
    pub started: String,
    /// How long ago that was.
    pub uptime_seconds: f64,
    /// Where the routes go: `speaker`, `exabgp` or `test`.
    pub backend: String,
    /// How listeners are noticed.
    pub notice: String,
    /// Every service that was found at the start has been judged: what is not announced is not up.
    pub first_verdicts: bool,
    /// The program ends, and withdraws everything after so long.
    pub stopping_seconds: Option<f64>,
    /// How many services there are.
    pub services: Counts,
    /// Those that are announced, by what decides: codes of docs/reference/reasons.md.
    pub announced_by: BTreeMap<String, usize>,
    /// Those that are not.
    pub withdrawn_by: BTreeMap<String, usize>,
    /// Whether the observers can see.
    pub observers: Vec<ObserverShown>,
    /// The state of the announcer and its peers.
    pub peers: PeersShown,
    /// What operators say.
    pub overrides: Vec<OverrideShown>,
    /// The guard, where there is one.
    pub guard: Option<GuardShown>,
    /// A configuration on trial.
    pub trial: Option<TrialShown>,
    /// Which lines the log has.
    pub log: Option<LevelShown>,
    /// What is not as it should be, and is not about one service.
    pub problems: Vec<ProblemShown>,
}

/// How many services there are. All numbers are VIPs.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct Counts {
    /// All of them.
    pub all: usize,
    /// Announced.
    pub announced: usize,
    /// Of those: as the last choice.
    pub last_choice: usize,
    /// Not announced.
    pub withdrawn: usize,
    /// Of those: because an operator wants it.
    pub overridden: usize,
}

/// An observer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct ObserverShown {
    /// `listen` or `address`.
    pub name: String,
    /// `starting`, `good`, `failing` (what it last saw still counts) or `unknown` (for too long: what
    /// was stays).
    #[schemars(extend("enum" = ["starting", "good", "failing", "unknown"]))]
    pub state: String,
    /// Since when it cannot see, RFC 3339.
    pub since: Option<String>,
}

/// The guard.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct GuardShown {
    /// So many withdrawals are let through
    pub count: u32,
    /// in so long.
    pub per_seconds: f64,
    /// So many would be let through now.
    pub room: usize,
    /// So many routes are held.
    pub held: usize,
    /// So often a route was held.
    pub vetoes: u64,
}

/// A configuration on trial.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct TrialShown {
    /// It goes away after so long, unless it is confirmed.
    pub left_seconds: f64,
    /// Who has loaded it.
    pub author: String,
}

/// Something is not as it should be.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct ProblemShown {
    /// Stable, for programs: `observer`, `first-verdicts`, `peer`, `announcer`,
    /// `announcer-stalled`, `control` or `override-unsaved`.
    pub code: String,
    /// In a sentence.
    pub text: String,
}
