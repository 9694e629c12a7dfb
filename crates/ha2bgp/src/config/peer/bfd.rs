//! `bfd = …` of a peer.

use ha2bgp_proto::bgp::PeerAddress;
use ha2bgp_sys::tcp::Hops;

use super::super::bfd::{Parts, auth_type, interval, key_id, minimum_ttl, multiplier, secret};
use super::super::error::ConfigError;
use super::super::raw::Section;
use super::super::reader::{Host, Reader, go_bool};
use super::super::settings::on_off;
use crate::bfd::target::{Target, Wish};

/// The BFD of a peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerBfd {
    /// The session with it.
    pub wish: Wish,
    /// BGP waits until that is up.
    pub strict: bool,
    /// The file that its key was read from.
    pub key_file: Option<String>,
}

/// Reads it, where it is on. `local`, `device` and `hops` are those of the BGP session.
pub(super) fn read(
    reader: &mut Reader,
    section: &Section,
    address: Option<PeerAddress>,
    (local, device, hops): (Option<std::net::IpAddr>, Option<&String>, Hops),
    host: &Host<'_>,
) -> Option<PeerBfd> {
    let values = &section.values;
    let on = reader.one(values, "bfd", on_off).unwrap_or(false);
    let (key_file, secret) = reader.one(values, "bfd.auth-file", |path| secret(path, host)).unzip();
    let parts = Parts {
        tx: reader.one(values, "bfd.tx", interval),
        rx: reader.one(values, "bfd.rx", interval),
        multiplier: reader.one(values, "bfd.multiplier", multiplier),
        minimum_ttl: reader.one(values, "bfd.min-ttl", minimum_ttl),
        auth_type: reader.one(values, "bfd.auth-type", auth_type),
        auth_key_id: reader.one(values, "bfd.auth-key-id", key_id),
        secret,
    };
    let far = match hops {
        Hops::Any => false,
        Hops::Ttl(hops) | Hops::Security(hops) => hops > 1,
    };
    let multihop = reader.one(values, "bfd.multihop", go_bool).unwrap_or(far);
    let strict = reader.one(values, "bfd.strict", go_bool).unwrap_or(false);
    let peer = address.filter(|_| on)?;
    let interface = device.filter(|_| !peer.is_link_local()).cloned();
    match parts.wish(Target { peer, local, interface, multihop }) {
        Ok(wish) => Some(PeerBfd { wish, strict, key_file }),
        Err((key, error)) => {
            let at = values.one(&format!("bfd.{key}")).unwrap_or(&section.at);
            reader.errors.push(ConfigError::new(at, error));
            None
        }
    }
}
