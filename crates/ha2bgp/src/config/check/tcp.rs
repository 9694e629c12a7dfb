//! `type = "tcp"`.

use super::super::file::keys::{self, key};
use super::common::{self, COUNTING, POWERS, SOURCE, TIMING};
use super::fields::Fields;
use super::{Kind, Read};
use crate::observe::check::Polled;
use crate::observe::check::tcp::TcpProbe;

/// A connection can be opened.
pub(super) const KIND: Kind = Kind {
    name: "tcp",
    about: "A TCP connection to the VIP can be opened.",
    keys: &[
        key("port", keys::Kind::Number, "", "The port, 1 to 65535; it must be given"),
        key("address", keys::Kind::Text, "", "Where to instead of the VIP"),
    ],
    groups: &[COUNTING, TIMING, POWERS, SOURCE],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let port = fields.required("port", "443", common::port);
    let address = fields.get("address", common::ip);
    let per_vip = address.is_none();
    Some(Read::polled(Polled::Tcp(TcpProbe { address, port: port? }), per_vip))
}
