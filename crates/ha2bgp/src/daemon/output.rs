//! From settings to the announcer that they ask for, and what it says of itself.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::net::IpAddr;

use ha2bgp_core::config::EngineConfig;
use ha2bgp_core::net::NextHop;
use ha2bgp_proto::bgp::wire::{Asn, Families};
use ha2bgp_proto::bgp::{Capabilities, Fqdn, GracefulRestart, Mode, PeerConfig, Policy};
use ha2bgp_proto::exabgp::{Options, Snapshot};
use ha2bgp_sys::tcp;

use super::parent;
use super::state::{Beginning, Times};
use crate::announce::speaker::{Doorbells, Peer};
use crate::announce::{Announcer, ExaBgp, PeerState, Plain, Speaker, Stdio, What};
use crate::clock::Clock;
use crate::config::duration;
use crate::config::settings::{Backend, Settings};
use crate::config::speaker::{PeerSettings, SpeakerSettings};

/// Where BGP listens (RFC 4271 section 8.2.1).
const BGP_PORT: u16 = 179;

/// What an announcer last said of itself.
#[derive(Clone, Debug)]
pub(super) enum Progress {
    /// The pipe to ExaBGP.
    ExaBgp(Snapshot),
    /// The sessions of the speaker.
    Speaker(Vec<PeerState>),
}

impl Progress {
    /// The state in a report, if it is one.
    pub(super) fn of(what: What) -> Option<Self> {
        match what {
            What::Snapshot(snapshot) => Some(Self::ExaBgp(snapshot)),
            What::Peers(peers) => Some(Self::Speaker(peers)),
            _ => None,
        }
    }
}

/// The announcer that the settings ask for.
pub(super) fn announcer(
    settings: &Settings,
    beginning: &Beginning,
    doorbells: Doorbells,
    clock: Clock,
) -> io::Result<Box<dyn Announcer>> {
    if let (Backend::Speaker, Some(speaker)) = (settings.backend, &settings.speaker) {
        let peers = speaker.peers.iter().map(|peer| {
            let mut peer = self::peer(speaker, peer, &settings.engine);
            if let Some(restart) = &mut peer.config.graceful_restart {
                restart.restarting = beginning.restarting;
                restart.forwarding_preserved = beginning.preserved;
            }
            peer
        });
        // Timers of many hosts that start at once shall not stay in step.
        let seed = RandomState::new().build_hasher().finish();
        let listen = speaker.listen.iter().map(|address| (*address, BGP_PORT).into());
        let speaker = Speaker::new(peers.collect(), listen.collect(), clock, seed);
        return Ok(Box::new(speaker.with(doorbells)));
    }
    let detected = parent::detect_exabgp();
    let options = Options {
        version: settings.exabgp_api,
        detected: detected.dialect,
        group_from: settings.exabgp_group,
        reassert: (!settings.reassert.is_zero()).then_some(settings.reassert),
        ..Options::default()
    };
    let stdio = Stdio::of_process()?;
    Ok(match settings.backend {
        Backend::Test => Box::new(Plain::new(options, stdio.output, clock)),
        Backend::Exabgp | Backend::Speaker => {
            Box::new(ExaBgp::new(options, stdio, clock).after(beginning.before.clone()))
        }
    })
}

/// The times that the routers go by.
pub(super) fn times(settings: &Settings) -> Times {
    let peers = settings.speaker.as_ref().map_or(&[][..], |speaker| &speaker.peers);
    let forever = peers.iter().any(|peer| peer.hold_time.is_zero());
    let hold = peers.iter().map(|peer| peer.hold_time).max().filter(|_| !forever);
    Times { hold: hold.unwrap_or_default(), restart: GracefulRestart::default().restart_time }
}

/// Says what happens to the routes when the program ends to start again.
pub(super) fn tell_restart(settings: &Settings) {
    match settings.backend {
        Backend::Speaker => tracing::info!(
            "ending for a restart: sessions are closed without a word; routers that help with \
             graceful restart keep the routes for {}",
            duration::show(times(settings).restart)
        ),
        Backend::Exabgp => tracing::info!(
            "ending for a restart: nothing is withdrawn; ExaBGP keeps the routes as long as it runs"
        ),
        Backend::Test => tracing::info!("ending for a restart: nothing is withdrawn"),
    }
}

/// What the speaker's core has against the settings, beyond what is wrong with single values.
pub fn objections(settings: &Settings) -> Vec<String> {
    let Some(speaker) = &settings.speaker else { return Vec::new() };
    let peers = speaker.peers.iter().map(|peer| self::peer(speaker, peer, &settings.engine));
    let errors = peers.flat_map(|peer| {
        let address = peer.config.peer;
        let errors = peer.config.validate().into_iter();
        errors.map(move |error| format!("--peer {address}: {error}"))
    });
    errors.collect()
}

