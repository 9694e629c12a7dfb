//! Services and their routes, as they go over the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to `GET /v1/services`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct ServicesShown {
    /// One entry for each VIP, in the order of their addresses.
    pub services: Vec<ServiceShown>,
    /// What to send as `after` for those behind these; `null` when there are none. A page may be short,
    /// or empty, although there are more: so much is looked at for one answer.
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
    /// The check that decides what the rule says, where that is not good.
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
    /// Why it was not told, in a sentence.
    pub why: Option<String>,
    /// The attributes that it was told, as far as that is known; not in lists of services.
    pub attributes: Option<AttributesShown>,
    /// When it was told last, RFC 3339; with `sent_before` then or earlier. Not in lists of services.
    pub sent: Option<String>,
    /// How long ago that was.
    pub sent_seconds: Option<f64>,
    /// When it acknowledged that, RFC 3339: the kernel of the peer, or ExaBGP.
    pub acknowledged: Option<String>,
    /// How long after it was told.
    pub acknowledged_after_seconds: Option<f64>,
    /// What is known is that it was then or earlier.
    pub sent_before: bool,
}

/// The attributes of a route.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct AttributesShown {
    /// The next hop: an address, or `self` where ExaBGP chooses.
    pub next_hop: String,
    /// With what makes it the last choice.
    pub last_choice: bool,
    /// AS_PATH; `null` where ExaBGP makes it.
    pub as_path: Option<Vec<u32>>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// Communities of all sizes.
    pub communities: Vec<String>,
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
    /// By peer, then by prefix.
    pub routes: Vec<RouteShown>,
    /// What to send as `after` for those behind these; `null` when there are none. A page may be short,
    /// or empty, although there are more: so much is looked at for one answer.
    pub next: Option<String>,
}

/// A route at a peer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct RouteShown {
    /// The prefix.
    pub prefix: String,
    /// The attributes that it should have there; `null` where it should not be there.
    pub intended: Option<AttributesShown>,
    /// What the peer was told.
    pub at: PeerRoute,
}
