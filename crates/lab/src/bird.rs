//! BIRD: a real router, asked through its control socket.

use crate::child::Child;
use crate::netns::Netns;
use crate::{LabError, Result, wait};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A reply longer than this is not from a table of ours.
const MAX_LINES: usize = 200_000;

/// A running BIRD.
#[derive(Debug)]
pub struct Bird {
    child: Child,
    socket: PathBuf,
}

impl Bird {
    /// Writes the configuration to `dir`, starts BIRD on `host`, waits until it answers.
    pub fn start(host: &Netns, name: &str, dir: &Path, config: &str) -> Result<Self> {
        let conf = dir.join(format!("{name}.conf"));
        std::fs::write(&conf, config).map_err(LabError::io(conf.display().to_string()))?;
        let socket = dir.join(format!("{name}.ctl"));
        let mut command = Command::new("bird");
        command.arg("-f").arg("-c").arg(&conf).arg("-s").arg(&socket);
        let child = host.start(name, &mut command, dir)?;
        let bird = Self { child, socket };
        wait::until(Duration::from_secs(20), "BIRD answers", || {
            bird.ask("show status").map(drop).map_err(|e| format!("{e}\n{}", bird.child.tail()))
        })?;
        Ok(bird)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Sends one command and returns the lines of the reply, without their codes.
    pub fn ask(&self, command: &str) -> Result<Vec<String>> {
        let what = || format!("{command} at {}", self.socket.display());
        let mut stream = UnixStream::connect(&self.socket).map_err(LabError::io(what()))?;
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).map_err(LabError::io(what()))?;
        stream.write_all(format!("{command}\n").as_bytes()).map_err(LabError::io(what()))?;
        let mut lines = Vec::new();
        let mut greeted = false;
        for line in BufReader::new(stream).lines().take(MAX_LINES) {
            let line = line.map_err(LabError::io(what()))?;
            let (head, text) = line.split_at_checked(5).unwrap_or((&line, ""));
            let last = !line.starts_with(' ') && head.ends_with(' ');
            if !greeted {
                // "0001 BIRD 2.0.12 ready."
                greeted = last;
                continue;
            }
            let text = line.strip_prefix(' ').unwrap_or(text);
            lines.push(text.to_owned());
            if last {
                return Ok(lines);
            }
        }
        Err(LabError::Missing(format!("{}: the reply has no end", what())))
    }

    /// Whether there is a route to exactly this prefix.
    pub fn has_route(&self, prefix: &str) -> Result<bool> {
        let reply = self.ask(&format!("show route {prefix}"))?;
        Ok(reply.iter().any(|line| line.split_whitespace().next() == Some(prefix)))
    }

    /// The prefixes of all routes from one protocol.
    pub fn routes_from(&self, protocol: &str) -> Result<BTreeSet<String>> {
        let reply = self.ask(&format!("show route protocol {protocol}"))?;
        let first = reply.iter().filter_map(|line| line.split_whitespace().next());
        Ok(first.filter(|word| word.contains('/')).map(str::to_owned).collect())
    }

    /// The state and info columns of a protocol, such as `up … Established`.
    pub fn protocol(&self, name: &str) -> Result<String> {
        let reply = self.ask(&format!("show protocols {name}"))?;
        let found = reply.iter().find(|line| line.split_whitespace().next() == Some(name));
        found.cloned().ok_or_else(|| LabError::Missing(format!("no protocol {name}: {reply:?}")))
    }

    /// Waits until a protocol shows a word, such as `Established` or `Running`.
    pub fn wait_protocol(&self, name: &str, word: &str, limit: Duration) -> Result<()> {
        wait::until(limit, &format!("{name} is {word}"), || match self.protocol(name) {
            Ok(line) if line.contains(word) => Ok(()),
            Ok(line) => Err(line),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Waits until a route is there (`true`) or gone (`false`).
    pub fn wait_route(&self, prefix: &str, there: bool, limit: Duration) -> Result<()> {
        let state = if there { "there" } else { "gone" };
        let what = format!("the route to {prefix} is {state} at {}", self.socket.display());
        wait::until(limit, &what, || match self.has_route(prefix) {
            Ok(has) if has == there => Ok(()),
            Ok(_) => Err(self.ask("show route").unwrap_or_default().join("\n")),
            Err(error) => Err(error.to_string()),
        })
    }
}
