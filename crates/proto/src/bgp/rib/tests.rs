//! The Adj-RIB-Out against a plain table of what the peer has heard.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::Ipv4Addr;
use core::time::Duration;

use ha2bgp_core::net::{Networks, NextHop};
use proptest::prelude::*;
use rustbgpd_wire::attribute::PathAttribute;

use super::*;
use crate::bgp::event::Negotiated;
use crate::bgp::wire::{self, Asn, Context, Framer, HEADER, Kind, Refresh};
use crate::bgp::{Direction, Drain, LastChoice, PeerConfig};
use crate::told::Told;

/// What a route was announced with.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Said {
    next_hop: IpAddr,
    med: Option<u32>,
    /// ASes in the path.
    path: usize,
    communities: Vec<u32>,
}

type Heard = BTreeMap<Prefix, Said>;

/// What the rules say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Rules {
    med: Option<u32>,
    /// Of [`NETWORKS`].
    networks: usize,
    /// Routes that are the last choice are like all others.
    plain: bool,
    drain: Drain,
}

const RULES: Rules = Rules { med: None, networks: 0, plain: false, drain: Drain::LastChoice };

impl Rules {
    /// What a route goes out with.
    fn said(self, next_hop: IpAddr, route: &Route) -> Option<Said> {
        let usual = Said { next_hop, med: self.med, path: 1, communities: Vec::new() };
        let leaving = || Vec::from([0xffff_0000]);
        let (med, path) = (Some(u32::MAX), if self.plain { 2 } else { 4 });
        Some(match (route.draining, self.drain) {
            (true, Drain::Withdraw) => return None,
            (true, Drain::GracefulShutdown) => Said { communities: leaving(), ..usual },
            (true, Drain::Med) => Said { med, ..usual },
            (true, Drain::Prepend) => Said { path, ..usual },
            _ if route.last_choice && !self.plain => {
                Said { med, path: 4, communities: leaving(), ..usual }
            }
            _ => usual,
        })
    }
}

fn export(rules: Rules) -> Export {
    let networks = NETWORKS[rules.networks];
    let id = Ipv4Addr::new(10, 0, 0, 2);
    let peer = IpAddr::from([10, 0, 0, 1]);
    let mut config = PeerConfig::new(Asn(65000), id, peer, Asn(65001));
    config.policy.networks = Networks::new(networks.iter().map(|it| it.parse().unwrap()).collect());
    config.policy.med = rules.med;
    config.policy.drain = rules.drain;
    if rules.plain {
        config.policy.last_choice =
            LastChoice { med: None, local_pref: None, prepend: Some(0), communities: Vec::new() };
    }
    config.policy.next_hop_v6 = Some("2001:db8:ffff::1".parse().unwrap());
    let negotiated = Negotiated {
        peer_as: Asn(65001),
        peer_id: Ipv4Addr::new(10, 0, 0, 1),
        local: IpAddr::V4(id),
        direction: Direction::Outgoing,
        hold_time: Duration::from_secs(9),
        keepalive: Duration::from_secs(3),
        families: Families::BOTH,
        four_octet_as: true,
        route_refresh: true,
        enhanced_route_refresh: true,
        extended_next_hop: false,
        add_path_send: Families::NONE,
        add_path_receive: Families::NONE,
        extended_messages: false,
        peer_graceful_restart: None,
        peer_name: None,
        without_capabilities: false,
    };
    Export::new(&config, &negotiated)
}

/// A peer that knows the rules.
struct Peer {
    rib: Rib,
    desired: RouteSet,
    rules: Rules,
    export: Export,
    heard: Heard,
    /// What was heard since BoRR.
    again: [Option<BTreeSet<Prefix>>; 2],
    /// What is sent again because the rules changed, even if they changed back.
    other_rules: BTreeSet<Prefix>,
    /// Routes were announced since something last changed.
    announcing: bool,
    ended: Families,
}

