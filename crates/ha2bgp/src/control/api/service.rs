//! Services and their routes, as they go over the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to `GET /v1/services`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct ServicesShown {
    /// One entry for each VIP, in the order of their addresses.
    pub services: Vec<ServiceShown>,
    /// What to send as `after` for those behind the last one; `null` when there are none.
    pub next: Option<String>,
}

/// One VIP of a service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct ServiceShown {
    /// The name of its service; empty when nobody named it.
    pub service: String,
    /// The prefix.
    pub prefix: String,
    /// Whether it is announced.
    pub announced: bool,
    /// It is announced as the last choice.
    pub last_choice: bool,
    /// What its rule says: `healthy`, `degraded`, `unhealthy` or `unknown`.
    pub health: String,
    /// What decides now: a code of docs/reference/reasons.md.
    pub reason: String,
    /// The same in a sentence.
    pub text: String,
    /// Since when it is announced, or not, RFC 3339.
    pub since: String,
    /// How long that is.
    pub for_seconds: f64,
    /// The check that decides, where one does.
    pub decider: Option<String>,
    /// What the newest result of that check says.
    pub detail: Option<String>,
    /// So many of its checks are good,
    pub checks_good: usize,
    /// of so many that have power.
    pub checks_all: usize,
    /// What is left of the up or down delay.
    pub delay_left_seconds: Option<f64>,
    /// For so long flap damping holds it, if it keeps calm.
    pub damping_left_seconds: Option<f64>,
    /// For so long the guard has held it.
    pub held_for_seconds: Option<f64>,
    /// The numbers of the overrides that mean it.
    pub overrides: Vec<u64>,
    /// So many announcers or peers have been told what is wanted,
    pub peers_told: usize,
    /// of so many that should be.
    pub peers_all: usize,
    /// What each of them was told.
    pub peers: Vec<PeerRoute>,
}

/// What a peer, or another announcer, was told of a route.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct PeerRoute {
    /// The address of the peer, `exabgp`, or `stdout`.
    pub peer: String,
    /// What people call it.
    pub description: Option<String>,
    /// `announced` and `withdrawn`: as it should be. `pending`: it is about to be told. `not-told`:
    /// `why` says why not. `excluded`: its policy leaves this prefix out, which is as it should be.
    #[schemars(extend("enum" = ["announced", "withdrawn", "pending", "not-told", "excluded"]))]
    pub state: String,
    /// Why it was not told.
    pub why: Option<String>,
    /// When it was told last, RFC 3339, as far as that is known.
    pub sent: Option<String>,
    /// Whether it has acknowledged that; `null`: not known.
    pub acknowledged: Option<bool>,
}

impl PeerRoute {
    /// It knows what is wanted.
    pub fn is_told(&self) -> bool {
        matches!(self.state.as_str(), "announced" | "withdrawn")
    }

    /// It has to know of this prefix at all.
    pub fn counts(&self) -> bool {
        self.state != "excluded"
    }
}

/// The answer to `GET /v1/routes`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct RoutesShown {
    /// What is to be announced, in the order of the addresses.
    pub routes: Vec<RouteShown>,
    /// What to send as `after` for those behind the last one; `null` when there are none.
    pub next: Option<String>,
}

/// A route that is to be announced.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct RouteShown {
    /// The prefix.
    pub prefix: String,
    /// As the last choice.
    pub last_choice: bool,
    /// What each peer, or other announcer, was told.
    pub peers: Vec<PeerRoute>,
}
