//! Of routes: whether a router takes them, and which router gets which.

use std::net::IpAddr;

use ha2bgp_core::net::{NextHop, Prefix};
use ha2bgp_proto::bgp::PeerConfig;

use super::super::origin::Origin;
use super::super::raw::Section;
use super::view::{Service, View};
use super::{Lint, Warning};

pub(super) const NEXT_HOP_FAMILY: Lint = Lint {
    code: "next-hop-family",
    about: "a next hop for ExaBGP that is of the other family than a network",
    reason: "most routers refuse such routes",
};
pub(super) const NEXT_HOP_IS_VIP: Lint = Lint {
    code: "next-hop-is-vip",
    about: "a next hop that is a VIP itself",
    reason: "routers find the way to the next hop by the very route that it is of, and drop the route",
};
pub(super) const NO_PEER: Lint = Lint {
    code: "no-peer",
    about: "a service that no peer's `networks` and families allow",
    reason: "it looks announced here, and no router is told",
};
pub(super) const NOTHING_FOR_PEER: Lint = Lint {
    code: "nothing-for-peer",
    about: "a peer that can get none of the networks",
    reason: "its session stands, and nothing ever goes over it",
};
pub(super) const FAMILY_LEFT_OUT: Lint = Lint {
    code: "family-left-out",
    about: "a network whose family is not spoken with a peer",
    reason: "routes of the other family look announced, and this router is never told",
};

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Warning>) {
    next_hops(view, warnings);
    for (section, peer) in view.peers() {
        left_out(section, &peer.config, warnings);
    }
    if view.peers().next().is_some() {
        for service in view.services() {
            without_peer(view, service, warnings);
        }
    }
}

fn next_hops(view: &View<'_>, warnings: &mut Vec<Warning>) {
    let engine = &view.settings.engine;
    if let (NextHop::Address(hop), Some(at)) = (engine.next_hop, view.raw.values.one("nexthop"))
        && let Some(network) = engine.networks.iter().find(|net| net.is_ipv4() != hop.is_ipv4())
    {
        let message = format!(
            "\"{hop}\" is of the other family than {network}, and routers may refuse such routes: write self, \
             or leave the network out"
        );
        warnings.push(Warning::new(&NEXT_HOP_FAMILY, at, message));
    }
    let vips: std::collections::BTreeSet<IpAddr> = view.vips().map(|(_, vip, _)| vip).collect();
    let own = view.raw.peers.iter().flat_map(|section| section.values.all("next-hop"));
    for at in view.raw.values.all("nexthop").iter().chain(own) {
        if at.text.parse().is_ok_and(|hop: IpAddr| vips.contains(&hop)) {
            let message = format!(
                "\"{}\" is a VIP, so the way to the next hop is the route itself: write self, or an address \
                 of this host alone",
                at.text
            );
            warnings.push(Warning::new(&NEXT_HOP_IS_VIP, at, message));
        }
    }
}

const fn speaks(config: &PeerConfig, ipv4: bool) -> bool {
    if ipv4 { config.families.ipv4 } else { config.families.ipv6 }
}

/// What a peer cannot get.
fn left_out(section: &Section, config: &PeerConfig, warnings: &mut Vec<Warning>) {
    let (heard, unheard): (Vec<Prefix>, Vec<Prefix>) =
        config.policy.networks.iter().partition(|network| speaks(config, network.is_ipv4()));
    let at =
        section.values.one("networks").or(section.values.one("address")).unwrap_or(&section.at);
    let families = section.values.one("families");
    let Some(network) = unheard.first() else { return };
    let fix = match (families, network.is_ipv4()) {
        (Some(_), true) => "add \"ipv4\" to families",
        (Some(_), false) => "add \"ipv6\" to families",
        (None, true) => "IPv4 over IPv6 needs extended next hops or an IPv4 next-hop",
        (None, false) => "IPv6 over IPv4 needs an IPv6 next-hop, or a peer with an IPv6 address",
    };
    if heard.is_empty() {
        let at = families.unwrap_or(at);
        let message = format!("{} gets no route at all, not even of {network}: {fix}", config.peer);
        warnings.push(Warning::new(&NOTHING_FOR_PEER, at, message));
    } else if families.is_none() {
        let message = format!("{} gets no route of {network}: {fix}", config.peer);
        warnings.push(Warning::new(&FAMILY_LEFT_OUT, at, message));
    }
}

/// Whether some peer gets the routes of a service.
fn without_peer(view: &View<'_>, service: Service<'_>, warnings: &mut Vec<Warning>) {
    let values = &service.section.section.values;
    let vips = values.all("vips").iter().filter_map(|at| {
        let vip: IpAddr = at.text.parse().ok()?;
        Some((at, Prefix::host(vip.to_canonical())))
    });
    let networks = values.all("networks").iter();
    let networks = networks.filter_map(|at| Some((at, at.text.parse::<Prefix>().ok()?)));
    for (at, prefix) in vips.chain(networks) {
        let gets = |config: &PeerConfig| {
            let mut allowed = config.policy.networks.iter();
            speaks(config, prefix.is_ipv4())
                && allowed.any(|network| network.covers(prefix) || prefix.covers(network))
        };
        if view.peers().any(|(_, peer)| gets(&peer.config)) {
            continue;
        }
        let where_to = match at.origin {
            Origin::File(_) => "in networks of a [[peer]]",
            _ => "with --network",
        };
        let message = format!(
            "no peer gets \"{}\": its networks or families leave it out: allow it {where_to}",
            at.text
        );
        warnings.push(Warning::new(&NO_PEER, at, message));
    }
}
