//! Child processes: output to files, killed by pid and reaped on drop.

use crate::{LabError, Result, wait};
use rustix::process::{Pid, Signal};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// How much of a log is shown when something failed.
const TAIL: usize = 4000;

/// A child that does not outlive its guard.
#[derive(Debug)]
pub struct Child {
    name: String,
    inner: std::process::Child,
    stdout: PathBuf,
    stderr: PathBuf,
    status: Option<ExitStatus>,
}

impl Child {
    /// Starts a command with its output in `dir/NAME.out` and `dir/NAME.err`, and no input.
    pub fn start(name: &str, command: &mut Command, dir: &Path) -> Result<Self> {
        command.stdin(Stdio::null());
        let stdout = dir.join(format!("{name}.out"));
        let file = File::create(&stdout).map_err(LabError::io(stdout.display().to_string()))?;
        command.stdout(file);
        Self::spawn(name, command, dir, stdout)
    }

    /// Starts a command whose standard input and output are the caller's business; standard error
    /// goes to `dir/NAME.err`.
    pub fn start_piped(name: &str, command: &mut Command, dir: &Path) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let stdout = dir.join(format!("{name}.out"));
        Self::spawn(name, command, dir, stdout)
    }

    fn spawn(name: &str, command: &mut Command, dir: &Path, stdout: PathBuf) -> Result<Self> {
        let stderr = dir.join(format!("{name}.err"));
        let file = File::create(&stderr).map_err(LabError::io(stderr.display().to_string()))?;
        let inner = command
            .stderr(file)
            .spawn()
            .map_err(LabError::io(format!("start {}", line(command))))?;
        Ok(Self { name: name.to_owned(), inner, stdout, stderr, status: None })
    }

    /// The process id, valid until the child has been reaped.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// The pipe to its standard input, once.
    pub fn take_stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.inner.stdin.take()
    }

    /// The pipe from its standard output, once.
    pub fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.inner.stdout.take()
    }

    /// Sends a signal, if the child still runs.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.exit_status()?.is_some() {
            return Ok(());
        }
        rustix::process::kill_process(Pid::from_child(&self.inner), signal)
            .map_err(LabError::errno(format!("signal {signal:?} to {}", self.name)))
    }

    /// The exit status, if it has ended.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            let what = format!("wait for {}", self.name);
            self.status = self.inner.try_wait().map_err(LabError::io(what))?;
        }
        Ok(self.status)
    }

    /// Waits for the end.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} ends", self.name);
        wait::until(limit, &what, || match self.exit_status() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err(self.tail()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Ends it at once and reaps it.
    pub fn kill(&mut self) -> Result<()> {
        if self.exit_status()?.is_none() {
            self.inner.kill().map_err(LabError::io(format!("kill {}", self.name)))?;
            let what = format!("reap {}", self.name);
            self.status = Some(self.inner.wait().map_err(LabError::io(what))?);
        }
        Ok(())
    }

    /// All of its standard output so far, when that goes to a file.
    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// All of its standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// The ends of both, for messages.
    #[must_use]
    pub fn tail(&self) -> String {
        let name = &self.name;
        let (out, err) = (self.stdout(), self.stderr());
        format!("── {name}, stdout\n{}\n── {name}, stderr\n{}\n", tail(&out), tail(&err))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if std::thread::panicking() {
            crate::skip::say(&self.tail());
        }
        // Nothing more can be done about a child that cannot be killed.
        let _outcome = self.kill();
    }
}

fn read(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(TAIL);
    let start = (start..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

/// The command as a person would type it.
#[must_use]
pub fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Runs a short command to its end and returns its standard output.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(LabError::io(format!("start {}", line(command))))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    Err(LabError::Command {
        command: line(command),
        status: output.status.to_string(),
        output: format!("{stdout}{}", String::from_utf8_lossy(&output.stderr)),
    })
}
