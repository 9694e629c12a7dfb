//! What each peer, or another announcer, was told of a prefix, as far as their reports say.

use ha2bgp_core::net::Prefix;
use ha2bgp_proto::bgp::State;

use crate::announce::{PeerState, Progress};
use crate::config::settings::Backend;
use crate::control::api::service::PeerRoute;
use crate::control::scene::{Router, Scene};

/// What they were told of a prefix that is wanted, or not.
pub(crate) fn peer_routes(scene: &Scene, prefix: Prefix, wanted: bool) -> Vec<PeerRoute> {
    let done = if wanted { "announced" } else { "withdrawn" };
    match (scene.backend, &scene.announcer) {
        (Backend::Speaker, announcer) => {
            let states = match announcer {
                Some(Progress::Speaker(state)) => state.peers.as_slice(),
                _ => &[],
            };
            let each = scene.routers.iter().map(|router| {
                let state = states.iter().find(|state| state.peer == router.peer);
                let (state, why) = at_peer(router, state, prefix, done);
                PeerRoute {
                    peer: router.peer.to_string(),
                    description: router.description.clone(),
                    state: state.to_owned(),
                    why,
                    ..PeerRoute::default()
                }
            });
            each.collect()
        }
        (Backend::Exabgp, announcer) => {
            let (state, why, acknowledged) = match announcer {
                Some(Progress::ExaBgp(pipe)) if pipe.stalled => {
                    ("not-told", Some("ExaBGP takes nothing from the pipe".to_owned()), None)
                }
                Some(Progress::ExaBgp(pipe)) if pipe.pending > 0 => ("pending", None, None),
                Some(Progress::ExaBgp(pipe)) => {
                    let all = pipe.sent == pipe.acknowledged && pipe.rejected == 0;
                    (done, None, all.then_some(true))
                }
                _ => ("pending", None, None),
            };
            let (peer, state) = ("exabgp".to_owned(), state.to_owned());
            vec![PeerRoute { peer, state, why, acknowledged, ..PeerRoute::default() }]
        }
        (Backend::Test, _) => {
            let (peer, state) = ("stdout".to_owned(), done.to_owned());
            vec![PeerRoute { peer, state, ..PeerRoute::default() }]
        }
    }
}

/// The state of a prefix at a peer, and why it was not told.
fn at_peer(
    router: &Router,
    state: Option<&PeerState>,
    prefix: Prefix,
    done: &'static str,
) -> (&'static str, Option<String>) {
    if router.networks.containing(prefix.address()).is_none() {
        return ("excluded", Some("its networks leave this prefix out".to_owned()));
    }
    let Some(state) = state else { return ("pending", None) };
    let session = &state.session;
    let Some(agreed) = session.negotiated.as_ref().filter(|_| session.state == State::Established)
    else {
        return ("not-told", Some(format!("the session is {}", session.state)));
    };
    let families = agreed.families;
    if !(if prefix.address().is_ipv4() { families.ipv4 } else { families.ipv6 }) {
        return ("not-told", Some("it does not speak this family".to_owned()));
    }
    if session.pending > 0 { ("pending", None) } else { (done, None) }
}
