//! The running daemon: connects observers, engine and announcer, and ends them in order.

mod answers;
mod drain;
mod dump;
mod engine_task;
mod files;
mod ledger;
mod ledger_file;
mod log_level;
mod measures;
mod orders;
mod output;
pub mod parent;
mod plan;
mod readers;
mod reload;
mod safe_file;
mod signals;
mod state;
pub(crate) mod state_file;

use std::collections::BTreeSet;
use std::fs::File;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::engine::Input;
use ha2bgp_core::route::RouteSet;
use ha2bgp_proto::filter::Filter;
use ha2bgp_sys::lookup;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use self::engine_task::{Ends, EngineTask, Stop};
use self::ledger::Ledger;
use self::ledger_file::Keeper;
use self::reload::{Configuration, Ways};
pub use self::reload::{Loaded, Loader};
use self::signals::Signals;
use self::state::Beginning;
use self::state_file::Store;
use crate::announce::speaker::Doorbells;
use crate::announce::{self, Desired, Ended, Progress, Report, What};
use crate::bfd::{self, Bfd};
use crate::clock::Clock;
use crate::config::duration;
use crate::config::settings::{Settings, StateFile};
use crate::control::Control;
use crate::control::calls::Api;
use crate::control::metrics::Metrics;
use crate::control::push::Pushes;
use crate::control::questions::{QUESTIONS_MAX, Questions};
use crate::events::{self, EventLog, Teller, from_announcer, from_bfd};
use crate::history;
use crate::log::LevelHandle;
use crate::observe::check::{CheckSpecs, push};
use crate::observe::{address, check, listen};
use crate::record::Recorder;
use crate::record::file::Head;
use crate::status::{self, Status};

/// How many observations may wait for the engine; then observers wait.
const OBSERVATIONS_MAX: usize = 4096;

/// How many reports may wait for the log; then they are dropped and counted by the announcer.
const REPORTS_MAX: usize = 1024;

/// How long the state file may take at the end.
const STATE_WAIT: Duration = Duration::from_secs(1);

/// How long it may take at the end until everything is told and on disk.
const EVENTS_WAIT: Duration = Duration::from_secs(2);

/// How long announcers may take to withdraw everything at the end.
const FINISH_WAIT: Duration = Duration::from_secs(6);

/// Runs until a signal or the peer's end; returns the exit code.
pub fn run(settings: Settings, filter: &Filter, loader: Loader, levels: LevelHandle) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(serve(settings, filter, loader, levels));
    end(runtime);
    code
}

/// Waits for SIGTERM, SIGINT or the end of stdin, and does nothing else.
pub fn wait_for_the_end() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async {
        let Ok(mut signals) = Signals::listen() else { return };
        tokio::select! {
            () = signals.stop() => {}
            () = announce::stdin_closed() => {}
        }
    });
    end(runtime);
}

/// Ends a runtime without waiting for whatever may still block.
fn end(runtime: Runtime) {
    runtime.shutdown_background();
}

