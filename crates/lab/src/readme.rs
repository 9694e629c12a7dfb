//! The set-up of the original's README, as hosts:
//!
//! ```text
//!  R1: service on VIP:80 ── ha2bgp ── ExaBGP 127.0.1.2 ── iBGP ── BIRD 127.0.1.1 ── OSPF ─┐
//!  R2: BIRD ──────────────────────────────────────────────────────────────────── veth ────┘
//! ```
//!
//! What it needs beyond the README's text, found with BIRD 2.0.12 and ExaBGP 4 and 5:
//! * ExaBGP from version 4 on has no `group` (see [`crate::exabgp`]).
//! * BIRD 2: the channel options stand in `ipv4 { … }`, OSPF is `ospf v2`.
//! * The next hop is ExaBGP's own 127.0.1.2. BIRD resolves no loopback address, so its route is
//!   `unreachable`. OSPF redistributes it all the same, and on R1 the kernel's local table wins,
//!   so this is harmless: the README's `direct` is not needed for it.
//! * `direct` must leave out the interface that carries the VIP: otherwise BIRD takes the VIP
//!   from there (preference 240, above BGP's 100) and redistributes it whether the service is up
//!   or not. Hence `interface "-lo", "*"`.
//! * OSPF originates the same LSA at most every 5 s (MinLSInterval): R2 may see a quick change
//!   that much later than R1 does.

use crate::bird::Bird;
use crate::exabgp::{Config, ExaBgp, Version};
use crate::link::{self, End};
use crate::netns::Netns;
use crate::{LabError, Result, program, wait};
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// The service address of the README's network.
pub const VIP: &str = "100.64.0.10";
/// Its route.
pub const ROUTE: &str = "100.64.0.10/32";
/// OSPF may hold a change back this long, and some more on a loaded machine.
pub const OSPF: Duration = Duration::from_secs(15);

/// Both routers and ExaBGP, running.
#[derive(Debug)]
pub struct Readme {
    /// ExaBGP with ha2bgp. Ends before the routers do.
    pub exabgp: ExaBgp,
    routers: Routers,
}

impl Deref for Readme {
    type Target = Routers;

    fn deref(&self) -> &Routers {
        &self.routers
    }
}

/// Both routers, and who speaks BGP on R1 is somebody else's business.
#[derive(Debug)]
pub struct Routers {
    /// BIRD on R1, which speaks BGP with 127.0.1.2.
    pub bird1: Bird,
    /// BIRD on R2.
    pub bird2: Bird,
    /// The host of the service.
    pub r1: Netns,
    /// The other router.
    pub r2: Netns,
    /// Logs and configurations.
    pub dir: TempDir,
}

impl Readme {
    /// Builds it and waits until both sessions are up. `flags` follow the README's
    /// `-network 100.64.0.0/24`; `user` is whom ExaBGP becomes.
    pub fn start(version: Version, flags: &str, user: &str) -> Result<Self> {
        let dir = workdir()?;
        let run =
            format!("{} -network 100.64.0.0/24 {flags}", program_for_all(dir.path())?.display());
        Self::start_with(version, run.trim(), user, dir)
    }

    /// [`Readme::start`] with any helper in place of ha2bgp.
    pub fn start_with(version: Version, run: &str, user: &str, dir: TempDir) -> Result<Self> {
        let routers = Routers::start(dir)?;
        let config = Config { run, neighbor: "127.0.1.1", local: "127.0.1.2" };
        let exabgp = ExaBgp::start(&routers.r1, version, routers.dir.path(), &config, user)?;
        routers.ready(&|| exabgp.log())?;
        Ok(Self { exabgp, routers })
    }

    /// [`Routers::wait_route`], with ExaBGP's log when it does not come.
    pub fn wait_route(&self, there: bool, limit: Duration) -> Result<()> {
        self.routers.wait_route(there, limit).map_err(|error| match error {
            LabError::Timeout { what, after, detail } => {
                let log = self.exabgp.log();
                LabError::Timeout { what, after, detail: format!("{detail}\n── ExaBGP\n{log}") }
            }
            other => other,
        })
    }

    /// Watches for a while that the route is there (or not) at both.
    pub fn holds(&self, there: bool, time: Duration) -> Result<()> {
        self.hold_at(&[&self.bird1, &self.bird2], there, time)
    }

