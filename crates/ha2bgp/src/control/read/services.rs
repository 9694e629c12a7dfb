//! Services, one entry for each VIP.

use ha2bgp_core::Health;
use ha2bgp_core::explain::{CheckExplanation, Explanation};

use super::routes::peer_routes;
use crate::control::api::service::{PeerRoute, ServiceShown};
use crate::control::scene::Scene;

/// One entry; nothing where there is no service.
pub(crate) fn shown(scene: &Scene, all: &Explanation) -> Option<ServiceShown> {
    let service = all.service.as_ref()?;
    let decider = service.decider.and_then(|at| service.checks.get(at));
    let decider = decider.filter(|_| service.health != Health::Healthy);
    let powers = || service.checks.iter().filter_map(|check| check.counts_as);
    let peers = peer_routes(scene, all.prefix, all.announced);
    let counted = || peers.iter().filter(|peer| peer.counts());
    Some(ServiceShown {
        service: service.name.to_string(),
        prefix: all.prefix.to_string(),
        announced: all.announced,
        last_choice: all.announced && service.last_choice,
        health: service.health.name().to_owned(),
        reason: all.reason.code().to_owned(),
        text: all.reason.text().to_owned(),
        since: scene.moment(service.since),
        for_seconds: scene.ago(service.since),
        decider: decider.map(|check| check.name.to_string()),
        detail: decider.and_then(detail),
        checks_good: powers().filter(|outcome| outcome.is_good()).count(),
        checks_all: powers().count(),
        delay_left_seconds: service.delay_until.map(|at| scene.left(at)),
        damping_left_seconds: service.suppressed_until.map(|at| scene.left(at)),
        held_for_seconds: service.held.map(|(since, _)| scene.ago(since)),
        overrides: service.overrides.iter().map(|over| over.id.0).collect(),
        peers_told: counted().filter(|peer| peer.is_told()).count(),
        peers_all: counted().count(),
        peers: peers.iter().map(PeerRoute::clone).collect(),
    })
}

/// What the newest result of a check says.
pub(super) fn detail(check: &CheckExplanation) -> Option<String> {
    let (state, _) = check.probe.as_ref()?;
    let (result, _) = state.last.as_ref()?;
    Some(result.detail.to_string())
}