async fn serve(
    settings: Settings,
    filter: &Filter,
    loader: Loader,
    levels: LevelHandle,
) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "cannot listen for signals");
            return ExitCode::FAILURE;
        }
    };
    tell_settings(&settings);
    let clock = Clock::start();
    let store = Store::open(&settings.state_file);
    let beginning = begin(&settings, store.as_ref());
    let (teller, events, keeper) = events::start(history::open(&settings.history), clock);
    let keeper = tokio::spawn(keeper.run());
    let (observed, observations) = mpsc::channel(OBSERVATIONS_MAX);
    let (routes, announced) = watch::channel(RouteSet::new());
    let (desiring, desired) = watch::channel(Desired::default());
    let (peers, configuration) = watch::channel(reload::speaks_to(&settings));
    let (addresses, address_changes) = watch::channel(0);
    let (reporting, reports) = mpsc::channel(REPORTS_MAX);

    tokio::spawn(address::run(address::AddressConfig::default(), observed.clone()));
    let listen_config = listen::ListenConfig {
        doorbell: settings.doorbell,
        ..listen::ListenConfig::new(&settings.protocols, filter)
    };
    let (noticing, notice) = watch::channel(String::new());
    let (wanting, wanted) = watch::channel(BTreeSet::new());
    let (hub, pushes) = mpsc::channel(push::REQUESTS_MAX);
    let (asking, questions) = mpsc::channel(QUESTIONS_MAX);
    let (routes_of, inbox) = announce::questions::Questions::channel();
    let asking = Questions(asking);
    let source = status::Source {
        engine: asking.clone(),
        announcer: routes_of.clone(),
        events: events.clone(),
        clock,
    };
    let status = match status::spawn(&settings.status, &source) {
        Ok(status) => status,
        Err(error) => {
            tracing::error!(%error, "cannot start the thread for status files");
            return ExitCode::FAILURE;
        }
    };
    let (specs, specs_changed) = watch::channel(Arc::new(reload::specs(&settings)));
    let control = open_control(&settings, specs_changed.clone(), hub, asking, (routes_of, events));
    let bfd = start_bfd(&settings, clock, &teller);
    let told = check::Told { pushes, bfd: bfd.states() };
    let probes = match check::spawn_changing(specs_changed, wanted, observed.clone(), told) {
        Ok(probes) => probes,
        Err(error) => {
            tracing::error!(%error, "cannot start the thread for checks");
            return ExitCode::FAILURE;
        }
    };
    let (listen, listen_config) = watch::channel(listen_config);
    let looks = listen::Looks::default();
    tokio::spawn(listen::run(listen_config, announced, observed, noticing, looks.clone()));
    let (progress, announcer_state) = watch::channel(None);
    let (telling, told) = watch::channel(RouteSet::new());
    tokio::spawn(tell_reports(reports, progress, telling, teller.clone()));
    let doorbells = Doorbells { addresses: address_changes, configuration, bfd: bfd.states() };
    let around = (doorbells, inbox);
    let announcer = match output::announcer(&settings, &beginning, around, clock) {
        Ok(announcer) => announcer,
        Err(error) => {
            tracing::error!(%error, "cannot use standard output");
            return ExitCode::FAILURE;
        }
    };
    let mut announcer = tokio::spawn(announcer.run(desired.clone(), reporting));
    let storing = store.map(|store| tokio::spawn(store.keep(desired, beginning.before.clone())));

    let ends = Ends {
        desired: desiring,
        routes,
        checks: wanting,
        addresses,
        told,
        announcer: announcer_state,
        bfd: bfd.latest(),
        teller,
        notice,
        looks,
        questions,
    };
    let ways = Ways { specs, listen, peers, bfd: Some(bfd), control };
    // Held for as long as the program runs.
    let (overrides, _lock) = overrides(&settings);
    let recorder = settings.record.as_ref().map(|record| {
        let listen_filter = settings.listen_filter.text.clone();
        Recorder::start(record, Head { clock, listen_filter })
    });
    let configuration = Configuration::new(loader, settings, ways);
    let mut engine = EngineTask::new(configuration, overrides, recorder, clock, observations, ends);
    engine.levels = Some(levels);
    engine.recall_level();
    if !beginning.memory.is_zero() {
        let mut vips = Vec::new();
        beginning.before.for_each(&mut |prefix, _| vips.push(prefix.address()));
        engine.prime(Input::Remember { vips, until: clock.now() + beginning.memory });
    }
    let mut early = None;
    let ended_early = async { early = Some((&mut announcer).await) };
    let stop = engine.run(&mut signals, ended_early).await;
    let bfd = engine.configuration.ways.bfd.take();
    match stop {
        Stop::AnnouncerEnded => {
            engine.configuration.ways.control.end().await;
            bfd_end(bfd).await;
            drop(engine);
            status_end(status).await;
            probes_end(probes).await;
            events_end(keeper).await;
            return early.as_ref().map_or(ExitCode::FAILURE, conclude);
        }
        Stop::ObserversEnded => tracing::error!("no observer is left: stopping"),
        Stop::Restart => output::tell_restart(&engine.configuration.settings),
        Stop::Asked => {}
    }
    engine.configuration.ways.control.end().await;
    status_end(status).await;
    // Closing the channel lets the announcer finish; a second signal ends the wait.
    drop(engine);
    let ended = tokio::select! {
        ended = &mut announcer => Some(ended),
        () = signals.stop() => None,
        () = tokio::time::sleep(FINISH_WAIT) => None,
    };
    // Last, and before it falls silent: a router that has seen the session end keeps the routes over a
    // restart then, also one that takes AdminDown for a failure of a session that is up (FRR 8.4).
    bfd_end(bfd).await;
    probes_end(probes).await;
    if let Some(storing) = storing
        && let Ok(Ok(store)) = tokio::time::timeout(STATE_WAIT, storing).await
        && stop == Stop::Asked
        && matches!(ended, Some(Ok(Ended::Finished)))
    {
        store.clear();
    }
    events_end(keeper).await;
    ended.as_ref().map_or_else(
        || {
            tracing::error!("ended before every withdrawal was sent");
            ExitCode::FAILURE
        },
        conclude,
    )
}

/// What operators have said before, where it is kept, and what keeps others from writing there.
///
/// At the place of every host a second program has neither: what the first one is told is not for it.
fn overrides(settings: &Settings) -> ((Ledger, Keeper), Option<File>) {
    let nothing = || Keeper::start(None::<ledger_file::LedgerFile>);
    let Some(path) = ledger_file::place(&settings.overrides_file) else {
        return ((Ledger::default(), nothing()), None);
    };
    let locked = state_file::lock(&path, "overrides-file");
    if let (Err(error), StateFile::Auto) = (&locked, &settings.overrides_file) {
        tracing::info!("overrides are not kept over a restart: {}: {error}", path.display());
        return ((Ledger::default(), nothing()), None);
    }
    let mut file = ledger_file::file(path);
    let ledger = ledger_file::read(&mut file, jiff::Timestamp::now());
    match locked {
        Ok(lock) => ((ledger, Keeper::start(Some(file))), Some(lock)),
        Err(error) => {
            tracing::error!(%error, "overrides are not kept over a restart");
            ((ledger, nothing()), None)
        }
    }
}

