//! What every test of a kind starts with: its configuration as text, and the results of its probes.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use ha2bgp::config::raw::{Given, Raw};
use ha2bgp::config::reader::Host;
use ha2bgp::config::settings::Settings;
use ha2bgp::observe::Seen;
use ha2bgp::observe::check::push::Request;
use ha2bgp::observe::check::{self, CheckSpecs};
use ha2bgp_core::check::{CheckIndex, CheckKey, Outcome, ProbeResult};
use ha2bgp_core::fact::Observation;
use tokio::sync::{mpsc, oneshot, watch};

/// Time enough for anything that should happen at once, on a machine with other work.
pub(crate) const SOON: Duration = Duration::from_secs(10);
/// The VIP that checks are made for.
pub(crate) const VIP: &str = "127.0.0.1";

/// Reads `[service.checks.…]` sections below a service whose network is all of loopback.
///
/// # Panics
/// When the text is wrong.
pub(crate) fn checks(text: &str) -> CheckSpecs {
    read(text).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

/// What is wrong with such sections.
///
/// # Panics
/// When nothing is.
pub(crate) fn errors(text: &str) -> String {
    read(text).expect_err("nothing is wrong")
}

fn read(text: &str) -> Result<CheckSpecs, String> {
    let file = format!(
        "networks = [\"127.0.0.0/8\", \"::1/128\"]\n[[service]]\nname = \"web\"\nnetworks = [\"127.0.0.0/8\"]\n{text}"
    );
    let host = Host {
        device_exists: &|_| true,
        is_own_address: &|_| true,
        read_file: &|path| match path {
            "a.toml" => Ok(file.clone().into_bytes()),
            other => std::fs::read(other),
        },
        is_executable: &|path| {
            let mode = std::fs::metadata(path)?.permissions().mode();
            Ok(mode & 0o111 != 0)
        },
        ..Host::BARE
    };
    let flag = |name| if name == "config" { vec!["a.toml".to_owned()] } else { Vec::new() };
    let raw = Raw::collect(&Given { flag: &flag, variable: &|_| None }, &host);
    let settings = Settings::read(&raw, &host);
    settings.map(|settings| settings.checks).map_err(|errors| format!("{errors:?}"))
}

/// Checks that run on their own thread, until this is dropped.
pub(crate) struct Stand {
    specs: CheckSpecs,
    wanting: watch::Sender<BTreeSet<CheckKey>>,
    observed: mpsc::Receiver<Seen>,
    early: VecDeque<(CheckKey, ProbeResult)>,
    ended: Option<oneshot::Receiver<()>>,
}

impl Stand {
    /// Starts the checks of a configuration for [`VIP`].
    pub(crate) fn start(text: &str) -> Self {
        let stand = Self::idle(checks(text));
        stand.want(&[VIP]);
        stand
    }

    /// The same, with nothing wanted yet.
    pub(crate) fn idle(specs: CheckSpecs) -> Self {
        Self::idle_with(specs, mpsc::channel(1).1)
    }

    /// The same, with what is pushed.
    pub(crate) fn idle_with(specs: CheckSpecs, pushes: mpsc::Receiver<Request>) -> Self {
        let (wanting, wanted) = watch::channel(BTreeSet::new());
        let (tx, observed) = mpsc::channel(4096);
        let ended = Some(check::spawn_with(specs.clone(), wanted, tx, pushes).unwrap());
        Self { specs, wanting, observed, early: VecDeque::new(), ended }
    }

    /// Wants every check for each of these VIPs, and by itself.
    pub(crate) fn want(&self, vips: &[&str]) {
        self.want_only(vips, |_| true);
    }

    /// The same, of some checks only.
    pub(crate) fn want_only(&self, vips: &[&str], which: impl Fn(CheckIndex) -> bool) {
        let vips = vips.iter().map(|vip| Some(vip.parse::<IpAddr>().unwrap()));
        let targets: Vec<Option<IpAddr>> = vips.chain([None]).collect();
        let keys = self
            .specs
            .of
            .keys()
            .filter(|check| which(**check))
            .flat_map(|check| targets.iter().map(|vip| CheckKey { check: *check, vip: *vip }));
        self.wanting.send_replace(keys.collect());
    }

    /// The next result that is for a VIP (or for none, where `vip` is none).
    ///
    /// # Panics
    /// When none comes soon.
    pub(crate) async fn next_of(&mut self, vip: Option<&str>) -> ProbeResult {
        let vip: Option<IpAddr> = vip.map(|vip| vip.parse().unwrap());
        if let Some(at) = self.early.iter().position(|(key, _)| key.vip == vip) {
            return self.early.remove(at).unwrap().1;
        }
        let wait = async {
            loop {
                let seen = self.observed.recv().await.map(|seen| seen.what);
                let Some(Observation::Probed { check, result }) = seen else {
                    panic!("nothing more is reported");
                };
                if check.vip == vip {
                    return result;
                }
                self.early.push_back((check, result));
            }
        };
        tokio::time::timeout(SOON, wait).await.expect("no result came")
    }

    /// The next result for [`VIP`].
    pub(crate) async fn next(&mut self) -> ProbeResult {
        self.next_of(Some(VIP)).await
    }

    /// Waits for a result with this outcome and these words.
    ///
    /// # Panics
    /// When none comes soon; it shows what came instead.
    pub(crate) async fn finds(&mut self, outcome: Outcome, words: &str) -> ProbeResult {
        let mut others = BTreeSet::new();
        let wait = async {
            loop {
                let result = self.next().await;
                if result.outcome == outcome && result.detail.contains(words) {
                    return result;
                }
                others.insert(format!("{}: {}", result.outcome, result.detail));
            }
        };
        match tokio::time::timeout(SOON, wait).await {
            Ok(result) => result,
            Err(_) => panic!("no {outcome} with {words:?}; there came {others:#?}"),
        }
    }

    /// Ends all checks and waits until nothing of them is left.
    ///
    /// # Panics
    /// When they do not end soon.
    pub(crate) async fn end(mut self) {
        drop(std::mem::replace(&mut self.wanting, watch::channel(BTreeSet::new()).0));
        let ended = self.ended.take().unwrap();
        tokio::time::timeout(SOON, ended).await.expect("checks do not end").unwrap();
    }
}
