//! What each peer, or another announcer, was told of a prefix.
//!
//! Lists of services are made from what announcers report of themselves, which costs nothing; what is
//! known of one prefix, and when it was said, is asked of the announcer.

use ha2bgp_core::net::Prefix;
use ha2bgp_proto::bgp::Withheld;
use ha2bgp_proto::told::Moment;

use crate::announce::questions::{Ask, Page, Place};
use crate::announce::{PeerState, Progress, RouteState, Shown, WhyNot};
use crate::config::settings::Backend;
use crate::control::api::service::{AttributesShown, PeerRoute, RouteShown, RoutesShown};
use crate::control::api::{Code, Refusal};
use crate::control::calls::Api;
use crate::control::orders::parse_prefix;
use crate::control::query::Query;
use crate::control::route::cut;
use crate::control::scene::{Router, Scene};

/// So many peers are asked for one prefix.
const PEERS_MAX: usize = 256;

/// What they were told of a prefix that is wanted, or not, as far as their reports say.
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
                let description = router.description.clone();
                PeerRoute { description, ..told(router.peer.to_string(), state, why) }
            });
            each.collect()
        }
        (Backend::Exabgp, announcer) => {
            let (state, why) = match announcer {
                Some(Progress::ExaBgp(pipe)) if pipe.session.stalled => {
                    ("not-told", Some("ExaBGP takes nothing from the pipe".to_owned()))
                }
                Some(Progress::ExaBgp(pipe)) if pipe.session.pending == 0 => (done, None),
                _ => ("pending", None),
            };
            vec![told("exabgp".to_owned(), state, why)]
        }
        (Backend::Test, _) => vec![told("stdout".to_owned(), done, None)],
    }
}

fn told(peer: String, state: &str, why: Option<String>) -> PeerRoute {
    PeerRoute { peer, state: state.to_owned(), why, ..PeerRoute::default() }
}

/// The state of a prefix at a peer, and why it was not told.
fn at_peer(
    router: &Router,
    state: Option<&PeerState>,
    prefix: Prefix,
    done: &'static str,
) -> (&'static str, Option<String>) {
    if router.networks.containing(prefix.address()).is_none() {
        return ("excluded", Some(Withheld::OutsideNetworks.to_string()));
    }
    let Some(state) = state else { return ("pending", None) };
    let session = &state.session;
    let Some(agreed) = &session.negotiated else {
        return ("not-told", Some(format!("the session is {}", session.state)));
    };
    let families = agreed.families;
    if !(if prefix.address().is_ipv4() { families.ipv4 } else { families.ipv6 }) {
        return ("not-told", Some("the peer does not speak the address family".to_owned()));
    }
    if session.pending > 0 { ("pending", None) } else { (done, None) }
}

/// What they were told of one prefix, and when. What the announcer does not tell in time is as their
/// reports say.
pub(crate) async fn exact(
    api: &Api,
    scene: &Scene,
    prefix: Prefix,
    wanted: bool,
) -> Vec<PeerRoute> {
    let mut routes = peer_routes(scene, prefix, wanted);
    let ask = Ask { prefix: Some(prefix), limit: PEERS_MAX, ..Ask::default() };
    let Some(page) = api.routes.routes(ask).await else { return routes };
    for state in &page.routes {
        let name = name(scene, state);
        if let Some(route) = routes.iter_mut().find(|route| route.peer == name) {
            let description = route.description.take();
            *route = PeerRoute { description, ..of_state(scene, name, state) };
        }
    }
    routes
}

