use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ha2bgp_core::fact::{
    AddressId, AddressState, ListenAddress, Listener, LocalAddress, Observation, Protocol,
    SocketId, Source,
};
use ha2bgp_core::net::Prefix;
use ha2bgp_core::route::RouteSet;
use ha2bgp_proto::filter::{Context, Filter, NoNames, Services};
use tokio::sync::{mpsc, watch};

use super::*;
use crate::announce::Desired;
use crate::clock::Clock;
use crate::config::host::Host;
use crate::config::raw::{Given, Raw};
use crate::control::questions::Questions;
use crate::daemon::engine_task::Ends;
use crate::daemon::ledger::Ledger;
use crate::daemon::ledger_file::{Keeper, LedgerFile};
use crate::daemon::reload::{self, Configuration, Loaded, News, Ways};
use crate::daemon::{open_control, output};
use crate::observe::check::push;

fn load(text: &str) -> Loaded {
    let host = Host { read_file: &|_| Ok(text.as_bytes().to_vec()), ..Host::BARE };
    let flag = |name| match name {
        "config" => vec!["a.toml".to_owned()],
        "state-file" => vec!["off".to_owned()],
        _ => Vec::new(),
    };
    let raw = Raw::collect(&Given { flag: &flag, variable: &|_| None }, &host);
    let settings = Settings::read(&raw, &host);
    let settings =
        settings.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let (services, protocols) = (Services::parse(""), &[Protocol::Tcp]);
    let context = Context { services: &services, protocols, names: &NoNames };
    let filter = Filter::parse(&settings.listen_filter.text, &context).unwrap();
    Ok((settings, filter))
}

const VIPS: [&str; 3] = ["100.64.0.1", "100.64.0.2", "100.65.0.1"];

/// Three addresses that are up, in two networks.
fn text(networks: &str, more: &str) -> String {
    format!(
        "networks = [{networks}]\noverrides-file = \"off\"\n{more}\n\
         [discover]\nlisten-filter = \"sport = :80\"\n\
         [defaults]\nup-delay = \"0s\"\ndown-delay = \"0s\"\ndamping = false\n"
    )
}

const BOTH: &str = "\"100.64.0.0/24\", \"100.65.0.0/24\"";

/// The task with everything up, and what it reads next.
struct Stage {
    task: EngineTask,
    files: watch::Sender<String>,
    _observing: mpsc::Sender<crate::observe::Seen>,
}

impl Stage {
    fn new(first: &str) -> Self {
        let (settings, filter) = load(first).unwrap();
        let (files, reading) = watch::channel(first.to_owned());
        let loader: crate::daemon::Loader = Arc::new(move |sent| match sent {
            Some([file]) => load(&file.text),
            _ => load(&reading.borrow().clone()),
        });
        let clock = Clock::start();
        let (specs, changing) = watch::channel(Arc::new(reload::specs(&settings)));
        let (asking, questions) = mpsc::channel(1);
        let (teller, events, _) = crate::events::start(None, clock);
        let (routes, _) = crate::announce::questions::Questions::channel();
        let hub = mpsc::channel::<push::Request>(1).0;
        let control = open_control(&settings, changing, hub, Questions(asking), (routes, events));
        let listen = watch::channel(ListenConfig::new(&settings.protocols, &filter)).0;
        let peers = watch::channel(output::configuration(&settings, &Default::default())).0;
        let ends = Ends {
            desired: watch::channel(Desired::default()).0,
            routes: watch::channel(RouteSet::new()).0,
            checks: watch::channel(BTreeSet::new()).0,
            addresses: watch::channel(0).0,
            announcer: watch::channel(None).1,
            bfd: watch::channel(crate::bfd::states::States::default()).1,
            teller,
            notice: watch::channel(String::new()).1,
            looks: crate::observe::listen::Looks::default(),
            questions,
            told: watch::channel(RouteSet::new()).1,
        };
        let ways = Ways { specs, listen, peers, bfd: None, control };
        let configuration = Configuration::new(loader, settings, ways);
        let keeper = Keeper::start(None::<LedgerFile>);
        let (observing, observations) = mpsc::channel(1);
        let overrides = (Ledger::default(), keeper);
        let mut task = EngineTask::new(configuration, overrides, None, clock, observations, ends);
        for (cookie, vip) in (1..).zip(VIPS) {
            let ip: IpAddr = vip.parse().unwrap();
            let id = AddressId { ip, prefix_length: 32, interface: 1 };
            let address = LocalAddress {
                id,
                device: "lo".into(),
                label: None,
                loopback: true,
                state: AddressState::Usable,
            };
            let id = SocketId { protocol: Protocol::Tcp, cookie };
            let listener = Listener { id, address: ListenAddress::Address(ip), port: 80 };
            task.prime(Input::Observation(Observation::AddressChanged(address)));
            task.prime(Input::Observation(Observation::ListenerOpened(listener)));
        }
        for source in Source::ALL {
            task.prime(Input::Observation(Observation::Complete(source)));
        }
        let stage = Self { task, files, _observing: observing };
        assert_eq!(stage.announced(), VIPS);
        stage
    }

    fn announced(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.task.engine.routes().for_each(&mut |prefix: Prefix, _| {
            all.push(prefix.address().to_string());
        });
        all
    }

    /// Reads what is to be read, and does what is to be done with it.
    async fn read(&mut self) {
        match self.task.configuration.next().await {
            News::Loaded(load) => self.task.loaded(*load.unwrap()),
            News::FilesChanged => panic!("nothing is watched"),
        }
    }

