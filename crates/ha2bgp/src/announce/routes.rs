//! What is known of a route at an announcer: as it should be there, as it was sent, whether that was
//! acknowledged, and since when.

use std::fmt;

use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_core::route::Route;
use ha2bgp_core::time::Instant;
use ha2bgp_proto::bgp::wire::Attributes;
use ha2bgp_proto::bgp::{Announced, Community, PeerAddress, PeerRoute, Withheld};
use ha2bgp_proto::exabgp::{LastChoice, PipeRoute, Session};
use ha2bgp_proto::told::Moment;

/// A route, with the attributes that it goes out with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shown {
    /// NEXT_HOP; `self` is up to ExaBGP.
    pub next_hop: NextHop,
    /// With what makes it the last choice.
    pub last_choice: bool,
    /// The path identifier (RFC 7911).
    pub path_id: Option<u32>,
    /// AS_PATH; none: up to ExaBGP.
    pub as_path: Option<Vec<u32>>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// Communities of all sizes.
    pub communities: Vec<Community>,
    /// ONLY_TO_CUSTOMER (RFC 9234).
    pub only_to_customer: Option<u32>,
}

/// Why a route is not where it should be, or not as it should be.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum WhyNot {
    /// The session, or what the peer is to be told.
    Withheld(Withheld),
    /// The peer is no longer in the configuration.
    Leaving,
    /// ExaBGP answers `error`.
    Rejected,
}

impl WhyNot {
    /// A stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Withheld(why) => why.code(),
            Self::Leaving => "peer-leaving",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Withheld(why) => why.fmt(f),
            Self::Leaving => f.write_str("no longer a peer: its routes are withdrawn"),
            Self::Rejected => f.write_str("ExaBGP refuses the command; it is tried again"),
        }
    }
}

/// What is known of a prefix at one announcer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RouteState {
    /// The prefix.
    pub prefix: Prefix,
    /// The peer of the speaker; none: the pipe to ExaBGP.
    pub peer: Option<PeerAddress>,
    /// As it should be there.
    pub intended: Option<Shown>,
    /// It is there, as far as is known.
    pub is_sent: bool,
    /// As it was sent. None although it is there: as it was before several changes of the rules; it
    /// is being sent again.
    pub sent: Option<Shown>,
    /// When it was written that it is there, or that it is there no longer; none while it was not,
    /// or when that is long ago.
    pub sent_at: Option<Moment>,
    /// When that was acknowledged: by the kernel of the peer, or by ExaBGP. None: it was not yet, or
    /// nobody tells.
    pub acknowledged: Option<Moment>,
    /// Why it is not there as it should be.
    pub why_not: Option<WhyNot>,
}

impl RouteState {
    /// At a peer.
    pub(super) fn of_peer(peer: PeerAddress, leaving: bool, route: PeerRoute) -> Self {
        let PeerRoute { prefix, intended, withheld, is_there, sent, when } = route;
        let why_not = withheld.map(WhyNot::Withheld);
        Self {
            prefix,
            peer: Some(peer),
            intended: intended.map(Shown::from),
            is_sent: is_there,
            sent: sent.map(Shown::from),
            sent_at: when.written,
            acknowledged: when.acknowledged,
            why_not: if leaving { Some(WhyNot::Leaving) } else { why_not },
        }
    }

    /// At ExaBGP.
    pub(super) fn of_pipe(route: PipeRoute, session: &Session, now: Instant) -> Self {
        let PipeRoute { prefix, intended, sent, is_acknowledged, is_rejected, when } = route;
        let shown = |route: Route| Shown::of_pipe(route, session);
        let waits = intended.is_some() && intended != sent;
        let why_not = if is_rejected {
            Some(WhyNot::Rejected)
        } else {
            waits.then_some(WhyNot::Withheld(Withheld::Waiting))
        };
        // What is forgotten was acknowledged at some time.
        let known = when.acknowledged.unwrap_or(Moment::Before(now));
        Self {
            prefix,
            peer: None,
            intended: intended.map(shown),
            is_sent: sent.is_some(),
            sent: sent.map(shown),
            sent_at: when.written,
            acknowledged: is_acknowledged.then_some(known),
            why_not,
        }
    }
}

impl Shown {
    fn of_pipe(route: Route, session: &Session) -> Self {
        let more = session.attributes(route);
        let more = more.as_deref();
        let communities = more.map_or(&[][..], |it| &it.communities);
        let told = communities.iter().take(LastChoice::COMMUNITIES_MAX);
        Self {
            next_hop: route.next_hop,
            last_choice: route.last_choice,
            path_id: None,
            as_path: None,
            med: more.and_then(|it| it.med),
            local_pref: more.and_then(|it| it.local_pref),
            communities: told.copied().map(Community::Standard).collect(),
            only_to_customer: None,
        }
    }
}

impl From<Announced> for Shown {
    fn from(route: Announced) -> Self {
        let Announced { next_hop, last_choice, path_id, attributes } = route;
        let Attributes {
            as_path,
            four_octet_as: _,
            med,
            local_pref,
            communities,
            extended_communities,
            large_communities,
            only_to_customer,
        } = attributes;
        let communities = communities.into_iter().map(Community::Standard);
        let extended = extended_communities.into_iter().map(Community::Extended);
        let large = large_communities.into_iter().map(Community::Large);
        Self {
            next_hop: NextHop::Address(next_hop),
            last_choice,
            path_id,
            as_path: Some(as_path.iter().map(|asn| asn.0).collect()),
            med,
            local_pref,
            communities: communities.chain(extended).chain(large).collect(),
            only_to_customer: only_to_customer.map(|asn| asn.0),
        }
    }
}
