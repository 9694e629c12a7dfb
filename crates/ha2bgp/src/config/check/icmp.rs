//! `type = "icmp"`.

use ha2bgp_proto::icmp::{MAX_DATA, TOKEN};

use super::super::file::keys::{self, key};
use super::common::{self, COUNTING, POWERS, SOURCE, TIMING};
use super::fields::Fields;
use super::{Kind, Read};
use crate::observe::check::Polled;
use crate::observe::check::icmp::IcmpProbe;

/// More requests are not sent in one probe.
const COUNT_MAX: u16 = 100;

/// A host answers to echo requests.
pub(super) const KIND: Kind = Kind {
    name: "icmp",
    about: "A host answers to ICMP echo requests (ping), such as the next router.",
    keys: &[
        key("address", keys::Kind::Text, "", "Where to instead of the VIP"),
        key("count", keys::Kind::Number, "1", "Requests in a probe at most, 1 to 100"),
        key(
            "least",
            keys::Kind::Number,
            "1",
            "How many must be answered, 1 to `count`; then the probe is over",
        ),
        key("size", keys::Kind::Number, "56", "The data of a request in octets, 16 to 65507"),
        key(
            "max-rtt-warn",
            keys::Kind::Duration,
            "",
            "A mean time to the answers that is longer is a warning",
        ),
    ],
    groups: &[COUNTING, TIMING, POWERS, SOURCE],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let address = fields.get("address", common::ip);
    let count = fields.get("count", count);
    let least = fields.get("least", self::count);
    let size = fields.get("size", size);
    let max_rtt_warn = fields.get("max-rtt-warn", common::time);
    let (count, least) = (count?, least?);
    if least > count {
        fields.fail(
            "least",
            format_args!(
                "{least} of {count} requests cannot be answered: raise count, or lower it"
            ),
        );
    }
    let probe = IcmpProbe { address, count, least, size: size?, max_rtt_warn };
    Some(Read::polled(Polled::Icmp(probe), address.is_none()))
}

fn count(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(count @ 1..=COUNT_MAX) => Ok(count),
        _ => Err(format!("\"{text}\" is not a count from 1 to {COUNT_MAX}: write for example 3")),
    }
}

fn size(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(size @ ..=MAX_DATA) if usize::from(size) >= TOKEN => Ok(size),
        _ => Err(format!(
            "\"{text}\" is not a size from {TOKEN} to {MAX_DATA}: write for example 56"
        )),
    }
}
