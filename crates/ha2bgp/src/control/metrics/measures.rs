//! What metrics are made from: the engine task hands it out in one piece.

use std::sync::Arc;

use ha2bgp_core::explain::{Explanation, GuardExplanation};
use ha2bgp_core::fact::Source;
use ha2bgp_core::overrides::OverrideKind;
use ha2bgp_core::survey::Sight;
use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::PeerAddress;
use jiff::Timestamp;

use crate::announce::Progress;
use crate::bfd::states::States;
use crate::config::in_force::InForce;
use crate::histogram::Histogram;
use crate::observe::listen::LookCounts;

/// So many services have metrics of their own; the others are counted.
pub const SERVICES_MAX: usize = 20_000;
/// For so many pairs of a service and a check it is told how long probes took.
pub const CONFIGURED_TIMES_MAX: usize = 1000;

/// Somebody who is told of routes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerName {
    /// The peer of the speaker; none: the pipe.
    pub address: Option<PeerAddress>,
    /// The address as text, `exabgp`, or `stdout`.
    pub name: String,
    /// Its AS; empty for the pipe.
    pub asn: String,
    /// What people call it; may be empty.
    pub description: String,
}

impl PeerName {
    /// The other end of a pipe.
    pub fn pipe(name: &str) -> Self {
        let (asn, description) = Default::default();
        Self { address: None, name: name.to_owned(), asn, description }
    }
}

/// How long the probes of a check took.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CheckTimes {
    /// The service that uses it; empty for those that nobody named.
    pub service: Arc<str>,
    /// The check.
    pub check: Arc<str>,
    /// How long.
    pub took: Histogram,
}

/// How full a queue is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Queue {
    /// Which.
    pub name: &'static str,
    /// So many wait.
    pub waiting: usize,
    /// So many may.
    pub limit: usize,
}

/// Everything.
#[derive(Clone, Debug)]
pub struct Measures {
    /// The moment of all this,
    pub now: Instant,
    /// by the clock on the wall.
    pub wall: Timestamp,
    /// The first [`SERVICES_MAX`] services: asked for behind the rest, a page at a time.
    pub services: Vec<Explanation>,
    /// So many more there are.
    pub left_out: usize,
    /// The guard.
    pub guard: GuardExplanation,
    /// Of each override what it does.
    pub overrides: Vec<OverrideKind>,
    /// The first verdicts are in.
    pub complete: bool,
    /// The program drains before it ends.
    pub draining: bool,
    /// From an observation until it had changed the routes.
    pub observed_to_decided: Histogram,
    /// How long probes took.
    pub check_times: Vec<CheckTimes>,
    /// Who is told of routes.
    pub peers: Vec<PeerName>,
    /// What the announcer last said of itself.
    pub announcer: Option<Progress>,
    /// What is known of BFD sessions.
    pub bfd: States,
    /// How often the listen observer was called, and looked.
    pub looks: LookCounts,
    /// Queues.
    pub queues: Vec<Queue>,
    /// Records that found no place in the queue.
    pub events_lost: u64,
    /// Reloads that count, and those that were refused.
    pub reloads: (u64, u64),
    /// The last reload was not refused.
    pub last_reload_good: bool,
    /// The configuration in force,
    pub config: Arc<InForce>,
    /// and when it was made to count.
    pub config_loaded: Timestamp,
    /// Whether observers can see.
    pub sights: Vec<(Source, Sight)>,
}

impl Measures {
    /// What is known when nothing happened yet.
    pub fn new(now: Instant, guard: GuardExplanation) -> Self {
        let wall = Timestamp::now();
        Self {
            now,
            wall,
            services: Vec::new(),
            left_out: 0,
            guard,
            overrides: Vec::new(),
            complete: false,
            draining: false,
            observed_to_decided: Histogram::default(),
            check_times: Vec::new(),
            peers: Vec::new(),
            announcer: None,
            bfd: States::default(),
            looks: LookCounts::default(),
            queues: Vec::new(),
            events_lost: 0,
            reloads: (0, 0),
            last_reload_good: true,
            config: Arc::default(),
            config_loaded: wall,
            sights: Vec::new(),
        }
    }

    /// A moment by the clock on the wall, in seconds since 1970.
    pub(super) fn seconds(&self, at: Instant) -> f64 {
        let now = std::time::Duration::try_from(self.wall.duration_since(Timestamp::UNIX_EPOCH));
        let (now, ago) = (now.unwrap_or_default(), self.now.since(at));
        // One of both is zero.
        (now + at.since(self.now)).saturating_sub(ago).as_secs_f64()
    }
}
