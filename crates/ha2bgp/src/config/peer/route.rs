//! The attributes of routes: those of `[defaults.route]`, and those of a peer in their place.

use std::net::IpAddr;

use ha2bgp_core::net::NextHop;
use ha2bgp_proto::bgp::{Community, PeerConfig, Policy};

use super::super::error::ConfigError;
use super::super::origin::Written;
use super::super::raw::Values;
use super::super::reader::Reader;
use super::super::settings::number;
use super::PeerSettings;
use super::last_choice::{LastChoice, SECTION};

/// What of them was given.
#[derive(Debug, Default)]
pub(in crate::config) struct Route {
    pub(super) next_hops: Option<Vec<(Written, NextHop)>>,
    med: Option<u32>,
    local_pref: Option<u32>,
    prepend: Option<u8>,
    communities: Option<Vec<Community>>,
    extended_communities: Option<Vec<Community>>,
    large_communities: Option<Vec<Community>>,
    last_choice: LastChoice,
}

impl Route {
    /// Reads `[defaults.route]`, whose next hops were read already.
    pub(in crate::config) fn defaults(
        reader: &mut Reader,
        values: &Values,
        next_hops: &[(Written, NextHop)],
    ) -> Self {
        let route = Self::read(reader, values, SECTION);
        let next_hops = next_hops.to_vec();
        check_one_each(reader, &next_hops);
        Self { next_hops: Some(next_hops), ..route }
    }

    /// Reads what a peer has of its own.
    pub(super) fn of_peer(reader: &mut Reader, values: &Values) -> Self {
        let route = Self::read(reader, values, "");
        let Some(given) = values.get("next-hop") else { return route };
        let mut next_hops = Vec::new();
        for at in given {
            next_hops.extend(reader.keep(at, next_hop(&at.text)).map(|hop| (at.clone(), hop)));
        }
        check_one_each(reader, &next_hops);
        Self { next_hops: Some(next_hops), ..route }
    }

    fn read(reader: &mut Reader, values: &Values, section: &str) -> Self {
        let name = |key: &str| format!("{section}{key}");
        Self {
            next_hops: None,
            med: reader.one(values, &name("med"), number),
            local_pref: reader.one(values, &name("local-pref"), number),
            prepend: reader.one(values, &name("prepend"), prepend),
            communities: communities(reader, values, &name("communities")),
            extended_communities: communities(reader, values, &name("extended-communities")),
            large_communities: communities(reader, values, &name("large-communities")),
            last_choice: LastChoice::read(reader, values, section),
        }
    }

    /// Sets what was given.
    pub(super) fn apply(&self, policy: &mut Policy) {
        policy.med = self.med.or(policy.med);
        policy.local_pref = self.local_pref.or(policy.local_pref);
        policy.prepend = self.prepend.unwrap_or(policy.prepend);
        let lists = [&self.communities, &self.extended_communities, &self.large_communities];
        if let [Some(_), _, _] = lists {
            policy.communities.clear();
        }
        if let [_, Some(_), _] = lists {
            policy.extended_communities.clear();
        }
        if let [_, _, Some(_)] = lists {
            policy.large_communities.clear();
        }
        for community in lists.into_iter().flatten().flatten() {
            community.add_to(policy);
        }
        self.last_choice.apply(policy);
    }

    /// Sets what was given, as far as a peer of this kind can have it: LOCAL_PREF never leaves the
    /// AS, and prepending inside of it would be a loop.
    pub(super) fn apply_as_default(&self, policy: &mut Policy, internal: bool) {
        self.apply(policy);
        if internal {
            policy.prepend = 0;
            policy.last_choice.prepend = None;
        } else {
            policy.local_pref = None;
            policy.last_choice.local_pref = None;
        }
    }

    /// Next hops of its own that no route to this peer can have.
    pub(super) fn check_families(&self, reader: &mut Reader, config: &PeerConfig) {
        for (at, hop) in self.next_hops.iter().flatten() {
            if !suits(*hop, config) {
                wrong_family(reader, at, *hop, "this peer gets no");
            }
        }
    }

    /// Next hops of the defaults that no route to any peer can have.
    pub(in crate::config) fn check_use(&self, reader: &mut Reader, peers: &[PeerSettings]) {
        for (at, hop) in self.next_hops.iter().flatten() {
            if !peers.iter().any(|peer| suits(*hop, &peer.config)) {
                wrong_family(reader, at, *hop, "no peer gets");
            }
        }
    }
}

/// Whether a route to this peer can have the next hop.
fn suits(hop: NextHop, config: &PeerConfig) -> bool {
    let routes = |ipv4| config.policy.networks.iter().any(|net| net.is_ipv4() == ipv4);
    match hop {
        NextHop::SelfAddress => true,
        NextHop::Address(IpAddr::V4(_)) => config.families.ipv4 && routes(true),
        NextHop::Address(IpAddr::V6(_)) => {
            let over_ipv6 = !config.peer.is_ipv4() && config.capabilities.extended_next_hop;
            (config.families.ipv6 && routes(false))
                || (config.families.ipv4 && routes(true) && over_ipv6)
        }
    }
}

fn wrong_family(reader: &mut Reader, at: &Written, hop: NextHop, who: &str) {
    let family = match hop {
        NextHop::Address(IpAddr::V6(_)) => "IPv6",
        NextHop::Address(IpAddr::V4(_)) | NextHop::SelfAddress => "IPv4",
    };
    let error = format!(
        "\"{hop}\" is of the wrong family: {who} {family} routes; give it an {family} network, \
         and the family if families are named, or write a next hop of the other family"
    );
    reader.errors.push(ConfigError::new(at, error));
}

fn check_one_each(reader: &mut Reader, next_hops: &[(Written, NextHop)]) {
    let family = |hop: &NextHop| match hop {
        NextHop::SelfAddress => None,
        NextHop::Address(address) => Some(address.is_ipv4()),
    };
    for (index, (at, hop)) in next_hops.iter().enumerate() {
        if next_hops.iter().take(index).any(|(_, before)| family(before) == family(hop)) {
            let error = format!("\"{hop}\" is the second one of its family: leave one out");
            reader.errors.push(ConfigError::new(at, error));
        }
    }
}

/// The speaker's core says which of them no router takes.
fn next_hop(text: &str) -> Result<NextHop, String> {
    match text {
        "self" => Ok(NextHop::SelfAddress),
        _ => text
            .parse()
            .map(NextHop::Address)
            .map_err(|_| format!("\"{text}\" is not a next hop: write \"self\" or an IP address")),
    }
}

pub(super) fn prepend(text: &str) -> Result<u8, String> {
    text.parse().map_err(|_| format!("\"{text}\" cannot be prepended: write a number from 0 to 16"))
}

/// Reads a list of communities; the key says of which kind they must be.
pub(super) fn communities(
    reader: &mut Reader,
    values: &Values,
    name: &str,
) -> Option<Vec<Community>> {
    let own = name.rsplit('.').next().unwrap_or(name);
    let mut read = Vec::new();
    for at in values.get(name)? {
        let Some(community) = reader.keep(at, at.text.parse::<Community>()) else { continue };
        let right = match community {
            Community::Standard(_) => "communities",
            Community::Extended(_) => "extended-communities",
            Community::Large(_) => "large-communities",
        };
        if right == own {
            read.push(community);
            continue;
        }
        let fix = match name.contains("last-choice") {
            true => "write one such as 65000:80".to_owned(),
            false => format!("write it under {right}"),
        };
        let error = format!("\"{}\" is not of this kind: {fix}", at.text);
        reader.errors.push(ConfigError::new(at, error));
    }
    Some(read)
}
