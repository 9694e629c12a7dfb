//! A real HAProxy: started with a configuration of the test, asked over its sockets, reloaded in
//! the ways that people reload it.
//!
//! Facts from HAProxy's management guide (sections 3, 4, 9.3, 9.4) and configuration manual
//! (section 3.1, `stats socket`). What is asked here is only what the lab needs; the program's
//! own reading of these sockets is what the lab tests, so nothing of it is used.

use crate::daemon::Daemon;
use crate::netns::Netns;
use crate::{LabError, Result, wait};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// The longest reply that is read: 64 MiB.
const MAX_REPLY: u64 = 64 << 20;
/// The longest wait for a reply, a start or a reload.
const LIMIT: Duration = Duration::from_secs(20);

/// How HAProxy runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A master with a worker (`-W`), as Debian's unit has it, and the master's socket (`-S`).
    #[default]
    Master,
    /// One process (`-db`), replaced by another one on reload.
    Single,
}

/// How it runs, and what its sockets are. The unix stats socket is always there.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// With or without a master.
    pub mode: Mode,
    /// `expose-fd listeners`: a reload takes the listening sockets over.
    pub expose_fd: bool,
    /// One more stats socket, on TCP.
    pub tcp: Option<SocketAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self { mode: Mode::Master, expose_fd: true, tcp: None }
    }
}

/// A running HAProxy; all its processes end on drop.
#[derive(Debug)]
pub struct HaProxy {
    name: String,
    dir: PathBuf,
    options: Options,
    /// Counts the processes, for the names of their logs.
    started: u32,
    current: Daemon,
    /// Processes of [`Mode::Single`] that were replaced and finish their connections.
    old: Vec<Daemon>,
}

impl HaProxy {
    /// Writes the configuration to `dir/NAME.cfg`, starts HAProxy on `host`, waits for an answer
    /// on its stats socket. The sockets are configured in a file of their own.
    pub fn start(
        host: &Netns,
        name: &str,
        dir: &Path,
        config: &str,
        options: Options,
    ) -> Result<Self> {
        write(&dir.join(format!("{name}.cfg")), config)?;
        let mut lab = format!(
            "global\n    stats socket {} mode 600 level admin{}\n",
            socket(dir, name).display(),
            if options.expose_fd { " expose-fd listeners" } else { "" }
        );
        if let Some(address) = options.tcp {
            lab.push_str(&format!("    stats socket {} level admin\n", bind(address)));
        }
        write(&dir.join(format!("{name}-lab.cfg")), &lab)?;
        let current = spawn(host, name, dir, options, 0, &[])?;
        let mut haproxy = Self {
            name: name.to_owned(),
            dir: dir.to_owned(),
            options,
            started: 1,
            current,
            old: Vec::new(),
        };
        haproxy.wait_ready(0)?;
        Ok(haproxy)
    }

