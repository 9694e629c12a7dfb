//! Everything that happens, as one closed list: logs, metrics and history are made from it.

use alloc::sync::Arc;
use core::net::IpAddr;
use core::time::Duration;

use crate::check::Outcome;
use crate::fact::Source;
use crate::net::{NextHop, Prefix};
use crate::overrides::Override;
use crate::reason::Reason;
use crate::service::Health;
use crate::time::Instant;

/// The probe that decided something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cause {
    /// The name of the check.
    pub check: Arc<str>,
    /// What its newest result says.
    pub detail: Arc<str>,
}

/// Something happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A listening socket on a new address inside the allowed networks: it is a service now.
    ServiceDiscovered {
        /// The service address.
        vip: IpAddr,
        /// The allowed network it is in.
        network: Prefix,
        /// The next hop its route will have.
        next_hop: NextHop,
    },
    /// Nothing has listened on the address for so long that the service is dropped.
    ServiceForgotten {
        /// The service address.
        vip: IpAddr,
    },
    /// A service is not taken in because there are too many.
    ServiceRefused {
        /// The service address.
        vip: IpAddr,
        /// The limit that was reached.
        services_max: usize,
    },
    /// The verdict of the rule changed.
    HealthChanged {
        /// The service address.
        vip: IpAddr,
        /// The new verdict.
        health: Health,
        /// What decided it.
        reason: Reason,
        /// The probe that did, where one does.
        cause: Option<Cause>,
    },
    /// The verdict of a check that is probed changed.
    CheckChanged {
        /// The name of the check.
        check: Arc<str>,
        /// The VIP it is for; `None` when it serves all that use it.
        vip: Option<IpAddr>,
        /// The new verdict.
        outcome: Outcome,
        /// What the newest result says.
        detail: Arc<str>,
    },
    /// Checks without power (shadow) begin to want a withdrawal that the others do not want.
    WouldWithdraw {
        /// The service address.
        vip: IpAddr,
        /// The probe that would decide it.
        cause: Option<Cause>,
    },
    /// A route joined the desired set, or changed in it.
    RouteAnnounced {
        /// The prefix.
        prefix: Prefix,
        /// Its next hop.
        next_hop: NextHop,
        /// As the last choice.
        last_choice: bool,
        /// What decided it.
        reason: Reason,
    },
    /// A route left the desired set.
    RouteWithdrawn {
        /// The prefix.
        prefix: Prefix,
        /// What decided it.
        reason: Reason,
        /// The probe that did, where one does.
        cause: Option<Cause>,
    },
    /// The penalty rose above the suppress threshold.
    Suppressed {
        /// The service address.
        vip: IpAddr,
        /// The penalty now.
        penalty: u64,
        /// When it may come back if it keeps calm.
        until: Instant,
    },
    /// The penalty decayed to the reuse threshold.
    Released {
        /// The service address.
        vip: IpAddr,
    },
    /// The guard holds a route that the checks would withdraw.
    WithdrawalHeld {
        /// The prefix.
        prefix: Prefix,
        /// Why it would be withdrawn.
        reason: Reason,
        /// The probe that decided it, where one does.
        cause: Option<Cause>,
        /// When there may be room for it, if nothing else happens.
        until: Instant,
    },
    /// The time of an override is over.
    OverrideEnded(Override),
    /// Another configuration counts from now on.
    Reconfigured {
        /// How many services there are.
        services: usize,
    },
    /// Every service that was there at the first complete look has been judged: what is not
    /// announced now is not up.
    FirstVerdicts {
        /// How many are announced.
        announced: usize,
    },
    /// An observer delivered its first complete picture.
    SourceReady {
        /// Which observer.
        source: Source,
    },
    /// An observer cannot see; the last state stays.
    SourceFailed {
        /// Which observer.
        source: Source,
        /// What went wrong.
        error: Arc<str>,
    },
    /// An observer could not see for too long: its check is unknown, routes are held.
    SourceUnknown {
        /// Which observer.
        source: Source,
    },
    /// An observer sees again.
    SourceRecovered {
        /// Which observer.
        source: Source,
        /// How long it could not see.
        failed_for: Duration,
    },
}
