//! `type = "push"`: results that somebody sends, each good for a time.
//!
//! The [`hub`] owns what was pushed last and reports it; when a time is over it reports
//! that. Requests come from the control interface over a bounded channel. A check whose service has
//! no VIP yet is nobody's, and keeps what is pushed: it is told as soon as somebody wants it.

pub mod hub;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use tokio::sync::oneshot;

use super::{CheckSpec, ProbeSpec, Watched};

/// How many requests may wait for the hub.
pub const REQUESTS_MAX: usize = 256;
/// The shortest time to live: what nobody repeats in time is reported again and again.
pub const TTL_MIN: Duration = Duration::from_millis(100);
/// A list has so many entries at most.
pub const LIST_MAX: usize = 1000;

/// How a push names a check: `web/deploy`, or `deploy` for one of all services.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PushName {
    /// The service whose own it is.
    pub service: Option<Arc<str>>,
    /// The name of the check.
    pub check: Arc<str>,
}

impl fmt::Display for PushName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.service {
            Some(service) => write!(f, "{service}/{}", self.check),
            None => f.write_str(&self.check),
        }
    }
}

/// What is configured of a check that is pushed. Its name makes it one of its own: two checks never
/// share what is pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct PushSpec {
    /// How a push names it.
    pub name: PushName,
    /// How long a push counts that does not say; none counts longer. [`TTL_MIN`] at least.
    pub ttl: Duration,
    /// What is reported when nothing was pushed in time: `unknown` or `fail`.
    pub on_expiry: Outcome,
    /// Each VIP has results of its own, and a push names it.
    pub per_vip: bool,
}

/// What is configured of a check, if it is pushed.
pub const fn spec(check: &CheckSpec) -> Option<&PushSpec> {
    match &check.probe {
        ProbeSpec::Watched(Watched::Push(push)) => Some(push),
        ProbeSpec::Polled(_) | ProbeSpec::Watched(_) => None,
    }
}

/// All checks of these that are pushed.
pub fn pushed(specs: &BTreeMap<usize, CheckSpec>) -> Vec<PushSpec> {
    specs.values().filter_map(spec).cloned().collect()
}

/// A result that was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Push {
    /// Which check it is of.
    pub name: PushName,
    /// The VIP, for a check that is [per VIP](PushSpec::per_vip), and only there.
    pub vip: Option<IpAddr>,
    /// What it says.
    pub result: ProbeResult,
    /// How long it counts.
    pub ttl: Duration,
    /// Who sent it.
    pub by: By,
}

/// Who sent a result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct By {
    /// For people: the name of a user, `uid 1000`, or `token NAME`.
    pub author: Arc<str>,
    /// The user, where the kernel tells.
    pub uid: Option<u32>,
}

/// What is asked of the hub.
#[derive(Debug)]
pub enum Request {
    /// Take a result.
    Push(Push, oneshot::Sender<Taken>),
    /// Show what there is: everything, or one check.
    List(Option<PushName>, oneshot::Sender<List>),
}

/// What became of a push.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Taken {
    /// It is with the engine, or kept until a service wants it.
    Yes,
    /// No service that uses the check has that VIP now; these have one, some of them.
    NoSuchVip(Vec<IpAddr>),
    /// There is no such check.
    NoSuchCheck,
}

/// Some results.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// In the order of the configuration, then of the VIPs.
    pub entries: Vec<Listed>,
    /// So many more were left out, since [`LIST_MAX`] is the limit.
    pub left_out: usize,
}

/// What is known of one check, or of one VIP of it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Which check.
    pub name: PushName,
    /// Which VIP, where each has its own results.
    pub vip: Option<IpAddr>,
    /// Some service wants it now.
    pub wanted: bool,
    /// The newest push.
    pub last: Option<Last>,
}

/// The newest push.
#[derive(Clone, Debug)]
pub struct Last {
    /// What it says.
    pub result: ProbeResult,
    /// How long ago it came.
    pub age: Duration,
    /// How long it counts in all.
    pub ttl: Duration,
    /// Who sent it.
    pub by: By,
}
