//! ExaBGP: the versions the lab can run, their configuration, a running one.
//!
//! The README's configuration is ExaBGP 3's: `group` with `neighbor` and `process` inside. From
//! version 4 on `group` is a syntax error ("section group is invalid in root"); the same thing is
//! said with a top-level `process` that names its `encoder`, and a neighbor whose `api` section
//! lists the process. Without that section every command is answered `error` ("no neighbor
//! matching the command").

use crate::child::Child;
use crate::netns::Netns;
use crate::{LabError, Result, procfs, tools, wait};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The versions of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Debian 12's package, 4.2.21.
    Debian,
    /// 3.4.28 from PyPI.
    V3_4_28,
    /// 4.2.25 from PyPI.
    V4_2_25,
    /// 5.0.15 from PyPI.
    V5_0_15,
}

impl Version {
    /// The version number.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Self::Debian => "4.2.21",
            Self::V3_4_28 => "3.4.28",
            Self::V4_2_25 => "4.2.25",
            Self::V5_0_15 => "5.0.15",
        }
    }

    /// Its program, or why it is not there and whether that may be so in CI.
    pub fn program(self) -> std::result::Result<PathBuf, (String, bool)> {
        let version = self.number();
        if self == Self::Debian {
            let found = tools::find("exabgp");
            return found.ok_or_else(|| ("no exabgp: cargo xtask lab-setup".to_owned(), false));
        }
        let lab = tools::lab_dir().ok_or(("no lab directory".to_owned(), false))?;
        if let Ok(reason) = std::fs::read_to_string(lab.join(format!("venv-{version}.reason"))) {
            return Err((format!("ExaBGP {version}: {}", reason.trim()), true));
        }
        let venv = lab.join(format!("venv-{version}"));
        if venv.join("ready").is_file() {
            return Ok(venv.join("bin/exabgp"));
        }
        Err((format!("no ExaBGP {version} in {}: cargo xtask lab-setup", lab.display()), false))
    }
}

/// What a test wants of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Config<'a> {
    /// The helper's command line.
    pub run: &'a str,
    /// The neighbor's address.
    pub neighbor: &'a str,
    /// Our address.
    pub local: &'a str,
}

impl Config<'_> {
    /// The text for a version.
    #[must_use]
    pub fn text(&self, version: Version) -> String {
        let Self { run, neighbor, local } = self;
        match version {
            // As in the README, word for word.
            Version::V3_4_28 => format!(
                "group bgpproxy {{\n\
                 \x20   router-id 10.1.1.1;\n\
                 \x20   neighbor {neighbor} {{\n\
                 \x20     local-address {local};\n\
                 \x20     local-as 65000;\n\
                 \x20     peer-as 65000;\n\
                 \x20   }}\n\
                 \x20   process do-bgp-stuff {{\n\
                 \x20       run {run} ;\n\
                 \x20   }}\n\
                 }}\n"
            ),
            Version::Debian | Version::V4_2_25 | Version::V5_0_15 => format!(
                "process do-bgp-stuff {{\n\
                 \x20   run {run};\n\
                 \x20   encoder text;\n\
                 }}\n\
                 neighbor {neighbor} {{\n\
                 \x20   router-id 10.1.1.1;\n\
                 \x20   local-address {local};\n\
                 \x20   local-as 65000;\n\
                 \x20   peer-as 65000;\n\
                 \x20   family {{\n\
                 \x20       ipv4 unicast;\n\
                 \x20       ipv6 unicast;\n\
                 \x20   }}\n\
                 \x20   api {{\n\
                 \x20       processes [ do-bgp-stuff ];\n\
                 \x20   }}\n\
                 }}\n"
            ),
        }
    }
}

/// ExaBGP with a configuration, in `dir`, as `user`, or as whoever starts it. It has nothing else of our
/// environment than the search path.
pub fn command(program: impl AsRef<OsStr>, conf: &Path, dir: &Path, user: Option<&str>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().arg(conf).current_dir(dir);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("exabgp.daemon.user", user.unwrap_or("root"));
    command.env("exabgp.daemon.drop", user.is_some().to_string());
    command.env("exabgp.log.destination", "stderr");
    command.env("exabgp.api.cli", "false");
    command
}

/// A running ExaBGP. Its helper ends with it: its standard input closes, and the namespace of
/// the test takes what is left.
#[derive(Debug)]
pub struct ExaBgp {
    child: Child,
    /// The first word of the helper's command line.
    program: String,
}

impl ExaBgp {
    /// Writes the configuration to `dir` and starts the version on `host`.
    /// `user` is whom it becomes: the default of ExaBGP itself is `nobody`.
    pub fn start(
        host: &Netns,
        version: Version,
        dir: &Path,
        config: &Config<'_>,
        user: &str,
    ) -> Result<Self> {
        let program = version.program().map_err(|(reason, _)| LabError::Missing(reason))?;
        let conf = dir.join("exabgp.conf");
        let text = config.text(version);
        std::fs::write(&conf, text).map_err(LabError::io(conf.display().to_string()))?;
        let mut command = command(program, &conf, dir, Some(user));
        // Handed down to ha2bgp; tests that run side by side would share the default place.
        command.env("HA2BGP_STATE_FILE", "off");
        let program = config.run.split(' ').next().unwrap_or_default().to_owned();
        Ok(Self { child: host.start("exabgp", &mut command, dir)?, program })
    }

    /// The process itself.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// What it and its helper have written to standard error (5 logs to standard output).
    #[must_use]
    pub fn log(&self) -> String {
        format!("{}{}", self.child.stdout(), self.child.stderr())
    }

    /// How many routes it says it removed for its helper.
    #[must_use]
    pub fn removals(&self) -> usize {
        self.log().matches("route removed from").count()
    }

    /// The helper's pid, once it runs. ExaBGP has other children for moments.
    pub fn helper(&self, limit: Duration) -> Result<u32> {
        wait::until(limit, "ExaBGP starts its helper", || {
            let mut children = procfs::children(self.child.pid()).into_iter();
            children
                .find(|child| procfs::command_line(*child).contains(&self.program))
                .ok_or_else(|| self.child.tail())
        })
    }

    /// Stops it where it is, as `kill -STOP` does.
    pub fn freeze(&mut self) -> Result<()> {
        self.child.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn thaw(&mut self) -> Result<()> {
        self.child.signal(Signal::CONT)
    }
}
