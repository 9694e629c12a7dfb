//! Network namespaces: the lab's hosts.
//!
//! The name carries the pid of the test process: `ha2bgp-lab-PID-COUNT-HINT`. A namespace whose
//! process is gone is stale; the first test of the next run removes it.

use crate::child::{self, Child};
use crate::{LabError, Result, wait};
use rustix::process::{Pid, Signal};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const PREFIX: &str = "ha2bgp-lab-";
const RUN: &str = "/run/netns";

static COUNT: AtomicU32 = AtomicU32::new(0);
static CLEAN: Once = Once::new();

/// A network namespace, removed with everything that runs in it on drop.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes one, with its loopback up.
    pub fn new(hint: &str) -> Result<Self> {
        CLEAN.call_once(remove_stale);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{count}-{hint}", std::process::id());
        netns(&["add", &name])?;
        let host = Self { name };
        host.ip(&["link", "set", "lo", "up"])?;
        Ok(host)
    }

    /// Its unique name, as `ip netns` knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `ip -n NAME …`
    pub fn ip(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name]).args(args);
        child::run(&mut command)
    }

    /// Runs a closure on a thread that has moved into this namespace. What it opens or starts
    /// there stays there.
    pub fn within<T: Send>(&self, body: impl FnOnce() -> T + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                enter(&self.name)?;
                Ok(body())
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts a child in this namespace, output to files in `dir`.
    pub fn start(&self, name: &str, command: &mut Command, dir: &Path) -> Result<Child> {
        self.within(|| Child::start(name, command, dir))?
    }

    /// Starts a child in this namespace with pipes for its standard input and output.
    pub fn start_piped(&self, name: &str, command: &mut Command, dir: &Path) -> Result<Child> {
        self.within(|| Child::start_piped(name, command, dir))?
    }

    /// Runs a short command in this namespace.
    pub fn run(&self, command: &mut Command) -> Result<String> {
        self.within(|| child::run(command))?
    }

    /// Sets a `net.*` sysctl: `sysctl("net/ipv4/ip_nonlocal_bind", "1")`.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/{key}");
        self.within(|| std::fs::write(&path, value))?
            .map_err(LabError::io(format!("{path} = {value}")))
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Moves the calling thread into a namespace, for good: only for threads made for it.
pub fn enter(name: &str) -> Result<()> {
    let path = Path::new(RUN).join(name);
    let file = File::open(&path).map_err(LabError::io(path.display().to_string()))?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(LabError::errno(format!("move into {name}")))
}

fn netns(args: &[&str]) -> Result<String> {
    child::run(Command::new("ip").arg("netns").args(args))
}

/// The processes in a namespace. Its name is ours alone, so all of them are ours.
fn pids(name: &str) -> Vec<Pid> {
    let listed = netns(&["pids", name]).unwrap_or_default();
    listed.lines().filter_map(|line| line.trim().parse().ok()).filter_map(Pid::from_raw).collect()
}

/// Kills what runs there, by pid, then deletes the namespace. Best effort: it also runs on panic.
fn remove(name: &str) {
    for _ in 0..50 {
        let running = pids(name);
        if running.is_empty() {
            break;
        }
        for pid in running {
            let _gone = rustix::process::kill_process(pid, Signal::KILL);
        }
        wait::pause(Duration::from_millis(20));
    }
    let _outcome = netns(&["del", name]);
}

fn remove_stale() {
    let Ok(entries) = std::fs::read_dir(RUN) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let Some(owner) = owner.and_then(|pid| pid.parse::<u32>().ok()) else {
            continue;
        };
        if !Path::new(&format!("/proc/{owner}")).exists() {
            remove(&name);
        }
    }
}