/// Answers `GET /v1/routes`.
pub(super) async fn answer(
    api: &Api,
    scene: &Scene,
    query: &Query,
    limit: usize,
) -> Result<RoutesShown, Refusal> {
    let prefix = query.text("prefix").map(|text| read_prefix("prefix", text)).transpose()?;
    let peer = query.text("peer").map(|text| router(scene, "peer", text)).transpose()?;
    let peer = peer.map(|router| router.peer);
    let after = query.text("after").map(|text| place(scene, text)).transpose()?;
    let ask = Ask { prefix, peer, after, limit };
    let Some(Page { routes, next }) = api.routes.routes(ask).await else {
        return Err(Refusal::new(Code::Busy, "the announcer does not answer now: ask again"));
    };
    let shown = routes.iter().map(|state| RouteShown {
        prefix: state.prefix.to_string(),
        intended: state.intended.as_ref().map(attributes),
        at: of_state(scene, name(scene, state), state),
    });
    let next = next.map(|Place { peer, prefix }| match peer {
        Some(peer) => format!("{peer}@{prefix}"),
        None => prefix.to_string(),
    });
    Ok(RoutesShown { routes: shown.collect(), next })
}

/// `PEER@PREFIX`, or `PREFIX`.
fn place(scene: &Scene, text: &str) -> Result<Place, Refusal> {
    let (peer, prefix) = match text.split_once('@') {
        Some((peer, prefix)) => (Some(router(scene, "after", peer)?.peer), prefix),
        None => (None, text),
    };
    Ok(Place { peer, prefix: read_prefix("after", prefix)? })
}

fn read_prefix(field: &str, text: &str) -> Result<Prefix, Refusal> {
    let said = || format!("\"{}\" is no prefix: send for example 192.0.2.1", cut(text));
    parse_prefix(text).ok_or_else(|| bad(field, text, said()))
}

fn router<'a>(scene: &'a Scene, field: &str, text: &str) -> Result<&'a Router, Refusal> {
    let found = scene.routers.iter().find(|router| router.peer.to_string() == text);
    found.ok_or_else(|| {
        bad(field, text, format!("\"{}\" is no peer: GET /v1/peers lists them", cut(text)))
    })
}

fn bad(field: &str, text: &str, said: String) -> Refusal {
    let (field, value) = (Some(field.to_owned()), Some(cut(text)));
    Refusal { field, value, ..Refusal::new(Code::BadValue, said) }
}

fn name(scene: &Scene, state: &RouteState) -> String {
    match (state.peer, scene.backend) {
        (Some(peer), _) => peer.to_string(),
        (None, Backend::Test) => "stdout".to_owned(),
        (None, Backend::Exabgp | Backend::Speaker) => "exabgp".to_owned(),
    }
}

fn of_state(scene: &Scene, name: String, state: &RouteState) -> PeerRoute {
    let word = match (state.why_not, state.intended.is_some(), state.is_sent) {
        (Some(WhyNot::Withheld(Withheld::OutsideNetworks)), ..) => "excluded",
        (Some(WhyNot::Withheld(Withheld::Waiting)), ..) => "pending",
        (Some(_), ..) => "not-told",
        (None, true, true) => "announced",
        (None, false, false) => "withdrawn",
        (None, ..) => "pending",
    };
    let at = |moment: Moment| match moment {
        Moment::At(at) => (at, false),
        Moment::Before(at) => (at, true),
    };
    let (sent, acknowledged) = (state.sent_at.map(at), state.acknowledged.map(at));
    let after = sent.zip(acknowledged).filter(|((_, before), (_, later))| !before && !later);
    PeerRoute {
        attributes: state.sent.as_ref().map(attributes),
        sent: sent.map(|(at, _)| scene.moment(at)),
        sent_seconds: sent.map(|(at, _)| scene.ago(at)),
        acknowledged: acknowledged.map(|(at, _)| scene.moment(at)),
        acknowledged_after_seconds: after
            .map(|((sent, _), (acknowledged, _))| acknowledged.since(sent).as_secs_f64()),
        sent_before: sent.is_some_and(|(_, before)| before),
        ..told(name, word, state.why_not.map(|why| why.to_string()))
    }
}

fn attributes(shown: &Shown) -> AttributesShown {
    AttributesShown {
        next_hop: shown.next_hop.to_string(),
        last_choice: shown.last_choice,
        as_path: shown.as_path.clone(),
        med: shown.med,
        local_pref: shown.local_pref,
        communities: shown.communities.iter().map(ToString::to_string).collect(),
    }
}
