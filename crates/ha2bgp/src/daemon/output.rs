//! From settings to the announcer that they ask for, and what it says of itself.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::time::Duration;

use ha2bgp_core::config::EngineConfig;
use ha2bgp_proto::exabgp::{Options, Snapshot};

use super::parent;
use crate::announce::speaker::Peer;
use crate::announce::{Announcer, ExaBgp, PeerState, Plain, Speaker, Stdio, What};
use crate::clock::Clock;
use crate::config::peer::{BGP_PORT, PeerSettings};
use crate::config::settings::{Backend, Settings};

/// After a restart, services that were up are announced again this long after their up delay at
/// the latest; until then peers keep what they kept (RFC 4724 section 4.1).
const FIRST_LOOK: Duration = Duration::from_secs(2);

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
pub(super) fn announcer(settings: &Settings, clock: Clock) -> io::Result<Box<dyn Announcer>> {
    if let (Backend::Speaker, Some(speaker)) = (settings.backend, &settings.speaker) {
        let peers = speaker.peers.iter().map(|peer| self::peer(peer, &settings.engine));
        // Timers of many hosts that start at once shall not stay in step.
        let seed = RandomState::new().build_hasher().finish();
        let listen = speaker.listen.iter().map(|address| (*address, BGP_PORT).into());
        return Ok(Box::new(Speaker::new(peers.collect(), listen.collect(), clock, seed)));
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
        Backend::Exabgp | Backend::Speaker => Box::new(ExaBgp::new(options, stdio, clock)),
    })
}

/// One peer of the speaker.
fn peer(peer: &PeerSettings, engine: &EngineConfig) -> Peer {
    let restart = peer.config.graceful_restart;
    let kept = restart.map(|restart| restart.restart_time).unwrap_or_default();
    Peer {
        config: peer.config.clone(),
        port: peer.port,
        socket: peer.socket.clone(),
        defer_end_of_rib: (engine.up_delay + FIRST_LOOK).min(kept),
    }
}

/// The notices of the start that are about the output.
pub(super) fn tell_settings(settings: &Settings) {
    let Some(speaker) = &settings.speaker else { return };
    for PeerSettings { description, config, socket, .. } in &speaker.peers {
        let description = description.as_deref();
        tracing::info!(
            peer = %config.peer, description, asn = %config.peer_as,
            hold = config.hold_time.as_secs(), md5 = socket.key.is_some(),
            "announcing to this router"
        );
        for network in config.policy.networks.iter() {
            let offered = config.families;
            if !(if network.is_ipv4() { offered.ipv4 } else { offered.ipv6 }) {
                tracing::warn!(
                    peer = %config.peer, %network,
                    "this network is not announced to this peer: IPv6 routes over IPv4 need an \
                     IPv6 next hop, or a peer with an IPv6 address"
                );
            }
        }
    }
}
