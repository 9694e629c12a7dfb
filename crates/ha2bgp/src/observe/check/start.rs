//! How each kind is started: polled at its intervals, or watched.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult, Streak};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::lanes::Lanes;
use super::phase::Over;
use super::pool::Common;
use super::process::{ProcessProbe, pidfile};
use super::push::hub;
use super::report::Reporter;
use super::schedule::{Schedule, Spread};
use super::{
    CheckSpec, Phase, Polled, ProbeSpec, Target, Watched, accept_queue, bfd, file, haproxy, http,
};

/// One probe that is wanted.
pub(super) struct Job {
    pub(super) spec: Rc<CheckSpec>,
    /// Its place among all specifications.
    pub(super) place: usize,
    pub(super) at: Target,
    pub(super) reporter: Reporter,
    pub(super) spread: Spread,
}

/// Starts it.
pub(super) fn start(job: Job, common: &Common) -> JoinHandle<()> {
    let spec = job.spec.clone();
    match &spec.probe {
        ProbeSpec::Polled(_) => tokio::task::spawn_local(poll(job, common.clone())),
        ProbeSpec::Watched(watched) => watch(watched, job, common),
    }
}

/// What reports by itself.
fn watch(watched: &Watched, job: Job, common: &Common) -> JoinHandle<()> {
    let Job { spec, place, at, reporter, .. } = job;
    let interval = spec.timing.interval;
    match watched {
        Watched::AcceptQueue(queue) => {
            let (queue, sampler) = (queue.clone(), common.queues.clone());
            tokio::task::spawn_local(accept_queue::watch(queue, interval, at, reporter, sampler))
        }
        Watched::Bfd(probe) => {
            tokio::task::spawn_local(bfd::watch(probe.clone(), reporter, common.bfd.clone()))
        }
        Watched::File(file) => {
            let (file, files) = (file.clone(), common.files.clone());
            tokio::task::spawn_local(file::watch(file, interval, at, reporter, files))
        }
        Watched::Process(ProcessProbe::Pidfile { path, name }) => {
            let (path, name, files) = (path.clone(), name.clone(), common.files.clone());
            tokio::task::spawn_local(pidfile::watch(path, name, interval, at, reporter, files))
        }
        Watched::Push(_) => {
            tokio::task::spawn_local(hub::stand(common.pushes.clone(), place, at, reporter))
        }
        #[cfg(feature = "systemd")]
        Watched::Process(ProcessProbe::Unit { unit, bus }) => {
            let (unit, bus, buses) = (unit.clone(), bus.clone(), common.buses.clone());
            let watch = super::process::unit::watch(unit, bus, interval, at, reporter, buses);
            tokio::task::spawn_local(watch)
        }
        Watched::Haproxy(probe) => {
            let looks = common.haproxy.subscribe(&probe.source, haproxy::hub::run);
            tokio::task::spawn_local(haproxy::watch(probe.clone(), at, reporter, looks))
        }
    }
}

/// Makes a probe at its intervals.
async fn poll(job: Job, common: Common) {
    let Job { spec, at, reporter, spread, .. } = job;
    let ProbeSpec::Polled(polled) = &spec.probe else { return };
    let lanes = lanes(polled, &common);
    let timing = spec.timing;
    let mut schedule = Schedule::new(timing, spread, Instant::now());
    let mut streak = Streak::default();
    let mut kept = Kept { http: http::Kept::new(common.kept.clone()) };
    let mut slow = false;
    loop {
        tokio::time::sleep_until(schedule.due()).await;
        let (result, took) = match lanes.enter(slow, timing.interval).await {
            None => (crowded(lanes.limit()), None),
            Some(_place) => {
                let begun = Instant::now();
                let phase = Phase::default();
                let probe = probe(polled, &spec, &mut kept, at, &phase, &common);
                let made = within(timing.timeout, probe).await;
                slow = made.is_err();
                let made = made.unwrap_or_else(|over| phase.timed_out(timing.timeout, over));
                (made, Some(begun.elapsed()))
            }
        };
        streak.push(result.outcome);
        let deciding = reporter.is_deciding(&streak);
        if !reporter.report_timed(result, took).await {
            return;
        }
        schedule.advance(Instant::now(), deciding);
    }
}

