//! `type = "accept-queue"`.

use ha2bgp_proto::accept_queue::{CONDITIONS_MAX, Condition, Rules};

use super::super::file::keys::{self, key};
use super::common::{self, POWERS};
use super::fields::Fields;
use super::{Kind, Read};
use crate::observe::check::Watched;
use crate::observe::check::accept_queue::QueueProbe;

/// What warns where nobody says what does.
const WARN_WHEN: &str = "full for 2s";

/// Accept queues are short.
pub(super) const KIND: Kind = Kind {
    name: "accept-queue",
    about: "Connections to the VIP do not wait to be accepted: a process that listens but does not \
            accept is found without a probe.",
    keys: &[
        key("ports", keys::Kind::Numbers, "", "Only these; without it: every listener on the VIP"),
        key(
            "fail-when",
            keys::Kind::Texts,
            "",
            "Fails when any of these is so: `full for 2s`, `80% for 5s` (of the backlog), `drops for \
             1s` (the kernel drops connections), `stuck for 3s` (connections wait, and not one is \
             accepted)",
        ),
        key(
            "warn-when",
            keys::Kind::Texts,
            WARN_WHEN,
            "The same for a warning; `never` for none. An overloaded service is not down: that is why it only warns",
        ),
        key(
            "interval",
            keys::Kind::Duration,
            "250ms",
            "How often the queues are read, 10ms at least; one reading serves all checks",
        ),
    ],
    groups: &[POWERS],
    read,
};

fn read(fields: &mut Fields<'_>) -> Option<Read> {
    let ports = fields.all("ports", common::port);
    let fail = conditions(fields, "fail-when");
    let mut warn = conditions(fields, "warn-when");
    if !fields.is_given("warn-when") {
        warn.extend(WARN_WHEN.parse::<Condition>());
    }
    let probe = QueueProbe { ports, rules: Rules { fail, warn } };
    Some(Read::watched(Watched::AcceptQueue(probe), true))
}

fn conditions(fields: &mut Fields<'_>, name: &str) -> Vec<Condition> {
    let read = |text: &str| match text {
        "never" => Ok(None),
        text => text.parse::<Condition>().map(Some),
    };
    let conditions: Vec<Condition> = fields.all(name, read).into_iter().flatten().collect();
    if conditions.len() > CONDITIONS_MAX {
        let count = conditions.len();
        fields.fail(
            name,
            format_args!("{count} conditions are more than {CONDITIONS_MAX}: write fewer"),
        );
    }
    conditions
}
