//! Who is told of routes: sessions, numbers, and which of them has which route.

use std::fmt;

use ha2bgp_core::net::Prefix;
use ha2bgp_proto::bgp::fsm::State;
use ha2bgp_proto::bgp::{Unsendable, Withheld};
use prometheus_client::encoding::DescriptorEncoder;

use super::family::{Family, family};
use super::measures::{Measures, PeerName};
use super::table as t;
use crate::announce::questions::{Ask, PAGE_MAX, Questions};
use crate::announce::{PeerState, PipeState, Progress, RouteState, WhyNot};

/// For so many pairs of a service and a peer it is told which peer has which route.
pub(super) const PAIRS_MAX: usize = 50_000;
/// Messages, in the order in which sessions count them.
const MESSAGES: [&str; 5] = ["open", "update", "notification", "keepalive", "route-refresh"];

/// The routes of a peer, by prefix: should it have them, has it got them.
type Routes = Vec<(Prefix, bool, bool)>;

/// Asks the announcer what each peer has; nothing when it does not answer. Peers that would be too
/// much are left out.
pub(super) async fn routes(measures: &Measures, announcer: &Questions) -> Option<Vec<Routes>> {
    let mut all = Vec::new();
    for peer in measures.peers.iter().take(shown(measures)) {
        let mut routes = Routes::new();
        let mut after = None;
        loop {
            let ask = Ask { prefix: None, peer: peer.address, after, limit: PAGE_MAX };
            let page = announcer.routes(ask).await?;
            // A peer that is new to the configuration may be unknown there for a moment.
            let mine = |route: &&RouteState| route.peer == peer.address;
            let states = page.routes.iter().filter(mine);
            routes.extend(states.map(|it| (it.prefix, is_intended(it), it.is_sent)));
            after = page.next;
            if after.is_none_or(|place| place.peer != peer.address) || routes.len() > PAIRS_MAX {
                break;
            }
        }
        routes.sort_unstable_by_key(|(prefix, ..)| *prefix);
        all.push(routes);
    }
    Some(all)
}

/// Whether it should be there. What only a session that is down, or a next hop, keeps from the peer
/// should; a family that it does not speak is none of its business.
fn is_intended(route: &RouteState) -> bool {
    let kept = match route.why_not {
        Some(WhyNot::Withheld(Withheld::NotEstablished)) => true,
        Some(WhyNot::Withheld(Withheld::Unsendable(why))) => why != Unsendable::FamilyNotNegotiated,
        Some(WhyNot::Withheld(_) | WhyNot::Leaving | WhyNot::Rejected) | None => false,
    };
    kept || route.intended.is_some()
}

/// For so many peers it is told which routes they have.
pub(super) fn shown(measures: &Measures) -> usize {
    measures.peers.len().min(PAIRS_MAX / measures.services.len().max(1))
}

/// Writes which peer has which route.
pub(super) fn write_routes(
    measures: &Measures,
    routes: &[Routes],
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let mut each = |def, which: fn(&(Prefix, bool, bool)) -> bool| {
        family(encoder, def, |f| {
            for explained in &measures.services {
                let Some(service) = &explained.service else { continue };
                let vip = explained.prefix.address().to_string();
                for (peer, routes) in measures.peers.iter().zip(routes) {
                    let key = |(prefix, ..): &(Prefix, bool, bool)| *prefix;
                    let known = routes.binary_search_by_key(&explained.prefix, key).ok();
                    let is = known.and_then(|at| routes.get(at)).is_some_and(which);
                    f.is(&[&service.name, &vip, &peer.name], is)?;
                }
            }
            Ok(())
        })
    };
    each(&t::ROUTE_INTENDED, |(_, intended, _)| *intended)?;
    each(&t::ROUTE_ANNOUNCED, |(_, _, sent)| *sent)?;
    let left_out = (measures.peers.len() - routes.len().min(measures.peers.len()))
        .saturating_mul(measures.services.len());
    family(encoder, &t::ROUTES_LEFT_OUT, |f| f.gauge(&[], left_out))
}

/// Writes what there is to know of each peer.
pub(super) fn write(measures: &Measures, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    family(encoder, &t::PEER, |f| {
        let mut peers = measures.peers.iter();
        peers.try_for_each(|it| f.info(&[&it.name, &it.asn, &it.description]))
    })?;
    family(encoder, &t::PEER_UP, |f| {
        measures.peers.iter().try_for_each(|peer| f.is(&[&peer.name], is_up(measures, peer)))
    })?;
    let (sessions, strangers) = match &measures.announcer {
        Some(Progress::Speaker(state)) => {
            // One that leaves may come back under the same name before it is gone.
            let stay = state.peers.iter().filter(|it| !it.leaving);
            (stay.collect(), state.strangers)
        }
        _ => (Vec::new(), 0),
    };
    write_sessions(measures, &sessions, encoder)?;
    let pipe = match &measures.announcer {
        Some(Progress::ExaBgp(pipe)) => measures.peers.first().zip(Some(&**pipe)),
        _ => None,
    };
    write_numbers(&sessions, pipe, encoder)?;
    family(encoder, &t::STRANGERS, |f| f.count(&[], strangers))?;
    write_pipe(pipe.map(|(_, pipe)| pipe), encoder)
}

