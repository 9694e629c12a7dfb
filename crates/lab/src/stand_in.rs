//! A helper for a real ExaBGP that says what a test tells it to: a shell script between a FIFO
//! and ExaBGP's pipes. With it a test asks ExaBGP itself, without ha2bgp.

use crate::{LabError, Result, wait};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files of a stand-in.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// The command line for ExaBGP's `run`.
    pub run: String,
    fifo: PathBuf,
    answers: PathBuf,
}

impl StandIn {
    /// Writes the script and makes the FIFO.
    pub fn prepare(dir: &Path) -> Result<Self> {
        let (script, fifo) = (dir.join("stand-in.sh"), dir.join("lines"));
        let answers = dir.join("answers");
        let text = format!(
            "#!/bin/sh\nexec 3<&0\ncat <&3 >'{}' 3<&- &\nwhile :; do cat '{}' || exit; done\n",
            answers.display(),
            fifo.display()
        );
        std::fs::write(&script, text).map_err(LabError::io("stand-in.sh"))?;
        let executable = Permissions::from_mode(0o755);
        std::fs::set_permissions(&script, executable).map_err(LabError::io("stand-in.sh"))?;
        mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0)
            .map_err(LabError::errno("mkfifo"))?;
        Ok(Self { run: script.display().to_string(), fifo, answers })
    }

    /// Sends a line to ExaBGP; waits for the script to be there.
    pub fn say(&self, line: &str) -> Result<()> {
        // Without blocking: an error as long as nobody reads.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        wait::until(Duration::from_secs(10), "the stand-in listens", || {
            let opened = OpenOptions::new().write(true).custom_flags(flags).open(&self.fifo);
            let written = opened.and_then(|mut pipe| writeln!(pipe, "{line}"));
            written.map_err(|error| error.to_string())
        })
    }

    /// All that ExaBGP has answered so far.
    #[must_use]
    pub fn answers(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.answers).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Sends a line and waits for the next answer; none within `limit` is `None`.
    pub fn ask(&self, line: &str, limit: Duration) -> Result<Option<String>> {
        let before = self.answers().len();
        self.say(line)?;
        let answered = wait::until(limit, "an answer", || {
            self.answers().into_iter().nth(before).ok_or_else(String::new)
        });
        match answered {
            Ok(answer) => Ok(Some(answer)),
            Err(LabError::Timeout { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
