//! Of VIPs, and the addresses that this host has.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ha2bgp_core::glob::Glob;

use super::super::host::OwnAddress;
use super::super::origin::Written;
use super::rule::needs_address;
use super::view::View;
use super::{Lint, Warning};

pub(super) const VIP_MISSING: Lint = Lint {
    code: "vip-missing",
    about: "a VIP that is on no interface of this host",
    reason: "its service stays down until somebody adds the address",
};
pub(super) const VIP_EXCLUDED: Lint = Lint {
    code: "vip-excluded",
    about: "a VIP that is only where `devices` or `labels` exclude it",
    reason: "the address is there, and the check of it fails all the same",
};
pub(super) const VIP_IN_SUBNET: Lint = Lint {
    code: "vip-in-subnet",
    about: "a VIP inside the subnet of an interface that is no loopback",
    reason: "neighbors look for it by ARP or neighbor discovery instead of following the route, and two \
             hosts that have it answer",
};
pub(super) const VIP_AS_IDENTITY: Lint = Lint {
    code: "vip-as-identity",
    about: "a VIP as the router id, or as our end of a session",
    reason: "every host that has the VIP is then the same one to its routers, and the session goes when \
             the address goes",
};

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Warning>) {
    for (at, vip, service) in view.vips() {
        let Some(own) = view.providing(vip) else { continue };
        if own.is_empty() {
            let follows = match needs_address(view, &service.config.rule) {
                true => "so its check \"address\" fails and it is not announced",
                false => {
                    "and it is announced all the same, because its rule does not need \"address\""
                }
            };
            let message = format!(
                "\"{vip}\" is on no interface, {follows}: `ip address add {} dev lo`",
                host(vip)
            );
            warnings.push(Warning::new(&VIP_MISSING, at, message));
        } else {
            excluded(view, at, vip, &own, warnings);
        }
    }
    let written = view.vips().map(|(at, vip, _)| (at, vip));
    let mut known = BTreeSet::new();
    for (at, vip) in written.chain(view.on_loopback()) {
        if known.insert(vip) {
            in_subnet(view, at, vip, warnings);
        }
    }
    identity(view, warnings);
}

/// The address with its length, as ip(8) takes it.
fn host(ip: IpAddr) -> String {
    format!("{ip}/{}", if ip.is_ipv4() { 32 } else { 128 })
}

fn excluded(
    view: &View<'_>,
    at: &Written,
    vip: IpAddr,
    own: &[&OwnAddress],
    warnings: &mut Vec<Warning>,
) {
    let engine = &view.settings.engine;
    let any = |globs: &[Glob], name: &str| {
        globs.is_empty() || globs.iter().any(|glob| glob.matches(name))
    };
    let counts =
        |own: &&&OwnAddress| any(&engine.devices, &own.device) && any(&engine.labels, &own.label);
    if own.iter().any(|own| counts(&own)) {
        return;
    }
    let Some(first) = own.first() else { return };
    let key = match any(&engine.devices, &first.device) {
        false => at.origin.spell("device", ""),
        true => at.origin.spell("device-label", ""),
    };
    let message = format!(
        "\"{vip}\" is on {} with the label {}, which {key} does not name, so it does not count: name it \
         there, or move the address",
        first.device, first.label
    );
    warnings.push(Warning::new(&VIP_EXCLUDED, at, message));
}

fn in_subnet(view: &View<'_>, at: &Written, vip: IpAddr, warnings: &mut Vec<Warning>) {
    let link =
        |own: &&OwnAddress| !own.loopback && !own.subnet.is_host() && own.subnet.contains(vip);
    let Some(own) = view.addresses.iter().flatten().find(link) else { return };
    let asks = if vip.is_ipv4() { "ARP" } else { "neighbor discovery" };
    let message = format!(
        "\"{vip}\" is inside {}, the subnet of {}: hosts there look for it by {asks}, not by the route, and \
         several that have it answer: take VIPs from a network that no interface has",
        own.subnet, own.device
    );
    warnings.push(Warning::new(&VIP_IN_SUBNET, at, message));
}

/// What must be of this host alone.
fn identity(view: &View<'_>, warnings: &mut Vec<Warning>) {
    let vips: BTreeSet<IpAddr> = view.vips().map(|(_, vip, _)| vip).collect();
    if view.settings.speaker.is_none() || vips.is_empty() {
        return;
    }
    let id = view.raw.values.one("router-id");
    let ends = view.peers().filter_map(|(section, _)| section.values.one("local-address"));
    let fixed = |at: &&Written| at.text.parse().is_ok_and(|ip: IpAddr| vips.contains(&ip));
    for at in id.into_iter().chain(ends).filter(fixed) {
        let message = format!(
            "\"{}\" is a VIP, which other hosts have too: write an address that is of this host alone",
            at.text
        );
        warnings.push(Warning::new(&VIP_AS_IDENTITY, at, message));
    }
}