/// Opens the control interface, where one is wanted.
fn open_control(
    settings: &Settings,
    specs: watch::Receiver<Arc<CheckSpecs>>,
    hub: mpsc::Sender<push::Request>,
    asking: Questions,
    (routes, events): (announce::questions::Questions, EventLog),
) -> Control {
    let (pushes, metrics) = (Pushes { specs, hub }, Metrics::new(asking.clone(), routes.clone()));
    let (telling, ways) = watch::channel(Vec::new());
    let api = Api { pushes, engine: asking, routes, metrics, ways, events };
    let mut control = Control::new(api, telling);
    control.configure(settings.control.as_ref());
    control
}

/// The way to the BFD sessions, which begin where there are any.
fn start_bfd(settings: &Settings, clock: Clock, teller: &Teller) -> Bfd {
    let (mut bfd, happened) = Bfd::new(clock, settings.bfd.real_time);
    tokio::spawn(tell_bfd(happened, teller.clone()));
    if let Err(error) = bfd.set_sessions(settings.bfd.sessions.clone()) {
        tracing::error!(%error, "cannot start the thread for BFD");
    }
    bfd
}

/// Says to all peers that BFD ends on purpose.
async fn bfd_end(bfd: Option<Bfd>) {
    if let Some(mut bfd) = bfd {
        bfd.end().await;
    }
}

/// Tells what happens to BFD sessions, for as long as there may be any.
async fn tell_bfd(mut happened: mpsc::Receiver<bfd::News>, teller: Teller) {
    while let Some(news) = happened.recv().await {
        teller.tell(from_bfd::draft(&news));
    }
}

/// Waits until everything is told and on disk.
async fn events_end(keeper: JoinHandle<()>) {
    if tokio::time::timeout(EVENTS_WAIT, keeper).await.is_err() {
        tracing::warn!("the history lacks what happened at the end");
    }
}

/// Says in the status files that it is the end.
async fn status_end(status: Option<Status>) {
    if let Some(status) = status {
        status.end().await;
    }
}

/// Waits until no probe is left, and no process of one.
async fn probes_end(probes: oneshot::Receiver<()>) {
    if tokio::time::timeout(check::END_WAIT, probes).await.is_err() {
        tracing::warn!("checks are still running at the end");
    }
}

/// What the process before has left, and what follows from it.
fn begin(settings: &Settings, store: Option<&Store>) -> Beginning {
    let place = store.map(|store| store.place().clone()).unwrap_or_default();
    let left = store.and_then(Store::read);
    let times = output::times(settings);
    let now = state_file::uptime();
    let beginning = state::begin(left.as_ref(), &place, now, times, &lookup::is_local);
    if beginning.restarting {
        tracing::info!(
            routes = beginning.before.len(),
            "a process before this one ended moments ago: what it announced and is up needs no up \
             delay"
        );
    }
    beginning
}

/// The notices of the start: what will be looked at, what may be announced.
fn tell_settings(settings: &Settings) {
    tracing::info!("ss filter: {}", settings.listen_filter.text);
    if settings.test_mode {
        tracing::info!(
            "please specify allowed networks with --network; running in test mode: only localhost \
             (127.0.0.0/8) IPs are recognized"
        );
    }
    for network in settings.engine.networks.iter() {
        tracing::info!("adding network {network} to filter");
    }
    output::tell_settings(settings);
    tracing::info!(
        "announcing what is up for {}, withdrawing what is down for {}",
        duration::show(settings.engine.defaults.up_delay),
        duration::show(settings.engine.defaults.down_delay),
    );
}

/// Tells what the announcer reports, for as long as it runs, and keeps its last snapshot.
async fn tell_reports(
    mut reports: mpsc::Receiver<Report>,
    progress: watch::Sender<Option<Progress>>,
    told: watch::Sender<RouteSet>,
    teller: Teller,
) {
    while let Some(report) = reports.recv().await {
        if let What::Settled(routes) = &report.what {
            told.send_replace(routes.clone());
        }
        match from_announcer::draft(&report.what) {
            Some(draft) => teller.tell(draft),
            None => from_announcer::trace(&report.what),
        }
        if let Some(state) = Progress::of(report.what) {
            progress.send_replace(Some(state));
        }
    }
}

/// Tells how the announcer ended, and what that makes of the whole program.
fn conclude(ended: &Result<Ended, tokio::task::JoinError>) -> ExitCode {
    match ended {
        Ok(Ended::Finished) => return ExitCode::SUCCESS,
        Ok(Ended::PeerGone { why }) => {
            tracing::info!("nobody to announce to any more, ending: {why}");
            return ExitCode::SUCCESS;
        }
        Ok(Ended::Unsent { prefixes }) => {
            tracing::error!(prefixes, "ended before everything was sent");
        }
        Err(error) => tracing::error!(%error, "the announcer failed"),
    }
    ExitCode::FAILURE
}
