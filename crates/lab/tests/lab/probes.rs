//! Configured checks in the namespace of a host: [`Probes`] are what they find, with their texts,
//! without the rest of the program; [`stage`] is all of it.

use crate::stage::{SOON, Stage, VIP};
use ha2bgp::config::raw::{Given, Raw};
use ha2bgp::config::reader::Host;
use ha2bgp::config::settings::Settings;
use ha2bgp::observe::Seen;
use ha2bgp::observe::check::{self, CheckSpecs};
use ha2bgp_core::check::{CheckKey, Outcome};
use ha2bgp_core::fact::Observation;
use ha2bgp_lab::fake_exabgp::{Answer, FakeExaBgp};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::{LabError, Result, readme, wait};
use std::collections::BTreeSet;
use std::net::IpAddr;
use tokio::sync::{mpsc, oneshot, watch};

/// Checks that run until this is dropped.
pub(crate) struct Probes {
    wanting: Option<watch::Sender<BTreeSet<CheckKey>>>,
    observed: mpsc::Receiver<Seen>,
    ended: oneshot::Receiver<()>,
}

/// Reads `keys` as those of the one check of a service that has this VIP.
fn read(vip: &str, keys: &str) -> Result<CheckSpecs> {
    let length = if vip.contains(':') { 128 } else { 32 };
    let file = format!(
        "networks = [\"{vip}/{length}\"]\n[[service]]\nname = \"web\"\nvips = [\"{vip}\"]\n\
         rule = \"probe\"\n[service.checks.probe]\ninterval = \"30ms\"\nsplay = \"0s\"\n{keys}\n"
    );
    let host = Host {
        device_exists: &|_| true,
        is_own_address: &|_| true,
        is_executable: &|_| Ok(true),
        read_file: &|_| Ok(file.clone().into_bytes()),
        ..Host::BARE
    };
    let flag = |name| if name == "config" { vec!["a.toml".to_owned()] } else { Vec::new() };
    let raw = Raw::collect(&Given { flag: &flag, variable: &|_| None }, &host);
    let wrong = |errors| LabError::Missing(format!("a good configuration: {file}\n{errors:?}"));
    Ok(Settings::read(&raw, &host).map_err(wrong)?.checks)
}

impl Probes {
    /// Starts the check with these keys for a VIP.
    pub(crate) fn start(host: &Netns, vip: &str, keys: &str) -> Result<Self> {
        let specs = read(vip, keys)?;
        // A probe of an address that was given serves all VIPs.
        let given = keys.contains("\naddress =");
        let vip: Option<IpAddr> = vip.parse().ok().filter(|_| !given);
        let wanted = specs.of.keys().map(|check| CheckKey { check: *check, vip });
        let (wanting, wanted) = watch::channel(wanted.collect());
        let (sender, observed) = mpsc::channel(4096);
        // The thread of the checks is in the namespace of the one that starts it.
        let ended = host
            .within(|| check::spawn(specs, wanted, sender))?
            .map_err(LabError::io("start checks"))?;
        Ok(Self { wanting: Some(wanting), observed, ended })
    }

    /// Waits for a result with this outcome and these words, and returns its text.
    pub(crate) fn finds(&mut self, outcome: Outcome, words: &str) -> Result<String> {
        let mut others = BTreeSet::new();
        wait::until(SOON, &format!("{outcome} with {words:?}"), || {
            while let Ok(Seen { what: Observation::Probed { result, .. }, .. }) =
                self.observed.try_recv()
            {
                if result.outcome == outcome && result.detail.contains(words) {
                    return Ok(result.detail.to_string());
                }
                others.insert(format!("{}: {}", result.outcome, result.detail));
            }
            Err(format!("{others:#?}"))
        })
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        drop(self.wanting.take());
        let ends = || match self.ended.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => Err("they run".to_owned()),
            Ok(()) | Err(oneshot::error::TryRecvError::Closed) => Ok(()),
        };
        let ended = wait::until(SOON, "all checks end", ends);
        assert!(ended.is_ok() || std::thread::panicking(), "checks do not end");
    }
}

/// The program under a fake ExaBGP: a service with [`VIP`], this rule and these sections of checks.
/// Their results count at once.
pub(crate) fn stage(host: Netns, rule: &str, checks: &str) -> Result<Stage> {
    let dir = readme::workdir()?;
    let file = dir.path().join("checks.toml");
    let checks = checks.replace("\ntype =", "\nrise = 1\nfall = 1\ntype =");
    let text = format!(
        "networks = [\"100.64.0.0/24\"]\n[defaults]\nup-delay = \"0s\"\ndown-delay = \"0s\"\n\
         damping = false\n[[service]]\nname = \"web\"\nvips = [\"{VIP}\"]\nrule = \"{rule}\"\n\
         {checks}"
    );
    std::fs::write(&file, text).map_err(LabError::io("checks.toml"))?;
    let args = ["--config", &file.to_string_lossy(), "--debug"];
    let fake = FakeExaBgp::start(&host, dir.path(), &args, &[], Answer::Done)?;
    Ok(Stage { fake, host, _dir: dir })
}

/// [`stage`] with one check of these keys.
pub(crate) fn stage_of_one(host: Netns, keys: &str) -> Result<Stage> {
    stage(host, "probe", &format!("[service.checks.probe]\n{keys}\ninterval = \"50ms\"\n"))
}

/// One check, until it finds this.
pub(crate) fn finds(
    host: &Netns,
    vip: &str,
    keys: &str,
    outcome: Outcome,
    words: &str,
) -> Result<()> {
    let found = Probes::start(host, vip, keys)?.finds(outcome, words);
    found.map(drop).map_err(|error| LabError::Missing(format!("{keys}\n{error}")))
}
