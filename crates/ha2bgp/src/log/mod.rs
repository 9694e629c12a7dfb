//! The log: lines on stderr, never on stdout, and never in the way of announcing.
//!
//! On a terminal with time and colour; as a helper process of ExaBGP as `[ha2bgp] …`, because
//! ExaBGP's own log has the time; otherwise (a file, a pipe to journald) with time, without colour.

mod format;
mod writer;

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use format::Style;
pub use writer::Log;

use crate::config::settings::LogSettings;

impl Style {
    /// The style for this process: what stderr is, who started us, what the user wants.
    pub fn choose(settings: LogSettings, helper: bool) -> Self {
        if helper {
            Self::Helper
        } else {
            Self::Stamped { color: std::io::stderr().is_terminal() && !settings.no_color }
        }
    }
}

/// Starts the log. Keep the returned [`Log`] until the end: dropping it writes what is left.
pub fn start(settings: LogSettings, style: Style) -> Log {
    let log = Log::start();
    let level = if settings.debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let layer = tracing_subscriber::fmt::layer()
        .event_format(style)
        .fmt_fields(format::Fields)
        .with_writer(log.maker());
    // A second start in one process happens only in tests; the first log stays.
    let _ = tracing_subscriber::registry().with(level).with(layer).try_init();
    log
}

/// Checks at compile time that the formatter fits any registry.
const _: fn() = || {
    fn fits<S, N>()
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
        N: for<'a> FormatFields<'a> + 'static,
        Style: tracing_subscriber::fmt::FormatEvent<S, N>,
    {
    }
    fits::<tracing_subscriber::Registry, format::Fields>();
};
