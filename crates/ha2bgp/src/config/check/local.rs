//! `type = "listen"` and `type = "address"`: what the engine knows by itself.

use ha2bgp_core::config::CheckKind;
use ha2bgp_core::fact::Protocol;
use ha2bgp_core::glob::Glob;

use super::super::file::keys::{self, key};
use super::super::settings::protocol;
use super::common::{self, POWERS};
use super::fields::Fields;
use super::{Kind, Read};

/// A matching socket listens on the VIP.
pub(super) const LISTEN: Kind = Kind {
    name: "listen",
    about: "A socket that matches `listen-filter` listens on the VIP.",
    keys: &[
        key("ports", keys::Kind::Numbers, "", "On every one of these; without it: on any"),
        key("protocol", keys::Kind::Text, "tcp", "`tcp` or `udp`, for `ports`"),
    ],
    groups: &[POWERS],
    read: listen,
};

/// The address is up.
pub(super) const ADDRESS: Kind = Kind {
    name: "address",
    about: "The VIP is an address of this host, on an interface that is up.",
    keys: &[
        key(
            "devices",
            keys::Kind::Texts,
            "",
            "Interfaces that count, names or globs; without it: those of [discover]",
        ),
        key("labels", keys::Kind::Texts, "", "Labels that count; without it: those of [discover]"),
    ],
    groups: &[POWERS],
    read: address,
};

fn listen(fields: &mut Fields<'_>) -> Option<Read> {
    let protocol = fields.get("protocol", protocol).unwrap_or(Protocol::Tcp);
    let ports = fields.all("ports", common::port);
    if ports.is_empty() && fields.is_given("protocol") {
        fields.fail(
            "protocol",
            "is for ports, and there are none: add ports = [80], or leave it out",
        );
    }
    let ports = ports.into_iter().map(|port| (protocol, port)).collect();
    Some(Read::Known(CheckKind::Listen { ports }))
}

fn address(fields: &mut Fields<'_>) -> Option<Read> {
    let devices = fields.all("devices", str::parse::<Glob>);
    let labels = fields.all("labels", str::parse::<Glob>);
    Some(Read::Known(CheckKind::Address { devices, labels }))
}
