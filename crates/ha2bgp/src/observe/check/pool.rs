//! Starts what makes the probes that are wanted, and ends what is not wanted any more.
//!
//! Checks that ask for the same probe of the same VIP share one task. A task that ends takes what
//! it holds with it: connections, descriptors, processes.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher as _;
use std::rc::Rc;

use ha2bgp_core::check::{CheckKey, Counting, Outcome, ProbeResult, Streak};
use ha2bgp_core::fact::Observation;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::lanes::Lanes;
use super::push::{self, hub};
use super::schedule::{Schedule, Spread};
use super::{CheckSpec, CheckSpecs, Phase, ProbeSpec, Target};

/// Whom the results of one probe are for.
#[derive(Clone, Debug)]
pub struct Reporter {
    users: Rc<RefCell<BTreeMap<CheckKey, Counting>>>,
    last: Rc<RefCell<Option<ProbeResult>>>,
    observed: mpsc::Sender<Observation>,
}

impl Reporter {
    /// Reports a result to every check that uses it. False when nobody listens any more.
    pub async fn report(&self, result: ProbeResult) -> bool {
        let users: Vec<CheckKey> = self.users.borrow().keys().copied().collect();
        self.last.replace(Some(result.clone()));
        self.tell(users, result).await
    }

    /// Puts these in the place of the users that there were. Who is new is told the newest result:
    /// the next one may be far away. False when nobody listens any more.
    async fn set_users(&self, users: BTreeMap<CheckKey, Counting>) -> bool {
        let before = self.users.replace(users);
        let newest = self.last.borrow().clone();
        let Some(result) = newest else { return true };
        let is_new = |check: &CheckKey| !before.contains_key(check);
        let new = self.users.borrow().keys().copied().filter(is_new).collect();
        self.tell(new, result).await
    }

    async fn tell(&self, users: Vec<CheckKey>, result: ProbeResult) -> bool {
        for check in users {
            let observation = Observation::Probed { check, result: result.clone() };
            if self.observed.send(observation).await.is_err() {
                return false;
            }
        }
        true
    }

    /// True while some check is about to change its verdict.
    fn is_deciding(&self, streak: &Streak) -> bool {
        self.users.borrow().values().any(|counting| streak.is_deciding(counting))
    }
}

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
pub struct Common {
    network: Rc<Lanes>,
    hub: Rc<hub::Hub>,
    observed: mpsc::Sender<Observation>,
}

/// Makes the wanted probes until `wanted` or `observed` is closed. Runs in a `LocalSet`.
pub async fn run(
    checks: CheckSpecs,
    mut wanted: watch::Receiver<BTreeSet<CheckKey>>,
    observed: mpsc::Sender<Observation>,
    pushes: mpsc::Receiver<push::Request>,
) {
    let limits = checks.limits.within(descriptors());
    let hub = hub::Hub::new(&checks.specs);
    let mut serving = tokio::task::spawn_local(hub::serve(hub.clone(), pushes));
    let common = Common { network: Lanes::new(limits.probes), hub, observed: observed.clone() };
    let specs: Vec<Rc<CheckSpec>> = checks.specs.into_iter().map(Rc::new).collect();
    // Of this start of this host: others begin at other moments.
    let seeds = RandomState::new();
    let mut running: BTreeMap<(usize, Target), Running> = BTreeMap::new();
    loop {
        let mut users: BTreeMap<(usize, Target), BTreeMap<CheckKey, Counting>> = BTreeMap::new();
        for key in wanted.borrow_and_update().iter() {
            if let Some((spec, counting)) = checks.of.get(&key.check) {
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
            let Some(spec) = specs.get(probe.0) else { continue };
            let users = Rc::new(RefCell::new(users));
            let observed = common.observed.clone();
            let reporter = Reporter { users, last: Rc::default(), observed };
            let spread = Spread::new(seeds.hash_one((probe.0, probe.1.vip)));
            let task = start(spec.clone(), probe, reporter.clone(), spread, &common);
            running.insert(probe, Running { reporter, task });
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            () = observed.closed() => break,
        }
    }
    let tasks: Vec<Running> = running.into_values().collect();
    tasks.iter().for_each(|running| running.task.abort());
    serving.abort();
    let _ = (&mut serving).await;
    // An aborted task is dropped when its turn comes: wait for that.
    for mut running in tasks {
        let _ = (&mut running.task).await;
    }
}

/// Starts one probe, or what watches for its results.
fn start(
    spec: Rc<CheckSpec>,
    (place, at): (usize, Target),
    reporter: Reporter,
    spread: Spread,
    common: &Common,
) -> JoinHandle<()> {
    match &spec.probe {
        ProbeSpec::Push(_) => {
            tokio::task::spawn_local(hub::stand(common.hub.clone(), place, at, reporter))
        }
        ProbeSpec::Tcp(_) => {
            tokio::task::spawn_local(poll(spec, at, reporter, spread, common.network.clone()))
        }
    }
}

/// Makes a probe at its intervals.
async fn poll(
    spec: Rc<CheckSpec>,
    at: Target,
    reporter: Reporter,
    spread: Spread,
    lanes: Rc<Lanes>,
) {
    let mut schedule = Schedule::new(spec.timing, spread, Instant::now());
    let mut streak = Streak::default();
    let mut slow = false;
    loop {
        tokio::time::sleep_until(schedule.due()).await;
        let result = match lanes.enter(slow, spec.timing.interval).await {
            None => crowded(lanes.limit()),
            Some(_place) => {
                let phase = Phase::default();
                let timeout = spec.timing.timeout;
                let made = tokio::time::timeout(timeout, probe(&spec, at, &phase)).await;
                slow = made.is_err();
                made.unwrap_or_else(|_| phase.timed_out(timeout))
            }
        };
        streak.push(result.outcome);
        let deciding = reporter.is_deciding(&streak);
        if !reporter.report(result).await {
            return;
        }
        schedule.advance(Instant::now(), deciding);
    }
}

/// Makes one probe.
async fn probe(spec: &CheckSpec, at: Target, phase: &Phase) -> ProbeResult {
    match &spec.probe {
        ProbeSpec::Tcp(tcp) => tcp.run(&spec.source, at, phase).await,
        // It reports by itself.
        ProbeSpec::Push(_) => std::future::pending().await,
    }
}

fn crowded(limit: usize) -> ProbeResult {
    let text = format!("not made: {limit} probes at once is the limit, and all were busy");
    ProbeResult::new(Outcome::Unknown, &text)
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
