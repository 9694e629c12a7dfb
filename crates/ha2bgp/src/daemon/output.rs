//! From settings to the announcer that they ask for, and what it says of itself.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;

use ha2bgp_proto::bgp::GracefulRestart;
use ha2bgp_proto::exabgp::Options;

use super::parent;
use super::state::{Beginning, Times};
use crate::announce::questions::Inbox;
use crate::announce::speaker::{Binding, Configuration, Doorbells, Peer};
use crate::announce::{Announcer, ExaBgp, Plain, Speaker, Stdio};
use crate::clock::Clock;
use crate::config::duration;
use crate::config::peer::{BGP_PORT, PeerSettings};
use crate::config::settings::{Backend, Settings};

/// The announcer that the settings ask for.
pub(super) fn announcer(
    settings: &Settings,
    beginning: &Beginning,
    (doorbells, inbox): (Doorbells, Inbox),
    clock: Clock,
) -> io::Result<Box<dyn Announcer>> {
    if settings.backend == Backend::Speaker && settings.speaker.is_some() {
        let Configuration { peers, listen } = configuration(settings, beginning);
        // Timers of many hosts that start at once shall not stay in step.
        let seed = RandomState::new().build_hasher().finish();
        let speaker = Speaker::new(peers, listen, clock, seed);
        return Ok(Box::new(speaker.with(doorbells).answering(inbox)));
    }
    let detected = parent::detect_exabgp();
    let options = Options {
        version: settings.exabgp_api,
        detected: detected.dialect,
        group_from: settings.exabgp_group,
        reassert: (!settings.reassert.is_zero()).then_some(settings.reassert),
        last_choice: settings.exabgp_last_choice.clone(),
        drain: settings.exabgp_drain.clone(),
        ..Options::default()
    };
    let stdio = Stdio::of_process()?;
    Ok(match settings.backend {
        Backend::Test => Box::new(Plain::new(options, stdio.output, clock).answering(inbox)),
        Backend::Exabgp | Backend::Speaker => {
            let exabgp = ExaBgp::new(options, stdio, clock).answering(inbox);
            Box::new(exabgp.after(beginning.before.clone()))
        }
    })
}

/// To whom the speaker speaks, as the settings have it.
pub(super) fn configuration(settings: &Settings, beginning: &Beginning) -> Configuration {
    let Some(speaker) = &settings.speaker else { return Configuration::default() };
    let peers = speaker.peers.iter().map(|peer| self::peer(peer, beginning));
    let listen = speaker.listen.iter().map(|address| (*address, BGP_PORT).into());
    Configuration { peers: peers.collect(), listen: listen.collect() }
}

/// One peer of the speaker.
pub(super) fn peer(peer: &PeerSettings, beginning: &Beginning) -> Peer {
    let mut config = peer.config.clone();
    if let Some(restart) = &mut config.graceful_restart {
        restart.restarting = beginning.restarting;
        restart.forwarding_preserved = beginning.preserved;
    }
    let kept = config.graceful_restart.map(|restart| restart.restart_time).unwrap_or_default();
    Peer {
        config,
        port: peer.port,
        socket: peer.socket.clone(),
        bfd: peer
            .bfd
            .as_ref()
            .map(|bfd| Binding { target: bfd.wish.target.clone(), strict: bfd.strict }),
        // A peer counts from when it lost the session, which was before our start.
        defer_end_of_rib: kept * 3 / 4,
    }
}

/// The longest times that any router goes by.
pub(super) fn times(settings: &Settings) -> Times {
    let peers = settings.speaker.as_ref().map_or(&[][..], |speaker| &speaker.peers);
    let holds = || peers.iter().map(|peer| peer.config.hold_time);
    let restarts = peers.iter().filter_map(|peer| peer.config.graceful_restart);
    let restart = restarts.map(|restart| restart.restart_time).max();
    Times {
        hold: holds().max().filter(|_| !holds().any(|hold| hold.is_zero())).unwrap_or_default(),
        restart: restart.unwrap_or(GracefulRestart::default().restart_time),
    }
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
    }
}