impl Peer {
    fn new(rules: Rules) -> Self {
        let export = export(rules);
        let mut rib = Rib::new(false);
        rib.up(export.clone(), 128, true);
        Self {
            rib,
            desired: RouteSet::new(),
            rules,
            export,
            heard: Heard::new(),
            again: [None, None],
            other_rules: BTreeSet::new(),
            announcing: false,
            ended: Families::NONE,
        }
    }

    fn wanted(&self) -> Heard {
        let mut wanted = Heard::new();
        self.desired.for_each(&mut |prefix, route| {
            // Which prefixes go out, and with which next hop, has tests of its own.
            let sent = self.export.sent(prefix, Some(&Route { draining: false, ..*route }));
            wanted.extend(
                sent.and_then(|sent| self.rules.said(sent.next_hop, route)).map(|it| (prefix, it)),
            );
        });
        wanted
    }

    fn compose(&mut self, limit: usize) {
        let mut out = Vec::new();
        let says = self.rib.has_work();
        self.rib.compose(&mut out, limit, &mut Told::default());
        assert_eq!(says, !out.is_empty());
        let wanted = self.wanted();
        let mut framer = Framer::default();
        let mut input = out.as_slice();
        while let Some((kind, message)) = framer.next(&mut input).unwrap() {
            assert!(message.len() <= 128);
            match kind {
                Kind::Update => self.update(&message[HEADER..], &wanted),
                Kind::RouteRefresh => {
                    let (family, bound) = wire::decode_refresh(message, true).unwrap().unwrap();
                    let again = &mut self.again[family as usize];
                    if bound == Refresh::Begin {
                        assert!(self.ended.contains(family));
                        *again = Some(BTreeSet::new());
                        self.announcing = false;
                    } else {
                        let again = again.take().expect("BoRR comes first");
                        self.heard.retain(|it, _| Family::of(*it) != family || again.contains(it));
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(self.rib.told(), self.heard.len());
        self.look();
        if self.again == [None, None] && self.rib.stale.is_empty() {
            let all: BTreeSet<&Prefix> = wanted.keys().chain(self.heard.keys()).collect();
            let differ = all.iter().filter(|it| wanted.get(it) != self.heard.get(it)).count();
            assert_eq!(self.rib.pending(), differ);
        }
    }

    /// A look tells what was heard, in pages of any size.
    fn look(&self) {
        let look = self.rib.look();
        let mut after = None;
        let mut seen = 0;
        loop {
            let page = self.rib.prefixes(after, 7);
            for prefix in &page {
                assert!(after.replace(*prefix) < Some(*prefix));
                let heard = self.heard.get(prefix);
                match look.held(*prefix) {
                    Held::Nothing => assert_eq!(heard, None, "{prefix}"),
                    Held::Older => assert!(heard.is_some(), "{prefix}"),
                    Held::Under(rules, sent) => {
                        let attributes = rules.attributes(sent.style);
                        let said = Said {
                            next_hop: sent.next_hop,
                            med: attributes.med,
                            path: attributes.as_path.len(),
                            communities: attributes.communities.clone(),
                        };
                        assert_eq!(heard, Some(&said), "{prefix}");
                    }
                }
                seen += usize::from(heard.is_some());
            }
            if page.len() < 7 {
                break;
            }
        }
        assert_eq!(seen, self.heard.len());
    }

    fn update(&mut self, body: &[u8], wanted: &Heard) {
        let length = body.len();
        let theirs = rustbgpd_wire::UpdateMessage::decode(&mut &body[..], length).unwrap();
        let parsed = theirs.parse_revised(true, false, false, &[]).unwrap();
        assert!(parsed.malformed.is_empty(), "{:?}", parsed.malformed);
        let med = parsed.update.attributes.iter().find_map(|it| match it {
            PathAttribute::Med(it) => Some(*it),
            _ => None,
        });
        let path = parsed.update.attributes.iter().find_map(|it| match it {
            PathAttribute::AsPath(it) => Some(it.len()),
            _ => None,
        });
        let communities = parsed.update.attributes.iter().find_map(|it| match it {
            PathAttribute::Communities(it) => Some(it.clone()),
            _ => None,
        });
        let next_hop = parsed.update.attributes.iter().find_map(|it| match it {
            PathAttribute::NextHop(it) => Some(IpAddr::V4(*it)),
            PathAttribute::MpReachNlri(it) => Some(it.next_hop),
            _ => None,
        });
        let context = Context {
            local_as: Asn(65001),
            internal: false,
            four_octet_as: true,
            families: Families::BOTH,
            extended_next_hop: false,
            add_path: Families::NONE,
        };
        let mut routes = Vec::new();
        let received = wire::inspect_update(body, &context, &mut |heard| {
            routes.push((heard.prefix, heard.path.is_some()));
        });
        let received = received.unwrap();
        assert_eq!(received.malformed, None);
        if let Some(family) = received.end_of_rib {
            let of = |table: &Heard| {
                let mine = table.iter().filter(|(it, _)| Family::of(**it) == family);
                mine.map(|(prefix, heard)| (*prefix, heard.clone())).collect::<Heard>()
            };
            assert_eq!(of(&self.heard), of(wanted));
            assert!(!self.ended.contains(family), "one End-of-RIB a session");
            self.ended.set(family, true);
        }
        for (prefix, announced) in routes {
            let again = &mut self.again[Family::of(prefix) as usize];
            if announced {
                let heard = Said {
                    next_hop: next_hop.unwrap(),
                    med,
                    path: path.unwrap(),
                    communities: communities.clone().unwrap_or_default(),
                };
                assert_eq!(wanted.get(&prefix), Some(&heard), "only the newest state");
                let before = self.heard.insert(prefix, heard.clone());
                let first = again.as_mut().is_some_and(|again| again.insert(prefix));
                let allowed = self.other_rules.remove(&prefix) || first;
                assert!(allowed || before != Some(heard), "{prefix} twice");
                self.announcing = true;
            } else {
                assert!(self.heard.remove(&prefix).is_some(), "{prefix} was never announced");
                assert!(!wanted.contains_key(&prefix), "{prefix} is wanted");
                assert!(!self.announcing, "withdrawals first");
                self.other_rules.remove(&prefix);
                again.iter_mut().for_each(|again| {
                    again.remove(&prefix);
                });
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Set(Vec<(u8, u8)>),
    Change(u8, Option<u8>),
    Policy(Rules),
    Refresh(Family),
    Compose(usize),
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    let picked = prop::collection::vec((0u8..120, 0u8..12), 0..100);
    let drain = prop::sample::select(&Drain::ALL[..]);
    let rules = (prop::option::of(0u32..2), 0usize..3, any::<bool>(), drain);
    let rules =
        rules.prop_map(|(med, networks, plain, drain)| Rules { med, networks, plain, drain });
    prop_oneof![
        3 => picked.prop_map(Step::Set),
        4 => (0u8..120, prop::option::of(0u8..12)).prop_map(|(n, hop)| Step::Change(n, hop)),
        2 => rules.prop_map(Step::Policy),
        2 => any::<bool>().prop_map(|v4| Step::Refresh(if v4 { Family::Ipv4 } else { Family::Ipv6 })),
        6 => (1usize..2000).prop_map(Step::Compose),
        1 => Just(Step::Reconnect),
    ]
}

fn prefix(n: u8) -> Prefix {
    match n % 3 {
        0 => Prefix::host(IpAddr::V4(Ipv4Addr::new(100, 64, 0, n))),
        1 => Prefix::truncating(IpAddr::V4(Ipv4Addr::new(100, 65, n, 0)), 20 + n % 5).unwrap(),
        _ => alloc::format!("2001:db8::{n:x}/128").parse().unwrap(),
    }
}

fn route(hop: u8) -> Route {
    let next_hop = match hop % 4 {
        0 => NextHop::SelfAddress,
        1 => NextHop::Address(IpAddr::from([192, 0, 2, 1])),
        2 => NextHop::Address("2001:db8:ffff::2".parse().unwrap()),
        // The peer itself: it cannot be sent.
        _ => NextHop::Address(IpAddr::from([10, 0, 0, 1])),
    };
    Route { next_hop, last_choice: hop >= 4, draining: hop >= 8 }
}

const NETWORKS: [&[&str]; 3] =
    [&["100.64.0.0/10", "2001:db8::/32"], &["100.64.0.0/26", "2001:db8::/122"], &[]];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever changes while messages go out: the peer never hears a stale state, a withdrawal
    /// of what it does not have, or the same twice; and in the end it has what is wanted.
    #[test]
    fn the_peer_hears_what_is_wanted(steps in prop::collection::vec(step(), 1..40)) {
        let mut peer = Peer::new(RULES);
        for step in steps {
            match step {
                Step::Set(picked) => {
                    peer.desired = picked.iter().map(|(n, hop)| (prefix(*n), route(*hop))).collect();
                    peer.rib.set(&peer.desired);
                    peer.announcing = false;
                }
                Step::Change(n, hop) => {
                    match hop {
                        Some(hop) => peer.desired.insert(prefix(n), route(hop)),
                        None => peer.desired.remove(prefix(n)),
                    };
                    peer.rib.set(&peer.desired);
                    peer.announcing = false;
                }
                Step::Policy(rules) => {
                    peer.rules = rules;
                    let new = export(rules);
                    peer.export = new;
                    // Only what goes out otherwise now.
                    let wanted = peer.wanted();
                    let other = peer.heard.iter().filter(|(it, said)| wanted.get(it) != Some(said));
                    peer.other_rules.extend(other.map(|(it, _)| *it));
                    peer.rib.set_export(peer.export.clone());
                    peer.announcing = false;
                }
                Step::Refresh(family) => {
                    peer.rib.refresh(family);
                }
                Step::Compose(limit) => peer.compose(limit),
                Step::Reconnect => {
                    peer.rib.down();
                    prop_assert!(!peer.rib.has_work() && peer.rib.told() == 0);
                    let desired = peer.desired.clone();
                    peer = Peer { desired, ..Peer::new(peer.rules) };
                    peer.rib.set(&peer.desired);
                }
            }
        }
        for _ in 0..3 {
            peer.compose(usize::MAX);
        }
        prop_assert!(!peer.rib.has_work() && peer.rib.is_ended());
        prop_assert_eq!(&peer.heard, &peer.wanted());
        prop_assert_eq!(&peer.again, &[None, None]);
        prop_assert!(peer.rib.told == peer.desired && peer.rib.queue.capacity() == 0);
    }
}

/// Routes with the same next hop share a message only with routes of their kind; a queue that is
/// full of both is put in order.
#[test]
fn a_message_holds_routes_of_one_kind() {
    let mut peer = Peer::new(RULES);
    peer.desired = (0..120u8).map(|n| (prefix(n), route(if n % 2 == 0 { 0 } else { 4 }))).collect();
    peer.rib.max = 4096;
    peer.rib.set(&peer.desired);
    let composed = peer.rib.compose(&mut Vec::new(), usize::MAX, &mut Told::default());
    // Both families, each of both kinds, and End-of-RIB of both.
    assert_eq!((composed.updates, composed.announced), (6, 120));
}

/// What a session holds of its own while it speaks, an item a route at most, is not more than it
/// was before there were routes of two kinds.
#[test]
fn an_item_is_small() {
    assert_eq!(size_of::<Item>(), size_of::<Prefix>() + size_of::<Option<IpAddr>>() + 1);
}
