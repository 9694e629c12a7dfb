//! Of sessions: whether they can come up, and when they end.

use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_sys::tcp::Hops;

use super::super::duration;
use super::super::peer::PeerSettings;
use super::super::raw::Section;
use super::view::View;
use super::{Lint, Warning};

pub(super) const FAR_PEER: Lint = Lint {
    code: "far-peer",
    about: "a peer of another AS that is on no subnet of this host, without `multihop`",
    reason: "packets to it have a TTL of 1, and the session never comes up",
};
pub(super) const LOCAL_ADDRESS_MISSING: Lint = Lint {
    code: "local-address-missing",
    about: "a `local-address` that this host does not have",
    reason: "the session waits until somebody adds it",
};
pub(super) const HOLD_TIME_OFF: Lint = Lint {
    code: "hold-time-off",
    about: "`hold-time = \"0s\"`",
    reason: "a host that dies without a word attracts traffic until TCP gives up, which takes minutes",
};
pub(super) const LONG_DRAIN: Lint = Lint {
    code: "long-drain",
    about: "a drain time that systemd does not wait for by itself",
    reason: "it kills what has not stopped after 90 s, and the routes stay until the hold time is over",
};

/// What systemd waits for (`DefaultTimeoutStopSec=`, systemd-system.conf(5)).
const SYSTEMD_WAITS: Duration = Duration::from_secs(90);
/// What the end needs beside the drain time.
const END: Duration = Duration::from_secs(6);

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Warning>) {
    for (section, peer) in view.peers() {
        far(view, section, peer, warnings);
        local_address(view, section, peer, warnings);
        if let (true, Some(at)) = (peer.config.hold_time.is_zero(), section.values.one("hold-time"))
        {
            let message = format!(
                "{} never notices that this host is dead, unless its link goes down: write for example 9s",
                peer.config.peer
            );
            warnings.push(Warning::new(&HOLD_TIME_OFF, at, message));
        }
    }
    let drain = view.settings.speaker.as_ref().map(|speaker| speaker.drain_time);
    if let (Some(drain), Some(at)) = (drain, view.raw.values.one("drain-time"))
        && drain.saturating_add(END) > SYSTEMD_WAITS
    {
        let message = format!(
            "\"{}\" is longer than the {} that systemd waits before it kills: write TimeoutStopSec={} into the \
             unit, or drain for less",
            at.text,
            duration::show(SYSTEMD_WAITS),
            drain.saturating_add(END).as_secs().saturating_add(5)
        );
        warnings.push(Warning::new(&LONG_DRAIN, at, message));
    }
}

/// Nothing is known of what has no address here: interfaces that come later, and point-to-point links
/// whose other end is not told.
fn far(view: &View<'_>, section: &Section, peer: &PeerSettings, warnings: &mut Vec<Warning>) {
    let ip = peer.config.peer.ip();
    let near = matches!(peer.socket.hops, Hops::Ttl(1) | Hops::Security(1));
    let (Some(own), Some(at)) = (&view.addresses, section.values.one("address")) else { return };
    if !near || ip.is_loopback() || peer.config.peer.is_link_local() {
        return;
    }
    // One on this host needs no way.
    if own.iter().any(|own| own.provides(ip) || (!own.loopback && own.subnet.contains(ip))) {
        return;
    }
    let fix = match peer.socket.hops {
        Hops::Security(_) => "ttl-security = 2 or more",
        _ => "multihop = 2 or more",
    };
    let message = format!(
        "\"{ip}\" is on no subnet of this host, and packets to a peer of another AS go no further than \
         that: write {fix}, or the address of the router on your subnet"
    );
    warnings.push(Warning::new(&FAR_PEER, at, message));
}

fn local_address(
    view: &View<'_>,
    section: &Section,
    peer: &PeerSettings,
    warnings: &mut Vec<Warning>,
) {
    let (Some(local), Some(at)) = (peer.config.local, section.values.one("local-address")) else {
        return;
    };
    let link_local = matches!(local, IpAddr::V6(v6) if v6.is_unicast_link_local());
    if link_local || view.providing(local).is_none_or(|own| !own.is_empty()) {
        return;
    }
    let message = format!(
        "\"{local}\" is on no interface, so the session with {} waits for it: `ip -br address` lists what is \
         there",
        peer.config.peer
    );
    warnings.push(Warning::new(&LOCAL_ADDRESS_MISSING, at, message));
}