/// Before the speaker has said anything, nobody is up.
fn is_up(measures: &Measures, peer: &PeerName) -> bool {
    match (&measures.announcer, peer.address) {
        (Some(Progress::Speaker(state)), Some(address)) => {
            let mut peers = state.peers.iter().filter(|it| !it.leaving && it.peer == address);
            peers.any(|it| it.session.state == State::Established)
        }
        (Some(Progress::ExaBgp(pipe)), None) => !pipe.session.stalled,
        // Nothing was written yet, so nothing was refused.
        (None, None) => true,
        (_, _) => false,
    }
}

fn write_sessions(
    measures: &Measures,
    sessions: &[&PeerState],
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let mut each = |def, write: &dyn Fn(&mut Family<'_>, &str, &PeerState) -> fmt::Result| {
        family(encoder, def, |f| {
            sessions.iter().try_for_each(|it| write(f, &it.peer.to_string(), it))
        })
    };
    each(&t::PEER_STATE, &|f, peer, it| {
        let mut states = State::ALL.into_iter();
        states.try_for_each(|state| f.is(&[peer, &state.to_string()], it.session.state == state))
    })?;
    each(&t::PEER_SINCE, &|f, peer, it| f.gauge(&[peer], measures.seconds(it.session.since)))?;
    each(&t::PEER_UNWRITTEN, &|f, peer, it| f.gauge(&[peer], it.session.unwritten))?;
    let messages = |f: &mut Family<'_>, peer: &str, counts: [u64; 5]| {
        let mut each = MESSAGES.into_iter().zip(counts);
        each.try_for_each(|(message, count)| f.count(&[peer, message], count))
    };
    each(&t::PEER_RECEIVED, &|f, peer, it| messages(f, peer, it.session.counters.received))?;
    each(&t::PEER_SENT, &|f, peer, it| messages(f, peer, it.session.counters.sent))?;
    macro_rules! counters {
        ($($def:ident $field:ident),*) => {$(
            each(&t::$def, &|f, peer, it| f.count(&[peer], it.session.counters.$field))?;
        )*};
    }
    counters!(
        PEER_RECEIVED_BYTES received_bytes, PEER_SENT_BYTES sent_bytes,
        PEER_ANNOUNCED announced, PEER_WITHDRAWN withdrawn, PEER_ATTEMPTS attempts,
        PEER_ESTABLISHED established, PEER_DROPPED dropped
    );
    each(&t::PEER_MALFORMED, &|f, peer, it| {
        let counters = &it.session.counters;
        f.count(&[peer, "attribute-discard"], counters.attribute_discard)?;
        f.count(&[peer, "treat-as-withdraw"], counters.treat_as_withdraw)
    })
}

/// What sessions and the pipe have alike.
fn write_numbers(
    sessions: &[&PeerState],
    pipe: Option<(&PeerName, &PipeState)>,
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let mut gauge = |def, of: fn(&PeerState) -> usize, of_pipe: fn(&PipeState) -> usize| {
        family(encoder, def, |f| {
            sessions.iter().try_for_each(|it| f.gauge(&[&it.peer.to_string()], of(it)))?;
            let mut pipe = pipe.into_iter();
            pipe.try_for_each(|(peer, it)| f.gauge(&[&peer.name], of_pipe(it)))
        })
    };
    gauge(&t::PEER_WANTED, |it| it.session.wanted, |it| it.session.intended)?;
    gauge(&t::PEER_TOLD, |it| it.session.told, |it| it.session.sent)?;
    gauge(&t::PEER_PENDING, |it| it.session.pending, |it| it.session.pending)?;
    family(encoder, &t::DECIDED_TO_SENT, |f| {
        let mut each = sessions.iter();
        each.try_for_each(|it| f.histogram(&[&it.peer.to_string()], &it.decided_to_sent))?;
        let mut pipe = pipe.into_iter();
        pipe.try_for_each(|(peer, it)| f.histogram(&[&peer.name], &it.decided_to_sent))
    })?;
    family(encoder, &t::SENT_TO_ACKNOWLEDGED, |f| {
        let mut each = sessions.iter();
        each.try_for_each(|it| f.histogram(&[&it.peer.to_string()], &it.sent_to_acknowledged))?;
        let mut pipe = pipe.into_iter();
        pipe.try_for_each(|(peer, it)| f.histogram(&[&peer.name], &it.sent_to_acknowledged))
    })
}

fn write_pipe(pipe: Option<&PipeState>, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let session = pipe.map(|pipe| &pipe.session);
    family(encoder, &t::EXABGP_COMMANDS, |f| {
        session.into_iter().try_for_each(|it| f.count(&[], it.commands))
    })?;
    family(encoder, &t::EXABGP_ANSWERS, |f| {
        session.into_iter().try_for_each(|it| {
            f.count(&["done"], it.done)?;
            f.count(&["error"], it.errors)
        })
    })?;
    family(encoder, &t::EXABGP_WAITING, |f| {
        session.into_iter().try_for_each(|it| f.gauge(&[], it.in_flight))
    })?;
    family(encoder, &t::EXABGP_REJECTED, |f| {
        session.into_iter().try_for_each(|it| f.gauge(&[], it.rejected))
    })
}
