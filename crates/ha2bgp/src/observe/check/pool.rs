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
use super::plugin::{Handle, Runner};
use super::schedule::{Schedule, Spread};
use super::shared::Shared;
use super::{CheckSpec, CheckSpecs, Phase, ProbeSpec, Target, haproxy};

/// Whom the results of one probe are for.
#[derive(Clone, Debug)]
pub struct Reporter {
    users: Rc<RefCell<BTreeMap<CheckKey, Counting>>>,
    observed: mpsc::Sender<Observation>,
    /// The last result that was reported as a change.
    last: Rc<RefCell<Option<ProbeResult>>>,
}

impl Reporter {
    /// Reports a result to every check that uses it. False when nobody listens any more.
    pub async fn report(&self, result: ProbeResult) -> bool {
        let users: Vec<CheckKey> = self.users.borrow().keys().copied().collect();
        for check in users {
            let observation = Observation::Probed { check, result: result.clone() };
            if self.observed.send(observation).await.is_err() {
                return false;
            }
        }
        true
    }

    /// The same for what is not counted as a probe in a row: a result like the last one is news only
    /// where results are counted.
    pub async fn report_change(&self, result: ProbeResult) -> bool {
        let counted = |counting: &Counting| counting.rise > 1 || counting.fall > 1;
        let news = self.last.borrow().as_ref() != Some(&result)
            || self.users.borrow().values().any(counted);
        if !news {
            return !self.observed.is_closed();
        }
        self.last.replace(Some(result.clone()));
        self.report(result).await
    }

    /// True while some check is about to change its verdict.
    fn is_deciding(&self, streak: &Streak) -> bool {
        self.users.borrow().values().any(|counting| streak.is_deciding(counting))
    }
}

/// A probe that is being made again and again.
#[derive(Debug)]
struct Running {
    users: Rc<RefCell<BTreeMap<CheckKey, Counting>>>,
    last: Rc<RefCell<Option<ProbeResult>>>,
    task: JoinHandle<()>,
}

impl Running {
    /// Whoever comes late hears the next result, also where that is like the last one.
    fn set_users(&self, users: BTreeMap<CheckKey, Counting>) {
        if *self.users.borrow() != users {
            self.users.replace(users);
            self.last.replace(None);
        }
    }
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
    haproxy: Shared<haproxy::Source, haproxy::hub::Look>,
    plugins: Rc<Lanes>,
    runner: Handle,
    observed: mpsc::Sender<Observation>,
}

impl Common {
    /// The places for a probe of that kind.
    const fn lanes(&self, probe: &ProbeSpec) -> &Rc<Lanes> {
        match probe {
            ProbeSpec::Plugin(_) => &self.plugins,
            ProbeSpec::Haproxy(_) | ProbeSpec::Tcp(_) => &self.network,
        }
    }
}

/// Makes the wanted probes until `wanted` or `observed` is closed. Runs in a `LocalSet`.
pub async fn run(
    checks: CheckSpecs,
    mut wanted: watch::Receiver<BTreeSet<CheckKey>>,
    observed: mpsc::Sender<Observation>,
) {
    let limits = checks.limits.within(descriptors());
    let plugins = checks.specs.iter().any(|spec| matches!(spec.probe, ProbeSpec::Plugin(_)));
    let runner = match plugins {
        true => Runner::start(limits.plugins, checks.adopt),
        false => Runner::none(),
    };
    let common = Common {
        network: Lanes::new(limits.probes),
        plugins: Lanes::new(limits.plugins),
        runner: runner.handle(),
        haproxy: Shared::default(),
        observed: observed.clone(),
    };
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
                running.set_users(users);
                continue;
            }
            let Some(spec) = specs.get(probe.0) else { continue };
            let users = Rc::new(RefCell::new(users));
            let reporter = Reporter {
                users: users.clone(),
                observed: common.observed.clone(),
                last: Rc::default(),
            };
            let spread = Spread::new(seeds.hash_one((probe.0, probe.1.vip)));
            let last = reporter.last.clone();
            let task = start(spec.clone(), probe.1, reporter, spread, &common);
            running.insert(probe, Running { users, last, task });
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            () = observed.closed() => break,
        }
    }
    let tasks: Vec<Running> = running.into_values().collect();
    tasks.iter().for_each(|running| running.task.abort());
    // An aborted task is dropped when its turn comes: wait for that.
    for mut running in tasks {
        let _ = (&mut running.task).await;
    }
    drop(common);
    runner.end().await;
}

/// Starts one probe, or what watches for its results.
fn start(
    spec: Rc<CheckSpec>,
    at: Target,
    reporter: Reporter,
    spread: Spread,
    common: &Common,
) -> JoinHandle<()> {
    match &spec.probe {
        ProbeSpec::Plugin(_) | ProbeSpec::Tcp(_) => {
            tokio::task::spawn_local(poll(spec, at, reporter, spread, common.clone()))
        }
        ProbeSpec::Haproxy(probe) => {
            let looks = common.haproxy.subscribe(&probe.source, haproxy::hub::run);
            tokio::task::spawn_local(haproxy::watch(probe.clone(), at, reporter, looks))
        }
    }
}

/// Makes a probe at its intervals.
async fn poll(spec: Rc<CheckSpec>, at: Target, reporter: Reporter, spread: Spread, common: Common) {
    let lanes = common.lanes(&spec.probe);
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
                let made = tokio::time::timeout(timeout, probe(&spec, at, &phase, &common)).await;
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
async fn probe(spec: &CheckSpec, at: Target, phase: &Phase, common: &Common) -> ProbeResult {
    match &spec.probe {
        ProbeSpec::Plugin(plugin) => plugin.run(&common.runner, at, phase).await,
        ProbeSpec::Tcp(tcp) => tcp.run(&spec.source, at, phase).await,
        // They are watched, not polled.
        ProbeSpec::Haproxy(_) => ProbeResult::new(Outcome::Unknown, "not polled"),
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
