//! Configured checks: probes are made, and what they find is reported. Nothing is decided here.
//!
//! All of it runs on one thread of its own ([`spawn`]): neither a slow target nor ten thousand
//! probes hold up the engine or a BGP session.
//!
//! * [`pool`] starts and ends what makes the probes that are wanted; identical ones are made once.
//! * [`schedule`] says when, [`lanes`] how many at once. * [`net`] connects.
//! * One file a kind: [`push`], [`tcp`].
//!
//! A probe that could not be made (no descriptor free, no permission, a bad source address) is
//! `unknown`, never `fail`: our own limits withdraw nothing.

pub mod lanes;
pub mod net;
pub mod pool;
pub mod push;
pub mod schedule;
pub mod tcp;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ha2bgp_core::check::{CheckIndex, CheckKey, Counting, Outcome, ProbeResult};
use ha2bgp_core::fact::Observation;
use tokio::sync::{mpsc, watch};

pub use self::lanes::Limits;
pub use self::schedule::Timing;

/// How long the end of all probes may take.
pub const END_WAIT: Duration = Duration::from_secs(2);

/// What makes a probe: everything but how its results are counted.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckSpec {
    /// When it is made, and how long it may take.
    pub timing: Timing,
    /// Where connections come from.
    pub source: net::SourceOptions,
    /// What is done.
    pub probe: ProbeSpec,
}

/// What a probe does, one for each kind.
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeSpec {
    /// Waits for what somebody sends.
    Push(push::PushSpec),
    /// Connects.
    Tcp(tcp::TcpProbe),
}

/// All checks of a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckSpecs {
    /// What makes probes, each once.
    pub specs: Vec<CheckSpec>,
    /// Which of them a configured check uses, and how its results are counted.
    pub of: BTreeMap<CheckIndex, (usize, Counting)>,
    /// How many probes may be made at once.
    pub limits: Limits,
}

/// Whom a probe is made for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Target {
    /// The VIP; `None` when the probe serves every service that uses it.
    pub vip: Option<IpAddr>,
}

/// What a probe is at, to say so when its time is over.
#[derive(Debug, Default)]
pub struct Phase(Cell<&'static str>);

impl Phase {
    /// Notes what begins: `connecting`, `waiting for the answer`.
    pub fn begin(&self, what: &'static str) {
        self.0.set(what);
    }

    /// The result of a probe whose time is over.
    fn timed_out(&self, timeout: Duration) -> ProbeResult {
        let at = match self.0.get() {
            "" => String::new(),
            what => format!(" while {what}"),
        };
        let limit = crate::config::duration::show(timeout);
        ProbeResult::new(Outcome::Fail, &format!("timed out after {limit}{at}"))
    }
}

/// Makes the wanted checks until `wanted` is dropped. The receiver is told when all has ended: no
/// process that a check has started is left then.
///
/// # Errors
/// When no thread can be started.
pub fn spawn(
    checks: CheckSpecs,
    wanted: watch::Receiver<BTreeSet<CheckKey>>,
    observed: mpsc::Sender<Observation>,
) -> std::io::Result<tokio::sync::oneshot::Receiver<()>> {
    let (_, nothing) = mpsc::channel(1);
    spawn_with(checks, wanted, observed, nothing)
}

/// The same, with what is pushed.
///
/// # Errors
/// When no thread can be started.
pub fn spawn_with(
    checks: CheckSpecs,
    wanted: watch::Receiver<BTreeSet<CheckKey>>,
    observed: mpsc::Sender<Observation>,
    pushes: mpsc::Receiver<push::Request>,
) -> std::io::Result<tokio::sync::oneshot::Receiver<()>> {
    let (ending, ended) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("checks".to_owned()).spawn(move || {
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, pool::run(checks, wanted, observed, pushes));
        // What the probes hold goes with their tasks, before anybody is told.
        drop(local);
        runtime.shutdown_background();
        let _ = ending.send(());
    })?;
    Ok(ended)
}
