//! BFD sessions.

use crate::bfd::states::{SessionState, why};
use crate::bfd::target::Target;
use crate::control::api::bfd::BfdShown;
use crate::control::api::peer::PeerError;
use crate::control::scene::Scene;

/// All of them.
pub(super) fn sessions(scene: &Scene) -> Vec<BfdShown> {
    scene.bfd.iter().map(|(target, state)| shown(scene, target, state)).collect()
}

/// The one that a peer goes by.
pub(super) fn of(scene: &Scene, target: &Target) -> Option<BfdShown> {
    let state = scene.bfd.find(target)?;
    Some(shown(scene, target, state))
}

fn shown(scene: &Scene, target: &Target, state: &SessionState) -> BfdShown {
    let status = &state.status;
    let counters = &status.counters;
    let remote = status.remote.as_ref();
    let lost = state.changed.filter(|_| !state.is_up());
    let error = match (&state.trouble, lost) {
        (Some(trouble), _) => Some((status.since, trouble.to_string())),
        (None, Some((at, cause))) => Some((at, why(cause))),
        (None, None) => None,
    };
    BfdShown {
        peer: target.peer.to_string(),
        local: state.local.or(target.local).map(|local| local.to_string()),
        interface: target.interface.clone(),
        multihop: target.multihop,
        state: status.state.code().to_owned(),
        since: scene.moment(status.since),
        for_seconds: scene.ago(status.since),
        remote_state: remote.map(|remote| remote.state.code().to_owned()),
        remote_diagnostic: remote.map(|remote| remote.diagnostic.to_string()),
        transmit_seconds: status.transmit_interval.map(|time| time.as_secs_f64()),
        detection_seconds: status.detection_time.map(|time| time.as_secs_f64()),
        authenticated: status.authenticated,
        ups: counters.ups,
        downs: counters.downs,
        failures: counters.failures,
        sent: counters.sent,
        received: counters.received,
        discarded: state.discarded(),
        error: error.map(|(at, text)| PeerError {
            text,
            at: scene.moment(at),
            age_seconds: scene.ago(at),
        }),
    }
}
