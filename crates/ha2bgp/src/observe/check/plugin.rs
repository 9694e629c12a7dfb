//! `type = "plugin"`: a program says how it is, as monitoring plugins do: exit code, one line of
//! text, performance data (`ha2bgp_proto::nagios` reads them).
//!
//! * `runner`: a thread of its own that starts and ends the processes, so that neither fork(2)
//!   nor a file system that hangs holds up other probes. * `capture`: what they print.
//!
//! What a plugin could not be started for is `unknown`; one that runs longer than its time-out has
//! failed.

mod capture;
mod runner;

use std::fmt;
use std::net::IpAddr;

use ha2bgp_core::check::{Outcome, ProbeResult};
use ha2bgp_proto::template::{FillError, Template, Values};
use ha2bgp_sys::child::{Identity, Limits, Plan};

pub use self::runner::{Handle, Runner};
use super::{Phase, Target};

/// What a plugin finds in its environment beside what is configured.
pub const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")];

/// Who a plugin is that root starts without `user`: nobody, the user that owns nothing (the
/// kernel's overflow id, and `nobody` of every distribution).
pub const NOBODY: Identity = Identity { uid: 65_534, gid: 65_534, groups: Vec::new() };

/// What a plugin probe runs. [`Debug`](fmt::Debug) shows neither arguments nor environment:
/// passwords are given by both.
#[derive(Clone, Eq, PartialEq)]
pub struct PluginProbe {
    /// The program, an absolute path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<Template>,
    /// What `{port}` stands for; `None` when no argument has it.
    pub port: Option<u16>,
    /// What `{service}` stands for; empty when no argument has it, so that probes of several
    /// services can be the same one.
    pub service: String,
    /// Who it is; `None`: who we are, or [`NOBODY`] where we are root.
    pub identity: Option<Identity>,
    /// Its environment beside [`ENVIRONMENT`].
    pub environment: Vec<(String, String)>,
    /// Its working directory, an absolute path.
    pub directory: String,
    /// So many octets of its output are read, at most `nagios::MAX_OUTPUT`.
    pub max_output: usize,
    /// What it may use.
    pub limits: Limits,
}

impl fmt::Debug for PluginProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginProbe")
            .field("program", &self.program)
            .field("arguments", &self.arguments.len())
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl PluginProbe {
    /// Makes one probe. Dropping the future kills what was started.
    pub async fn run(&self, runner: &Handle, at: Target, phase: &Phase) -> ProbeResult {
        match self.plan(at.vip) {
            Ok(plan) => runner.run(plan, self.max_output, phase).await,
            Err(error) => ProbeResult::new(Outcome::Unknown, &error.to_string()),
        }
    }

    fn plan(&self, vip: Option<IpAddr>) -> Result<Plan, FillError> {
        let values = Values { vip, port: self.port, service: &self.service };
        let given = |name: &str| self.environment.iter().any(|(own, _)| own == name);
        let fixed = ENVIRONMENT.iter().filter(|(name, _)| !given(name));
        let fixed = fixed.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let root = || rustix::process::geteuid().is_root().then_some(NOBODY);
        Ok(Plan {
            program: (&self.program).into(),
            arguments: self
                .arguments
                .iter()
                .map(|argument| argument.fill(&values))
                .collect::<Result<_, _>>()?,
            environment: fixed.chain(self.environment.iter().cloned()).collect(),
            directory: (&self.directory).into(),
            identity: self.identity.clone().or_else(root),
            limits: self.limits,
        })
    }
}
