//! `type = "bfd"`.

use super::super::bfd::{
    Parts, address, auth_type, interval, key_id, minimum_ttl, multiplier, secret,
};
use super::super::file::keys::{self, key};
use super::common::{self, POWERS};
use super::fields::Fields;
use super::{Kind, Read};
use crate::bfd::target::Target;
use crate::observe::check::Watched;
use crate::observe::check::bfd::BfdProbe;

impl Kind {
    /// The name of the kind whose probes are BFD sessions.
    pub(in crate::config) const BFD: &'static str = "bfd";
}

/// A BFD session is up.
pub(super) const KIND: Kind = Kind {
    name: Kind::BFD,
    about: "The way to somebody works: a BFD session with it is up, such as with the next router.",
    keys: &[
        key(
            "address",
            keys::Kind::Text,
            "",
            "Whom the session is with; a link-local address needs the interface: `fe80::1%eth0`; it \
             must be given. A peer of that address with `bfd` shares its session",
        ),
        key("local-address", keys::Kind::Text, "", "Our end; what the kernel chooses without it"),
        key("interface", keys::Kind::Text, "", "The interface that it goes through"),
        key("tx", keys::Kind::Duration, "", "How often we send, 10ms to 60s; 300ms without it"),
        key(
            "rx",
            keys::Kind::Duration,
            "",
            "How often we want to receive at most, 10ms to 60s; 300ms without it",
        ),
        key(
            "multiplier",
            keys::Kind::Number,
            "",
            "So many packets in a row must be missing for the peer to give us up, 1 to 255; 3 without it",
        ),
        key(
            "multihop",
            keys::Kind::Bool,
            "false",
            "It may be several hops away (RFC 5883): UDP port 4784 instead of 3784",
        ),
        key(
            "min-ttl",
            keys::Kind::Number,
            "",
            "With `multihop`: packets with a lower TTL come from too far away, 1 to 255",
        ),
        key(
            "auth-type",
            keys::Kind::Text,
            "",
            "How packets are authenticated: `simple`, `keyed-md5`, `meticulous-keyed-md5`, \
             `keyed-sha1`, `meticulous-keyed-sha1`",
        ),
        key("auth-key-id", keys::Kind::Number, "", "The number of the key, 0 to 255; 1 without it"),
        key("auth-file", keys::Kind::Path, "", "A file with the key in it, in one line"),
    ],
    groups: &[POWERS],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let peer = fields.required("address", "\"10.0.0.1\"", address);
    let local = fields.get("local-address", common::ip);
    let interface = fields.get("interface", super::super::peer::device);
    let host = fields.host;
    let parts = Parts {
        tx: fields.get("tx", interval),
        rx: fields.get("rx", interval),
        multiplier: fields.get("multiplier", multiplier),
        minimum_ttl: fields.get("min-ttl", minimum_ttl),
        auth_type: fields.get("auth-type", auth_type),
        auth_key_id: fields.get("auth-key-id", key_id),
        secret: fields.get("auth-file", |path| secret(path, host)).map(|(_, secret)| secret),
    };
    let multihop = fields.on("multihop");
    let peer = peer?;
    if peer.is_link_local() && interface.is_some() {
        fields.fail("interface", "stands in the address already: leave it out");
        return None;
    }
    if let Some(local) = local
        && local.is_ipv4() != peer.is_ipv4()
    {
        let error = format!("{local} and {peer} are of two families: write both of one");
        fields.fail("local-address", error);
        return None;
    }
    match parts.wish(Target { peer, local, interface, multihop }) {
        Ok(wish) => Some(Read::watched(Watched::Bfd(Box::new(BfdProbe { wish })), false)),
        Err((key, error)) => {
            fields.fail(key, error);
            None
        }
    }
}
