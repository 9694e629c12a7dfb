//! What the engine task tells of itself: what is true at one moment, as runtime types. What is shown of
//! it is made on this side, so that a look costs the engine little.

use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_core::explain::{Explanation, GuardExplanation};
use ha2bgp_core::fact::Source;
use ha2bgp_core::guard::GuardConfig;
use ha2bgp_core::net::{Networks, Prefix};
use ha2bgp_core::overrides::Scope;
use ha2bgp_core::survey::{Brief, Page, ProbedCheck, Sight, Survey};
use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::PeerAddress;
use jiff::{SignedDuration, Timestamp};

use super::level::LevelShown;
use super::orders::OverrideShown;
use crate::announce::Progress;
use crate::bfd::states::States;
use crate::bfd::target::Target;
use crate::config::settings::Backend;
use crate::observe::listen::ListenConfig;

/// The moment, and what is around every service.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The moment.
    pub now: Instant,
    /// The same by the wall clock.
    pub wall: Timestamp,
    /// Where the routes go.
    pub backend: Backend,
    /// What the announcer last said of itself.
    pub announcer: Option<Progress>,
    /// The routers as they are configured; with the speaker only.
    pub routers: Vec<Router>,
    /// What is known of BFD sessions.
    pub bfd: States,
    /// What operators say.
    pub overrides: Vec<OverrideShown>,
}

/// A router as it is configured.
#[derive(Clone, Debug)]
pub struct Router {
    /// Its address.
    pub peer: PeerAddress,
    /// Its AS.
    pub asn: String,
    /// What people call it.
    pub description: Option<String>,
    /// What it may be told.
    pub networks: Networks,
    /// The BFD session that it goes by.
    pub bfd: Option<Target>,
}

/// Everything but the services one by one.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The moment.
    pub scene: Scene,
    /// How many services there are.
    pub survey: Survey,
    /// Whether the observers can see.
    pub sights: Vec<(Source, Sight)>,
    /// The guard, where there is one.
    pub guard: Option<(GuardConfig, GuardExplanation)>,
    /// Every service that was found has been judged.
    pub complete: bool,
    /// All routes are withdrawn then, since the program ends.
    pub draining: Option<Instant>,
    /// How listeners are noticed.
    pub notice: String,
    /// For how long a configuration is on trial, and who has loaded it.
    pub trial: Option<(Duration, String)>,
    /// Which lines the log has, where there is one.
    pub log: Option<LevelShown>,
}

/// Why an address is announced, or not.
#[derive(Clone, Debug)]
pub struct Known {
    /// The moment.
    pub scene: Scene,
    /// The explanation.
    pub explanation: Explanation,
    /// What is around an address without a service.
    pub around: Around,
}

/// What is around an address without a service.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// The services that are near.
    pub near: Vec<Brief>,
    /// All that is ever announced.
    pub networks: Vec<Prefix>,
    /// The listen filter as it was written.
    pub filter: String,
    /// Which sockets are looked at.
    pub listen: ListenConfig,
}

/// Which services are wanted.
#[derive(Clone, Debug, Default)]
pub struct Select {
    /// Those that one of these means; all where there are none.
    pub scopes: Vec<Scope>,
    /// Only those that are announced, or that are not.
    pub announced: Option<bool>,
    /// Those behind this one.
    pub after: Option<IpAddr>,
    /// So many at most.
    pub limit: usize,
}

/// Some services.
#[derive(Clone, Debug)]
pub struct Services {
    /// The moment.
    pub scene: Scene,
    /// What is known of them.
    pub page: Page,
    /// The names that were asked for and that no service has, each with the nearest that one has.
    pub unknown: Option<(String, Option<String>)>,
}

/// Some checks that are probed.
#[derive(Clone, Debug)]
pub struct Checks {
    /// The moment.
    pub scene: Scene,
    /// What is known of them.
    pub checks: Vec<ProbedCheck>,
    /// There are more behind the last one.
    pub more: bool,
}

impl Scene {
    /// A moment by the wall clock, RFC 3339 with milliseconds.
    pub fn moment(&self, at: Instant) -> String {
        let shift = |time: Duration| SignedDuration::try_from(time).unwrap_or(SignedDuration::ZERO);
        let ago = shift(self.now.since(at)).saturating_sub(shift(at.since(self.now)));
        let wall = self.wall.checked_sub(ago).unwrap_or(self.wall);
        format!("{wall:.3}")
    }

    /// How long ago something was, in seconds.
    pub fn ago(&self, at: Instant) -> f64 {
        self.now.since(at).as_secs_f64()
    }

    /// How long it is until then, in seconds; nothing when that is over.
    pub fn left(&self, at: Instant) -> f64 {
        at.since(self.now).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_by_the_wall_clock() {
        let scene = Scene {
            now: Instant::from_secs(100),
            wall: "2026-11-26T12:00:00.123456Z".parse().unwrap(),
            backend: Backend::Test,
            announcer: None,
            routers: Vec::new(),
            bfd: States::default(),
            overrides: Vec::new(),
        };
        assert_eq!(scene.moment(Instant::from_secs(40)), "2026-11-26T11:59:00.123Z");
        assert_eq!(scene.moment(Instant::from_secs(160)), "2026-11-26T12:01:00.123Z");
        assert_eq!((scene.ago(Instant::from_secs(40)), scene.left(Instant::START)), (60.0, 0.0));
    }
}
