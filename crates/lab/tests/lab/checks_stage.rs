//! What tests of checks start with: ha2bgp under a fake ExaBGP, with a configuration of the test, on a
//! host that the test has prepared.

use crate::stage::{AT_ONCE, SOON, VIP};
use ha2bgp_lab::fake_exabgp::{Answer, FakeExaBgp};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::{LabError, Result, wait};
use rustix::process::Signal;
use std::path::Path;
use std::time::Duration;

/// Both networks, port 8080, no delays, no damping: every change shows at once.
const HEAD: &str = "
networks = [\"100.64.0.0/24\", \"2001:db8:100::/64\"]
discover = { listen-filter = \"sport = :8080\" }
defaults = { up-delay = \"0s\", down-delay = \"0s\", damping = false }
";

/// ha2bgp, running.
pub(crate) struct CheckStage {
    pub(crate) fake: FakeExaBgp,
}

impl CheckStage {
    /// With a configuration file: the services and checks of the test behind [`HEAD`].
    pub(crate) fn start(host: &Netns, dir: &Path, text: &str) -> Result<Self> {
        let file = dir.join("ha2bgp.toml");
        let what = file.display().to_string();
        std::fs::write(&file, format!("{HEAD}{text}")).map_err(LabError::io(what.clone()))?;
        let args = ["run", "--config", &what, "--state-file", "off"];
        Ok(Self { fake: FakeExaBgp::start(host, dir, &args, &[], Answer::Done)? })
    }

    /// With flags: those of [`AT_ONCE`] and more.
    pub(crate) fn with_flags(host: &Netns, dir: &Path, more: &[&str]) -> Result<Self> {
        let args = [&AT_ONCE[..], &["--state-file", "off"], more].concat();
        Ok(Self { fake: FakeExaBgp::start(host, dir, &args, &[], Answer::Done)? })
    }

    /// Waits until the VIP is announced, or not.
    pub(crate) fn announced(&mut self, announced: bool) -> Result<()> {
        self.fake
            .wait(VIP, announced, SOON)
            .map_err(|error| LabError::Missing(format!("{error}\n{}", self.fake.child().tail())))
    }

    /// Watches that the VIP is announced, or not, for so long.
    pub(crate) fn stays(&mut self, announced: bool, time: Duration) -> Result<()> {
        self.fake.holds("the VIP stays as it is", time, |table| table.has(VIP) == announced)
    }

    /// Waits until the status says these words.
    pub(crate) fn says(&mut self, words: &str) -> Result<()> {
        // Before its first words the signal would end it.
        wait::until_true(SOON, "ha2bgp says something", || !self.fake.child().stderr().is_empty())?;
        let mut from = self.fake.child().stderr().len();
        self.fake.child().signal(Signal::USR1)?;
        let child = self.fake.child();
        wait::until(SOON, &format!("the status says {words:?}"), || {
            let log = child.stderr();
            let newest = log.get(from..).unwrap_or_default().to_owned();
            if newest.contains(words) {
                return Ok(());
            }
            // The dump has come, and said something else: ask again.
            if newest.contains("status:") {
                from = log.len();
                child.signal(Signal::USR1).map_err(|error| error.to_string())?;
            }
            Err(newest)
        })
    }

    /// How many descriptors ha2bgp has open.
    pub(crate) fn descriptors(&mut self) -> usize {
        let path = format!("/proc/{}/fd", self.fake.child().pid());
        std::fs::read_dir(path).map(Iterator::count).unwrap_or_default()
    }
}
