//! Monitoring plugins: where Debian's real ones are, and scripts that behave badly.
//!
//! Interface: the Monitoring Plugins Development Guidelines, section "Plugin Output" and "Plugin
//! Return Codes": 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; text on standard output.

use crate::child::run;
use crate::{LabError, Result, procfs, wait};
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where Debian puts them.
pub const DIR: &str = "/usr/lib/nagios/plugins";

/// A real one: `real("check_http")`. A test names what it needs by
/// `Need::File("/usr/lib/nagios/plugins/check_http")`.
#[must_use]
pub fn real(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

/// What a script does. Those that run for long end by themselves after two minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Script {
    /// Prints a text, ends with a code.
    Says(String, u8),
    /// Prints and ends as the file `.state` in the scripts' directory says; [`Plugins::set_state`].
    State,
    /// Runs this many seconds, then is OK.
    Slow(u32),
    /// Ignores SIGTERM, and so does a child of it.
    IgnoresTerm,
    /// Ends at once and leaves a child behind that keeps the pipes and ignores SIGTERM.
    LeavesChild,
    /// The same, but the child has a session and so a process group of its own.
    LeavesSession,
    /// Closes its outputs and runs on.
    ClosesOutput,
    /// Prints lines without end.
    Endless,
    /// Writes to standard error without end.
    EndlessError,
    /// Prints one line of 10 MiB, is OK.
    LongLine,
    /// Prints what is no UTF-8, is OK.
    InvalidUtf8,
    /// Prints nothing, is OK.
    Silent,
    /// Prints its environment as it was given, one variable a line.
    Environment,
    /// Prints `/proc/self/status` (uid, groups, capabilities, no-new-privileges, the directory).
    Status,
    /// Prints `/proc/self/limits`.
    Limits,
    /// Prints its open descriptors, and what they are.
    Descriptors,
    /// Prints each argument in brackets on a line of its own.
    Arguments,
    /// Ends itself by SIGKILL.
    DiesBySignal,
    /// Is a file that may be executed but is no program.
    NoProgram,
}

/// A directory of scripts. On drop, processes that a script has left behind are killed.
#[derive(Debug)]
pub struct Plugins {
    dir: PathBuf,
}

impl Plugins {
    /// Makes a new directory `dir/NAME` that all users may read.
    pub fn new(dir: &Path, name: &str) -> Result<Self> {
        let dir = dir.join(name);
        run(Command::new("install").args(["-d", "-m", "777"]).arg(&dir))?;
        let plugins = Self { dir };
        run(Command::new("install").args(["-m", "666", "/dev/null"]).arg(plugins.pids()))?;
        Ok(plugins)
    }

    /// Writes a script, for all users to execute, and says where it is.
    pub fn script(&self, name: &str, script: &Script) -> Result<PathBuf> {
        let (source, path) = (self.dir.join(format!("{name}.source")), self.dir.join(name));
        std::fs::write(&source, self.text(script)).map_err(LabError::io(name))?;
        // By another process: a descriptor of ours that is open for writing, copied by the fork
        // of another test, would make the start fail with ETXTBSY.
        run(Command::new("install").args(["-m", "755"]).arg(&source).arg(&path))?;
        Ok(path)
    }

    /// What [`Script::State`] prints, and its exit code.
    pub fn set_state(&self, text: &str, code: u8) -> Result<()> {
        let (new, file) = (self.dir.join(".state.new"), self.dir.join(".state"));
        std::fs::write(&new, format!("{code}\n{text}\n")).map_err(LabError::io("state"))?;
        std::fs::rename(&new, &file).map_err(LabError::io("state"))
    }

    /// The scripts' processes that said they were started and still run.
    #[must_use]
    pub fn running(&self) -> Vec<u32> {
        let text = std::fs::read_to_string(self.pids()).unwrap_or_default();
        let ours = self.dir.display().to_string();
        let pids = text.lines().filter_map(|line| line.trim().parse().ok());
        // A pid may be somebody else's by now.
        pids.filter(|pid| procfs::command_line(*pid).iter().any(|word| word.contains(&ours)))
            .collect()
    }

    /// How many processes have said that they were started.
    #[must_use]
    pub fn started(&self) -> usize {
        std::fs::read_to_string(self.pids()).unwrap_or_default().lines().count()
    }

    /// Waits until none runs any more.
    pub fn wait_gone(&self, limit: Duration) -> Result<()> {
        wait::until(limit, "the plugins are gone", || match self.running() {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?}")),
        })
    }

    fn pids(&self) -> PathBuf {
        self.dir.join(".pids")
    }

    fn text(&self, script: &Script) -> String {
        if *script == Script::NoProgram {
            return "\u{7f}no program".to_owned();
        }
        let dir = self.dir.display();
        // A child that says it is there, ignores SIGTERM, and carries the directory's name.
        let stay = "i=0; while [ $i -lt 120 ]; do i=$((i+1)); sleep 1; done";
        let child = format!(
            "sh -c 'trap \"\" TERM; echo $$ >>{dir}/.pids; : >$1; {stay}' {dir}/.child {dir}/.up-$$"
        );
        let there = format!(
            "until [ -e {dir}/.up-$$ ]; do sleep 0.02; done; rm {dir}/.up-$$; echo 'OK - left one'"
        );
        let start = format!("echo $$ >>{dir}/.pids");
        let body = match script {
            Script::Says(text, code) => format!("cat <<'END'\n{text}\nEND\nexit {code}"),
            Script::State => format!("exec <{dir}/.state; read -r code; cat; exit \"$code\""),
            Script::Slow(seconds) => {
                format!("{start}; sleep {}; echo 'OK - slow'", seconds.min(&120))
            }
            Script::IgnoresTerm => format!("trap '' TERM; {start}\n{child} &\n{stay}"),
            Script::LeavesChild => format!("{child} &\n{there}"),
            Script::LeavesSession => format!("setsid {child} &\n{there}"),
            Script::ClosesOutput => format!("{start}; exec >&- 2>&-; {stay}"),
            Script::Endless => format!("{start}; exec yes 'OK - and on {dir}'"),
            Script::EndlessError => format!("{start}; exec yes 'and on {dir}' >&2"),
            Script::LongLine => "head -c 10485760 /dev/zero | tr '\\0' x; echo".to_owned(),
            Script::InvalidUtf8 => {
                "printf 'OK - \\200 \\300\\257 \\355\\240\\200 \\377\\376 | a=1\\n'".to_owned()
            }
            Script::Silent => String::new(),
            Script::Environment => "tr '\\0' '\\n' </proc/$$/environ".to_owned(),
            Script::Status => "cat /proc/$$/status; pwd".to_owned(),
            Script::Limits => "cat /proc/$$/limits".to_owned(),
            Script::Descriptors => {
                "for fd in /proc/$$/fd/*; do echo \"${fd##*/} $(readlink \"$fd\")\"; done"
                    .to_owned()
            }
            Script::Arguments => "for word; do echo \"[$word]\"; done".to_owned(),
            Script::DiesBySignal => "kill -9 $$".to_owned(),
            Script::NoProgram => String::new(),
        };
        format!("#!/bin/sh\n{body}\n")
    }
}

impl Drop for Plugins {
    fn drop(&mut self) {
        for pid in self.running() {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let _gone = pid.map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}
