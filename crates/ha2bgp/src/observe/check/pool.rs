//! Starts what makes the probes that are wanted, and ends what is not wanted any more.
//!
//! Checks that ask for the same probe of the same VIP share one task. A task that ends takes what
//! it holds with it: connections, descriptors, processes.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher as _;
use std::rc::Rc;
use std::sync::Arc;

use ha2bgp_core::check::{CheckKey, Counting};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::accept_queue::Sampler;
use super::inotify::Watches;
use super::lanes::Lanes;
use super::plugin::{Handle, Runner};
use super::push::hub;
use super::report::Reporter;
use super::schedule::Spread;
use super::shared::Shared;
use super::start::{Job, start};
use super::{CheckSpec, CheckSpecs, Polled, ProbeSpec, Target, Told, haproxy};
use crate::bfd::states::States;
use crate::observe::Seen;

/// A probe that is being made again and again.
#[derive(Debug)]
struct Running {
    reporter: Reporter,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What all probes share.
#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) network: Rc<Lanes>,
    pub(super) plugins: Rc<Lanes>,
    /// Places for connections that are kept.
    pub(super) kept: Arc<Semaphore>,
    pub(super) runner: Handle,
    pub(super) haproxy: Shared<haproxy::Source, haproxy::hub::Look>,
    pub(super) queues: Rc<Sampler>,
    pub(super) files: Rc<Watches>,
    #[cfg(feature = "systemd")]
    pub(super) buses: Rc<super::process::unit::Buses>,
    pub(super) pushes: Rc<hub::Hub>,
    pub(super) bfd: watch::Receiver<States>,
}

/// Makes the wanted probes until `wanted` or `observed` is closed. Runs in a `LocalSet`.
///
/// When the checks change, probes whose places stay go on; that needs both channels to say so.
pub(super) async fn run(
    mut checks: watch::Receiver<Arc<CheckSpecs>>,
    mut wanted: watch::Receiver<BTreeSet<CheckKey>>,
    observed: mpsc::Sender<Seen>,
    told: Told,
) {
    let mut now = Arc::clone(&checks.borrow_and_update());
    let limits = now.limits.within(descriptors());
    let mut runner = Runner::none();
    let mut common = Common {
        network: Lanes::new(limits.probes),
        plugins: Lanes::new(limits.plugins),
        kept: Arc::new(Semaphore::new(limits.kept)),
        runner: runner.handle(),
        haproxy: Shared::default(),
        queues: Rc::default(),
        files: Rc::default(),
        #[cfg(feature = "systemd")]
        buses: Rc::default(),
        pushes: hub::Hub::new(&now.specs),
        bfd: told.bfd,
    };
    let mut serving = tokio::task::spawn_local(hub::serve(common.pushes.clone(), told.pushes));
    // Of this start of this host: others begin at other moments.
    let seeds = RandomState::new();
    let mut running: BTreeMap<(usize, Target), Running> = BTreeMap::new();
    let (mut plugins, mut may_change) = (false, true);
    loop {
        if !plugins && now.specs.values().any(is_plugin) {
            plugins = true;
            runner = Runner::start(limits.plugins, now.adopt);
            common.runner = runner.handle();
        }
        let mut users: BTreeMap<(usize, Target), BTreeMap<CheckKey, Counting>> = BTreeMap::new();
        for key in wanted.borrow_and_update().iter() {
            if let Some((spec, counting)) = now.of.get(&key.check) {
                let probe = (*spec, Target { vip: key.vip });
                users.entry(probe).or_default().insert(*key, *counting);
            }
        }
        running.retain(|probe, _| users.contains_key(probe));
        for (probe, users) in users {
            if let Some(running) = running.get(&probe) {
                running.reporter.set_users(users).await;
                continue;
            }
            let Some(spec) = now.specs.get(&probe.0) else { continue };
            let spec = Rc::new(spec.clone());
            let reporter = Reporter::new(users, observed.clone());
            let spread = Spread::new(seeds.hash_one((probe.0, probe.1.vip)));
            let job = Job { spec, place: probe.0, at: probe.1, reporter: reporter.clone(), spread };
            running.insert(probe, Running { reporter, task: start(job, &common) });
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            changed = checks.changed(), if may_change => {
                may_change = changed.is_ok();
                now = Arc::clone(&checks.borrow_and_update());
                common.pushes.set_specs(&now.specs);
            }
            () = observed.closed() => break,
        }
    }
    let tasks: Vec<Running> = running.into_values().collect();
    tasks.iter().for_each(|running| running.task.abort());
    // An aborted task is dropped when its turn comes: wait for that.
    for mut running in tasks {
        let _ = (&mut running.task).await;
    }
    serving.abort();
    let _ = (&mut serving).await;
    // It has a handle of the runner too, which ends when nobody has one.
    drop(common);
    runner.end().await;
}

fn is_plugin(spec: &CheckSpec) -> bool {
    matches!(spec.probe, ProbeSpec::Polled(Polled::Plugin(_)))
}

/// How many descriptors this process may have; as many as it is allowed to ask for.
fn descriptors() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        let wanted = limit.maximum.unwrap_or(1 << 20).min(1 << 20);
        let raised = rustix::process::Rlimit { current: Some(wanted), maximum: limit.maximum };
        if limit.current.is_some_and(|current| current < wanted)
            && setrlimit(Resource::Nofile, raised).is_ok()
        {
            limit = raised;
        }
    }
    limit.current.map_or(usize::MAX, |current| usize::try_from(current).unwrap_or(usize::MAX))
}
