//! Why an address is announced, or not, as it goes over the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::service::PeerRoute;
use crate::control::orders::OverrideShown;

/// The answer to `GET /v1/services/{service}`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct Whys {
    /// One entry for each VIP, in the order of their addresses.
    pub services: Vec<Why>,
    /// What to send as `after` for those behind these; `null` when there are none. A page may be short,
    /// or empty, although there are more: so much is looked at for one answer.
    pub next: Option<String>,
}

/// The answer to `GET /v1/why/{address}`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct Why {
    /// The prefix.
    pub prefix: String,
    /// Whether it is announced.
    pub announced: bool,
    /// What decides that now: a code of docs/reference/reasons.md.
    pub reason: String,
    /// The same in a sentence.
    pub text: String,
    /// The service behind it, where there is one.
    pub service: Option<WhyService>,
    /// What is around it, where there is no service.
    pub around: Option<WhyAround>,
    /// What each peer, or other announcer, was told.
    pub peers: Vec<PeerRoute>,
}

/// What there is to know of a service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct WhyService {
    /// Its name; empty when nobody named it.
    pub name: String,
    /// The allowed network it is in.
    pub network: String,
    /// What its rule says: `healthy`, `degraded`, `unhealthy` or `unknown`.
    pub health: String,
    /// Since when it has been announced, or not, RFC 3339.
    pub since: String,
    /// How long that is.
    pub for_seconds: f64,
    /// It is, or would be, announced as the last choice.
    pub last_choice: bool,
    /// The check that decides what the rule says, where that is not good.
    pub decider: Option<String>,
    /// The rule, part by part.
    pub rule: WhyRule,
    /// Where it is served: `tcp/80`.
    pub ports: Vec<String>,
    /// With `require-all-ports`: those that are missing.
    pub ports_missing: Vec<String>,
    /// What is left of the up or down delay.
    pub delay_left_seconds: Option<f64>,
    /// When that is over it is announced, or not.
    pub delay_announces: bool,
    /// Flap damping, where it is configured.
    pub damping: Option<WhyDamping>,
    /// The guard holds it.
    pub held: Option<WhyHeld>,
    /// What operators say of it.
    pub overrides: Vec<OverrideShown>,
    /// What would be if neither operators nor the guard had a say, where that is something else.
    pub otherwise: Option<WhyOtherwise>,
    /// How often checks without power would have withdrawn it.
    pub would_have_withdrawn: u64,
}

/// Flap damping.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct WhyDamping {
    /// The penalty now.
    pub penalty: u64,
    /// Above this it is held.
    pub suppress: u32,
    /// At this it comes back.
    pub reuse: u32,
    /// It is held for so long, if it keeps calm; `null`: it is not held.
    pub left_seconds: Option<f64>,
}

/// The guard holds a route.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct WhyHeld {
    /// For so long already.
    pub for_seconds: f64,
    /// There may be room to withdraw it after so long.
    pub room_in_seconds: f64,
}

/// What would be.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct WhyOtherwise {
    /// Whether it would be announced.
    pub announced: bool,
    /// What would decide that: a code.
    pub reason: String,
    /// The same in a sentence.
    pub text: String,
}

/// A part of a rule.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct WhyRule {
    /// `all`, `any`, `at-least(2)`, `not`, or the name of a check.
    pub part: String,
    /// What it says; nothing when it has no power.
    pub outcome: Option<String>,
    /// What it weighs in an `at-least`; 1 elsewhere.
    pub weight: u32,
    /// What it is made of.
    pub of: Vec<Self>,
    /// The check, where it is one.
    pub check: Option<WhyCheck>,
}

/// What is known of a check.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct WhyCheck {
    /// Its verdict, before its powers.
    pub outcome: String,
    /// What decided it.
    pub reason: String,
    /// What the newest probe alone says, where it is probed and was.
    pub last: Option<String>,
    /// What it found.
    pub detail: Option<String>,
    /// How long ago that was.
    pub age_seconds: Option<f64>,
    /// So many results in a row point the same way.
    pub in_a_row: Option<u32>,
    /// So many are needed up, and down.
    pub needed: Option<(u32, u32)>,
    /// The verdict has been that for so long.
    pub for_seconds: Option<f64>,
    /// How many results there were: pass, warn, fail, unknown.
    pub counts: Option<[u64; 4]>,
}

/// What is around an address without a service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct WhyAround {
    /// Why such an address is never announced, where that is so.
    pub never: Option<String>,
    /// The networks outside of which nothing is announced.
    pub networks: Vec<String>,
    /// The services that are near.
    pub near: Vec<WhyNear>,
    /// The listen filter.
    pub filter: String,
    /// Sockets that serve this address now and that the filter does not match: `tcp 10.0.0.1:443`.
    pub unmatched: Vec<String>,
    /// Sockets that serve it and that the filter matches.
    pub matched: Vec<String>,
}

/// A service that is near.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct WhyNear {
    /// The prefix.
    pub prefix: String,
    /// The name of its service; empty when nobody named it.
    pub service: String,
    /// Whether it is announced.
    pub announced: bool,
}
