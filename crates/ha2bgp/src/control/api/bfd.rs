//! BFD sessions, as they go over the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::peer::PeerError;

/// A BFD session.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct BfdShown {
    /// The address of the other end.
    pub peer: String,
    /// Our address, as far as it is known.
    pub local: Option<String>,
    /// The interface that it is bound to.
    pub interface: Option<String>,
    /// The other end may be several hops away (RFC 5883).
    pub multihop: bool,
    /// Our state: `admin-down`, `down`, `init` or `up`.
    pub state: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// How long that is.
    pub for_seconds: f64,
    /// The state of the other end; `null`: nothing was heard of late.
    pub remote_state: Option<String>,
    /// Why that changed last, as it says.
    pub remote_diagnostic: Option<String>,
    /// We send this often, without jitter; `null` while the other end wants silence.
    pub transmit_seconds: Option<f64>,
    /// The session fails when nothing is heard for so long; `null` while nobody is known.
    pub detection_seconds: Option<f64>,
    /// Packets are authenticated.
    pub authenticated: bool,
    /// So often it came up,
    pub ups: u64,
    /// so often it went down,
    pub downs: u64,
    /// of which so many were failures, and not on purpose.
    pub failures: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets received.
    pub received: u64,
    /// Packets that were discarded: not as they should be, or from too far away.
    pub discarded: u64,
    /// Why it is not up, where that is known.
    pub error: Option<PeerError>,
}

impl BfdShown {
    /// Both ends hear each other.
    pub fn is_up(&self) -> bool {
        self.state == "up"
    }
}
