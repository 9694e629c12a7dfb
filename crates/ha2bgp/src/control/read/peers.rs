//! The announcer and its peers.

use ha2bgp_proto::exabgp::{Acks, Snapshot};

use super::bfd;
use crate::announce::{PeerState, Progress};
use crate::config::settings::Backend;
use crate::control::api::peer::{PeerError, PeerShown, PeersShown, PipeShown};
use crate::control::scene::{Router, Scene};

/// All of them.
pub(crate) fn peers(scene: &Scene) -> PeersShown {
    let states = match &scene.announcer {
        Some(Progress::Speaker(state)) => state.peers.as_slice(),
        _ => &[],
    };
    let each = scene.routers.iter().map(|router| {
        let state = states.iter().find(|state| state.peer == router.peer);
        shown(scene, router, state)
    });
    PeersShown {
        announcer: backend(scene.backend).to_owned(),
        peers: each.collect(),
        bfd: bfd::sessions(scene),
        pipe: match (scene.backend, &scene.announcer) {
            (Backend::Exabgp, Some(Progress::ExaBgp(state))) => Some(pipe(&state.session)),
            _ => None,
        },
    }
}

/// As it is written in the configuration.
pub(super) const fn backend(backend: Backend) -> &'static str {
    match backend {
        Backend::Exabgp => "exabgp",
        Backend::Test => "test",
        Backend::Speaker => "speaker",
    }
}

fn shown(scene: &Scene, router: &Router, state: Option<&PeerState>) -> PeerShown {
    let mut shown = PeerShown {
        peer: router.peer.to_string(),
        description: router.description.clone(),
        remote_as: router.asn.clone(),
        bfd: router.bfd.as_ref().and_then(|target| bfd::of(scene, target)),
        ..PeerShown::default()
    };
    let Some(state) = state else { return shown };
    let session = &state.session;
    shown.state = Some(session.state.to_string());
    shown.since = Some(scene.moment(session.since));
    shown.for_seconds = Some(scene.ago(session.since));
    if let Some(agreed) = &session.negotiated {
        let families = [("ipv4", agreed.families.ipv4), ("ipv6", agreed.families.ipv6)];
        let families = families.into_iter().filter(|(_, agreed)| *agreed);
        shown.families = families.map(|(name, _)| name.to_owned()).collect();
        shown.hold_seconds = Some(agreed.hold_time.as_secs_f64());
    }
    (shown.wanted, shown.told, shown.pending) = (session.wanted, session.told, session.pending);
    let counters = &session.counters;
    shown.messages_received = counters.received.iter().sum();
    shown.messages_sent = counters.sent.iter().sum();
    (shown.established, shown.dropped) = (counters.established, counters.dropped);
    let last = session.last_error.as_ref().map(|(at, cause)| (*at, cause.to_string()));
    shown.error = state.trouble.clone().or(last).map(|(at, text)| PeerError {
        text,
        at: scene.moment(at),
        age_seconds: scene.ago(at),
    });
    shown.next_attempt_seconds = session.next_attempt.map(|at| scene.left(at));
    shown
}

fn pipe(state: &Snapshot) -> PipeShown {
    PipeShown {
        wanted: state.intended,
        sent: state.sent,
        acknowledged: state.acknowledged,
        rejected: state.rejected,
        pending: state.pending,
        answers: match state.acks {
            Acks::Unknown => None,
            Acks::Present => Some(true),
            Acks::Absent => Some(false),
        },
        stalled: state.stalled,
    }
}