    /// [`Readme::holds`] only at R1, which OSPF does not hold back.
    pub fn holds_at_r1(&self, there: bool, time: Duration) -> Result<()> {
        self.hold_at(&[&self.bird1], there, time)
    }

    fn hold_at(&self, birds: &[&Bird], there: bool, time: Duration) -> Result<()> {
        let state = if there { "announced" } else { "withdrawn" };
        wait::holds(time, &format!("{VIP} stays {state}"), || {
            for bird in birds {
                match bird.has_route(ROUTE) {
                    Ok(has) if has == there => {}
                    Ok(_) => return Err(self.exabgp.log()),
                    Err(error) => return Err(error.to_string()),
                }
            }
            Ok(())
        })
    }
}

impl Routers {
    /// Starts both, with the VIP on R1's loopback.
    pub fn start(dir: TempDir) -> Result<Self> {
        let r1 = Netns::new("r1")?;
        let r2 = Netns::new("r2")?;
        link::cable(
            End { host: &r1, device: "core0", address: "10.9.0.1/30" },
            End { host: &r2, device: "core0", address: "10.9.0.2/30" },
        )?;
        link::add_address(&r1, ROUTE, "lo")?;
        let bird1 = Bird::start(&r1, "bird1", dir.path(), R1)?;
        let bird2 = Bird::start(&r2, "bird2", dir.path(), R2)?;
        Ok(Self { bird1, bird2, r1, r2, dir })
    }

    /// Waits until both sessions are up; `log` explains why the one on R1 is not.
    pub fn ready(&self, log: &dyn Fn() -> String) -> Result<()> {
        let limit = Duration::from_secs(60);
        wait::until(limit, "the BGP session is up", || match self.bird1.protocol("exabgp") {
            Ok(line) if line.contains("Established") => Ok(()),
            Ok(line) => Err(format!("{line}\n{}", log())),
            Err(error) => Err(error.to_string()),
        })?;
        for bird in [&self.bird1, &self.bird2] {
            wait::until(limit, "OSPF is adjacent", || {
                match bird.ask("show ospf neighbors core") {
                    Ok(lines) if lines.iter().any(|line| line.contains("Full")) => Ok(()),
                    Ok(lines) => Err(lines.join("\n")),
                    Err(error) => Err(error.to_string()),
                }
            })?;
        }
        Ok(())
    }

    /// Waits until the VIP's route is there or gone at R1 within `limit`, then at R2.
    pub fn wait_route(&self, there: bool, limit: Duration) -> Result<()> {
        self.bird1.wait_route(ROUTE, there, limit)?;
        self.bird2.wait_route(ROUTE, there, OSPF)
    }
}

/// A directory for a test, readable by ExaBGP's user `nobody`.
pub fn workdir() -> Result<TempDir> {
    let dir = tempfile::Builder::new().prefix("ha2bgp-lab-").tempdir();
    let dir = dir.map_err(LabError::io("temporary directory"))?;
    open_up(dir.path(), 0o755)?;
    Ok(dir)
}

/// The program, copied to where every user may execute it.
pub fn program_for_all(dir: &Path) -> Result<PathBuf> {
    let source = program::path().map_err(LabError::Missing)?;
    let copy = dir.join("ha2bgp");
    std::fs::copy(&source, &copy).map_err(LabError::io(source.display().to_string()))?;
    open_up(&copy, 0o755)?;
    Ok(copy)
}

fn open_up(path: &Path, mode: u32) -> Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(LabError::io(path.display().to_string()))
}

/// R1's BIRD: the README's configuration in BIRD 2's words, with fast OSPF timers.
const R1: &str = r#"
router id 1.2.3.4;
log stderr all;
protocol device {}
protocol direct { ipv4; interface "-lo", "*"; }
protocol bgp exabgp {
  local 127.0.1.1 as 65000;
  neighbor 127.0.1.2 as 65000;
  ipv4 { import all; export none; };
}
filter core_export {
  if net ~ [ 100.64.0.0/24+ ] then accept;
  else reject;
}
protocol ospf v2 core {
  ecmp;
  ipv4 { import all; export filter core_export; };
  area 0 { interface "core0" { type ptp; hello 1; dead count 4; }; };
}
"#;

/// R2's BIRD.
const R2: &str = r#"
router id 1.2.3.5;
log stderr all;
protocol device {}
protocol ospf v2 core {
  ipv4 { import all; export none; };
  area 0 { interface "core0" { type ptp; hello 1; dead count 4; }; };
}
"#;