/// One peer of the speaker.
fn peer(speaker: &SpeakerSettings, peer: &PeerSettings, engine: &EngineConfig) -> Peer {
    let next_hop = match engine.next_hop {
        NextHop::SelfAddress => None,
        NextHop::Address(address) => Some(address),
    };
    let mut config =
        PeerConfig::new(Asn(speaker.local_as), speaker.router_id, peer.address, Asn(peer.asn));
    config.local = peer.local_address;
    config.mode = if speaker.listen.is_empty() { Mode::Active } else { Mode::Both };
    config.families = families(peer.address, next_hop);
    config.hold_time = peer.hold_time;
    config.keepalive = None;
    config.policy = Policy {
        networks: engine.networks.clone(),
        next_hop_v4: next_hop.and_then(|address| match address {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        }),
        next_hop_v6: next_hop.and_then(|address| match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => Some(v6),
        }),
        ..Policy::default()
    };
    config.capabilities = Capabilities { fqdn: host_name(), ..Capabilities::default() };
    let kept = config.graceful_restart.map(|restart| restart.restart_time).unwrap_or_default();
    let socket = tcp::Options {
        key: peer.key.clone(),
        hops: peer.hops,
        user_timeout: Some(config.send_hold),
        ..tcp::Options::default()
    };
    Peer {
        config,
        port: BGP_PORT,
        socket,
        // A peer counts from when it lost the session, which was before our start.
        defer_end_of_rib: kept * 3 / 4,
    }
}

/// The families to offer: the session's own; IPv4 over IPv6 too, because the peer may take IPv6
/// next hops (RFC 8950); IPv6 over IPv4 only with a next hop for it.
fn families(peer: IpAddr, next_hop: Option<IpAddr>) -> Families {
    match peer {
        IpAddr::V4(_) => Families { ipv4: true, ipv6: next_hop.is_some_and(|hop| hop.is_ipv6()) },
        IpAddr::V6(_) => Families::BOTH,
    }
}

/// The name that peers may show for us.
fn host_name() -> Option<Fqdn> {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_str().ok()?;
    let (host, domain) = name.split_once('.').unwrap_or((name, ""));
    let fits = !host.is_empty() && name.len() <= 200 && !name.chars().any(char::is_control);
    fits.then(|| Fqdn { host: host.to_owned(), domain: domain.to_owned() })
}

/// The notices of the start that are about the output.
pub(super) fn tell_settings(settings: &Settings) {
    let Some(speaker) = &settings.speaker else { return };
    let next_hop = match settings.engine.next_hop {
        NextHop::SelfAddress => None,
        NextHop::Address(address) => Some(address),
    };
    for peer in &speaker.peers {
        tracing::info!(
            peer = %peer.address, asn = peer.asn, hold = peer.hold_time.as_secs(),
            md5 = peer.key.is_some(), "announcing to this router"
        );
        let offered = families(peer.address, next_hop);
        for network in settings.engine.networks.iter() {
            if !(if network.is_ipv4() { offered.ipv4 } else { offered.ipv6 }) {
                tracing::warn!(
                    peer = %peer.address, %network,
                    "this network is not announced to this peer: IPv6 routes over IPv4 need an \
                     IPv6 --nexthop, or a peer with an IPv6 address"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ha2bgp_sys::tcp::Hops;
    use std::time::Duration;

    fn objections_to(peer: &str, next_hop: NextHop) -> Vec<String> {
        let peer = PeerSettings {
            address: peer.parse().unwrap(),
            asn: 65001,
            local_address: None,
            key: None,
            key_file: None,
            hops: Hops::Ttl(1),
            hold_time: Duration::from_secs(9),
        };
        let router_id = "10.1.1.1".parse().unwrap();
        let speaker = SpeakerSettings {
            local_as: 65000,
            router_id,
            peers: vec![],
            listen: vec![],
            drain_time: Duration::ZERO,
        };
        let engine = EngineConfig { next_hop, ..EngineConfig::default() };
        let config = super::peer(&speaker, &peer, &engine).config;
        config.validate().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_flags_make_is_valid_for_each_family() {
        for peer in ["10.0.0.1", "127.0.1.1", "2001:db8::1"] {
            for hop in ["10.9.9.9", "2001:db8::9"] {
                let hop = NextHop::Address(hop.parse().unwrap());
                assert_eq!(objections_to(peer, NextHop::SelfAddress), [""; 0]);
                assert_eq!(objections_to(peer, hop), [""; 0]);
            }
        }
    }

    #[test]
    fn the_peer_is_no_next_hop() {
        let hop = NextHop::Address("10.0.0.1".parse().unwrap());
        let errors = objections_to("10.0.0.1", hop);
        assert!(errors[0].starts_with("next hop 10.0.0.1 is the peer itself"), "{errors:?}");
    }
}
