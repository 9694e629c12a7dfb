//! Configured checks: probes are made, and what they find is reported. Nothing is decided here.
//!
//! All of it runs on one thread of its own ([`spawn`]): neither a slow target nor ten thousand
//! probes hold up the engine or a BGP session.
//!
//! * `pool` starts and ends what makes the probes that are wanted; identical ones are made once.
//!   `start` knows how each kind is started: polled at its intervals, or watched. `report` hands its
//!   results to every check that uses it.
//! * [`schedule`] says when, [`lanes`] how many at once, `phase` what a probe is at. [`shared`]: what many
//!   checks look through.
//! * [`net`] connects, [`stream`] and [`datagram`] talk, [`tls`] is for all kinds that do, [`times`] for
//!   what they tell of time.
//! * One file a kind. Polled are [`dns`], [`grpc`], [`http`], [`icmp`], [`plugin`] and [`tcp`].
//!   [`haproxy`] is asked for many checks at once; [`accept_queue`], [`mod@file`] and [`process`] are told by
//!   this host, [`mod@bfd`] by its thread, [`push`] by whoever likes. [`inotify`] rings for files, [`place`] names them.
//!
//! A probe that could not be made (no descriptor free, no permission, a bad source address) is
//! `unknown`, never `fail`: our own limits withdraw nothing.

pub mod accept_queue;
pub mod bfd;
pub mod datagram;
pub mod dns;
pub mod file;
pub mod grpc;
pub mod haproxy;
pub mod http;
pub mod icmp;
pub mod inotify;
pub mod lanes;
pub mod net;
mod phase;
pub mod place;
pub mod plugin;
mod pool;
pub mod process;
pub mod push;
mod report;
pub mod schedule;
pub mod shared;
mod start;
pub mod stream;
pub mod tcp;
pub mod times;
pub mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::check::{CheckIndex, CheckKey, Counting};
use tokio::sync::{mpsc, watch};

use super::Seen;
use crate::bfd::states::States;

pub use self::lanes::Limits;
pub use self::phase::Phase;
pub use self::report::Reporter;
pub use self::schedule::Timing;

/// The most files that are looked at at once: each look is a thread, until a network file system
/// that hangs lets it go. Threads that have nothing to do end.
const LOOKS_MAX: usize = 64;

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

/// What a probe does.
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeSpec {
    /// It is made at its intervals.
    Polled(Polled),
    /// It reports by itself.
    Watched(Watched),
}

/// Kinds whose probes are made at their intervals.
#[derive(Clone, Debug, PartialEq)]
pub enum Polled {
    /// Asks a name server.
    Dns(Box<dns::DnsProbe>),
    /// Asks the health service of gRPC.
    Grpc(Box<grpc::GrpcProbe>),
    /// Asks for a page.
    Http(Box<http::HttpProbe>),
    /// Sends echo requests.
    Icmp(icmp::IcmpProbe),
    /// Runs a program.
    Plugin(Box<plugin::PluginProbe>),
    /// Connects, and perhaps talks.
    Tcp(Box<tcp::TcpProbe>),
}

/// Kinds that report by themselves.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    /// Reads the accept queues of a VIP.
    AcceptQueue(accept_queue::QueueProbe),
    /// Has a BFD session.
    Bfd(Box<bfd::BfdProbe>),
    /// Looks at a file.
    File(file::FileProbe),
    /// Asks HAProxy.
    Haproxy(haproxy::HaproxyProbe),
    /// Watches a process.
    Process(process::ProcessProbe),
    /// Waits for what somebody sends.
    Push(push::PushSpec),
}

/// All checks of a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckSpecs {
    /// What makes probes, each once, by its place. What stays as it is keeps its place when the
    /// configuration changes.
    pub specs: BTreeMap<usize, CheckSpec>,
    /// Which of them a configured check uses, and how its results are counted.
    pub of: BTreeMap<CheckIndex, (usize, Counting)>,
    /// How many probes may be made at once.
    pub limits: Limits,
    /// This program has no children but those of checks: what they leave behind is ended.
    pub adopt: bool,
}

/// Whom a probe is made for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Target {
    /// The VIP; `None` when the probe serves every service that uses it.
    pub vip: Option<IpAddr>,
}

/// Octets that nobody can guess, of the kernel (getrandom(2)).
///
/// # Errors
/// Where the kernel has none.
fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut octets = [0; N];
    // Up to 256 octets come all at once, or not at all.
    rustix::rand::getrandom(&mut octets, rustix::rand::GetRandomFlags::empty())?;
    Ok(octets)
}

/// Makes the wanted checks until `wanted` is dropped. The receiver is told when all has ended: no
/// process that a check has started is left then.
///
/// # Errors
/// When no thread can be started.
pub fn spawn(
    checks: CheckSpecs,
    wanted: watch::Receiver<BTreeSet<CheckKey>>,
    observed: mpsc::Sender<Seen>,
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
    observed: mpsc::Sender<Seen>,
    pushes: mpsc::Receiver<push::Request>,
) -> std::io::Result<tokio::sync::oneshot::Receiver<()>> {
    let told = Told { pushes, bfd: watch::channel(States::default()).1 };
    spawn_changing(watch::channel(Arc::new(checks)).1, wanted, observed, told)
}

/// What others tell checks.
#[derive(Debug)]
pub struct Told {
    /// What is pushed.
    pub pushes: mpsc::Receiver<push::Request>,
    /// What is known of BFD sessions.
    pub bfd: watch::Receiver<States>,
}

/// The same, with checks that may change, and with everything that others tell.
///
/// # Errors
/// When no thread can be started.
pub fn spawn_changing(
    checks: watch::Receiver<Arc<CheckSpecs>>,
    wanted: watch::Receiver<BTreeSet<CheckKey>>,
    observed: mpsc::Sender<Seen>,
    told: Told,
) -> std::io::Result<tokio::sync::oneshot::Receiver<()>> {
    let (ending, ended) = tokio::sync::oneshot::channel();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().max_blocking_threads(LOOKS_MAX).build()?;
    std::thread::Builder::new().name("checks".to_owned()).spawn(move || {
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, pool::run(checks, wanted, observed, told));
        // What the probes hold goes with their tasks, before anybody is told.
        drop(local);
        runtime.shutdown_background();
        let _ = ending.send(());
    })?;
    Ok(ended)
}