    /// The unix stats socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket(&self.dir, &self.name)
    }

    /// The master's socket, with [`Mode::Master`].
    #[must_use]
    pub fn master_socket(&self) -> PathBuf {
        master_socket(&self.dir, &self.name)
    }

    /// The file with the test's configuration text, and nothing else.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.dir.join(format!("{}.cfg", self.name))
    }

    /// Replaces the configuration file; a reload makes it true.
    pub fn configure(&self, config: &str) -> Result<()> {
        write(&self.config_file(), config)
    }

    /// The process that the test started last: the master, or the one without.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.current
    }

    /// The pid of the process that answers on the stats socket.
    pub fn worker(&self) -> Result<u32> {
        let info = self.command("show info")?;
        let pid = info.lines().find_map(|line| line.strip_prefix("Pid: ")?.trim().parse().ok());
        pid.ok_or_else(|| LabError::Missing(format!("no pid in {info}")))
    }

    /// Sends one command to the stats socket and returns the whole reply:
    /// `command("disable frontend web")`.
    pub fn command(&self, command: &str) -> Result<String> {
        ask(&self.socket(), command)
    }

    /// The same on the master's socket: `master("show proc")`.
    pub fn master(&self, command: &str) -> Result<String> {
        ask(&self.master_socket(), command)
    }

    /// A field of `show stat`, by the name in the header: `stat("web", "FRONTEND", "status")`.
    pub fn stat(&self, proxy: &str, server: &str, field: &str) -> Result<String> {
        let text = self.command("show stat")?;
        let header = text.lines().next().unwrap_or_default().trim_start_matches("# ");
        let column = header.split(',').position(|name| name == field);
        let row = text.lines().find(|line| line.starts_with(&format!("{proxy},{server},")));
        let value = column.and_then(|column| row?.split(',').nth(column));
        let missing = || LabError::Missing(format!("no {field} of {proxy}/{server} in\n{text}"));
        value.map(str::to_owned).ok_or_else(missing)
    }

    /// Waits until the status of a row begins with a word, such as `UP`, `OPEN`, `DRAIN`.
    pub fn wait_status(&self, proxy: &str, server: &str, status: &str) -> Result<()> {
        let what = format!("{proxy}/{server} is {status}");
        wait::until(LIMIT, &what, || match self.stat(proxy, server, "status") {
            Ok(is) if is.starts_with(status) => Ok(()),
            Ok(is) => Err(is),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Starts a reload that hands the listening sockets over, and does not wait for it: SIGUSR2
    /// to the master, or a new process with `-x SOCKET -sf PID`. With a configuration that is
    /// wrong, the old worker stays.
    pub fn begin_reload(&mut self, host: &Netns) -> Result<()> {
        match self.options.mode {
            Mode::Master => {
                // A master that is still starting loses the signal (seen with 2.6.12).
                self.wait_master()?;
                self.current.child().signal(Signal::USR2)
            }
            Mode::Single => {
                let socket = self.socket().display().to_string();
                let pid = self.current.pid().to_string();
                let args: &[&str] = match self.options.expose_fd {
                    true => &["-x", &socket, "-sf", &pid],
                    false => &["-sf", &pid],
                };
                self.replace(host, args)
            }
        }
    }

    /// [`HaProxy::begin_reload`], and waits until the new process answers on the stats socket.
    /// Without [`Options::expose_fd`] it is a reload that may lose what was in the accept queues
    /// of the old process.
    pub fn reload_seamless(&mut self, host: &Netns) -> Result<()> {
        let before = self.worker()?;
        self.begin_reload(host)?;
        self.wait_ready(before)
    }

    /// Reloads without handing anything over, dropping connections: a new process with `-st PID`;
    /// with a master, which cannot do so, a stop and a start.
    pub fn reload_hard(&mut self, host: &Netns) -> Result<()> {
        match self.options.mode {
            Mode::Master => self.restart(host),
            Mode::Single => {
                let before = self.worker()?;
                let pid = self.current.pid().to_string();
                self.replace(host, &["-st", &pid])?;
                self.wait_ready(before)
            }
        }
    }

    /// Stops it, then starts it again: between the two nobody listens.
    pub fn restart(&mut self, host: &Netns) -> Result<()> {
        self.stop()?;
        self.start_again(host)
    }

    /// Starts it once more after [`HaProxy::stop`] or [`HaProxy::kill`].
    pub fn start_again(&mut self, host: &Netns) -> Result<()> {
        self.replace(host, &[])?;
        self.wait_ready(0)
    }

    /// Asks it to end at once (SIGTERM), and waits until it has.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.current.stop()
    }

    /// Kills all of it, as a crash does. The files of the sockets stay.
    pub fn kill(&mut self) -> Result<()> {
        for old in &mut self.old {
            old.kill()?;
        }
        self.current.kill()
    }

    /// Whether a process that was replaced still finishes its connections.
    pub fn has_old(&mut self) -> Result<bool> {
        if self.options.mode == Mode::Master {
            return Ok(self.current.workers().len() > 1);
        }
        let mut running = false;
        for old in &mut self.old {
            running |= old.child().exit_status()?.is_none();
        }
        Ok(running)
    }

    /// The end of its log.
    #[must_use]
    pub fn tail(&self) -> String {
        self.current.tail()
    }

    fn wait_master(&self) -> Result<()> {
        wait::until(LIMIT, "HAProxy's master answers", || {
            self.master("show proc").map(drop).map_err(|error| error.to_string())
        })
    }

    fn replace(&mut self, host: &Netns, more: &[&str]) -> Result<()> {
        let new = spawn(host, &self.name, &self.dir, self.options, self.started, more)?;
        self.started += 1;
        self.old.push(std::mem::replace(&mut self.current, new));
        Ok(())
    }

    /// Waits until a process other than `before` answers.
    fn wait_ready(&mut self, before: u32) -> Result<()> {
        wait::until(LIMIT, "HAProxy answers", || {
            self.current.runs().map_err(|error| error.to_string())?;
            match self.worker() {
                Ok(pid) if pid != before => Ok(()),
                Ok(pid) => Err(format!("still process {pid}\n{}", self.tail())),
                Err(error) => Err(format!("{error}\n{}", self.tail())),
            }
        })
    }
}

fn spawn(
    host: &Netns,
    name: &str,
    dir: &Path,
    options: Options,
    number: u32,
    more: &[&str],
) -> Result<Daemon> {
    let mut command = Command::new(crate::tools::find("haproxy").unwrap_or("haproxy".into()));
    for file in [format!("{name}-lab.cfg"), format!("{name}.cfg")] {
        command.arg("-f").arg(dir.join(file));
    }
    match options.mode {
        Mode::Single => command.arg("-db"),
        Mode::Master => command.arg("-W").arg("-S").arg(master_socket(dir, name)),
    };
    command.args(more);
    Daemon::start(host, &format!("{name}-{number}"), &mut command, dir)
}

fn socket(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.sock"))
}

fn master_socket(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}-master.sock"))
}

/// An address as HAProxy's `bind` reads it.
fn bind(address: SocketAddr) -> String {
    let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
    format!("{family}@{}:{}", address.ip(), address.port())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(LabError::io(path.display().to_string()))
}

/// One command on a connection of its own. HAProxy closes it after the reply; the master of 2.6
/// does so only when the asking side has said that nothing more comes.
pub fn ask(socket: &Path, command: &str) -> Result<String> {
    let what = || format!("{command} at {}", socket.display());
    let mut stream = UnixStream::connect(socket).map_err(LabError::io(what()))?;
    stream.set_read_timeout(Some(LIMIT)).map_err(LabError::io(what()))?;
    stream.write_all(format!("{command}\n").as_bytes()).map_err(LabError::io(what()))?;
    stream.shutdown(Shutdown::Write).map_err(LabError::io(what()))?;
    let mut reply = Vec::new();
    stream.take(MAX_REPLY).read_to_end(&mut reply).map_err(LabError::io(what()))?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}
