//! What most tests start with: a host, a VIP on it, and ha2bgp with the pipes of a fake ExaBGP.

use ha2bgp_lab::fake_exabgp::{Answer, FakeExaBgp};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::{Result, link, readme};
use std::time::Duration;
use tempfile::TempDir;

/// The VIP that a stage has from the start.
pub(crate) const VIP: &str = "100.64.0.10";
/// A second one, added by tests that need it.
pub(crate) const VIP2: &str = "100.64.0.11";
/// An IPv6 one, added by tests that need it.
pub(crate) const VIP6: &str = "2001:db8:100::10";

/// Time enough for anything that should happen at once, on a machine with other work.
pub(crate) const SOON: Duration = Duration::from_secs(10);
/// Time enough to see that nothing happens.
pub(crate) const WHILE: Duration = Duration::from_millis(1500);

/// Both networks, port 8080, no delays, no damping: every change shows at once.
pub(crate) const AT_ONCE: [&str; 12] = [
    "-n",
    "100.64.0.0/24",
    "-n",
    "2001:db8:100::/64",
    "-l",
    "sport = :8080",
    "--up-delay",
    "0s",
    "--down-delay",
    "0s",
    "--damping",
    "off",
];

/// Fields drop in this order: the program, its host, its files.
pub(crate) struct Stage {
    pub(crate) fake: FakeExaBgp,
    pub(crate) host: Netns,
    pub(crate) _dir: TempDir,
}

impl Stage {
    /// [`AT_ONCE`] and more flags.
    pub(crate) fn new(hint: &str, more: &[&str]) -> Result<Self> {
        let host = host(hint)?;
        Self::on(host, more, Answer::Done)
    }

    /// The same on a host that the test has prepared, with chosen answers.
    pub(crate) fn on(host: Netns, more: &[&str], answer: Answer) -> Result<Self> {
        let args = [&AT_ONCE, more].concat();
        Self::with_args(host, &args, &[], answer)
    }

    /// Only these arguments and this environment.
    pub(crate) fn with_args(
        host: Netns,
        args: &[&str],
        env: &[(&str, &str)],
        answer: Answer,
    ) -> Result<Self> {
        let dir = readme::workdir()?;
        let fake = FakeExaBgp::start(&host, dir.path(), args, env, answer)?;
        Ok(Self { fake, host, _dir: dir })
    }

    /// Waits until exactly these are announced, then watches that it stays so for a moment.
    pub(crate) fn settles_on(&mut self, prefixes: &[&str]) -> Result<()> {
        let what = format!("announced: {prefixes:?}");
        self.fake.settles(&what, SOON, Duration::from_millis(300), |table| {
            table.announced().len() == prefixes.len() && prefixes.iter().all(|p| table.has(p))
        })?;
        assert_eq!(self.fake.table().wrong(), [""; 0], "stdout is the route channel");
        Ok(())
    }
}

/// A host that has the VIP on its loopback.
pub(crate) fn host(hint: &str) -> Result<Netns> {
    let host = Netns::new(hint)?;
    link::add_address(&host, &format!("{VIP}/32"), "lo")?;
    Ok(host)
}
