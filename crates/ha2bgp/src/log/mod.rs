//! The log: lines on stderr or entries of the journal, never on stdout, and never in the way of
//! announcing.
//!
//! `line` takes an event of `tracing` apart; `text`, `json` and `journald` say how it looks;
//! `writer` is the thread that writes; `level` what is written at all. A line that tells of a
//! record of [`crate::events`] has its fields.
//!
//! Text has time and colour on a terminal; as a helper process of ExaBGP it begins with `[ha2bgp]`,
//! because ExaBGP's own log has the time; otherwise (a file, a pipe) it has time, without colour.

mod journald;
mod level;
mod line;
mod text;
mod writer;

use std::io::IsTerminal as _;
use std::os::unix::fs::MetadataExt as _;

use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

pub use level::LevelState;
pub use text::Style;
pub use writer::{LevelHandle, Log};

use self::journald::Journal;
use self::line::Line;
use self::writer::{Maker, Output};
use crate::config::log::{LogFormat, LogSettings};

/// How lines look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// Text for people.
    Text(Style),
    /// One JSON object a line, with the names of [`crate::events::Record`].
    Json,
    /// Entries of systemd's journal, with fields.
    Journald,
}

impl Format {
    /// The format for this process: what stderr is, who started us, what the user wants.
    pub fn choose(settings: LogSettings, helper: bool) -> Self {
        let text = Self::Text(if helper {
            Style::Helper
        } else {
            Style::Stamped { color: std::io::stderr().is_terminal() && !settings.no_color }
        });
        match settings.format {
            LogFormat::Auto if !helper && stderr_is_journal() => Self::Journald,
            LogFormat::Auto | LogFormat::Text => text,
            LogFormat::Json => Self::Json,
            LogFormat::Journald => Self::Journald,
        }
    }
}

/// Whether stderr goes to the journal: systemd says which file that is (systemd.exec(5)).
fn stderr_is_journal() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let stderr = std::fs::File::open("/proc/self/fd/2").and_then(|file| file.metadata());
    // What cannot be opened, a socket for one, can still be looked at.
    let stderr = stderr.or_else(|_| std::fs::metadata("/proc/self/fd/2"));
    stderr.is_ok_and(|stderr| names(&stream.to_string_lossy(), stderr.dev(), stderr.ino()))
}

/// Whether `DEVICE:INODE` names this file.
fn names(stream: &str, device: u64, inode: u64) -> bool {
    stream.split_once(':').is_some_and(|(stream_device, stream_inode)| {
        stream_device.parse() == Ok(device) && stream_inode.parse() == Ok(inode)
    })
}

/// Starts the log. Keep the returned [`Log`] until the end: dropping it writes what is left.
pub fn start(settings: LogSettings, format: Format) -> Log {
    let output = match format {
        Format::Text(_) | Format::Json => Output::Stderr,
        Format::Journald => Output::Journal(Journal::of_system()),
    };
    let (filter, levels) = level::start(settings.level());
    let log = Log::start(output, levels);
    let layer = Lines { format, maker: log.maker() };
    // A second start in one process happens only in tests; the first log stays.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
    log
}

/// Makes lines of events and hands them to the thread.
#[derive(Debug)]
struct Lines {
    format: Format,
    maker: Maker,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = Line::of(event);
        match self.format {
            Format::Text(style) => self.maker.line(style.line(&line)),
            Format::Json => self.maker.line(line.json()),
            // What the journal does not take stands on stderr.
            Format::Journald => {
                self.maker
                    .entry(journald::entry(&line), Style::Stamped { color: false }.line(&line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_the_journal_is_known_by_its_numbers() {
        assert!(names("8:1234", 8, 1234));
        for other in ["", "8", "8:1235", "9:1234", "8:1234:5", "x:y", ":"] {
            assert!(!names(other, 8, 1234), "{other}");
        }
    }
}