    async fn reload(&mut self, text: &str, reload: Reload) -> Result<Planned, Refusal> {
        self.files.send_replace(text.to_owned());
        let (answer, answered) = oneshot::channel();
        self.task.order(Order::Reload(reload, answer));
        if self.task.configuration.trial.is_none() {
            self.read().await;
        }
        answered.await.unwrap()
    }
}

fn plain() -> Reload {
    Reload { author: Author("ann".to_owned()), force: false, confirm: None }
}

#[tokio::test]
async fn a_reload_does_what_was_planned_and_a_bad_one_nothing() {
    let mut stage = Stage::new(&text(BOTH, ""));
    let same = stage.reload(&text(BOTH, ""), plain()).await.unwrap();
    assert_eq!(same, Planned::default());
    let narrow = text("\"100.64.0.0/24\"", "");
    let (answer, answered) = oneshot::channel();
    let file = crate::control::orders::FileText {
        name: "b.toml".to_owned(),
        text: narrow.clone(),
        directory: None,
    };
    stage.task.order(Order::Plan(vec![file], answer));
    stage.read().await;
    let planned = answered.await.unwrap().unwrap();
    assert_eq!((planned.withdraw, planned.announce, planned.change), (1, 0, 0));
    assert_eq!(planned.routes[0].reason, "outside-networks");
    assert_eq!(stage.announced(), VIPS, "a plan changes nothing");
    let refused = stage.reload("networks = [\"nonsense\"]\nx = 1", plain()).await.unwrap_err();
    assert_eq!(refused.code, Code::BadConfig);
    assert_eq!(refused.message.split("\n\n").count(), 2, "{}", refused.message);
    assert_eq!(stage.announced(), VIPS);
    assert_eq!(stage.reload(&narrow, plain()).await.unwrap(), planned);
    assert_eq!(stage.announced(), VIPS[..2]);
    // Another way out, and other files, are for another process.
    let other = text("\"100.64.0.0/24\"", "backend = \"test\"\nrecord = \"/x/y\"");
    let planned = stage.reload(&other, plain()).await.unwrap();
    assert_eq!(planned.restart, ["bgp-backend", "record", "history"]);
    assert_eq!(stage.announced(), VIPS[..2]);
}

#[tokio::test]
async fn the_guard_is_asked_once_for_all() {
    let guard = "guard.max-withdrawals = { count = 1, per = \"1h\" }";
    let mut stage = Stage::new(&text(BOTH, guard));
    let narrow = text("\"100.65.0.0/24\"", guard);
    let refused = stage.reload(&narrow, plain()).await.unwrap_err();
    assert_eq!(refused.code, Code::Guarded);
    assert_eq!(stage.announced(), VIPS);
    // What the guard would only hold is too much as well: nobody listens there.
    let deaf = text(BOTH, guard).replace("[defaults]", "[defaults]\nrequire-all-ports = true")
        + "[[service]]\nname = \"x\"\nnetworks = [\"100.64.0.0/24\"]\nrule = \"not(listen)\"\n";
    let refused = stage.reload(&deaf, plain()).await.unwrap_err();
    assert_eq!(refused.code, Code::Guarded, "{}", refused.message);
    assert_eq!(stage.announced(), VIPS);
    let forced = Reload { force: true, ..plain() };
    let planned = stage.reload(&narrow, forced).await.unwrap();
    assert_eq!((planned.withdraw, planned.beyond_guard), (2, 1));
    assert_eq!(stage.announced(), VIPS[2..]);
}

#[tokio::test(start_paused = true)]
async fn a_trial_is_over_or_confirmed_and_alone() {
    let mut stage = Stage::new(&text(BOTH, ""));
    let narrow = text("\"100.64.0.0/24\"", "");
    let trial = || Reload { confirm: Some(Duration::from_secs(60)), ..plain() };
    let planned = stage.reload(&narrow, trial()).await.unwrap();
    assert_eq!(planned.confirm_seconds, Some(60.0));
    assert_eq!(stage.announced(), VIPS[..2]);
    let refused = stage.reload(&text(BOTH, ""), plain()).await.unwrap_err();
    assert_eq!(refused.code, Code::Busy);
    assert!(refused.message.contains("on trial for 60 s more"), "{}", refused.message);
    stage.task.roll_back();
    assert_eq!(stage.announced(), VIPS);
    // There is nothing to confirm now, and then there is.
    for wanted in [false, true] {
        if wanted {
            stage.reload(&narrow, trial()).await.unwrap();
        }
        let (answer, answered) = oneshot::channel();
        stage.task.order(Order::Confirm(Author("ann".to_owned()), answer));
        assert_eq!(answered.await.unwrap().is_ok(), wanted);
    }
    stage.task.roll_back();
    assert_eq!(stage.announced(), VIPS[..2], "it is no trial any more");
}

/// Files that were read earlier and took longer are read again.
#[tokio::test]
async fn the_newest_reading_counts() {
    let mut stage = Stage::new(&text(BOTH, ""));
    let mut loads = Vec::new();
    for networks in ["\"100.65.0.0/24\"", "\"100.64.0.0/24\""] {
        stage.files.send_replace(text(networks, ""));
        let refused = stage.task.configuration.load(Purpose::Reload(plain(), None), None);
        assert!(refused.is_none());
        match stage.task.configuration.next().await {
            News::Loaded(load) => loads.push(load.unwrap()),
            News::FilesChanged => panic!("nothing is watched"),
        }
    }
    while let Some(load) = loads.pop() {
        stage.task.loaded(*load);
        assert_eq!(stage.announced(), VIPS[..2]);
    }
    // The slow one reads once more.
    stage.read().await;
    assert_eq!(stage.announced(), VIPS[..2]);
}
