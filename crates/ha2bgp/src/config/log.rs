//! How the log looks. Read apart from the other settings, because errors in those are logged too.

use super::raw::Raw;
use super::reader::go_bool;
use crate::events::Level;

/// In which format the log is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogFormat {
    /// The journal where stderr goes there, else text.
    #[default]
    Auto,
    /// Text for people.
    Text,
    /// One JSON object a line.
    Json,
    /// Entries of systemd's journal.
    Journald,
}

/// How the log looks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LogSettings {
    /// Log every step.
    pub debug: bool,
    /// Never use colours.
    pub no_color: bool,
    /// In which format it is.
    pub format: LogFormat,
}

impl LogSettings {
    /// Reads them; a bad value counts as not given here and is reported by
    /// [`Settings::read`](super::settings::Settings::read).
    pub fn read(raw: &Raw) -> Self {
        let on = |name| raw.values.one(name).is_some_and(|at| go_bool(&at.text).unwrap_or(false));
        let format = raw.values.one("log-format").and_then(|at| format(&at.text).ok());
        Self { debug: on("debug"), no_color: on("no-color"), format: format.unwrap_or_default() }
    }

    /// What is written.
    pub const fn level(self) -> Level {
        if self.debug { Level::Debug } else { Level::Info }
    }
}

pub(super) fn format(text: &str) -> Result<LogFormat, String> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        "journald" => Ok(LogFormat::Journald),
        other => Err(format!("\"{other}\" is no format: write auto, text, json or journald")),
    }
}