/// A probe that is looked at later than its end by more than this share of its time was not given
/// its time: this host was too busy, or stood still.
const LATE: u32 = 4;

/// The same for the shortest times: what a busy host is late by without being at fault.
const LATE_MIN: Duration = Duration::from_millis(20);

/// Gives a probe its time. Where this program itself is late, whatever the target does, the probe has
/// not had a chance to end: it gets its time once more.
async fn within<T>(timeout: Duration, probe: impl Future<Output = T>) -> Result<T, Over> {
    let mut probe = pin!(probe);
    for _ in 0..2 {
        let end = Instant::now() + timeout;
        if let Ok(made) = tokio::time::timeout_at(end, &mut probe).await {
            return Ok(made);
        }
        if end.elapsed() <= (timeout / LATE).max(LATE_MIN) {
            return Err(Over::Target);
        }
    }
    Err(Over::Own)
}

/// What one probe leaves for the next of the same check and VIP.
#[derive(Debug)]
struct Kept {
    http: http::Kept,
}

/// Makes one probe.
async fn probe(
    polled: &Polled,
    spec: &CheckSpec,
    kept: &mut Kept,
    at: Target,
    phase: &Phase,
    common: &Common,
) -> ProbeResult {
    let source = &spec.source;
    let timeout = spec.timing.timeout;
    match polled {
        Polled::Dns(dns) => dns.run(source, at, phase, timeout).await,
        Polled::Icmp(icmp) => icmp.run(source, at, phase, timeout).await,
        Polled::Grpc(grpc) => grpc.run(source, at, phase).await,
        Polled::Http(http) => http.run(&mut kept.http, source, at, phase).await,
        Polled::Plugin(plugin) => plugin.run(&common.runner, at, phase).await,
        Polled::Tcp(tcp) => tcp.run(source, at, phase).await,
    }
}

/// The places for a probe of that kind.
fn lanes(polled: &Polled, common: &Common) -> Rc<Lanes> {
    match polled {
        Polled::Plugin(_) => common.plugins.clone(),
        Polled::Dns(_) | Polled::Grpc(_) | Polled::Http(_) | Polled::Icmp(_) | Polled::Tcp(_) => {
            common.network.clone()
        }
    }
}

fn crowded(limit: usize) -> ProbeResult {
    let text = format!("not made: {limit} probes at once is the limit, and all were busy");
    ProbeResult::new(Outcome::Unknown, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(400);

    /// Two waits, as for a connection and an answer.
    async fn probe(each: Duration) {
        tokio::time::sleep(each).await;
        tokio::time::sleep(each).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_has_its_time() {
        assert_eq!(within(TIMEOUT, probe(TIMEOUT / 4)).await, Ok(()));
        assert_eq!(within(TIMEOUT, probe(TIMEOUT)).await, Err(Over::Target));
    }

    /// A process that is stopped, a virtual machine that is moved, a processor that others have.
    #[tokio::test(start_paused = true)]
    async fn time_that_this_host_has_lost_is_not_the_targets() {
        let lost = tokio::time::advance(TIMEOUT * 3);
        let (made, ()) = tokio::join!(within(TIMEOUT, probe(TIMEOUT / 4)), lost);
        assert_eq!(made, Ok(()));
        let lost = tokio::time::advance(TIMEOUT * 3);
        let (made, ()) = tokio::join!(within(TIMEOUT, probe(TIMEOUT * 2)), lost);
        assert_eq!(made, Err(Over::Target), "it has had its time then");
        let always = async {
            for _ in 0..2 {
                tokio::time::advance(TIMEOUT * 3).await;
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
        };
        let (made, ()) = tokio::join!(within(TIMEOUT, std::future::pending::<()>()), always);
        assert_eq!(made, Err(Over::Own));
    }
}
