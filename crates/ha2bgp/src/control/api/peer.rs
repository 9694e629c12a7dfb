//! The announcer and its peers, as they go over the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bfd::BfdShown;

/// The answer to `GET /v1/peers`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct PeersShown {
    /// `speaker`, `exabgp` or `test`.
    pub announcer: String,
    /// The routers, in the order of the configuration; with `speaker` only.
    pub peers: Vec<PeerShown>,
    /// The BFD sessions of peers and checks.
    #[serde(default)]
    pub bfd: Vec<BfdShown>,
    /// The pipe to ExaBGP; with `exabgp` only, as soon as something is known of it.
    pub pipe: Option<PipeShown>,
}

/// A router.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct PeerShown {
    /// Its address.
    pub peer: String,
    /// What people call it.
    pub description: Option<String>,
    /// Its AS.
    pub remote_as: String,
    /// The state of the session, as RFC 4271 spells it; `null`: nothing is known yet.
    pub state: Option<String>,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// How long that is.
    pub for_seconds: Option<f64>,
    /// The families that both sides speak: `ipv4`, `ipv6`.
    pub families: Vec<String>,
    /// The hold time that was agreed on.
    pub hold_seconds: Option<f64>,
    /// So many routes are wanted and allowed for it,
    pub wanted: usize,
    /// of which it was told so many.
    pub told: usize,
    /// So many announcements and withdrawals wait.
    pub pending: usize,
    /// Messages received.
    pub messages_received: u64,
    /// Messages sent.
    pub messages_sent: u64,
    /// So often the session came up.
    pub established: u64,
    /// So often it went down.
    pub dropped: u64,
    /// The BFD session that it goes by, where it has one.
    #[serde(default)]
    pub bfd: Option<BfdShown>,
    /// Why the last connection ended, or there is none.
    pub error: Option<PeerError>,
    /// The next attempt comes after so long.
    pub next_attempt_seconds: Option<f64>,
}

/// Why a connection ended, or there is none.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct PeerError {
    /// Why.
    pub text: String,
    /// When, RFC 3339.
    pub at: String,
    /// How long ago that was.
    pub age_seconds: f64,
}

/// The pipe to ExaBGP.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct PipeShown {
    /// So many routes should be announced,
    pub wanted: usize,
    /// for so many an announcement was the last thing sent,
    pub sent: usize,
    /// of which so many were acknowledged.
    pub acknowledged: usize,
    /// ExaBGP refused so many.
    pub rejected: usize,
    /// So many wait to be sent.
    pub pending: usize,
    /// Whether ExaBGP answers; `null`: not known yet.
    pub answers: Option<bool>,
    /// It takes nothing.
    pub stalled: bool,
}

impl PeerShown {
    /// The session is up.
    pub fn is_up(&self) -> bool {
        self.state.as_deref() == Some("Established")
    }
}
